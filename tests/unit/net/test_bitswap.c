#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/net/bitswap_fixture.h"

static void a_message_of_who_is_not_there_is_passed_over(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	s.here[7] = true;
	swap_want(&s, 8, 1);
	swap_sent(&s);
	swap_feed(&s, 2, "want 7 block 8");
	assert_string_equal("", swap_sent(&s));
	assert_string_equal("", swap_got(&s));
	assert_int_equal(0, s.b->n_demands);
	swap_stop(&s);
}

static void a_malformed_message_is_refused_as_a_whole(void **state)
{
	struct buf m = BUF_INIT(0);
	struct swap s;

	swap_start_among(&s, 1);
	s.here[7] = true;
	swap_want(&s, 8, 1);
	swap_sent(&s);
	text_write("want 7 block 8", &m);
	assert_int_equal(0, buf_append(&m, "\x22", 2)); /* a presence of nothing */
	assert_int_equal(-EBADMSG, swap_feed_bytes(&s, 1, m.data, m.len));
	assert_string_equal("", swap_sent(&s));
	assert_string_equal("", swap_got(&s));
	assert_int_equal(1, swap_counts(&s).malformed);
	assert_int_equal(0, swap_feed_bytes(&s, 1, m.data, m.len - 2));
	assert_string_equal("1:block 7;", swap_sent(&s));
	assert_string_equal("8 of 1;", swap_got(&s));
	assert_int_equal(1, swap_counts(&s).malformed);
	buf_deinit(&m);
	swap_stop(&s);
}

static void an_empty_message_is_fine(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	assert_int_equal(0, swap_feed_bytes(&s, 1, "", 0));
	assert_int_equal(0, swap_feed_bytes(&s, 1, "\x0a", 2));
	assert_string_equal("", swap_sent(&s));
	swap_stop(&s);
}

static void peers_are_limited(void **state)
{
	struct swap s;

	swap_start_among(&s, BITSWAP_PEERS_MAX);
	assert_int_equal(-ENOSPC, bitswap_peer_up(s.b, peer_id(BITSWAP_PEERS_MAX + 1), s.now));
	swap_up(&s, 5); /* is up already */
	swap_down(&s, 5);
	swap_up(&s, BITSWAP_PEERS_MAX + 1);
	swap_stop(&s);
}

/* ---- whoever gets a block may do anything ---- */

static void lose_its_giver(struct swap *s, unsigned block)
{
	swap_down(s, 1);
}

static void a_peer_may_go_while_its_message_is_read(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.on_block = lose_its_giver;
	swap_want(&s, 7, 1);
	swap_want(&s, 8, 1);
	swap_sent(&s);
	/* What follows is of nobody. */
	swap_feed(&s, 1, "want 9 block 7 block 8 HAVE 8");
	assert_string_equal("7 of 1;", swap_got(&s));
	assert_string_equal("2:want 8;", swap_sent(&s));
	assert_int_equal(0, s.b->n_demands);
	swap_stop(&s);
}

static void cancel_all(struct swap *s, unsigned block)
{
	for (unsigned i = 7; i < 10; i++)
		bitswap_cancel(s->b, block_cid(i));
}

static void wants_may_be_cancelled_while_a_message_is_read(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	s.on_block = cancel_all;
	for (unsigned i = 7; i < 10; i++)
		swap_want(&s, i, 1);
	swap_sent(&s);
	swap_feed(&s, 1, "block 8 block 7 block 9");
	assert_string_equal("8 of 1;", swap_got(&s));
	assert_string_equal("1:cancel 7 cancel 9;", swap_sent(&s));
	swap_stop(&s);
}

static void keep_and_pass_on(struct swap *s, unsigned block)
{
	s->here[block] = true;
	bitswap_have(s->b, block_cid(block), s->now);
}

static void a_block_may_be_passed_on_at_once(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	s.on_block = keep_and_pass_on;
	swap_feed(&s, 2, "want 7");
	swap_want(&s, 7, 1);
	swap_sent(&s);
	swap_feed(&s, 1, "block 7");
	assert_string_equal("2:block 7;", swap_sent(&s));
	swap_stop(&s);
}

static void want_again(struct swap *s, unsigned block)
{
	s->on_block = NULL;
	swap_want(s, block, 0);
}

static void a_block_that_came_may_be_wanted_again(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.on_block = want_again;
	swap_want(&s, 7, 1);
	swap_sent(&s);
	swap_feed(&s, 1, "block 7 block 7");
	assert_string_equal("7 of 1;7 of 1;", swap_got(&s));
	assert_string_equal("", swap_sent(&s));
	swap_stop(&s);
}

/* ---- wants wait for a queue, too ---- */

static void wants_wait_until_a_peer_is_writable(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.full = 1;
	swap_want(&s, 7, 1);
	swap_want(&s, 8, 1);
	swap_want(&s, 9, 2);
	assert_string_equal("2:want 9;", swap_sent(&s));
	s.full = 0;
	bitswap_cancel(s.b, block_cid(7));
	assert_string_equal("", swap_sent(&s));
	bitswap_writable(s.b, peer_id(1), s.now);
	assert_string_equal("1:want 8;", swap_sent(&s));
	swap_stop(&s);
}

/* What could not be sent is as what was not answered. */
static void a_peer_that_is_not_writable_is_followed_by_the_others(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.full = 1;
	swap_want(&s, 7, 1);
	swap_pass(&s, BITSWAP_ASK_MS - 1);
	assert_string_equal("", swap_sent(&s));
	swap_pass(&s, 1);
	assert_string_equal("2:want 7;", swap_sent(&s));
	swap_stop(&s);
}

static void nothing_is_sent_while_it_is_freed(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	s.here[7] = true;
	swap_want(&s, 8, 1);
	swap_sent(&s);
	s.full = 2;
	swap_feed(&s, 2, "want 7 want 9");
	swap_stop(&s); /* which looks */
	bitswap_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_of_who_is_not_there_is_passed_over),
		cmocka_unit_test(a_malformed_message_is_refused_as_a_whole),
		cmocka_unit_test(an_empty_message_is_fine),
		cmocka_unit_test(peers_are_limited),
		cmocka_unit_test(a_peer_may_go_while_its_message_is_read),
		cmocka_unit_test(wants_may_be_cancelled_while_a_message_is_read),
		cmocka_unit_test(a_block_may_be_passed_on_at_once),
		cmocka_unit_test(a_block_that_came_may_be_wanted_again),
		cmocka_unit_test(wants_wait_until_a_peer_is_writable),
		cmocka_unit_test(a_peer_that_is_not_writable_is_followed_by_the_others),
		cmocka_unit_test(nothing_is_sent_while_it_is_freed),
	};

	return cmocka_run_group_tests_name("bitswap", tests, NULL, NULL);
}
