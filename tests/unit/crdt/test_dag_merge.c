/* How what has arrived is merged, and what is told of it. Merging fails where the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "consensus/crdt/dag.h"
#include "consensus/crdt/merge.h"
#include "tests/lib/store_check.h"
#include "tests/unit/crdt/engine_fixture.h"
#include "util/container.h"

#define LARGE 10000 /* entries: several parts */
#define MANY 12     /* large blocks: more than are merged together */

/* ---- merging that fails ---- */

static atomic_int failures; /* still to come */
static struct cid poison;   /* this one always */
static atomic_uint steps;
static atomic_uint together; /* the most in one set */

int __real_merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
		      struct merge **ret_culprit);
int __wrap_merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
		      struct merge **ret_culprit);

int __wrap_merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
		      struct merge **ret_culprit)
{
	int r = __real_merge_step(set, n, t, budget, ret_culprit);
	size_t bytes = 0;

	atomic_fetch_add(&steps, 1);
	for (size_t i = 0; i < n; i++)
		bytes += merge_bytes(set[i]);
	assert_true(bytes <= DAG_SET_BYTES_MAX || n == 1);
	if (n > atomic_load(&together))
		atomic_store(&together, (unsigned)n);
	for (size_t i = 0; i < n; i++) {
		if (cid_equal(set[i]->cid, &poison)) {
			*ret_culprit = set[i];
			return -EIO;
		}
	}
	if (atomic_load(&failures) > 0) {
		atomic_fetch_sub(&failures, 1);
		*ret_culprit = set[0];
		return -ENOSPC;
	}
	return r;
}

