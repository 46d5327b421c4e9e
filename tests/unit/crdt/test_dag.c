/* What is asked of the network, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "consensus/crdt/dag.h"
#include "consensus/crdt/fetch.h"
#include "tests/unit/crdt/engine_fixture.h"
#include "util/container.h"

#define MANY 100

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

/* CIDs of blocks that nobody has. */
static void make_cids(struct cid *cids, unsigned from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned seed = from + (unsigned)i;

		cid_of_block(CODEC_DAG_PB, &seed, sizeof(seed), &cids[i]);
	}
}

/* A merged block that links to @n blocks of @children. */
static void merge_parent(struct engine *g, const struct engine_block *children, size_t n,
			 unsigned pin)
{
	const struct engine_block **links = calloc(n, sizeof(const struct engine_block *));
	struct engine_block parent;

	assert_non_null(links);
	for (size_t i = 0; i < n; i++)
		links[i] = &children[i];
	engine_block_put(&parent, pin, pin + 1, "parent", 1000 + pin, links, n);
	engine_hear(g, &parent);
	engine_give(g, &parent);
	engine_settle(g);
	assert_true(engine_merged(g, &parent));
	engine_block_free(&parent);
	free(links);
}

/* Each few of them announced by another author, so that all places can be taken. */
static void hear_by_many(struct engine *g, const struct cid *cids, size_t n)
{
	for (size_t at = 0; at < n; at += DAG_FLIGHT_OF_ONE_MAX) {
		size_t part = n - at < DAG_FLIGHT_OF_ONE_MAX ? n - at : DAG_FLIGHT_OF_ONE_MAX;

		g->author++;
		engine_hear_cids(g, cids + at, part);
	}
	g->author = 0;
}

/* ---- places ---- */

static void no_more_is_asked_for_than_there_are_places(void **state)
{
	struct engine *g = *state;
	struct engine_block blocks[MANY];
	struct cid cids[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		engine_block_put(&blocks[i], i, i + 1, "", 1, NULL, 0);
		cid_copy(&cids[i], &blocks[i].cid);
	}
	hear_by_many(g, cids, MANY);
	assert_int_equal(DAG_FLIGHT_MAX, g->open_wants);
	for (unsigned given = 0; given < MANY; given++) {
		for (unsigned i = 0; i < MANY; i++) {
			if (!engine_wants(g, &cids[i]))
				continue;
			engine_give(g, &blocks[i]);
			break;
		}
	}
	engine_settle(g);
	assert_int_equal(DAG_FLIGHT_MAX, g->most_wants);
	assert_int_equal(MANY, g->n_wants);
	assert_int_equal(MANY, engine_pins(g));
	assert_int_equal(MANY, g->haves);
	assert_int_equal(0, engine_sync(g).wanted);
	for (unsigned i = 0; i < MANY; i++)
		engine_block_free(&blocks[i]);
}

static void announced_blocks_find_a_place_beside_linked_ones(void **state)
{
	struct engine *g = *state;
	struct engine_block children[MANY], head;

	for (unsigned i = 0; i < MANY; i++)
		engine_block_put(&children[i], i, i + 1, "", 1, NULL, 0);
	merge_parent(g, children, MANY, 500);
	assert_int_equal(DAG_FLIGHT_LINKED_MAX, g->open_wants);
	engine_block_put(&head, 900, 901, "", 1, NULL, 0);
	engine_hear(g, &head);
	assert_true(engine_wants(g, &head.cid));
	engine_block_free(&head);
	for (unsigned i = 0; i < MANY; i++)
		engine_block_free(&children[i]);
}

static void a_network_that_takes_no_more_is_asked_later(void **state)
{
	struct engine *g = *state;
	struct engine_block b;

	engine_block_put(&b, 1, 2, "", 1, NULL, 0);
	g->refuse_wants = -EAGAIN;
	engine_hear(g, &b);
	assert_int_equal(0, g->n_wants);
	g->refuse_wants = 0;
	engine_forward(g, 5000);
	assert_true(engine_wants(g, &b.cid));
	engine_block_free(&b);
}

