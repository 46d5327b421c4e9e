#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/net/bitswap_fixture.h"

/* ---- answers ---- */

static void a_block_that_is_here_is_given(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.here[7] = s.here[LARGE] = s.here[GREAT] = true;
	swap_feed(&s, 1, "want 7");
	assert_string_equal("1:block 7;", swap_sent(&s));
	swap_feed(&s, 2, "want- 5000 want 7000");
	assert_string_equal("2:block 5000;2:block 7000;", swap_sent(&s));
	assert_int_equal(3, swap_counts(&s).served);
	assert_int_equal(100 + 5000 + 1048632, swap_counts(&s).served_bytes);
	/* It is done with that. */
	assert_int_equal(0, s.b->n_demands);
	bitswap_have(s.b, block_cid(7), s.now);
	assert_string_equal("", swap_sent(&s));
	swap_feed(&s, 1, "want 7");
	assert_string_equal("1:block 7;", swap_sent(&s));
	swap_stop(&s);
}

static void who_only_wants_to_know_is_told_or_given_what_is_small(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	s.here[7] = s.here[LARGE] = true;
	swap_feed(&s, 1, "have 7 have- 5000");
	assert_string_equal("1:block 7 HAVE 5000;", swap_sent(&s));
	assert_int_equal(1, swap_counts(&s).served);
	assert_int_equal(0, s.b->n_demands);
	swap_stop(&s);
}

static size_t size_of_one;

static int get_one(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	static uint8_t bytes[BITSWAP_BLOCK_MAX + 1];

	*ret_size = size_of_one;
	return out && buf_append(out, bytes, size_of_one) < 0 ? -1 : 1;
}

static char said[8];

static void see_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	assert_int_equal(size_of_one, n);
	strcat(said, "b");
}

static void see_presence(void *arg, const struct cid *cid, bool have)
{
	strcat(said, have ? "+" : "-");
}

static bool see_message(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	const struct bitswap_visitor v = { .block = see_block, .presence = see_presence };

	assert_int_equal(0, bitswap_read(message, n, &v, NULL));
	return true;
}

static void sizes_decide_at_their_limits(void **state)
{
	static const struct {
		size_t size;
		const char *want, *have;
	} cases[] = {
		{ 0, "b", "b" },
		{ BITSWAP_INLINE_MAX, "b", "b" },
		{ BITSWAP_INLINE_MAX + 1, "b", "+" },
		{ BITSWAP_BLOCK_MAX, "b", "+" },
		{ BITSWAP_BLOCK_MAX + 1, "-", "-" }, /* nobody would take it */
	};
	const struct bitswap_config cfg = { .get = get_one, .send = see_message };
	struct bitswap *b;

	assert_int_equal(0, bitswap_new(&cfg, &b));
	assert_int_equal(0, bitswap_peer_up(b, peer_id(1), 0));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int have = 0; have < 2; have++) {
			struct buf m = BUF_INIT(0);

			size_of_one = cases[i].size;
			said[0] = '\0';
			text_write(have ? "have 1" : "want 1", &m);
			assert_int_equal(0, bitswap_feed(b, peer_id(1), m.data, m.len, 0, NULL));
			assert_string_equal(have ? cases[i].have : cases[i].want, said);
			buf_deinit(&m);
		}
	bitswap_free(b);
}

static void who_asked_to_be_told_is_told_that_a_block_is_not_here(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_feed(&s, 1, "want 7 have 8 want- 9 have- 10");
	assert_string_equal("1:DONT 7 DONT 8;", swap_sent(&s));
	swap_feed(&s, 2, "want- 7");
	assert_string_equal("", swap_sent(&s));
	swap_stop(&s);
}

static void a_block_that_comes_is_given_to_whoever_waits(void **state)
{
	struct swap s;

	swap_start_among(&s, 4);
	swap_feed(&s, 1, "want 5000 want 8");
	swap_feed(&s, 2, "have- 5000");
	swap_feed(&s, 3, "want- 5000");
	assert_string_equal("1:DONT 5000 DONT 8;", swap_sent(&s));
	s.here[LARGE] = true;
	bitswap_have(s.b, block_cid(LARGE), s.now);
	assert_int_equal(0, bitswap_deadline(s.b));
	assert_string_equal("1:block 5000;2:HAVE 5000;3:block 5000;", swap_sent(&s));
	bitswap_have(s.b, block_cid(LARGE), s.now);
	assert_string_equal("", swap_sent(&s));
	assert_int_equal(1, s.b->n_demands);
	swap_stop(&s);
}

