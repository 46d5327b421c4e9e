#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/crdt/engine_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>

#include "consensus/crdt/broadcast.h"
#include "store/blocks.h"
#include "util/container.h"

#define TURN_MS 1

/* ---- time ---- */

static atomic_llong forward_ms;

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret);

	if (r == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
		int64_t ns = (int64_t)ret->tv_nsec + forward_ms % 1000 * 1000000;

		ret->tv_sec += forward_ms / 1000 + ns / 1000000000;
		ret->tv_nsec = ns % 1000000000;
	}
	return r;
}

static void nothing(uv_timer_t *t)
{
}

void engine_turn(struct engine *g)
{
	uv_timer_t t;

	assert_int_equal(0, uv_timer_init(&g->f.loop, &t));
	uv_timer_start(&t, nothing, TURN_MS, 0);
	uv_run(&g->f.loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&g->f.loop, UV_RUN_NOWAIT);
}

void engine_forward(struct engine *g, uint64_t ms)
{
	forward_ms += (long long)ms;
	for (unsigned i = 0; i < 3; i++)
		uv_run(&g->f.loop, UV_RUN_NOWAIT);
}

/* ---- the writer ---- */

static int no_change(struct store_txn *t, struct store_batch *b)
{
	return 0;
}

struct mark {
	struct store_batch batch;
	bool done;
};

static void mark_done(struct store_batch *b, int status)
{
	container_of(b, struct mark, batch)->done = true;
}

/* Batches beget batches: until the last one had no other behind it. */
void engine_settle(struct engine *g)
{
	for (unsigned i = 0; i < 4; i++) {
		struct mark m = { .batch = { .fn = no_change, .done = mark_done } };

		store_submit(g->f.store, &m.batch);
		engine_until(g, m.done);
	}
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool at_gate;
static struct mark holder;

static int wait_at_gate(struct store_txn *t, struct store_batch *b)
{
	atomic_store(&at_gate, true);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

void engine_hold_writer(struct engine *g)
{
	atomic_store(&at_gate, false);
	pthread_mutex_lock(&gate);
	holder = (struct mark){ .batch = { .fn = wait_at_gate, .done = mark_done } };
	store_submit(g->f.store, &holder.batch);
	while (!atomic_load(&at_gate))
		sched_yield();
}

void engine_release_writer(struct engine *g)
{
	pthread_mutex_unlock(&gate);
	engine_until(g, holder.done);
}

/* ---- what it tells ---- */

static void tell(struct engine *g, char what, const struct cid *cid)
{
	struct engine_event *ev = &g->told[g->n_told];

	if (g->n_told == ENGINE_EVENTS_MAX)
		fail_msg("too many events");
	g->n_told++;
	ev->what = what;
	ev->cid.len = 0;
	if (cid)
		cid_copy(&ev->cid, cid);
}

static void on_put(void *arg, const struct cid *cid, uint64_t serial)
{
	assert_int_not_equal(0, serial);
	tell(arg, '+', cid);
}

static void on_del(void *arg, const struct cid *cid, uint64_t serial)
{
	assert_int_not_equal(0, serial);
	tell(arg, '-', cid);
}

static void on_replaced(void *arg)
{
	tell(arg, '*', NULL);
}

/* ---- its network ---- */

static int net_publish(void *arg, const void *p, size_t n)
{
	struct engine *g = arg;

	buf_reset(&g->published);
	g->n_published++;
	return buf_append(&g->published, p, n);
}

static int net_want(void *arg, const struct cid *cid, const struct peerid *hint)
{
	struct engine *g = arg;

	if (g->refuse_wants < 0)
		return g->refuse_wants;
	assert_false(engine_wants(g, cid));
	assert_true(g->n_wants < ENGINE_WANTS_MAX);
	cid_copy(&g->wants[g->n_wants++], cid);
	if (++g->open_wants > g->most_wants)
		g->most_wants = g->open_wants;
	return 0;
}

/* The first byte tells an open one from one that was asked for once. */
static void close_want(struct engine *g, const struct cid *cid)
{
	size_t i = g->n_wants;

	while (i > 0 && !cid_equal(&g->wants[i - 1], cid))
		i--;
	if (i == 0) {
		fail_msg("this is not wanted");
		return;
	}
	g->wants[i - 1].bytes[0] = 0xff;
	g->open_wants--;
}

bool engine_wants(const struct engine *g, const struct cid *cid)
{
	for (size_t i = 0; i < g->n_wants; i++)
		if (cid_equal(&g->wants[i], cid))
			return true;
	return false;
}

unsigned engine_asked(const struct engine *g, const struct cid *cid)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->n_wants; i++)
		n += g->wants[i].len == cid->len &&
		     memcmp(g->wants[i].bytes + 1, cid->bytes + 1, cid->len - 1) == 0;
	return n;
}