static int setup(void **state)
{
	struct engine *g = malloc(sizeof(*g));

	assert_non_null(g);
	poison.len = 0;
	atomic_store(&failures, 0);
	atomic_store(&together, 0);
	engine_init(g);
	engine_start(g);
	engine_attach(g);
	engine_settle(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	engine_end(*state);
	free(*state);
	return 0;
}

static void get(struct engine *g, const struct engine_block *b)
{
	engine_hear(g, b);
	engine_give(g, b);
}

static void check_store(struct engine *g)
{
	struct store_txn *t = store_fix_read(&g->f);

	store_check(t);
	store_read_end(t);
}

/* ---- parts ---- */

/* Each removal uncovers a value in another large block, which is searched for it. */
static void removals_that_read_much_take_more_parts(void **state)
{
	enum {
		N = 2000
	};
	struct engine *g = *state;
	struct engine_block low, high, gone;
	unsigned before;

	engine_block_put(&low, 0, N, "low", 1, NULL, 0);
	engine_block_put(&high, 0, N, "high", 2, NULL, 0);
	engine_block_del(&gone, 0, N, &high, 3);
	get(g, &low);
	get(g, &high);
	engine_until(g, engine_merged(g, &high));
	before = atomic_load(&steps);
	get(g, &gone);
	engine_until(g, engine_merged(g, &gone));
	assert_in_range(atomic_load(&steps) - before, N * (low.bytes.len / 4096) / DAG_PART, N);
	assert_int_equal(N, engine_pins(g));
	assert_true(engine_has(g, 0, "low") && engine_has(g, N - 1, "low"));
	check_store(g);
	engine_block_free(&low);
	engine_block_free(&high);
	engine_block_free(&gone);
}

static bool is_begun(struct engine *g, const struct engine_block *b)
{
	return engine_pins(g) > 0 && !engine_merged(g, b);
}

static void a_large_block_is_merged_while_local_pins_go_on(void **state)
{
	struct engine *g = *state;
	struct engine_block b;
	unsigned during = 0, pins = 0;
	struct cid head;

	engine_block_put(&b, 0, LARGE, "large", 1, NULL, 0);
	get(g, &b);
	while (!engine_merged(g, &b)) {
		unsigned done = g->done;

		engine_pin(g, LARGE + pins, "local");
		engine_until(g, g->done > done);
		pins++;
		during += !engine_merged(g, &b);
	}
	assert_true(during >= 2); /* of five parts; the threads need not take turns */
	engine_settle(g);
	assert_int_equal(LARGE + pins, engine_pins(g));
	/* Ours were made without it, and are beside it. */
	assert_in_range(engine_heads(g, NULL), 1, 2);
	engine_pin(g, LARGE + pins, "last");
	engine_until(g, g->done == pins + 1);
	assert_int_equal(1, engine_heads(g, &head));
	assert_int_equal(0, engine_sync(g).wanted);
	check_store(g);
	engine_block_free(&b);
}

static void blocks_are_merged_together_as_far_as_memory_goes(void **state)
{
	struct engine *g = *state;
	struct engine_block b[MANY];

	engine_hold_writer(g);
	for (unsigned i = 0; i < MANY; i++) {
		engine_block_put(&b[i], i * LARGE, (i + 1) * LARGE, "large", i + 1, NULL, 0);
		get(g, &b[i]);
	}
	engine_release_writer(g);
	for (unsigned i = 0; i < MANY; i++)
		engine_until(g, engine_merged(g, &b[i]));
	engine_settle(g);
	assert_int_equal(MANY * LARGE, engine_pins(g));
	assert_in_range(atomic_load(&together), 2, MANY - 1);
	check_store(g);
	for (unsigned i = 0; i < MANY; i++)
		engine_block_free(&b[i]);
}

static bool names_are_complete(struct engine *g)
{
	struct store_txn *t;
	bool complete;

	assert_int_equal(0, store_read(g->f.store, &t));
	complete = store_info(t)->names_after == 0;
	store_read_end(t);
	return complete;
}

static void the_names_of_a_large_block_come_when_it_is_quiet(void **state)
{
	uint64_t number, count = 0;
	struct engine *g = *state;
	struct engine_block b;
	struct store_txn *t;
	const char *folder;
	size_t n;

	engine_block_put(&b, 0, LARGE, "large", 1, NULL, 0);
	get(g, &b);
	engine_until(g, engine_merged(g, &b));
	assert_false(names_are_complete(g));
	engine_until(g, names_are_complete(g));
	assert_int_equal(0, store_read(g->f.store, &t));
	assert_int_equal(0, names_find(t, "large", 5, &number));
	assert_int_equal(0, names_get(t, number, &folder, &n, &count));
	store_read_end(t);
	assert_int_equal(LARGE, count);
	check_store(g);
	engine_block_free(&b);
}

static void a_local_change_wins_over_a_block_that_is_being_merged(void **state)
{
	struct engine *g = *state;
	struct engine_block b, other;
	struct block_row row;
	struct store_txn *t;
	struct cid head;

	engine_block_put(&b, 0, LARGE, "large", 50, NULL, 0);
	engine_block_put(&other, 0, 1, "other", 49, NULL, 0);
	get(g, &b);
	engine_until(g, is_begun(g, &b) && engine_has(g, 0, "large"));
	engine_pin(g, 0, "local");
	engine_until(g, g->done == 1);
	assert_true(engine_has(g, 0, "local"));
	assert_int_equal(1, engine_heads(g, &head));
	t = store_fix_read(&g->f);
	assert_int_equal(0, blocks_get(t, &head, &row));
	assert_in_range(row.height, 51, UINT64_MAX);
	store_read_end(t);
	engine_until(g, engine_merged(g, &b));
	get(g, &other);
	engine_settle(g);
	assert_true(engine_has(g, 0, "local"));
	engine_block_free(&b);
	engine_block_free(&other);
}

static void a_block_that_a_crash_interrupted_is_merged_without_being_asked_for(void **state)
{
	struct engine *g = *state;
	struct engine_block b;
	size_t asked;

	engine_block_put(&b, 0, LARGE, "large", 1, NULL, 0);
	get(g, &b);
	engine_until(g, is_begun(g, &b));
	engine_crash(g);
	assert_true(is_begun(g, &b));
	assert_int_equal(0, engine_heads(g, NULL));
	asked = g->n_wants;
	engine_until(g, engine_merged(g, &b));
	engine_settle(g);
	assert_int_equal(asked, g->n_wants);
	assert_int_equal(LARGE, engine_pins(g));
	assert_int_equal(1, engine_heads(g, NULL));
	assert_int_equal(0, engine_sync(g).wanted);
	check_store(g);
	engine_block_free(&b);
}

struct cleaning {
	struct store_batch batch;
	struct engine *g;
	bool done;
};

static int clean_job(struct store_txn *none, struct store_batch *b)
{
	return store_clean(container_of(b, struct cleaning, batch)->g->f.store);
}

static void clean_done(struct store_batch *b, int status)
{
	struct cleaning *c = container_of(b, struct cleaning, batch);

	assert_int_equal(0, status);
	c->done = true;
	c->g->c->ops->replaced(c->g->c);
}

static void a_cleanup_in_the_middle_of_a_merge_begins_it_again(void **state)
{
	struct engine *g = *state;
	struct engine_block b, lost;
	struct cleaning c = { .batch = { .fn = clean_job, .done = clean_done }, .g = g };
	const struct engine_block *links[] = { &lost };

	engine_block_put(&lost, LARGE, LARGE + 1, "", 1, NULL, 0);
	engine_block_put(&b, 0, LARGE, "large", 2, links, 1);
	get(g, &b);
	engine_until(g, is_begun(g, &b));
	assert_true(engine_wants(g, &lost.cid)); /* already: its parent is here */
	store_submit_job(g->f.store, &c.batch);
	engine_until(g, c.done);
	assert_true(engine_pins(g) < LARGE);
	engine_until(g, engine_merged(g, &b));
	engine_settle(g);
	assert_int_equal(LARGE, engine_pins(g));
	assert_true(engine_wants(g, &lost.cid));
	engine_give(g, &lost);
	engine_settle(g);
	assert_int_equal(0, engine_sync(g).wanted);
	assert_int_equal(1, engine_heads(g, NULL));
	check_store(g);
	engine_block_free(&lost);
	engine_block_free(&b);
}

static int clean_and_fail_job(struct store_txn *t, struct store_batch *b)
{
	int r = clean_job(t, b);

	atomic_store(&failures, 1); /* of the next part */
	return r;
}

static void a_merge_begins_again_where_its_first_part_after_a_cleanup_fails(void **state)
{
	struct engine *g = *state;
	struct engine_block b;
	struct cleaning c = { .batch = { .fn = clean_and_fail_job, .done = clean_done }, .g = g };

	engine_block_put(&b, 0, LARGE, "large", 1, NULL, 0);
	get(g, &b);
	engine_until(g, is_begun(g, &b));
	store_submit_job(g->f.store, &c.batch);
	engine_until(g, c.done && atomic_load(&failures) == 0);
	engine_settle(g);
	engine_forward(g, DAG_AGAIN_MS + 5000);
	engine_until(g, engine_merged(g, &b));
	engine_settle(g);
	assert_int_equal(LARGE, engine_pins(g));
	assert_int_equal(1, engine_heads(g, NULL));
	check_store(g);
	engine_block_free(&b);
}

static void after_a_cleanup_the_heads_heard_last_are_fetched(void **state)
{
	struct engine *g = *state;
	struct cleaning c = { .batch = { .fn = clean_job, .done = clean_done }, .g = g };
	struct engine_block b;

	engine_block_put(&b, 1, 2, "", 1, NULL, 0);
	get(g, &b);
	engine_settle(g);
	store_submit_job(g->f.store, &c.batch);
	engine_until(g, c.done);
	assert_int_equal(0, engine_pins(g));
	assert_true(engine_wants(g, &b.cid));
	engine_give(g, &b);
	engine_settle(g);
	assert_int_equal(1, engine_pins(g));
	engine_block_free(&b);
}

/* ---- failures ---- */

static void a_full_disk_delays_merging(void **state)
{
	struct engine *g = *state;
	struct engine_block b[3];

	for (unsigned i = 0; i < 3; i++)
		engine_block_put(&b[i], i * 100, i * 100 + 100, "", 1 + i, NULL, 0);
	atomic_store(&failures, 3);
	for (unsigned i = 0; i < 3; i++)
		get(g, &b[i]);
	for (unsigned left = 3; left > 0; left--) {
		engine_until(g, atomic_load(&failures) < (int)left);
		engine_settle(g);
		assert_int_equal(left - 1, atomic_load(&failures)); /* not again at once */
		assert_int_equal(0, engine_pins(g));
		assert_int_equal(3, engine_sync(g).wanted);
		engine_forward(g, DAG_AGAIN_MS + 5000);
	}
	engine_settle(g);
	assert_int_equal(300, engine_pins(g));
	assert_int_equal(0, engine_sync(g).wanted);
	check_store(g);
	for (unsigned i = 0; i < 3; i++)
		engine_block_free(&b[i]);
}

static void a_large_block_goes_on_where_the_disk_became_full(void **state)
{
	struct engine *g = *state;
	struct engine_block b;
	unsigned before;

	engine_block_put(&b, 0, LARGE, "", 1, NULL, 0);
	get(g, &b);
	engine_until(g, is_begun(g, &b));
	atomic_store(&failures, 1);
	engine_until(g, atomic_load(&failures) == 0);
	engine_settle(g);
	before = atomic_load(&steps);
	engine_forward(g, DAG_AGAIN_MS + 5000);
	engine_until(g, engine_merged(g, &b));
	engine_settle(g);
	assert_int_equal(LARGE, engine_pins(g));
	/* All of it would be this many again. */
	assert_in_range(atomic_load(&steps) - before, 1, LARGE / DAG_PART + 1);
	check_store(g);
	engine_block_free(&b);
}

static void a_block_that_cannot_be_merged_holds_up_no_other(void **state)
{
	struct engine *g = *state;
	struct engine_block bad, b[5];

	engine_block_put(&bad, 500, 510, "bad", 1, NULL, 0);
	cid_copy(&poison, &bad.cid);
	engine_hold_writer(g);
	get(g, &bad);
	for (unsigned i = 0; i < 5; i++) {
		engine_block_put(&b[i], i, i + 1, "", 1, NULL, 0);
		get(g, &b[i]);
	}
	engine_release_writer(g);
	for (unsigned i = 0; i < 4; i++) {
		engine_settle(g);
		engine_forward(g, DAG_AGAIN_MS + 5000);
	}
	engine_settle(g);
	assert_int_equal(5, engine_pins(g));
	assert_int_equal(1, engine_sync(g).wanted);
	poison.len = 0;
	engine_forward(g, DAG_AGAIN_MS + 5000);
	engine_settle(g);
	assert_int_equal(15, engine_pins(g));
	engine_block_free(&bad);
	for (unsigned i = 0; i < 5; i++)
		engine_block_free(&b[i]);
}

/* ---- what is told ---- */

static void check_event(const struct engine *g, size_t at, char what, unsigned i)
{
	struct cid cid;

	store_fix_cid(i, &cid);
	assert_true(at < g->n_told);
	assert_int_equal(what, g->told[at].what);
	assert_true(cid_equal(&cid, &g->told[at].cid));
}

static void changes_are_told_one_by_one(void **state)
{
	struct engine *g = *state;
	struct engine_block put, again, gone;

	engine_block_put(&put, 1, 4, "a", 1, NULL, 0);
	engine_block_put(&again, 2, 3, "b", 2, NULL, 0);
	engine_block_del(&gone, 1, 4, &put, 2);
	get(g, &put);
	get(g, &again);
	engine_settle(g); /* merged together with the next one, 1 and 3 would never be there */
	get(g, &gone);
	engine_settle(g);
	assert_int_equal(6, g->n_told);
	assert_int_equal('+', g->told[0].what);
	assert_int_equal('+', g->told[1].what);
	assert_int_equal('+', g->told[2].what);
	check_event(g, 3, '+', 2);
	/* 2 lives on, with the value that it had. */
	check_event(g, 4, '-', 1);
	check_event(g, 5, '-', 3);
	assert_true(engine_has(g, 2, "b"));
	engine_block_free(&put);
	engine_block_free(&again);
	engine_block_free(&gone);
}

static void a_value_that_comes_back_is_told(void **state)
{
	struct engine *g = *state;
	struct engine_block low, high, gone;

	engine_block_put(&low, 1, 2, "low", 1, NULL, 0);
	engine_block_put(&high, 1, 2, "high", 2, NULL, 0);
	engine_block_del(&gone, 1, 2, &high, 3);
	get(g, &high);
	get(g, &low);
	engine_settle(g);
	assert_int_equal(1, g->n_told); /* the lower one changes nothing */
	get(g, &gone);
	engine_settle(g);
	assert_int_equal(2, g->n_told);
	check_event(g, 1, '+', 1);
	assert_true(engine_has(g, 1, "low"));
	engine_block_free(&low);
	engine_block_free(&high);
	engine_block_free(&gone);
}

static size_t count(const struct engine *g, char what)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_told; i++)
		n += g->told[i].what == what;
	return n;
}