static void a_block_that_is_said_to_come_and_does_not_is_waited_for(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	swap_feed(&s, 1, "want 7 want- 8");
	swap_sent(&s);
	bitswap_have(s.b, block_cid(7), s.now);
	bitswap_have(s.b, block_cid(8), s.now);
	assert_string_equal("1:DONT 7;", swap_sent(&s));
	assert_int_equal(2, s.b->n_demands);
	swap_stop(&s);
}

/* It is found, and its bytes cannot be read: as one that is not here, and the others are given. */
static void a_block_that_cannot_be_read_is_not_here(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	s.here[7] = s.here[8] = s.here[9] = s.here[10] = true;
	s.lost[8] = s.lost[9] = true;
	swap_feed(&s, 1, "want 7 want 8 want- 9 want 10");
	assert_string_equal("1:block 7 DONT 8 block 10;", swap_sent(&s));
	swap_stop(&s);
}

/* ---- order and size ---- */

static void what_matters_most_comes_first(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	s.here[1] = s.here[2] = s.here[3] = s.here[4] = s.here[5] = true;
	swap_feed(&s, 1, "want 1:5 want 2:-3 want 3:2147483647 want 4:5 have 5:6 want 6:7");
	assert_string_equal("1:block 3 DONT 6 block 5 block 1 block 4 block 2;", swap_sent(&s));
	/* It may think otherwise while it waits. */
	s.full = 1;
	swap_feed(&s, 1, "want 1:1 want 2:2 want 3:3");
	swap_feed(&s, 1, "want 2:4");
	s.full = 0;
	bitswap_writable(s.b, peer_id(1), s.now);
	assert_string_equal("1:block 2 block 3 block 1;", swap_sent(&s));
	swap_stop(&s);
}

static void an_answer_has_a_size(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	for (unsigned i = 0; i < 10; i++)
		s.here[LARGE + i] = true;
	s.here[GREAT] = s.here[7] = true;
	/* Of 5000 three fit into 16384. */
	swap_feed(&s, 1, "want 5000 want 5001 want 5002 want 5003 want 5004");
	assert_string_equal("1:block 5000 block 5001 block 5002;1:block 5003 block 5004;",
			    swap_sent(&s));
	/* A larger one alone. */
	swap_feed(&s, 1, "want 7:3 want 7000:2 want 7001:1 have 5000:0");
	assert_string_equal("1:block 7;1:block 7000;1:DONT 7001 HAVE 5000;", swap_sent(&s));
	swap_stop(&s);
}

static void many_presences_have_a_size_too(void **state)
{
	struct buf text = BUF_INIT(0);
	struct swap s;

	swap_start_among(&s, 1);
	s.quiet = true;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(0, buf_printf(&text, "want %u ", i));
	assert_int_equal(0, buf_terminate(&text));
	swap_feed(&s, 1, (char *)text.data);
	assert_int_equal(3, s.n_sent);
	assert_in_range(s.largest, BITSWAP_REPLY_TARGET - 100, BITSWAP_REPLY_TARGET + 100);
	buf_deinit(&text);
	swap_stop(&s);
}

static void a_want_and_an_answer_share_a_message(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	s.here[7] = true;
	swap_want(&s, 8, 1);
	swap_feed(&s, 1, "want 7");
	assert_string_equal("1:want 8 block 7;", swap_sent(&s));
	swap_stop(&s);
}

/* ---- a queue that is full ---- */

