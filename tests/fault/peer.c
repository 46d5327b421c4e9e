#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fault/peer.h"

#include <errno.h>

#include "consensus/crdt/crdt.h"
#include "store/blocks.h"
#include "store/export.h"
#include "tests/fault/faults.h"
#include "tests/lib/store_fixture.h"
#include "types/name.h"
#include "util/container.h"

#define EXPIRES 4000000000

void peer_init(struct peer *p, bool batching)
{
	*p = (struct peer){ .folder = "peer-XXXXXX", .max_unpins = 1000000 };
	p->config.replication_factor_min = p->config.replication_factor_max = -1;
	if (batching) {
		p->crdt.max_batch_size = 4;
		p->crdt.max_batch_age_ms = 3600 * 1000;
	}
	assert_true(sodium_init() >= 0);
	assert_non_null(mkdtemp(p->folder));
}

void peer_remove(struct peer *p)
{
	folder_delete(p->folder);
}

/* ---- life ---- */

static void count_change(void *arg, const struct cid *cid, uint64_t serial, bool removed)
{
	((struct peer *)arg)->changes++;
}

static void count_break(struct mbox_msg *m)
{
	container_of(m, struct peer, broken)->breaks++;
}

static void on_drained(void *arg)
{
}

static void on_closed(void *arg)
{
	((struct peer *)arg)->closed = true;
}

static void close_rest(struct peer *p)
{
	store_close(p->store);
	p->store = NULL;
	mbox_close(&p->mbox);
	mbox_drain(&p->mbox);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	assert_int_equal(0, uv_loop_close(&p->loop));
}

static void close_cluster(struct peer *p)
{
	p->closed = false;
	cluster_close(p->cluster, on_drained, on_closed, p);
	while (!p->closed)
		uv_run(&p->loop, UV_RUN_ONCE);
	p->cluster = NULL;
}

int peer_try_open(struct peer *p, atomic_long *what, long n, struct err *e)
{
	struct store_options so = {
		.folder = p->folder, .map_size = 1u << 30, .max_readers = 64, .broken = &p->broken
	};
	struct cluster_events events = { .pin_changed = count_change, .arg = p };
	struct cluster_options co = { .config = &p->config,
				      .max_unpins = p->max_unpins,
				      .backups_rotate = 6,
				      .data_folder = p->folder,
				      .mbox = &p->mbox,
				      .loop = &p->loop,
				      .offline = true };
	int r;

	/* libuv's own start is not ours: it may give up as it likes. */
	assert_int_equal(0, uv_loop_init(&p->loop));
	assert_int_equal(0, mbox_init(&p->mbox, &p->loop));
	p->cluster = NULL;
	p->consensus = NULL;
	p->broken.fn = count_break;
	p->breaks = 0;
	if (what)
		fault_at(what, n);
	r = store_open(&so, &p->mbox, &p->store, e);
	if (r < 0)
		p->store = NULL;
	co.store = p->store;
	if (r == 0)
		r = cluster_new(&co, &p->cluster, e);
	if (r == 0)
		r = crdt_new(p->store, &p->loop, &p->crdt, cluster_consensus_events(p->cluster),
			     &p->consensus, e);
	if (r == 0)
		r = cluster_start(p->cluster, p->consensus, e);
	if (r == 0) {
		cluster_set_events(p->cluster, &events);
		return 0;
	}
	if (p->cluster)
		close_cluster(p);
	close_rest(p);
	return r;
}

static void no_work(uv_work_t *w)
{
}

static void work_done(uv_work_t *w, int status)
{
	w->data = NULL;
}

/* libuv makes its threads at their first work, and ends the process where it cannot. */
static void start_pool(struct peer *p)
{
	uv_work_t w = { .data = p };

	assert_int_equal(0, uv_queue_work(&p->loop, &w, no_work, work_done));
	while (w.data)
		uv_run(&p->loop, UV_RUN_ONCE);
}

void peer_open(struct peer *p)
{
	struct err e = { 0 };

	fault_none();
	if (peer_try_open(p, NULL, 0, &e) < 0)
		fail_msg("%s", e.msg);
	start_pool(p);
}

void peer_close(struct peer *p)
{
	close_cluster(p);
	close_rest(p);
}

bool peer_revive(struct peer *p)
{
	if (peer_works(p))
		return false;
	peer_close(p);
	peer_open(p);
	return true;
}

/* ---- requests ---- */

struct cluster_request *peer_request(enum cluster_verb verb, const char *text)
{
	struct cluster_request *rq = cluster_request_new(verb, 0);

	assert_non_null(rq);
	if (text) {
		rq->text = strdup(text);
		assert_non_null(rq->text);
	}
	return rq;
}

static void fill_item(struct cluster_item *item, const struct peer_step *step)
{
	store_fix_pin(&item->pin, step->i, step->name ? step->name : "");
	item->unpin = !step->name;
	item->pin.timestamp = PIN_TIME_UNSET;
	if (step->expires)
		item->pin.expire_at = EXPIRES;
	item->keys.given = PIN_KEY_NAME | PIN_KEY_EXPIRE_AT;
}