static void net_cancel(void *arg, const struct cid *cid)
{
	struct engine *g = arg;

	close_want(g, cid);
	g->cancelled++;
}

static void net_have(void *arg, const struct cid *cid)
{
	((struct engine *)arg)->haves++;
}

static const struct peerid somebody = { .len = 34, .bytes = { 0x12, 0x20, 1 } };

static struct peerid author_of(const struct engine *g)
{
	return (struct peerid){ .len = 34, .bytes = { 0x12, 0x20, 2, (uint8_t)g->author } };
}

void engine_hear_cids(struct engine *g, const struct cid *cids, size_t n)
{
	const struct peerid author = author_of(g);
	struct cid *copy = malloc(n * sizeof(*copy));
	struct buf message = BUF_INIT(0);

	assert_non_null(copy);
	for (size_t i = 0; i < n; i++)
		cid_copy(&copy[i], &cids[i]);
	assert_int_equal(0, broadcast_encode(copy, n, &message));
	crdt_heard(g->c, &author, &somebody, message.data, message.len);
	buf_deinit(&message);
	free(copy);
}

void engine_hear(struct engine *g, const struct engine_block *b)
{
	engine_hear_cids(g, &b->cid, 1);
}

void engine_give(struct engine *g, const struct engine_block *b)
{
	close_want(g, &b->cid);
	crdt_block(g->c, &b->cid, &somebody, b->bytes.data, b->bytes.len);
}

void engine_peer_up(struct engine *g)
{
	crdt_peer_up(g->c, &somebody);
}

/* ---- blocks ---- */

static void finish_block(struct engine_block *b, struct delta_entry *entries, size_t n,
			 bool tombstones, uint64_t height, const struct engine_block *const *links,
			 size_t n_links)
{
	struct delta d = { .priority = height };
	struct cid *cids = calloc(n_links + 1, sizeof(*cids));

	assert_non_null(cids);
	for (size_t i = 0; i < n_links; i++)
		cid_copy(&cids[i], &links[i]->cid);
	if (tombstones) {
		d.tombstones = entries;
		d.n_tombstones = n;
	} else {
		d.elements = entries;
		d.n_elements = n;
	}
	b->bytes = (struct buf)BUF_INIT(0);
	assert_int_equal(0, block_encode(&d, cids, n_links, &b->bytes));
	block_cid(b->bytes.data, b->bytes.len, &b->cid);
	free(cids);
}

struct place { /* of an entry's texts */
	size_t key, key_len, value, value_len;
};

static void add_key(struct buf *text, unsigned i, struct place *ret)
{
	struct cid cid;

	store_fix_cid(i, &cid);
	ret->key = text->len;
	assert_int_equal(0, delta_pin_key(&cid, text));
	ret->key_len = text->len - ret->key;
	ret->value = text->len;
}

void engine_block_put(struct engine_block *b, unsigned from, unsigned to, const char *name,
		      uint64_t height, const struct engine_block *const *links, size_t n_links)
{
	size_t n = to - from;
	struct delta_entry *entries = calloc(n + 1, sizeof(*entries));
	struct place *places = calloc(n + 1, sizeof(*places));
	struct buf text = BUF_INIT(0);
	struct pin p;

	assert_true(entries && places);
	pin_init(&p);
	for (size_t i = 0; i < n; i++) {
		store_fix_pin(&p, from + (unsigned)i, name);
		add_key(&text, from + (unsigned)i, &places[i]);
		assert_int_equal(0, pin_pb_encode(&p, &text));
		places[i].value_len = text.len - places[i].value;
	}
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct delta_entry){ .key = (char *)text.data + places[i].key,
						   .key_len = places[i].key_len,
						   .value = text.data + places[i].value,
						   .value_len = places[i].value_len };
	finish_block(b, entries, n, false, height, links, n_links);
	pin_deinit(&p);
	buf_deinit(&text);
	free(places);
	free(entries);
}

