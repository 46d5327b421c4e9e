#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/crdt/crdt.h"
#include "tests/unit/cluster/rpc_fixture.h"

#define GUARD_MS 60000

static char ping[] = "ping", peername[] = "unit", freespace[] = "freespace";

/* Each millisecond, so that no turn of the loop waits for long. */
static void on_guard(uv_timer_t *t)
{
	struct fix *f = container_of(t, struct fix, guard);

	if (++f->ran_ms < GUARD_MS)
		return;
	fprintf(stderr, "the test hangs\n");
	abort();
}

static void set_config(struct fix *f)
{
	static char *names[] = { freespace };

	f->config = (struct cluster_config){ .peername = peername,
					     .replication_factor_min = -1,
					     .replication_factor_max = -1,
					     .monitor_ping_interval_ms = 15000,
					     .pin_recover_interval_ms = 3600000 };
	f->tracker = (struct tracker_config){ .concurrent_pins = 10,
					      .priority_pin_max_age_ms = 86400000,
					      .priority_pin_max_retries = 5 };
	f->monitor.check_interval_ms = 15000;
	f->crdt =
	    (struct crdt_config){ .peerset_metric = ping, .trusted_peers = { &f->friend, 1 } };
	f->informer = (struct informer_config){ .disk_metric = freespace,
						.disk_ttl_ms = 30000,
						.pinqueue_ttl_ms = 30000,
						.tags_ttl_ms = 30000 };
	f->allocator.allocate_by = (struct names){ names, 1 };
}

static void open_network(struct fix *f)
{
	const struct host_options ho = { .loop = &f->s.loop,
					 .self = &f->self,
					 .announce = &f->address,
					 .n_announce = 1,
					 .agent = "unit",
					 .dial_timeout_ms = 1000,
					 .low_water = 100,
					 .high_water = 400 };
	const struct gossip_config gc = { .self = &f->self,
					  .seqno = 1,
					  .heartbeat_ms = 10000,
					  .d_factor = 4,
					  .history_length = 6,
					  .history_gossip = 2 };
	struct err e = { 0 };

	if (host_new(&ho, &f->host, &e) < 0 ||
	    pubsub_new(f->host, &f->s.loop, &gc, &f->pubsub, &e) < 0 ||
	    cluster_join(f->cluster, f->host, f->pubsub, &e) < 0)
		fail_msg("%s", e.msg);
	f->rpc = rpc_server_gorpc(f->cluster->rpc);
}

