/* The engine itself: operations, batching beside other peers, and its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/store_check.h"
#include "tests/unit/crdt/engine_fixture.h"
#include "util/container.h"

#define HOUR (3600 * 1000)

static int setup(void **state)
{
	struct engine *g = malloc(sizeof(*g));

	assert_non_null(g);
	engine_init(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	engine_end(*state);
	free(*state);
	return 0;
}

static void begin(struct engine *g, bool batching)
{
	if (batching) {
		g->cfg.max_batch_size = 1000;
		g->cfg.max_batch_age_ms = HOUR;
	}
	engine_start(g);
	engine_attach(g);
	engine_settle(g);
}

static void change(struct engine *g, unsigned i, const char *name)
{
	unsigned done = g->done;

	if (name)
		engine_pin(g, i, name);
	else
		engine_unpin(g, i);
	engine_until(g, g->done > done);
}

static void get(struct engine *g, const struct engine_block *b)
{
	engine_hear(g, b);
	engine_give(g, b);
	engine_settle(g);
	assert_true(engine_merged(g, b));
}

static void cut(struct engine *g)
{
	engine_forward(g, HOUR);
	engine_settle(g);
	assert_int_equal(1, engine_heads(g, NULL));
}

static void check_store(struct engine *g)
{
	struct store_txn *t = store_fix_read(&g->f);

	store_check(t);
	assert_int_equal(0, store_info(t)->pending);
	store_read_end(t);
}

/* ---- among others ---- */

static void a_peer_is_in_step_when_what_it_announced_is_merged(void **state)
{
	struct engine *g = *state;
	struct crdt_heads heads;
	struct engine_block b;

	begin(g, false);
	assert_false(engine_heads_of(g, &heads));
	engine_block_put(&b, 1, 2, "", 5, NULL, 0);
	engine_hear(g, &b);
	assert_true(engine_heads_of(g, &heads));
	assert_int_equal(1, heads.n);
	assert_memory_equal(b.cid.bytes, heads.v[0], CRDT_HEAD_BYTES);
	assert_int_equal(0, crdt_has_heads(g->c, &heads));
	get(g, &b);
	assert_int_equal(1, crdt_has_heads(g->c, &heads));
	engine_block_free(&b);
}

static void a_change_replaces_the_heads_of_others(void **state)
{
	struct engine *g = *state;
	struct engine_block b[2];
	struct cid head;

	begin(g, false);
	for (unsigned i = 0; i < 2; i++) {
		engine_block_put(&b[i], i, i + 1, "", 5 + i, NULL, 0);
		get(g, &b[i]);
	}
	assert_int_equal(2, engine_heads(g, NULL));
	change(g, 7, "x");
	assert_int_equal(1, engine_heads(g, &head));
	assert_int_equal(3, engine_pins(g));
	check_store(g);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(cid_equal(&head, &b[i].cid));
		engine_block_free(&b[i]);
	}
}

static void a_pending_pin_stays_when_others_remove_what_it_replaced(void **state)
{
	struct engine *g = *state;
	struct engine_block put, gone;

	begin(g, true);
	engine_block_put(&put, 1, 2, "theirs", 1, NULL, 0);
	engine_block_del(&gone, 1, 2, &put, 2);
	get(g, &put);
	change(g, 1, "ours");
	get(g, &gone);
	assert_true(engine_has(g, 1, "ours"));
	cut(g);
	assert_true(engine_has(g, 1, "ours"));
	check_store(g);
	engine_block_free(&put);
	engine_block_free(&gone);
}

static void a_pending_pin_wins_when_it_is_cut(void **state)
{
	struct engine *g = *state;
	struct engine_block higher;
	size_t told;

	begin(g, true);
	change(g, 1, "ours");
	engine_block_put(&higher, 1, 2, "theirs", 50, NULL, 0);
	get(g, &higher);
	assert_true(engine_has(g, 1, "theirs"));
	told = g->n_told;
	cut(g);
	assert_true(engine_has(g, 1, "ours"));
	/* What is shown changed by it, and nobody did that just now. */
	assert_int_equal(told + 1, g->n_told);
	assert_int_equal('*', g->told[told].what);
	check_store(g);
	engine_block_free(&higher);
}