struct cluster_request *peer_change(const struct peer_step *steps, size_t n)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, n);

	assert_non_null(rq);
	for (size_t k = 0; k < n; k++)
		fill_item(&rq->items[k], &steps[k]);
	return rq;
}

struct source {
	const struct peer_step *steps;
	size_t n;
};

static int source_next(void *arg, struct cluster_item *ret, struct err *e)
{
	struct source *s = arg;

	if (s->n == 0)
		return 0;
	fill_item(ret, s->steps++);
	s->n--;
	return 1;
}

struct cluster_request *peer_change_many(const struct peer_step *steps, size_t n)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 0);
	struct source *s = malloc(sizeof(*s));

	assert_non_null(rq);
	assert_non_null(s);
	*s = (struct source){ .steps = steps, .n = n };
	rq->source = (struct cluster_source){ .next = source_next, .free = free, .arg = s };
	return rq;
}

static struct peer *asking; /* one at a time */

static void on_done(struct cluster_request *rq, int status)
{
	*(int *)rq->arg = status;
	asking->under_way--;
	snprintf(asking->reason, sizeof(asking->reason), "%s", rq->error.msg);
	cluster_request_free(rq);
}

void peer_begin(struct peer *p)
{
	p->changes = p->under_way = 0;
	p->reason[0] = '\0';
	asking = p;
}

void peer_post(struct peer *p, struct cluster_request *rq, int *ret)
{
	rq->done = on_done;
	rq->arg = ret;
	p->under_way++;
	cluster_post(p->cluster, rq);
}

void peer_await(struct peer *p)
{
	while (p->under_way > 0)
		uv_run(&p->loop, UV_RUN_ONCE);
}

int peer_run(struct peer *p, struct cluster_request *rq)
{
	int status;

	peer_begin(p);
	peer_post(p, rq, &status);
	peer_await(p);
	return status;
}

void peer_must(struct peer *p, struct cluster_request *rq)
{
	if (peer_run(p, rq) < 0)
		fail_msg("%s", p->reason);
}

void peer_model(struct peer *p, const struct peer_step *steps, size_t n)
{
	for (size_t k = 0; k < n; k++)
		p->names[steps[k].i] = steps[k].name;
}

void peer_model_none(struct peer *p)
{
	memset(p->names, 0, sizeof(p->names));
}

static void change(struct peer *p, const struct peer_step *steps, size_t n)
{
	if (n > 0)
		peer_must(p, peer_change(steps, n));
}

void peer_pin(struct peer *p, unsigned from, unsigned to, const char *name)
{
	struct peer_step steps[PEER_CIDS];
	size_t n = 0;

	for (unsigned i = from; i < to; i++)
		steps[n++] = (struct peer_step){ .i = i, .name = name };
	change(p, steps, n);
	peer_model(p, steps, n);
}

/* ---- looking ---- */

bool peer_works(struct peer *p)
{
	struct store_txn *t;
	int r = store_read(p->store, &t);

	if (r == 0)
		store_read_end(t);
	return r == 0;
}

static bool as_in_model(const struct store_txn *t, const struct peer *p, unsigned i)
{
	struct pin_row row;
	struct cid cid;
	struct pin pin;
	bool same;
	int r;

	store_fix_cid(i, &cid);
	r = pinset_find(t, &cid, &row);
	if (r == -ENOENT)
		return !p->names[i];
	assert_int_equal(0, r);
	pin_init(&pin);
	assert_int_equal(0, pinset_decode(&row, &pin, NULL));
	same = p->names[i] && strlen(p->names[i]) == pin.name.n &&
	       memcmp(p->names[i], pin.name.p, pin.name.n) == 0;
	pin_deinit(&pin);
	return same;
}

static struct store_txn *begin(struct peer *p)
{
	struct store_txn *t;

	assert_int_equal(0, store_read(p->store, &t));
	return t;
}

bool peer_is_model(struct peer *p)
{
	struct store_txn *t = begin(p);
	bool same = true;

	for (unsigned i = 0; i < PEER_CIDS; i++)
		same = same && as_in_model(t, p, i);
	store_read_end(t);
	return same;
}

void peer_restore(struct peer *p)
{
	struct peer_step steps[PEER_CIDS];
	struct store_txn *t = begin(p);
	size_t n = 0;

	for (unsigned i = 0; i < PEER_CIDS; i++)
		if (!as_in_model(t, p, i))
			steps[n++] = (struct peer_step){ .i = i, .name = p->names[i] };
	store_read_end(t);
	change(p, steps, n);
	assert_true(peer_is_model(p));
}

void peer_info(struct peer *p, struct store_info *ret)
{
	struct store_txn *t = begin(p);

	*ret = *store_info(t);
	store_read_end(t);
}

/* ---- counting anew ---- */

struct count {
	uint64_t pins, bytes, expiring, pending;
	uint64_t by_status[STATUS_NR];
};