static void what_cannot_be_sent_is_written_anew(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.here[7] = s.here[8] = true;
	s.full = 1;
	swap_feed(&s, 1, "want 7 want 8 want 9");
	swap_want(&s, 20, 1);
	assert_string_equal("", swap_sent(&s));
	/* Meanwhile one is gone, one is here, one is not wanted any more. */
	s.here[7] = false;
	s.here[9] = true;
	swap_feed(&s, 1, "cancel 8");
	bitswap_cancel(s.b, block_cid(20));
	assert_int_equal(0, swap_counts(&s).served);
	s.full = 0;
	bitswap_writable(s.b, peer_id(1), s.now);
	assert_string_equal("1:DONT 7 block 9;", swap_sent(&s));
	assert_int_equal(1, swap_counts(&s).served);
	swap_stop(&s);
}

static void it_waits_for_room_and_does_not_press(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.here[7] = true;
	s.full = 1;
	swap_feed(&s, 1, "want 7");
	swap_feed(&s, 2, "want 7");
	assert_string_equal("2:block 7;", swap_sent(&s));
	assert_true(bitswap_deadline(s.b) == s.now + BITSWAP_RETRY_MS);
	s.full = 0;
	bitswap_have(s.b, block_cid(7), s.now);
	swap_feed(&s, 1, "have 7");
	swap_pass(&s, BITSWAP_RETRY_MS - 1);
	assert_string_equal("", swap_sent(&s));
	/* Nobody said that it is writable: then without. */
	swap_pass(&s, 1);
	assert_string_equal("1:block 7;", swap_sent(&s));
	assert_true(bitswap_deadline(s.b) == UINT64_MAX);
	swap_stop(&s);
}

static void one_that_stays_full_is_tried_now_and_then(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	s.here[7] = true;
	s.full = 1;
	swap_feed(&s, 1, "want 7");
	swap_pass(&s, 100 * BITSWAP_RETRY_MS);    /* ends, so it does not try all the time */
	bitswap_writable(s.b, peer_id(9), s.now); /* is not there */
	swap_pass(&s, BITSWAP_RETRY_MS / 2);
	bitswap_writable(s.b, peer_id(1), s.now); /* it is not */
	s.full = 0;
	swap_pass(&s, BITSWAP_RETRY_MS - 1);
	assert_string_equal("", swap_sent(&s));
	swap_pass(&s, 1);
	assert_string_equal("1:block 7;", swap_sent(&s));
	swap_stop(&s);
}

static void each_that_is_full_is_tried_in_its_time(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.here[7] = true;
	s.full = 1;
	swap_feed(&s, 1, "want 7");
	swap_pass(&s, BITSWAP_RETRY_MS / 2);
	s.full = 2;
	swap_feed(&s, 2, "want 7");
	s.full = 0;
	swap_pass(&s, BITSWAP_RETRY_MS / 2);
	assert_string_equal("1:block 7;", swap_sent(&s));
	swap_pass(&s, BITSWAP_RETRY_MS / 2 - 1);
	assert_string_equal("", swap_sent(&s));
	swap_pass(&s, 1);
	assert_string_equal("2:block 7;", swap_sent(&s));
	swap_stop(&s);
}

/* ---- what peers take back ---- */

static void a_cancel_ends_a_demand(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_feed(&s, 1, "want 7 want 8");
	swap_feed(&s, 2, "want 7");
	swap_feed(&s, 1, "cancel 7 cancel 9");
	swap_sent(&s);
	assert_int_equal(2, s.b->n_demands);
	bitswap_have(s.b, block_cid(7), s.now);
	s.here[7] = true;
	assert_string_equal("2:block 7;", swap_sent(&s));
	swap_stop(&s);
}

static void a_full_list_replaces_what_was_wanted(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_feed(&s, 1, "want 7 want 8");
	swap_feed(&s, 2, "want 7");
	swap_feed(&s, 1, "full want 8 want 9");
	assert_string_equal("1:DONT 7 DONT 8;2:DONT 7;1:DONT 8 DONT 9;", swap_sent(&s));
	s.here[7] = s.here[9] = true;
	bitswap_have(s.b, block_cid(7), s.now);
	bitswap_have(s.b, block_cid(9), s.now);
	assert_string_equal("1:block 9;2:block 7;", swap_sent(&s));
	swap_feed(&s, 1, "full");
	assert_int_equal(0, s.b->n_demands);
	swap_stop(&s);
}