/* Few pins and much text: a MiB in a block. */
static void make_thick(struct engine_block *b, unsigned i)
{
	enum {
		PINS = 8,
		TEXT = 128 * 1024
	};
	char *name = malloc(TEXT);

	assert_non_null(name);
	memset(name, 'a' + (int)i % 26, TEXT - 1);
	name[TEXT - 1] = '\0';
	engine_block_put(b, 0, PINS, name, 1 + i, NULL, 0);
	free(name);
}

static void blocks_that_wait_for_the_writer_are_bounded(void **state)
{
	enum {
		N = 24
	};
	struct engine *g = *state;
	struct engine_block blocks[N];
	struct cid cids[N];

	for (unsigned i = 0; i < N; i++) {
		make_thick(&blocks[i], i);
		cid_copy(&cids[i], &blocks[i].cid);
	}
	engine_hold_writer(g);
	hear_by_many(g, cids, N);
	assert_int_equal(N, g->open_wants);
	for (unsigned i = 0; i < N; i++)
		engine_give(g, &blocks[i]);
	/* What came beyond is not kept, and nothing is asked for. */
	assert_int_equal(0, g->open_wants);
	assert_int_equal(N, g->n_wants);
	engine_release_writer(g);
	while (g->open_wants > 0 || engine_sync(g).wanted > 0) {
		for (unsigned i = 0; i < N; i++)
			if (engine_wants(g, &cids[i]))
				engine_give(g, &blocks[i]);
		engine_turn(g);
	}
	assert_in_range(g->n_wants, 2 * N - DAG_HELD_MAX / (1 << 20), 2 * N);
	for (unsigned i = 0; i < N; i++) {
		assert_true(engine_merged(g, &blocks[i]));
		engine_block_free(&blocks[i]);
	}
}

static void a_flood_of_announcements_is_bounded(void **state)
{
	enum {
		N = 4096
	};
	struct engine *g = *state;
	struct cid *cids = calloc(N, sizeof(*cids));

	assert_non_null(cids);
	for (unsigned round = 0; round < 3; round++) {
		make_cids(cids, round * N, N);
		engine_hear_cids(g, cids, N);
		assert_in_range(engine_sync(g).wanted, 1, FETCH_WAITING_MAX + DAG_FLIGHT_MAX);
	}
	free(cids);
}

/* Who announces without end what nobody has is not heard beyond its part, and others are. */
static void a_flood_of_one_author_leaves_places_to_others(void **state)
{
	enum {
		N = 4096
	};
	struct engine *g = *state;
	struct cid *cids = calloc(N, sizeof(*cids));
	struct engine_block b;

	assert_non_null(cids);
	make_cids(cids, 0, N);
	engine_hear_cids(g, cids, N);
	assert_int_equal(DAG_FLIGHT_OF_ONE_MAX, g->open_wants);
	assert_int_equal(FETCH_WAITING_OF_ONE_MAX, engine_sync(g).wanted);
	g->author = 1;
	engine_block_put(&b, 900, 901, "", 1, NULL, 0);
	engine_hear(g, &b);
	assert_true(engine_wants(g, &b.cid));
	engine_give(g, &b);
	engine_settle(g);
	assert_true(engine_merged(g, &b));
	engine_block_free(&b);
	free(cids);
}

/* ---- blocks that are none ---- */

