/* Checks that do not come to an end until the test lets them: the engine is the real one behind a
 * gate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "cluster/cluster.h"
#include "consensus/crdt/crdt.h"
#include "tests/lib/store_fixture.h"
#include "util/clock.h"
#include "util/container.h"

#define PINS 10 /* of before */
#define CHECKED "{\"cid\":\"QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR\"}\n"
#define DEADLINE_MS 20000
#define TICK_MS 5

/* ---- the gate ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool reached, open; /* by a check; for it */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static void gate_pass(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.reached = true;
	while (!gate.open)
		pthread_cond_wait(&gate.moved, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_set(bool open)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = open;
	pthread_cond_broadcast(&gate.moved);
	pthread_mutex_unlock(&gate.lock);
}

static bool gate_reached(void)
{
	bool reached;

	pthread_mutex_lock(&gate.lock);
	reached = gate.reached;
	pthread_mutex_unlock(&gate.lock);
	return reached;
}

/* ---- the engine behind it ---- */

struct gated_engine {
	struct consensus base;
	struct consensus *real;
};

struct gated_loader {
	struct consensus_loader base;
	struct consensus_loader *real;
};

static struct consensus_loader *real_loader(struct consensus_loader *l)
{
	return container_of(l, struct gated_loader, base)->real;
}

static int gated_add(struct consensus_loader *l, const struct consensus_pin *p)
{
	return real_loader(l)->ops->add(real_loader(l), p);
}

static int gated_seal(struct consensus_loader *l)
{
	return real_loader(l)->ops->seal(real_loader(l));
}

static int gated_compare(struct consensus_loader *l, struct consensus_load *ld, struct err *e)
{
	gate_pass();
	return real_loader(l)->ops->compare(real_loader(l), ld, e);
}

static int gated_commit(struct consensus_loader *l, struct consensus_load *ld, struct err *e)
{
	return real_loader(l)->ops->commit(real_loader(l), ld, e);
}

static void gated_loader_free(struct consensus_loader *l)
{
	real_loader(l)->ops->free(real_loader(l));
	free(container_of(l, struct gated_loader, base));
}

static const struct consensus_loader_ops gated_loader_ops = { .add = gated_add,
							      .seal = gated_seal,
							      .compare = gated_compare,
							      .commit = gated_commit,
							      .free = gated_loader_free };

static struct consensus *real_engine(struct consensus *c)
{
	return container_of(c, struct gated_engine, base)->real;
}

static void gated_submit(struct consensus *c, struct consensus_op *op)
{
	real_engine(c)->ops->submit(real_engine(c), op);
}

static int gated_load(struct consensus *c, struct consensus_loader **ret)
{
	struct gated_loader *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->base.ops = &gated_loader_ops;
	assert_int_equal(0, real_engine(c)->ops->load(real_engine(c), &l->real));
	*ret = &l->base;
	return 0;
}

static int gated_apply_many(struct consensus *c, const struct consensus_many *m, struct err *e)
{
	return real_engine(c)->ops->apply_many(real_engine(c), m, e);
}

static void gated_replaced(struct consensus *c)
{
	real_engine(c)->ops->replaced(real_engine(c));
}

static void gated_close(struct consensus *c, void (*closed)(void *arg), void *arg)
{
	real_engine(c)->ops->close(real_engine(c), closed, arg);
}

static const struct consensus_ops gated_ops = { .name = "gated",
						.submit = gated_submit,
						.load = gated_load,
						.apply_many = gated_apply_many,
						.replaced = gated_replaced,
						.close = gated_close };

/* ---- the peer ---- */

struct fix {
	struct store_fix store;
	struct crdt_config crdt;
	struct cluster_config config;
	struct gated_engine engine;
	struct cluster *cluster;
	uv_timer_t tick; /* so that waiting ends at its deadline */
	bool closed;
};

static void put_pins(struct fix *f)
{
	struct store_txn *t = store_fix_write(&f->store);
	struct pin p;

	pin_init(&p);
	for (unsigned i = 0; i < PINS; i++) {
		store_fix_pin(&p, i, "old");
		store_fix_set(t, &p, 0);
	}
	pin_deinit(&p);
	assert_int_equal(0, store_commit(t));
}

static void nothing(uv_timer_t *t)
{
}

static int setup(void **state)
{
	static struct fix f;
	struct cluster_options opt = { .config = &f.config,
				       .backups_rotate = 6,
				       .data_folder = f.store.folder,
				       .store = NULL,
				       .mbox = &f.store.mbox,
				       .loop = &f.store.loop,
				       .offline = true };
	struct err e = { 0 };

	f = (struct fix){ .engine.base.ops = &gated_ops };
	f.config.replication_factor_min = f.config.replication_factor_max = -1;
	gate.reached = gate.open = false;
	store_fix_setup(&f.store);
	put_pins(&f);
	opt.store = f.store.store;
	if (cluster_new(&opt, &f.cluster, &e) < 0 ||
	    crdt_new(f.store.store, &f.store.loop, &f.crdt, cluster_consensus_events(f.cluster),
		     &f.engine.real, &e) < 0 ||
	    cluster_start(f.cluster, &f.engine.base, &e) < 0)
		fail_msg("%s", e.msg);
	uv_timer_init(&f.store.loop, &f.tick);
	uv_timer_start(&f.tick, nothing, TICK_MS, TICK_MS);
	*state = &f;
	return 0;
}

static void on_drained(void *arg)
{
}

static void on_closed(void *arg)
{
	((struct fix *)arg)->closed = true;
}

static void begin_close(struct fix *f)
{
	cluster_close(f->cluster, on_drained, on_closed, f);
	f->cluster = NULL;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	gate_set(true);
	if (f->cluster)
		begin_close(f);
	while (!f->closed)
		uv_run(&f->store.loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&f->tick, NULL);
	store_fix_teardown(&f->store);
	return 0;
}

/* ---- requests ---- */

struct answer {
	bool done;
	int status;
};

static void on_done(struct cluster_request *rq, int status)
{
	*(struct answer *)rq->arg = (struct answer){ .done = true, .status = status };
	cluster_request_free(rq);
}

static void post(struct fix *f, struct cluster_request *rq, struct answer *ret)
{
	*ret = (struct answer){ 0 };
	rq->done = on_done;
	rq->arg = ret;
	cluster_post(f->cluster, rq);
}

static void run_until(struct fix *f, bool (*is)(const void *arg), const void *arg, const char *what)
{
	int64_t end = clock_mono_ms() + DEADLINE_MS;

	while (!is(arg)) {
		if (clock_mono_ms() > end) {
			gate_set(true);
			fail_msg("not in time: %s", what);
		}
		uv_run(&f->store.loop, UV_RUN_ONCE);
	}
}

static bool is_answered(const void *arg)
{
	return ((const struct answer *)arg)->done;
}

static bool is_at_gate(const void *arg)
{
	return gate_reached();
}

static int answer_to(struct fix *f, struct cluster_request *rq)
{
	struct answer a;

	post(f, rq, &a);
	run_until(f, is_answered, &a, "the answer");
	return a.status;
}

static struct cluster_request *import_request(struct fix *f, bool check)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_IMPORT, 0);

	assert_non_null(rq);
	assert_int_equal(0, cluster_import_begin(f->cluster, check, &rq->import));
	assert_int_equal(0, import_feed(rq->import, CHECKED, sizeof(CHECKED) - 1, NULL));
	assert_int_equal(0, import_finish(rq->import, NULL));
	return rq;
}