static void a_peer_that_goes_wants_nothing_any_more(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_feed(&s, 1, "want 7 want 8");
	swap_feed(&s, 2, "want 7");
	swap_down(&s, 1);
	assert_int_equal(1, s.b->n_demands);
	swap_up(&s, 1);
	swap_sent(&s);
	s.here[7] = true;
	bitswap_have(s.b, block_cid(7), s.now);
	assert_string_equal("2:block 7;", swap_sent(&s));
	swap_stop(&s);
}

static void who_wants_a_block_wants_no_less_later(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	swap_feed(&s, 1, "have- 5000 want- 5000 have- 5000");
	s.here[LARGE] = true;
	bitswap_have(s.b, block_cid(LARGE), s.now);
	assert_string_equal("1:block 5000;", swap_sent(&s));
	swap_feed(&s, 1, "have- 5000");
	assert_string_equal("1:HAVE 5000;", swap_sent(&s));
	swap_stop(&s);
}

/* ---- limits ---- */

static void feed_many(struct swap *s, unsigned peer, unsigned from, unsigned n, int priority)
{
	struct buf text = BUF_INIT(0);

	for (unsigned i = from; i < from + n; i++)
		assert_int_equal(0, buf_printf(&text, "want- %u:%d ", i, priority));
	assert_int_equal(0, buf_terminate(&text));
	swap_feed(s, peer, (char *)text.data);
	buf_deinit(&text);
}

/* Which of these blocks the peer would be given if they came: as "3 9 ". */
static const char *waits_for(struct swap *s, unsigned peer, unsigned from, unsigned n)
{
	static struct buf text = BUF_INIT(0);
	char what[32];

	buf_reset(&text);
	s->quiet = false;
	for (unsigned i = from; i < from + n; i++) {
		s->here[i] = true;
		bitswap_have(s->b, block_cid(i), s->now);
		snprintf(what, sizeof(what), "%u:block %u;", peer, i);
		if (strcmp(swap_sent(s), what) == 0)
			assert_int_equal(0, buf_printf(&text, "%u ", i));
		s->here[i] = false;
	}
	assert_int_equal(0, buf_terminate(&text));
	return (char *)text.data;
}

static void the_oldest_that_waits_makes_room(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	feed_many(&s, 1, 0, BITSWAP_PEER_WANTS_MAX, 5);
	assert_int_equal(BITSWAP_PEER_WANTS_MAX, s.b->n_demands);
	feed_many(&s, 1, 2000, 3, -5); /* even if it matters less */
	assert_int_equal(BITSWAP_PEER_WANTS_MAX, s.b->n_demands);
	assert_string_equal("3 4 ", waits_for(&s, 1, 0, 5));
	assert_string_equal("2000 2001 2002 ", waits_for(&s, 1, 2000, 3));
	swap_stop(&s);
}

static void of_those_that_are_due_the_least_makes_room(void **state)
{
	const char *given;
	struct swap s;

	swap_start_among(&s, 1);
	memset(s.here, true, sizeof(s.here));
	s.full = 1;
	feed_many(&s, 1, 0, BITSWAP_PEER_WANTS_MAX - 1, 5);
	feed_many(&s, 1, 2000, 1, 4);
	feed_many(&s, 1, 3000, 1, 4); /* matters no more than the least */
	feed_many(&s, 1, 3001, 1, 6); /* in place of 2000 */
	feed_many(&s, 1, 3002, 1, 5);
	feed_many(&s, 1, 3003, 1, 6); /* in place of 1022 */
	feed_many(&s, 1, 3004, 1, 1);
	feed_many(&s, 1, 3005, 1, 5);
	assert_int_equal(BITSWAP_PEER_WANTS_MAX, s.b->n_demands);
	s.full = 0;
	bitswap_writable(s.b, peer_id(1), s.now);
	assert_int_equal(BITSWAP_PEER_WANTS_MAX, swap_counts(&s).served);
	given = swap_sent(&s);
	assert_int_equal(0, strncmp(given, "1:block 3001 block 3003 block 0 block 1 ", 40));
	assert_string_equal("block 1020 block 1021;", given + strlen(given) - 22);
	swap_stop(&s);
}