static void a_bad_block_is_asked_for_once(void **state)
{
	struct engine *g = *state;
	struct engine_block bad[2], good;

	engine_block_bad(&bad[0], 1, false);
	engine_block_bad(&bad[1], 2, true);
	engine_block_put(&good, 1, 2, "", 1, NULL, 0);
	for (unsigned i = 0; i < 2; i++) {
		engine_hear(g, &bad[i]);
		engine_give(g, &bad[i]);
		engine_settle(g);
		assert_int_equal(i + 1, engine_sync(g).failed);
		engine_hear(g, &bad[i]);
		engine_peer_up(g);
		engine_forward(g, 2 * 3600 * 1000);
		assert_false(engine_wants(g, &bad[i].cid));
		assert_int_equal(1, engine_asked(g, &bad[i].cid));
	}
	engine_hear(g, &good);
	engine_give(g, &good);
	engine_settle(g);
	assert_true(engine_merged(g, &good));
	assert_int_equal(0, engine_sync(g).wanted);
	assert_false(engine_sync(g).dirty);
	for (unsigned i = 0; i < 2; i++)
		engine_block_free(&bad[i]);
	engine_block_free(&good);
}

static void what_links_to_a_bad_block_is_merged_all_the_same(void **state)
{
	struct engine *g = *state;
	struct engine_block bad;

	engine_block_bad(&bad, 1, true);
	merge_parent(g, &bad, 1, 7);
	engine_give(g, &bad);
	engine_settle(g);
	assert_true(engine_has(g, 7, "parent"));
	engine_peer_up(g);
	engine_forward(g, 3600 * 1000);
	assert_int_equal(1, engine_asked(g, &bad.cid));
	assert_int_equal(1, engine_sync(g).wanted); /* it is missing, after all */
	engine_block_free(&bad);
}

/* ---- blocks that are not to be had ---- */

static void what_is_not_to_be_had_gives_its_place_to_others(void **state)
{
	struct engine *g = *state;
	struct cid cids[DAG_FLIGHT_MAX + 1];

	make_cids(cids, 0, ARRAY_LEN(cids));
	hear_by_many(g, cids, ARRAY_LEN(cids));
	assert_int_equal(DAG_FLIGHT_MAX, g->open_wants);
	engine_forward(g, DAG_FETCH_MS - 10 * 1000);
	assert_int_equal(0, g->cancelled);
	engine_forward(g, 15 * 1000);
	assert_int_equal(DAG_FLIGHT_MAX, g->cancelled);
	assert_int_equal(1, g->open_wants);
	/* It was only announced: whoever has it announces it again. */
	assert_int_equal(1, engine_sync(g).wanted);
	hear_by_many(g, cids, ARRAY_LEN(cids));
	assert_int_equal(DAG_FLIGHT_MAX, g->open_wants);
}

/* A parent is merged whose child nobody gave in time. */
static void lose_child(struct engine *g, struct engine_block *child)
{
	engine_block_put(child, 1, 2, "child", 1, NULL, 0);
	merge_parent(g, child, 1, 2);
	assert_true(engine_wants(g, &child->cid));
	engine_forward(g, DAG_FETCH_MS + 5000);
	assert_false(engine_wants(g, &child->cid));
	assert_int_equal(1, engine_sync(g).wanted);
	assert_true(engine_sync(g).dirty);
}

static void find_child(struct engine *g, struct engine_block *child)
{
	assert_true(engine_wants(g, &child->cid));
	assert_int_equal(2, engine_asked(g, &child->cid));
	engine_give(g, child);
	engine_settle(g);
	assert_true(engine_has(g, 1, "child"));
	assert_int_equal(0, engine_sync(g).wanted);
	assert_false(engine_sync(g).dirty);
	engine_block_free(child);
}

static void a_missing_block_is_asked_for_again_when_a_peer_comes(void **state)
{
	struct engine_block child;

	lose_child(*state, &child);
	engine_forward(*state, 60 * 1000);
	assert_int_equal(1, engine_asked(*state, &child.cid));
	engine_peer_up(*state);
	find_child(*state, &child);
}

static void a_missing_block_is_asked_for_again_after_a_broadcast(void **state)
{
	struct engine *g = *state;
	struct engine_block child;
	struct cid head;

	lose_child(g, &child);
	engine_heads(g, &head);
	engine_hear_cids(g, &head, 1);
	assert_int_equal(1, engine_asked(g, &child.cid)); /* it has just been asked for */
	engine_forward(g, DAG_FETCH_MS);
	assert_int_equal(1, engine_asked(g, &child.cid));
	engine_hear_cids(g, &head, 1);
	find_child(g, &child);
}

