/* What each peer announced last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "consensus/crdt/heard.h"
#include "types/cid.h"

static struct peerid peer(unsigned i)
{
	return (struct peerid){ .len = 34, .bytes = { 18, 32, (uint8_t)(i >> 8), (uint8_t)i } };
}

static struct cid head(unsigned i)
{
	struct cid cid;

	cid_of_block(CODEC_DAG_PB, &i, sizeof(i), &cid);
	return cid;
}

static int setup(void **state)
{
	static struct heard h;

	heard_init(&h);
	*state = &h;
	return 0;
}

static int teardown(void **state)
{
	heard_deinit(*state);
	return 0;
}

static void note(struct heard *h, unsigned who, unsigned first, unsigned n, int64_t now_s)
{
	const struct peerid id = peer(who);
	struct cid heads[2 * CRDT_HEADS_KEPT];

	assert_true(n <= 2 * CRDT_HEADS_KEPT);
	for (unsigned i = 0; i < n; i++)
		heads[i] = head(first + i);
	heard_note(h, &id, heads, n, now_s);
}

static bool get(struct heard *h, unsigned who, struct crdt_heads *ret)
{
	const struct peerid id = peer(who);

	return heard_get(h, &id, ret);
}

static void assert_head(const struct crdt_heads *heads, size_t i, unsigned expected)
{
	const struct cid cid = head(expected);

	assert_int_equal(cid.len, CRDT_HEAD_BYTES);
	assert_memory_equal(cid.bytes, heads->v[i], CRDT_HEAD_BYTES);
}

static void the_last_announcement_of_a_peer_counts(void **state)
{
	struct crdt_heads heads;

	note(*state, 1, 10, 2, 100);
	note(*state, 2, 20, 1, 101);
	note(*state, 1, 30, 1, 102);
	assert_true(get(*state, 1, &heads));
	assert_int_equal(102, heads.heard_s);
	assert_int_equal(1, heads.n);
	assert_int_equal(1, heads.total);
	assert_head(&heads, 0, 30);
	assert_true(get(*state, 2, &heads));
	assert_head(&heads, 0, 20);
	assert_false(get(*state, 3, &heads));
}

static void of_many_heads_the_first_are_kept(void **state)
{
	struct crdt_heads heads;

	note(*state, 1, 10, CRDT_HEADS_KEPT + 1, 100);
	assert_true(get(*state, 1, &heads));
	assert_int_equal(CRDT_HEADS_KEPT + 1, heads.total);
	assert_int_equal(CRDT_HEADS_KEPT, heads.n);
	for (unsigned i = 0; i < CRDT_HEADS_KEPT; i++)
		assert_head(&heads, i, 10 + i);
}

static void a_head_that_no_delta_can_have_is_only_counted(void **state)
{
	const struct peerid id = peer(1);
	struct crdt_heads heads;
	struct cid raw[2];

	cid_of_block(CODEC_RAW, "x", 1, &raw[0]);
	raw[1] = head(5);
	heard_note(*state, &id, raw, 2, 100);
	assert_true(get(*state, 1, &heads));
	assert_int_equal(2, heads.total);
	assert_int_equal(1, heads.n);
	assert_head(&heads, 0, 5);
}

static void the_peer_that_was_silent_for_longest_makes_room(void **state)
{
	struct crdt_heads heads;

	for (unsigned i = 0; i < HEARD_PEERS_MAX; i++)
		note(*state, i, i, 1, 100 + i);
	note(*state, 0, 0, 1, 5000);
	note(*state, HEARD_PEERS_MAX, 7, 1, 5001);
	assert_false(get(*state, 1, &heads));
	assert_true(get(*state, 0, &heads));
	assert_true(get(*state, 2, &heads));
	assert_true(get(*state, HEARD_PEERS_MAX, &heads));
	assert_head(&heads, 0, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(the_last_announcement_of_a_peer_counts),
		TEST(of_many_heads_the_first_are_kept),
		TEST(a_head_that_no_delta_can_have_is_only_counted),
		TEST(the_peer_that_was_silent_for_longest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