static void a_pending_pin_is_above_what_it_hides(void **state)
{
	struct engine *g = *state;
	struct engine_block large, other;
	struct cid head;

	begin(g, true);
	engine_block_put(&large, 0, 10000, "large", 50, NULL, 0);
	engine_block_put(&other, 0, 1, "other", 51, NULL, 0);
	engine_hear(g, &large);
	engine_give(g, &large);
	engine_until(g, engine_has(g, 0, "large"));
	assert_false(engine_merged(g, &large)); /* so it is no head */
	change(g, 0, NULL);
	change(g, 0, "ours");
	g->cfg.max_batch_size = 1; /* and is cut now */
	change(g, 20000, "x");
	assert_true(engine_has(g, 0, "ours"));
	engine_until(g, engine_merged(g, &large));
	assert_true(engine_has(g, 0, "ours"));
	engine_heads(g, &head);
	check_store(g);
	engine_block_free(&large);
	engine_block_free(&other);
}

static void cutting_what_is_shown_tells_nothing(void **state)
{
	struct engine *g = *state;
	size_t told;

	begin(g, true);
	change(g, 1, "a");
	change(g, 2, "b");
	change(g, 1, NULL);
	assert_int_equal(3, g->n_told);
	told = g->n_told;
	cut(g);
	assert_int_equal(told, g->n_told);
	assert_int_equal(1, engine_pins(g));
	check_store(g);
}

/* ---- the end ---- */

static void an_idle_engine_closes(void **state)
{
	struct engine *g = *state;

	begin(g, false);
	engine_close(g);
	assert_int_equal(0, g->n_published);
}

static void an_engine_without_a_network_closes(void **state)
{
	struct engine *g = *state;

	engine_start(g);
	change(g, 1, "a");
	engine_close(g);
	assert_int_equal(1, engine_pins(g));
}

static void closing_carries_out_what_is_queued(void **state)
{
	struct engine *g = *state;

	begin(g, false);
	engine_hold_writer(g);
	for (unsigned i = 0; i < 300; i++) /* more than one batch */
		engine_pin(g, i, "");
	engine_begin_close(g);
	assert_int_equal(0, g->done);
	engine_release_writer(g);
	engine_finish_close(g);
	assert_int_equal(300, g->done);
	assert_int_equal(300, engine_pins(g));
	assert_true(g->n_published >= 2);
}

static void closing_cuts_what_is_pending_and_announces_it(void **state)
{
	struct engine *g = *state;

	begin(g, true);
	change(g, 1, "a");
	assert_int_equal(0, engine_heads(g, NULL));
	engine_close(g);
	assert_int_equal(1, engine_heads(g, NULL));
	assert_int_equal(1, g->n_published);
	engine_start(g);
	engine_settle(g);
	check_store(g);
}

static void closing_leaves_what_was_asked_for(void **state)
{
	struct engine *g = *state;
	struct engine_block b;

	begin(g, false);
	engine_block_put(&b, 1, 2, "", 1, NULL, 0);
	engine_hear(g, &b);
	assert_int_equal(1, g->open_wants);
	engine_close(g);
	assert_int_equal(0, engine_pins(g));
	engine_block_free(&b);
}

static void nothing_reaches_an_engine_that_ends(void **state)
{
	struct engine *g = *state;
	struct engine_block b[2];

	begin(g, false);
	for (unsigned i = 0; i < 2; i++)
		engine_block_put(&b[i], i, i + 1, "", 1, NULL, 0);
	engine_hear(g, &b[0]);
	engine_begin_close(g);
	engine_give(g, &b[0]);
	engine_hear(g, &b[1]);
	engine_peer_up(g);
	engine_forward(g, 10000);
	engine_finish_close(g);
	assert_int_equal(0, engine_pins(g));
	assert_int_equal(1, g->n_wants);
	assert_int_equal(0, g->n_published);
	for (unsigned i = 0; i < 2; i++)
		engine_block_free(&b[i]);
}

static void a_crash_loses_no_pending_pin(void **state)
{
	struct engine *g = *state;

	begin(g, true);
	change(g, 1, "a");
	engine_crash(g);
	assert_true(engine_has(g, 1, "a"));
	engine_settle(g);
	assert_int_equal(1, engine_heads(g, NULL));
	check_store(g);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_peer_is_in_step_when_what_it_announced_is_merged),
		TEST(a_change_replaces_the_heads_of_others),
		TEST(a_pending_pin_stays_when_others_remove_what_it_replaced),
		TEST(a_pending_pin_wins_when_it_is_cut),
		TEST(a_pending_pin_is_above_what_it_hides),
		TEST(cutting_what_is_shown_tells_nothing),
		TEST(an_idle_engine_closes),
		TEST(an_engine_without_a_network_closes),
		TEST(closing_carries_out_what_is_queued),
		TEST(closing_cuts_what_is_pending_and_announces_it),
		TEST(closing_leaves_what_was_asked_for),
		TEST(nothing_reaches_an_engine_that_ends),
		TEST(a_crash_loses_no_pending_pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