static void check_name(const struct store_txn *t, const struct pin *pin, uint64_t serial)
{
	char folder[NAME_FOLDER_MAX + 1];
	size_t n = name_folder(pin->name.p, pin->name.n, folder);
	uint64_t number, found;

	assert_int_equal(0, names_find(t, folder, n, &number));
	assert_int_equal(0, names_next_pin(t, number, serial - 1, &found));
	assert_int_equal(serial, found);
}

/* Blocks that have the pin: one at least that no tombstone hides, and whose bytes are there. */
static void check_elements(const struct store_txn *t, const struct pin_row *row)
{
	struct block_row block;
	unsigned living = 0;
	uint64_t number = 0;

	while (elements_next(t, row->kid, &number) == 0) {
		assert_int_equal(0, blocks_row(t, number, &block));
		assert_true(block.stored);
		living += tombstones_has(t, row->kid, number) == 0;
	}
	assert_true(living > 0 || (row->flags & PIN_ROW_PENDING));
}

static void check_row(const struct store_txn *t, const struct pin_row *row, struct count *c)
{
	struct buf text = BUF_INIT(0);
	struct status_row status;
	struct pin pin;

	pin_init(&pin);
	assert_int_equal(0, pinset_decode(row, &pin, NULL));
	assert_int_equal(0, pin_json_line(&pin, &text));
	assert_int_equal(text.len + 1, row->line_len);
	buf_reset(&text);
	assert_int_equal(0, pin_json_document(&pin, &text));
	assert_int_equal(text.len, row->document_len);
	assert_int_equal(0, status_get(t, row->serial, &status));
	check_name(t, &pin, row->serial);
	check_elements(t, row);
	c->pins++;
	c->bytes += row->line_len;
	c->by_status[status.status]++;
	c->expiring += pin.expire_at != PIN_TIME_UNSET;
	buf_deinit(&text);
	pin_deinit(&pin);
}

static void count_rows(const struct store_txn *t, struct count *c)
{
	struct pinset_iter it;
	struct pin_row row;
	uint64_t serials = 0;

	assert_int_equal(0, pinset_iter_keys(t, NULL, &it));
	while (pinset_next(&it, &row) == 0)
		check_row(t, &row, c);
	pinset_iter_end(&it);
	assert_int_equal(0, pinset_iter_serials(t, 0, &it));
	while (pinset_next(&it, &row) == 0)
		serials++;
	pinset_iter_end(&it);
	assert_int_equal(c->pins, serials);
}

static void check_names(const struct store_txn *t, const struct count *c)
{
	uint64_t number = 0, count, named = 0;
	const char *folder;
	size_t n;

	while (names_next(t, number, &number, &folder, &n, &count) == 0) {
		uint64_t serial = 0, pins = 0;

		while (names_next_pin(t, number, serial, &serial) == 0)
			pins++;
		assert_int_equal(count, pins);
		assert_true(count > 0);
		named += count;
	}
	assert_int_equal(c->pins, named);
}

static void check_lists(const struct store_txn *t, const struct count *c)
{
	uint64_t serial = 0, due = 0, seq = 0, pending = 0;
	int64_t second = 0;
	const void *p;
	size_t n;

	for (unsigned i = 0; i < STATUS_NR; i++) {
		struct status_place place = { 0 };
		uint64_t listed = 0;

		while (status_next(t, (enum status)i, &place) == 0)
			listed++;
		assert_int_equal(c->by_status[i], listed);
		assert_int_equal(c->by_status[i], store_info(t)->by_status[i]);
	}
	while (due_next(t, DUE_EXPIRY, &second, &serial) == 0)
		due++;
	assert_int_equal(c->expiring, due);
	while (pending_next(t, seq, &seq, &p, &n) == 0)
		pending++;
	assert_int_equal(pending, store_info(t)->pending);
}

static void check_heads(const struct store_txn *t)
{
	uint64_t number = 0, height, heads = 0;
	struct block_row block;

	while (heads_next(t, &number, &height) == 0) {
		assert_int_equal(0, blocks_row(t, number, &block));
		assert_true(block.stored && block.merged);
		assert_int_equal(height, block.height);
		heads++;
	}
	assert_true(heads <= 1); /* nobody else writes */
}

static void check_export(const struct store_txn *t)
{
	struct export *x;
	char piece[4096];
	uint64_t at = 0;
	ssize_t n;

	assert_int_equal(0, export_new(t, &x));
	while ((n = export_read(x, at, piece, sizeof(piece))) > 0)
		at += (uint64_t)n;
	assert_int_equal(0, n);
	assert_int_equal(store_info(t)->export_bytes, at);
	export_free(x);
}

void peer_recount(struct peer *p)
{
	struct store_txn *t = begin(p);
	struct count c = { 0 };

	count_rows(t, &c);
	assert_int_equal(store_info(t)->pins, c.pins);
	assert_int_equal(store_info(t)->export_bytes, c.bytes);
	check_names(t, &c);
	check_lists(t, &c);
	check_heads(t);
	check_export(t);
	store_read_end(t);
}
