/* When heads are announced, and which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/crdt/announce.h"
#include "consensus/crdt/broadcast.h"
#include "store/blocks.h"
#include "tests/unit/crdt/engine_fixture.h"
#include "util/container.h"

#define MINUTE 60000

static int setup(void **state)
{
	struct engine *g = malloc(sizeof(*g));

	assert_non_null(g);
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

/* The last message named exactly these. */
static void check_published(const struct engine *g, const struct cid *heads, size_t n)
{
	struct cid *got;
	size_t n_got, found = 0;

	assert_int_equal(0,
			 broadcast_decode(g->published.data, g->published.len, &got, &n_got, NULL));
	assert_int_equal(n, n_got);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_got; k++)
			found += cid_equal(&heads[i], &got[k]);
	assert_int_equal(n, found);
	free(got);
}

static void pin(struct engine *g, unsigned i)
{
	unsigned done = g->done;

	engine_pin(g, i, "");
	engine_until(g, g->done > done);
}

static void get(struct engine *g, struct engine_block *b, unsigned i)
{
	engine_block_put(b, i, i + 1, "", 1, NULL, 0);
	engine_hear(g, b);
	engine_give(g, b);
	engine_settle(g);
}

static void a_change_of_ours_is_announced_at_once(void **state)
{
	struct engine *g = *state;
	struct cid head;

	pin(g, 1);
	assert_int_equal(1, g->n_published);
	engine_heads(g, &head);
	check_published(g, &head, 1);
	pin(g, 2);
	assert_int_equal(2, g->n_published);
	engine_heads(g, &head);
	check_published(g, &head, 1);
}

static void an_empty_peer_says_nothing(void **state)
{
	struct engine *g = *state;

	engine_peer_up(g);
	engine_forward(g, ANNOUNCE_SOON_MS);
	engine_forward(g, 10 * MINUTE);
	assert_int_equal(0, g->n_published);
}

static void changes_of_others_are_not_announced_at_once(void **state)
{
	struct engine *g = *state;
	struct engine_block b;

	get(g, &b, 1);
	assert_int_equal(0, g->n_published);
	engine_block_free(&b);
}

static void peers_that_come_are_told_soon_and_once(void **state)
{
	struct engine *g = *state;
	struct engine_block b[2];
	struct cid heads[2];

	for (unsigned i = 0; i < 2; i++) {
		get(g, &b[i], i);
		cid_copy(&heads[i], &b[i].cid);
		engine_block_free(&b[i]);
	}
	for (unsigned i = 0; i < 5; i++) {
		engine_peer_up(g);
		assert_int_equal(0, g->n_published);
		engine_forward(g, ANNOUNCE_SOON_MS / 10);
	}
	engine_forward(g, ANNOUNCE_SOON_MS);
	assert_int_equal(1, g->n_published);
	check_published(g, heads, 2); /* others named them, but this one may not have heard it */
}

static void heads_are_named_again_from_time_to_time(void **state)
{
	struct engine *g = *state;
	struct cid head;

	pin(g, 1);
	engine_heads(g, &head);
	for (unsigned i = 2; i < 10; i++) {
		uint64_t waited = 0;

		while (g->n_published < i) {
			engine_forward(g, 1000);
			waited += 1000;
			assert_true(waited <= MINUTE * 13 / 10 + 2000);
		}
		assert_true(i == 2 || waited >= MINUTE * 7 / 10 - 2000);
		check_published(g, &head, 1);
	}
}

static void make_changes(struct engine *g, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		pin(g, i);
	assert_int_equal(from + n, g->n_published);
}

/* How long until the next message. */
static uint64_t silence(struct engine *g)
{
	size_t before = g->n_published;
	uint64_t ms = 0;

	for (; g->n_published == before; ms += 100) {
		assert_true(ms < 2 * MINUTE);
		engine_forward(g, 100);
	}
	return ms;
}

static void the_last_of_many_changes_is_named_again_less_and_less_often(void **state)
{
	struct engine *g = *state;
	struct cid head;

	make_changes(g, 0, ANNOUNCE_BURST);
	engine_heads(g, &head);
	for (uint64_t ms = ANNOUNCE_PAUSE_MS; ms < MINUTE; ms *= 2) {
		assert_in_range(silence(g), ms - 1000, ms + 1000);
		check_published(g, &head, 1);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(silence(g), MINUTE * 7 / 10 - 1000, MINUTE * 13 / 10 + 1000);
}

static void changes_that_are_few_or_far_between_are_named_once(void **state)
{
	struct engine *g = *state;

	make_changes(g, 0, ANNOUNCE_BURST - 1);
	engine_forward(g, 2 * ANNOUNCE_PAUSE_MS);
	make_changes(g, ANNOUNCE_BURST - 1, ANNOUNCE_BURST - 1);
	engine_forward(g, 2 * ANNOUNCE_PAUSE_MS);
	assert_int_equal(2 * (ANNOUNCE_BURST - 1), g->n_published);
}

static void heads_that_others_named_are_not_repeated(void **state)
{
	struct engine *g = *state;
	struct engine_block b[2];

	get(g, &b[0], 1);
	get(g, &b[1], 2);
	for (unsigned i = 0; i < 8; i++) { /* both are named twice in each period */
		engine_hear(g, &b[0]);
		engine_hear(g, &b[1]);
		engine_forward(g, MINUTE / 3);
	}
	assert_int_equal(0, g->n_published);
	for (unsigned i = 0; i < 8; i++) {
		engine_hear(g, &b[0]);
		engine_forward(g, MINUTE / 3);
	}
	assert_in_range(g->n_published, 1, 5);
	check_published(g, &b[1].cid, 1); /* the other one alone */
	engine_block_free(&b[0]);
	engine_block_free(&b[1]);
}

static void more_heads_than_a_message_holds_are_no_failure(void **state)
{
	struct engine *g = *state;
	struct store_txn *t;
	struct cid *got;
	size_t n;

	engine_close(g);
	t = store_fix_write(&g->f);
	for (unsigned i = 0; i < BROADCAST_HEADS_MAX + 10; i++) {
		struct engine_block b;
		uint64_t number;

		engine_block_put(&b, 0, 0, "", i + 1, NULL, 0);
		assert_int_equal(0,
				 blocks_put(t, &b.cid, b.bytes.data, b.bytes.len, i + 1, &number));
		assert_int_equal(0, heads_put(t, number, i + 1));
		engine_block_free(&b);
	}
	assert_int_equal(0, store_commit(t));
	engine_start(g);
	engine_attach(g);
	engine_peer_up(g);
	engine_forward(g, ANNOUNCE_SOON_MS);
	assert_int_equal(1, g->n_published);
	assert_int_equal(0, broadcast_decode(g->published.data, g->published.len, &got, &n, NULL));
	assert_int_equal(BROADCAST_HEADS_MAX, n);
	free(got);
	/* A change of ours joins all of them. */
	pin(g, 1);
	assert_int_equal(1, engine_heads(g, NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_change_of_ours_is_announced_at_once),
		TEST(an_empty_peer_says_nothing),
		TEST(changes_of_others_are_not_announced_at_once),
		TEST(peers_that_come_are_told_soon_and_once),
		TEST(heads_are_named_again_from_time_to_time),
		TEST(the_last_of_many_changes_is_named_again_less_and_less_often),
		TEST(changes_that_are_few_or_far_between_are_named_once),
		TEST(heads_that_others_named_are_not_repeated),
		TEST(more_heads_than_a_message_holds_are_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