static void a_missing_block_is_asked_for_again_by_the_repair(void **state)
{
	struct engine *g = *state;
	struct engine_block child;

	lose_child(g, &child);
	engine_forward(g, (uint64_t)g->cfg.repair_interval_ms);
	find_child(g, &child);
}

static void more_missing_blocks_than_are_remembered_all_have_their_turn(void **state)
{
	enum {
		N = 3 * FETCH_LOST_MAX
	};
	struct engine *g = *state;
	struct engine_block *children = calloc(N, sizeof(*children));
	unsigned seed = 0, unasked = 0;

	assert_non_null(children);
	for (; seed < N; seed++)
		cid_of_block(CODEC_DAG_PB, &seed, sizeof(seed), &children[seed].cid);
	merge_parent(g, children, N, 1);
	for (unsigned i = 0; i < N / DAG_FLIGHT_LINKED_MAX + 2; i++)
		engine_forward(g, DAG_FETCH_MS + 5000);
	for (unsigned i = 0; i < N; i++)
		unasked += engine_asked(g, &children[i].cid) == 0;
	assert_int_equal(0, unasked);
	assert_int_equal(DAG_FLIGHT_LINKED_MAX, g->most_wants);
	free(children);
}

/* ---- starting again ---- */

static void a_restart_goes_on_with_what_was_missing(void **state)
{
	struct engine *g = *state;
	struct engine_block child;

	engine_block_put(&child, 1, 2, "child", 1, NULL, 0);
	merge_parent(g, &child, 1, 2);
	engine_restart(g);
	engine_settle(g);
	find_child(g, &child);
}

static void what_links_to_no_block_of_ours_wants_nothing(void **state)
{
	struct engine *g = *state;
	struct engine_block parent, child = { 0 };
	const struct engine_block *links[] = { &child };

	store_fix_cid(1, &child.cid); /* raw */
	child.cid.bytes[2] = 0x1e;    /* and of a hash that is not ours */
	engine_block_put(&parent, 1, 2, "", 5, links, 1);
	engine_hear(g, &parent);
	engine_give(g, &parent);
	engine_settle(g);
	assert_true(engine_merged(g, &parent));
	assert_int_equal(1, g->n_wants);
	assert_int_equal(0, engine_sync(g).wanted);
	engine_block_free(&parent);
}

static void a_broadcast_of_what_is_merged_asks_nothing(void **state)
{
	struct engine *g = *state;
	struct engine_block b;

	engine_block_put(&b, 1, 2, "", 1, NULL, 0);
	engine_hear(g, &b);
	engine_hear(g, &b);
	engine_give(g, &b);
	engine_hear(g, &b);
	engine_settle(g);
	engine_hear(g, &b);
	assert_int_equal(1, g->n_wants);
	engine_block_free(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(no_more_is_asked_for_than_there_are_places),
		TEST(announced_blocks_find_a_place_beside_linked_ones),
		TEST(a_network_that_takes_no_more_is_asked_later),
		TEST(blocks_that_wait_for_the_writer_are_bounded),
		TEST(a_flood_of_announcements_is_bounded),
		TEST(a_flood_of_one_author_leaves_places_to_others),
		TEST(a_bad_block_is_asked_for_once),
		TEST(what_links_to_a_bad_block_is_merged_all_the_same),
		TEST(what_is_not_to_be_had_gives_its_place_to_others),
		TEST(a_missing_block_is_asked_for_again_when_a_peer_comes),
		TEST(a_missing_block_is_asked_for_again_after_a_broadcast),
		TEST(a_missing_block_is_asked_for_again_by_the_repair),
		TEST(more_missing_blocks_than_are_remembered_all_have_their_turn),
		TEST(a_restart_goes_on_with_what_was_missing),
		TEST(what_links_to_no_block_of_ours_wants_nothing),
		TEST(a_broadcast_of_what_is_merged_asks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