void engine_block_del(struct engine_block *b, unsigned from, unsigned to,
		      const struct engine_block *of, uint64_t height)
{
	size_t n = to - from;
	struct delta_entry *entries = calloc(n + 1, sizeof(*entries));
	struct place *places = calloc(n + 1, sizeof(*places));
	struct buf text = BUF_INIT(0), id = BUF_INIT(0);

	assert_true(entries && places);
	assert_int_equal(0, block_element_id(&of->cid, &id));
	for (size_t i = 0; i < n; i++)
		add_key(&text, from + (unsigned)i, &places[i]);
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct delta_entry){ .key = (char *)text.data + places[i].key,
						   .key_len = places[i].key_len,
						   .id = (char *)id.data,
						   .id_len = id.len };
	finish_block(b, entries, n, true, height, &of, 1);
	buf_deinit(&text);
	buf_deinit(&id);
	free(places);
	free(entries);
}

void engine_block_bad(struct engine_block *b, unsigned seed, bool node)
{
	const uint8_t delta[] = { 0x0a, 0x04, 0x0a, 0x09, (uint8_t)seed, (uint8_t)(seed >> 8) };

	b->bytes = (struct buf)BUF_INIT(0);
	if (node) { /* data whose one field is cut */
		assert_int_equal(0, buf_append(&b->bytes, delta, sizeof(delta)));
		b->bytes.data[1] = 4;
	} else {
		assert_int_equal(0, buf_printf(&b->bytes, "no node %u", seed));
	}
	block_cid(b->bytes.data, b->bytes.len, &b->cid);
}

void engine_block_free(struct engine_block *b)
{
	buf_deinit(&b->bytes);
}

/* ---- operations ---- */

struct op {
	struct consensus_op op;
	struct consensus_change change;
	struct engine *g;
};

static int decide(struct store_txn *t, struct consensus_op *op)
{
	return 1;
}

static void on_done(struct consensus_op *base, int status)
{
	struct op *o = container_of(base, struct op, op);

	o->g->done += status == 0;
	o->g->refused += status < 0;
	buf_deinit(&o->change.value);
	free(o);
}

static struct op *op_new(struct engine *g, unsigned i)
{
	struct op *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->g = g;
	o->op.decide = decide;
	o->op.done = on_done;
	o->op.changes = &o->change;
	o->op.n_changes = 1;
	store_fix_cid(i, &o->change.cid);
	return o;
}

void engine_pin(struct engine *g, unsigned i, const char *name)
{
	struct op *o = op_new(g, i);
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, i, name);
	assert_int_equal(0, pin_pb_encode(&p, &o->change.value));
	pin_deinit(&p);
	g->c->ops->submit(g->c, &o->op);
}

void engine_unpin(struct engine *g, unsigned i)
{
	struct op *o = op_new(g, i);

	o->change.unpin = true;
	g->c->ops->submit(g->c, &o->op);
}

/* ---- looking ---- */

bool engine_has(struct engine *g, unsigned i, const char *name)
{
	struct store_txn *t = store_fix_read(&g->f);
	struct pin_row row;
	struct cid cid;
	bool has;

	store_fix_cid(i, &cid);
	has = pinset_find(t, &cid, &row) == 0;
	if (has && name) {
		struct pin p;

		pin_init(&p);
		assert_int_equal(0, pinset_decode(&row, &p, NULL));
		has = p.name.n == strlen(name) && memcmp(p.name.p, name, p.name.n) == 0;
		pin_deinit(&p);
	}
	store_read_end(t);
	return has;
}

uint64_t engine_pins(struct engine *g)
{
	struct store_txn *t = store_fix_read(&g->f);
	uint64_t n = store_info(t)->pins;

	store_read_end(t);
	return n;
}