/* A check that is under way, and stays so. */
static struct cluster_request *start_check(struct fix *f, struct answer *ret)
{
	struct cluster_request *rq = import_request(f, true);

	post(f, rq, ret);
	run_until(f, is_at_gate, NULL, "the start of the check");
	return rq;
}

static void finish_check(struct fix *f, const struct answer *a)
{
	assert_false(a->done);
	gate_set(true);
	run_until(f, is_answered, a, "the end of the check");
}

static struct cluster_request *change_request(unsigned i, bool unpin)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 1);

	assert_non_null(rq);
	store_fix_pin(&rq->items[0].pin, i, "");
	rq->items[0].pin.timestamp = PIN_TIME_UNSET;
	rq->items[0].unpin = unpin;
	return rq;
}

static void expect(struct fix *f, const char *key, json_int_t value)
{
	struct buf text = BUF_INIT(0);
	json_t *root;

	assert_int_equal(0, cluster_import_result(f->cluster, true, &text));
	root = json_loadb((const char *)text.data, text.len, 0, NULL);
	assert_int_equal(value, json_integer_value(json_object_get(root, key)));
	json_decref(root);
	buf_deinit(&text);
}

/* ---- tests ---- */

static void pins_and_unpins_are_answered_while_a_check_runs(void **state)
{
	struct fix *f = *state;
	struct answer check;

	start_check(f, &check);
	assert_int_equal(0, answer_to(f, change_request(PINS, false)));
	assert_int_equal(0, answer_to(f, change_request(0, true)));
	finish_check(f, &check);
	assert_int_equal(0, check.status);
	expect(f, "added", 1);
	expect(f, "removed", PINS);
}

static void an_import_and_a_cleanup_are_let_in_while_a_check_runs(void **state)
{
	struct fix *f = *state;
	struct answer check;

	start_check(f, &check);
	assert_int_equal(0, answer_to(f, import_request(f, false)));
	assert_int_equal(0, answer_to(f, cluster_request_new(CLUSTER_CLEAN, 0)));
	finish_check(f, &check);
	assert_int_equal(0, check.status);
	expect(f, "added", 1);
	expect(f, "removed", 0);
}

static void there_is_one_check_at_a_time(void **state)
{
	struct fix *f = *state;
	struct answer check;
	struct import *im;

	start_check(f, &check);
	assert_int_equal(-EBUSY, cluster_import_begin(f->cluster, true, &im));
	finish_check(f, &check);
	assert_int_equal(0, cluster_import_begin(f->cluster, true, &im));
	import_free(im);
}

static void a_check_whose_program_is_stopped_gives_up(void **state)
{
	struct fix *f = *state;
	struct answer check;
	struct cluster_request *rq = start_check(f, &check);

	assert_false(cluster_request_cancel(rq));
	finish_check(f, &check);
	assert_int_equal(-EINTR, check.status);
}

static void a_check_that_is_taken_back_never_begins(void **state)
{
	struct fix *f = *state;
	struct cluster_request *rq = import_request(f, true);

	assert_true(cluster_request_cancel(rq));
	assert_int_equal(-EINTR, answer_to(f, rq));
	assert_false(gate_reached());
}

static bool is_closed(const void *arg)
{
	return ((const struct fix *)arg)->closed;
}

static void a_check_gives_up_when_the_peer_stops(void **state)
{
	struct fix *f = *state;
	struct answer check;

	start_check(f, &check);
	begin_close(f);
	finish_check(f, &check);
	assert_int_equal(-ECANCELED, check.status);
	run_until(f, is_closed, f, "the end");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(pins_and_unpins_are_answered_while_a_check_runs),
		TEST(an_import_and_a_cleanup_are_let_in_while_a_check_runs),
		TEST(there_is_one_check_at_a_time),
		TEST(a_check_whose_program_is_stopped_gives_up),
		TEST(a_check_that_is_taken_back_never_begins),
		TEST(a_check_gives_up_when_the_peer_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