static void a_large_block_is_told_as_a_new_pinset(void **state)
{
	enum {
		N = 8
	};
	struct engine *g = *state;
	struct engine_block b[N];

	engine_hold_writer(g);
	for (unsigned i = 0; i < N; i++) {
		engine_block_put(&b[i], i * 1000, i * 1000 + DAG_FLOOD + 1, "", 1, NULL, 0);
		get(g, &b[i]);
	}
	engine_release_writer(g);
	engine_until(g, engine_pins(g) == N * (DAG_FLOOD + 1));
	engine_settle(g);
	assert_int_equal(0, count(g, '+'));
	assert_in_range(count(g, '*'), 1, N / 2); /* the last, and every 3 s */
	assert_int_equal('*', g->told[g->n_told - 1].what);
	for (unsigned i = 0; i < N; i++)
		engine_block_free(&b[i]);
}

/* ---- the end ---- */

static void closing_waits_for_a_merge_under_way(void **state)
{
	struct engine *g = *state;
	struct engine_block b[2];

	engine_block_put(&b[0], 0, 10, "", 1, NULL, 0);
	engine_block_put(&b[1], 100, 110, "", 1, NULL, 0);
	engine_hold_writer(g);
	get(g, &b[0]);
	get(g, &b[1]); /* waits for the first */
	engine_begin_close(g);
	engine_turn(g);
	assert_false(g->closed);
	engine_release_writer(g);
	engine_finish_close(g);
	assert_true(engine_merged(g, &b[0]));
	engine_start(g);
	engine_attach(g);
	engine_settle(g);
	check_store(g);
	engine_block_free(&b[0]);
	engine_block_free(&b[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(removals_that_read_much_take_more_parts),
		TEST(a_large_block_is_merged_while_local_pins_go_on),
		TEST(blocks_are_merged_together_as_far_as_memory_goes),
		TEST(the_names_of_a_large_block_come_when_it_is_quiet),
		TEST(a_local_change_wins_over_a_block_that_is_being_merged),
		TEST(a_block_that_a_crash_interrupted_is_merged_without_being_asked_for),
		TEST(a_cleanup_in_the_middle_of_a_merge_begins_it_again),
		TEST(a_merge_begins_again_where_its_first_part_after_a_cleanup_fails),
		TEST(after_a_cleanup_the_heads_heard_last_are_fetched),
		TEST(a_full_disk_delays_merging),
		TEST(a_large_block_goes_on_where_the_disk_became_full),
		TEST(a_block_that_cannot_be_merged_holds_up_no_other),
		TEST(changes_are_told_one_by_one),
		TEST(a_value_that_comes_back_is_told),
		TEST(a_large_block_is_told_as_a_new_pinset),
		TEST(closing_waits_for_a_merge_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