static void open_cluster(struct fix *f)
{
	const struct cluster_options opt = { .config = &f->config,
					     .tracker = &f->tracker,
					     .monitor = &f->monitor,
					     .crdt = &f->crdt,
					     .informer = &f->informer,
					     .allocator = &f->allocator,
					     .kubo_config = &f->kubo_config,
					     .backups_rotate = 6,
					     .data_folder = f->s.folder,
					     .self = f->self.id,
					     .store = f->s.store,
					     .mbox = &f->s.mbox,
					     .loop = &f->s.loop,
					     .kubo = f->kubo };
	struct err e = { 0 };

	if (cluster_new(&opt, &f->cluster, &e) < 0 ||
	    crdt_new(f->s.store, &f->s.loop, &f->crdt, cluster_consensus_events(f->cluster),
		     &f->consensus, &e) < 0 ||
	    cluster_start(f->cluster, f->consensus, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Kubo is known, and the pinset was compared with it for the last time in a while. */
static bool is_settled(struct fix *f)
{
	struct tracker *t = f->cluster->tracker;
	struct tracker_kubo k;

	tracker_kubo(t, &k);
	return k.up && k.repo_ns > 0 && t->surveyed && !t->round;
}

int fix_setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	store_fix_setup(&f->s);
	assert_int_equal(0, identity_generate(&f->self, NULL));
	peerid_from_ed25519((const uint8_t[32]){ 1 }, &f->friend);
	peerid_from_ed25519((const uint8_t[32]){ 2 }, &f->stranger);
	assert_int_equal(0, multiaddr_parse(ADDRESS, strlen(ADDRESS), &f->address, NULL));
	set_config(f);
	pin_init(&f->pin);
	f->memory.left = 64u << 20;
	f->kubo = kubo_fake_new(&f->s.loop);
	uv_timer_init(&f->s.loop, &f->guard);
	uv_timer_start(&f->guard, on_guard, 1, 1);
	open_cluster(f);
	open_network(f);
	fix_until(f, is_settled(f));
	*state = f;
	return 0;
}

static void on_drained(void *arg)
{
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

void fix_close(struct fix *f)
{
	cluster_close(f->cluster, on_drained, on_closed, &f->closed);
	fix_until(f, f->closed);
	f->cluster = NULL;
	f->rpc = NULL;
}

int fix_teardown(void **state)
{
	struct fix *f = *state;

	if (f->cluster)
		fix_close(f);
	kubo_close(f->kubo, on_closed, &f->kubo_closed);
	fix_until(f, f->kubo_closed);
	host_close(f->host, on_closed, &f->host_closed);
	fix_until(f, f->host_closed);
	pubsub_close(f->pubsub, on_closed, &f->pubsub_closed);
	fix_until(f, f->pubsub_closed);
	uv_close((uv_handle_t *)&f->guard, NULL);
	store_fix_teardown(&f->s);
	bump_free_all(f->memory.chunks);
	identity_clear(&f->self);
	pin_deinit(&f->pin);
	free(f);
	return 0;
}

void fix_turn(struct fix *f)
{
	uv_run(&f->s.loop, UV_RUN_ONCE);
}

/* ---- calls ---- */

struct gorpc_call *fix_call(struct fix *f, const char *service, const char *method,
			    const struct buf *argument)
{
	struct gorpc_call *c = gorpc_fake_call(f->rpc, &f->friend, service, method);

	gorpc_fake_argument(c, argument ? argument->data : NULL, argument ? argument->len : 0);
	return c;
}

struct gorpc_call *fix_call_cid(struct fix *f, const char *service, const char *method,
				const struct cid *cid)
{
	struct buf argument = BUF_INIT(0);
	struct gorpc_call *c;

	assert_int_equal(0, rpc_cid_encode(cid, &argument));
	c = fix_call(f, service, method, &argument);
	buf_deinit(&argument);
	return c;
}

void fix_finished(struct fix *f, struct gorpc_call *c)
{
	fix_until(f, gorpc_fake_state(c) != GORPC_FAKE_OPEN);
	if (gorpc_fake_state(c) == GORPC_FAKE_FAILED)
		fail_msg("%s", gorpc_fake_text(c));
	assert_int_equal(GORPC_FAKE_FINISHED, gorpc_fake_state(c));
}

void fix_failed(struct fix *f, struct gorpc_call *c, const char *text)
{
	fix_until(f, gorpc_fake_state(c) != GORPC_FAKE_OPEN);
	assert_int_equal(GORPC_FAKE_FAILED, gorpc_fake_state(c));
	assert_string_equal(text, gorpc_fake_text(c));
	gorpc_fake_free(c);
}

void fix_info(struct fix *f, const struct gorpc_call *c, size_t i, struct rpc_pin_info *ret)
{
	struct err e = { 0 };
	size_t n;
	const uint8_t *p = gorpc_fake_value(c, i, &n);

	if (rpc_pin_info_decode(p, n, &f->memory, ret, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(peerid_equal(&ret->peer, &f->self.id));
	assert_true(fix_is(&ret->peername, peername));
}

bool fix_is(const struct pin_text *t, const char *want)
{
	return t->n == strlen(want) && memcmp(t->n ? t->p : "", want, t->n) == 0;
}

/* ---- the store ---- */

uint64_t fix_pin(struct fix *f, unsigned i, enum status status)
{
	struct status_row row = { .status = status, .since_ns = clock_now_ns(), .error = "" };
	struct store_txn *t = store_fix_write(&f->s);
	uint64_t serial;

	store_fix_pin(&f->pin, i, "pin");
	f->pin.timestamp = 1700000000;
	serial = store_fix_set(t, &f->pin, 0);
	if (status == STATUS_PIN_ERROR) {
		row.error = "no such block";
		row.error_len = strlen(row.error);
		row.attempts = 3;
		row.retry_s = clock_now_s() + 1000;
	}
	assert_int_equal(0, status_put(t, serial, &row));
	assert_int_equal(0, store_commit(t));
	return serial;
}

void fix_unpin(struct fix *f, unsigned i, const char *error)
{
	struct store_txn *t = store_fix_write(&f->s);
	struct unpin_row row = { 0 };
	struct cid cid;

	store_fix_cid(i, &cid);
	assert_int_equal(
	    0, unpin_add(t, cid.bytes, cid.len, clock_now_ns() + 1000 * (int64_t)NS_PER_S));
	while (unpin_next(t, row.sequence, &row) == 0)
		;
	snprintf(row.error, sizeof(row.error), "%s", error);
	row.attempts = error[0] ? 2 : 0;
	assert_int_equal(0, unpin_put(t, &row));
	assert_int_equal(0, store_commit(t));
}

enum status fix_status(struct fix *f, uint64_t serial)
{
	struct store_txn *t = store_fix_read(&f->s);
	struct status_row row;

	assert_int_equal(0, status_get(t, serial, &row));
	store_read_end(t);
	return row.status;
}

bool fix_is_pinned(struct fix *f, const struct cid *cid, struct pin *ret)
{
	struct store_txn *t = store_fix_read(&f->s);
	struct pin_row row;
	struct pin p;
	bool found = pinset_find(t, cid, &row) == 0;

	if (found && ret) {
		pin_init(&p);
		assert_int_equal(0, pinset_decode(&row, &p, NULL));
		assert_int_equal(0, pin_copy(ret, &p));
		pin_deinit(&p);
	}
	store_read_end(t);
	return found;
}