uint64_t engine_heads(struct engine *g, struct cid *ret_one)
{
	struct store_txn *t = store_fix_read(&g->f);
	uint64_t number = 0, height, n;

	assert_int_equal(0, heads_count(t, &n));
	if (ret_one && heads_next(t, &number, &height) == 0) {
		struct block_row row;

		assert_int_equal(0, blocks_row(t, number, &row));
		cid_copy(ret_one, &row.cid);
	}
	store_read_end(t);
	return n;
}

bool engine_merged(struct engine *g, const struct engine_block *b)
{
	struct store_txn *t = store_fix_read(&g->f);
	struct block_row row;
	bool merged = blocks_get(t, &b->cid, &row) == 0 && row.merged;

	store_read_end(t);
	return merged;
}

bool engine_heads_of(struct engine *g, struct crdt_heads *ret)
{
	const struct peerid author = author_of(g);

	return crdt_heads_of(g->c, &author, ret);
}

struct crdt_sync engine_sync(struct engine *g)
{
	struct crdt_sync s;

	crdt_sync_state(g->c, &s);
	return s;
}

/* ---- life ---- */

void engine_init(struct engine *g)
{
	memset(g, 0, sizeof(*g));
	g->cfg = (struct crdt_config){ .trust_all = true,
				       .repair_interval_ms = 3600 * 1000,
				       .rebroadcast_interval_ms = 60 * 1000 };
	g->events = (struct consensus_events){
		.pin_put = on_put, .pin_del = on_del, .replaced = on_replaced, .arg = g
	};
	g->net = (struct crdt_net){ .publish = net_publish,
				    .want = net_want,
				    .cancel = net_cancel,
				    .have = net_have,
				    .arg = g };
	store_fix_setup(&g->f);
}

void engine_start(struct engine *g)
{
	struct err e = { 0 };

	if (crdt_new(g->f.store, &g->f.loop, &g->cfg, &g->events, &g->c, &e) < 0)
		fail_msg("%s", e.msg);
}

void engine_attach(struct engine *g)
{
	assert_int_equal(0, crdt_attach(g->c, &g->net));
}

static void on_closed(void *arg)
{
	struct engine *g = arg;

	assert_false(g->closed);
	g->closed = true;
}

void engine_begin_close(struct engine *g)
{
	g->closed = false;
	g->c->ops->close(g->c, on_closed, g);
}

void engine_finish_close(struct engine *g)
{
	engine_until(g, g->closed);
	g->c = NULL;
	for (size_t i = 0; i < g->n_wants; i++)
		g->wants[i].bytes[0] = 0xff;
	g->open_wants = 0;
}

void engine_close(struct engine *g)
{
	engine_begin_close(g);
	engine_finish_close(g);
}

void engine_restart(struct engine *g)
{
	engine_close(g);
	store_close(g->f.store);
	store_fix_open(&g->f);
	engine_start(g);
	engine_attach(g);
}

static void copy_data(const char *from, const char *to)
{
	char path[2][64], piece[65536];
	int in, out;
	ssize_t n;

	snprintf(path[0], sizeof(path[0]), "%s/data.mdb", from);
	snprintf(path[1], sizeof(path[1]), "%s/data.mdb", to);
	in = open(path[0], O_RDONLY | O_CLOEXEC);
	out = open(path[1], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, piece, sizeof(piece))) > 0)
		assert_int_equal(n, write(out, piece, (size_t)n));
	close(in);
	close(out);
}

void engine_crash(struct engine *g)
{
	char image[32] = "store-XXXXXX";

	engine_hold_writer(g); /* nothing changes while it is copied */
	assert_non_null(mkdtemp(image));
	copy_data(g->f.folder, image);
	engine_release_writer(g);
	engine_close(g);
	store_close(g->f.store);
	folder_delete(g->f.folder);
	strcpy(g->f.folder, image);
	store_fix_open(&g->f);
	engine_start(g);
	engine_attach(g);
}

void engine_end(struct engine *g)
{
	if (g->c)
		engine_close(g);
	buf_deinit(&g->published);
	store_fix_teardown(&g->f);
}