static void a_message_of_more_wants_than_a_peer_may_have_is_cut(void **state)
{
	struct buf text = BUF_INIT(0);
	struct swap s;

	swap_start_among(&s, 1);
	for (unsigned i = 0; i < BITSWAP_PEER_WANTS_MAX + 2; i++) /* the last matter the most */
		assert_int_equal(0, buf_printf(&text, "want- %u:%u ", i, i));
	assert_int_equal(0, buf_terminate(&text));
	swap_feed(&s, 1, (char *)text.data);
	assert_string_equal("0 1 ", waits_for(&s, 1, 0, 2));
	assert_string_equal("1023 ", waits_for(&s, 1, BITSWAP_PEER_WANTS_MAX - 1, 3));
	/* Cancels behind them count, and the next message begins anew. */
	assert_int_equal(0, buf_printf(&text, "cancel 5 cancel 6 "));
	assert_int_equal(0, buf_terminate(&text));
	swap_feed(&s, 1, (char *)text.data);
	swap_feed(&s, 1, "want- 2000");
	assert_string_equal("4 7 ", waits_for(&s, 1, 4, 4));
	assert_string_equal("2000 ", waits_for(&s, 1, 2000, 1));
	buf_deinit(&text);
	swap_stop(&s);
}

/* Whoever wants the most makes room for who wants little. */
static void all_peers_together_are_limited(void **state)
{
	const unsigned greedy = BITSWAP_DEMANDS_MAX / BITSWAP_PEER_WANTS_MAX;
	struct swap s;

	swap_start_among(&s, greedy + 1);
	for (unsigned p = 1; p <= greedy; p++)
		feed_many(&s, p, 0, BITSWAP_PEER_WANTS_MAX, INT32_MAX);
	assert_int_equal(BITSWAP_DEMANDS_MAX, s.b->n_demands);
	feed_many(&s, greedy + 1, 2000, 100, 0);
	assert_int_equal(BITSWAP_DEMANDS_MAX, s.b->n_demands);
	assert_string_equal("2000 2001 ", waits_for(&s, greedy + 1, 2000, 2));
	assert_string_equal("2098 2099 ", waits_for(&s, greedy + 1, 2098, 2));
	swap_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_that_is_here_is_given),
		cmocka_unit_test(who_only_wants_to_know_is_told_or_given_what_is_small),
		cmocka_unit_test(sizes_decide_at_their_limits),
		cmocka_unit_test(who_asked_to_be_told_is_told_that_a_block_is_not_here),
		cmocka_unit_test(a_block_that_comes_is_given_to_whoever_waits),
		cmocka_unit_test(a_block_that_is_said_to_come_and_does_not_is_waited_for),
		cmocka_unit_test(a_block_that_cannot_be_read_is_not_here),
		cmocka_unit_test(what_matters_most_comes_first),
		cmocka_unit_test(an_answer_has_a_size),
		cmocka_unit_test(many_presences_have_a_size_too),
		cmocka_unit_test(a_want_and_an_answer_share_a_message),
		cmocka_unit_test(what_cannot_be_sent_is_written_anew),
		cmocka_unit_test(it_waits_for_room_and_does_not_press),
		cmocka_unit_test(one_that_stays_full_is_tried_now_and_then),
		cmocka_unit_test(each_that_is_full_is_tried_in_its_time),
		cmocka_unit_test(a_cancel_ends_a_demand),
		cmocka_unit_test(a_full_list_replaces_what_was_wanted),
		cmocka_unit_test(a_peer_that_goes_wants_nothing_any_more),
		cmocka_unit_test(who_wants_a_block_wants_no_less_later),
		cmocka_unit_test(the_oldest_that_waits_makes_room),
		cmocka_unit_test(of_those_that_are_due_the_least_makes_room),
		cmocka_unit_test(a_message_of_more_wants_than_a_peer_may_have_is_cut),
		cmocka_unit_test(all_peers_together_are_limited),
	};

	return cmocka_run_group_tests_name("bitswap_ledger", tests, NULL, NULL);
}
