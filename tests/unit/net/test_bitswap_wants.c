#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/net/bitswap_fixture.h"
#include "types/hash.h"

/* ---- one peer ---- */

static void a_want_goes_out_at_once_and_its_block_comes(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	assert_int_equal(0, bitswap_wants(s.b));
	swap_want(&s, 7, 1);
	assert_int_equal(1, bitswap_wants(s.b));
	assert_int_equal(0, bitswap_deadline(s.b));
	assert_int_equal(0, s.n_sent); /* not from within */
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_feed(&s, 1, "block 7");
	assert_string_equal("7 of 1;", swap_got(&s));
	assert_int_equal(0, bitswap_wants(s.b));
	/* Who gave it need not be told, and nothing is due any more. */
	swap_pass(&s, 1000000);
	assert_string_equal("", swap_sent(&s));
	assert_true(bitswap_deadline(s.b) == UINT64_MAX);
	swap_stop(&s);
}

static void several_wants_go_in_one_message(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	swap_want(&s, 7, 1);
	swap_want(&s, 8, 1);
	swap_want(&s, 7, 1);
	swap_want(&s, 9, 1);
	assert_string_equal("1:want 7 want 8 want 9;", swap_sent(&s));
	assert_int_equal(3, swap_counts(&s).wanted);
	swap_stop(&s);
}

/* What a block leads to is asked for before anything else happens. */
static void want_next(struct swap *s, unsigned block)
{
	if (block < 5)
		swap_want(s, block + 1, 0);
}

static void a_chain_is_followed_without_a_pause(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	s.on_block = want_next;
	swap_want(&s, 1, 2);
	swap_sent(&s);
	for (unsigned i = 1; i < 5; i++) {
		char text[32];

		snprintf(text, sizeof(text), "block %u", i);
		swap_feed(&s, 2, text);
		snprintf(text, sizeof(text), "2:want %u;", i + 1);
		/* Of who gave the last one; it was sent before swap_feed returned. */
		assert_int_equal(i + 1, s.n_sent);
		assert_string_equal(text, swap_sent(&s));
	}
	swap_stop(&s);
}

static int32_t priorities[3];

static void see_priority(void *arg, const struct bitswap_entry *en)
{
	priorities[block_number(&en->cid)] = en->priority;
}

static bool send_priorities(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	const struct bitswap_visitor v = { .entry = see_priority };

	assert_int_equal(0, bitswap_read(message, n, &v, NULL));
	return true;
}

static void earlier_wants_come_first(void **state)
{
	const struct bitswap_config cfg = { .send = send_priorities };
	struct bitswap *b;

	assert_int_equal(0, bitswap_new(&cfg, &b));
	assert_int_equal(0, bitswap_peer_up(b, peer_id(1), 0));
	assert_int_equal(INT32_MAX, b->priority);
	b->priority = 2;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(0, bitswap_want(b, block_cid(i), peer_id(1), 0));
	bitswap_tick(b, 0);
	assert_int_equal(2, priorities[0]);
	assert_int_equal(1, priorities[1]);
	assert_int_equal(INT32_MAX, priorities[2]); /* and from the top again */
	bitswap_free(b);
}

/* ---- whom it asks ---- */

static void without_a_hint_all_are_asked_whether_they_have_it(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 0);
	assert_string_equal("1:have 7;2:have 7;3:have 7;", swap_sent(&s));
	swap_feed(&s, 1, "DONT 7");
	assert_string_equal("", swap_sent(&s));
	swap_feed(&s, 3, "HAVE 7");
	assert_string_equal("3:want 7;", swap_sent(&s));
	swap_feed(&s, 2, "HAVE 7"); /* one is enough */
	assert_string_equal("", swap_sent(&s));
	swap_feed(&s, 3, "block 7");
	assert_string_equal("7 of 3;", swap_got(&s));
	assert_string_equal("1:cancel 7;2:cancel 7;", swap_sent(&s));
	swap_stop(&s);
}

static void a_hint_that_is_not_there_is_as_none(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 9);
	assert_string_equal("1:have 7;2:have 7;", swap_sent(&s));
	swap_stop(&s);
}

static void the_only_peer_is_asked_for_the_block_itself(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	swap_want(&s, 7, 0);
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_stop(&s);
}

static void a_small_block_comes_instead_of_a_have(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 0);
	swap_sent(&s);
	swap_feed(&s, 2, "block 7");
	assert_string_equal("7 of 2;", swap_got(&s));
	assert_string_equal("1:cancel 7;", swap_sent(&s));
	swap_stop(&s);
}

static void who_has_it_not_is_followed_by_the_others_at_once(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 2);
	assert_string_equal("2:want 7;", swap_sent(&s));
	swap_feed(&s, 2, "DONT 7");
	assert_string_equal("1:have 7;3:have 7;", swap_sent(&s));
	swap_feed(&s, 1, "HAVE 7");
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_feed(&s, 3, "HAVE 7");
	swap_feed(&s, 1, "DONT 7"); /* after all */
	assert_string_equal("3:want 7;", swap_sent(&s));
	swap_stop(&s);
}

static void who_has_it_no_more_is_not_asked(void **state)
{
	struct swap s;

	swap_start_among(&s, 4);
	swap_want(&s, 7, 0);
	swap_sent(&s);
	for (unsigned p = 1; p <= 4; p++)
		swap_feed(&s, p, "HAVE 7");
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_feed(&s, 2, "DONT 7");
	swap_feed(&s, 1, "DONT 7");
	assert_string_equal("3:want 7;", swap_sent(&s));
	swap_stop(&s);
}

static void of_two_peers_the_second_is_asked_for_the_block_itself(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 1);
	swap_sent(&s);
	swap_feed(&s, 1, "DONT 7");
	assert_string_equal("2:want 7;", swap_sent(&s));
	swap_stop(&s);
}

static void who_gave_the_last_block_is_asked_first(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 2);
	swap_sent(&s);
	swap_feed(&s, 2, "block 7");
	swap_want(&s, 8, 0);
	assert_string_equal("2:want 8;", swap_sent(&s));
	/* A hint counts for more. */
	swap_want(&s, 9, 3);
	assert_string_equal("3:want 9;", swap_sent(&s));
	/* It is gone, then back: as any other. */
	swap_down(&s, 2);
	swap_sent(&s);
	swap_up(&s, 2);
	swap_sent(&s);
	swap_want(&s, 10, 0);
	assert_string_equal("1:have 10;3:have 10;2:have 10;", swap_sent(&s));
	swap_stop(&s);
}

static void what_others_say_of_blocks_they_were_not_asked_for_means_nothing(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 2);
	swap_sent(&s);
	swap_feed(&s, 3, "HAVE 7 HAVE 8 DONT 9");
	swap_feed(&s, 2, "DONT 7");
	assert_string_equal("1:have 7;3:have 7;", swap_sent(&s));
	swap_stop(&s);
}

/* ---- time ---- */

static void silence_is_followed_by_the_others(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 2);
	swap_sent(&s);
	swap_pass(&s, BITSWAP_ASK_MS - 1);
	assert_string_equal("", swap_sent(&s));
	swap_pass(&s, 1);
	assert_string_equal("1:have 7;3:have 7;", swap_sent(&s));
	swap_feed(&s, 3, "HAVE 7");
	assert_string_equal("3:want 7;", swap_sent(&s));
	/* It comes late, but it comes. */
	swap_feed(&s, 2, "block 7");
	assert_string_equal("7 of 2;", swap_got(&s));
	assert_string_equal("1:cancel 7;3:cancel 7;", swap_sent(&s));
	swap_stop(&s);
}

static void one_that_has_it_and_is_silent_is_followed_by_the_next_that_has_it(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 0);
	swap_sent(&s);
	swap_feed(&s, 3, "HAVE 7");
	swap_feed(&s, 1, "HAVE 7");
	assert_string_equal("3:want 7;", swap_sent(&s));
	swap_pass(&s, BITSWAP_ASK_MS);
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_feed(&s, 3, "HAVE 7"); /* it says so again: it was asked already */
	swap_pass(&s, BITSWAP_ASK_MS);
	assert_string_equal("", swap_sent(&s));
	swap_stop(&s);
}

static void when_all_were_asked_it_begins_again(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 2);
	swap_sent(&s);
	swap_feed(&s, 2, "DONT 7");
	swap_feed(&s, 1, "DONT 7");
	swap_feed(&s, 3, "DONT 7");
	assert_string_equal("1:have 7;3:have 7;", swap_sent(&s));
	for (int i = 0; i < 3; i++) {
		swap_pass(&s, BITSWAP_AGAIN_MS - 1);
		assert_string_equal("", swap_sent(&s));
		swap_pass(&s, 1);
		assert_string_equal("2:want 7;", swap_sent(&s));
		swap_feed(&s, 2, "DONT 7");
		assert_string_equal("1:have 7;3:have 7;", swap_sent(&s));
	}
	swap_stop(&s);
}

/* It waits for the block with us. */
static void who_gets_it_later_may_say_so_at_any_time(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 0);
	for (unsigned p = 1; p <= 3; p++)
		swap_feed(&s, p, "DONT 7");
	swap_sent(&s);
	swap_pass(&s, 10000);
	swap_feed(&s, 2, "HAVE 7");
	assert_string_equal("2:want 7;", swap_sent(&s));
	swap_stop(&s);
}

static void who_sends_is_given_time(void **state)
{
	struct swap s;
	uint64_t begin;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 2);
	swap_sent(&s);
	begin = s.now;
	while (s.now - begin < BITSWAP_ASK_MAX_MS - 2000) {
		swap_pass(&s, 2000);
		bitswap_progress(s.b, peer_id(2), s.now);
		bitswap_progress(s.b, peer_id(9), s.now); /* is not there */
	}
	assert_string_equal("", swap_sent(&s));
	swap_pass(&s, 1999);
	assert_string_equal("", swap_sent(&s));
	/* But not for ever. */
	swap_pass(&s, 1);
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_stop(&s);
}

static void who_sends_something_else_is_given_time_too(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 2);
	swap_sent(&s);
	swap_pass(&s, 4000);
	swap_feed(&s, 2, "block 8");
	swap_pass(&s, BITSWAP_ASK_MS - 1);
	assert_string_equal("", swap_sent(&s));
	swap_pass(&s, 1);
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_stop(&s);
}

/* ---- coming and going ---- */

static void a_peer_that_comes_is_asked_for_what_nobody_is_asked_for(void **state)
{
	struct swap s;

	swap_start(&s);
	swap_want(&s, 7, 0);
	swap_want(&s, 8, 0);
	swap_pass(&s, 100000);
	assert_string_equal("", swap_sent(&s));
	swap_up(&s, 1);
	assert_string_equal("1:want 7 want 8;", swap_sent(&s));
	swap_up(&s, 1); /* known */
	swap_up(&s, 2); /* another is being asked */
	assert_string_equal("", swap_sent(&s));
	swap_feed(&s, 1, "DONT 8");
	assert_string_equal("2:want 8;", swap_sent(&s));
	swap_stop(&s);
}

static void a_peer_that_comes_is_asked_whether_it_has_what_all_are_asked_for(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 0);
	swap_feed(&s, 1, "HAVE 7");
	swap_sent(&s);
	swap_feed(&s, 1, "HAVE 7");
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_up(&s, 4);
	assert_string_equal("4:have 7;", swap_sent(&s));
	swap_stop(&s);
}

static void a_peer_that_goes_is_followed_by_the_others(void **state)
{
	struct swap s;

	swap_start_among(&s, 4);
	swap_want(&s, 7, 2);
	swap_want(&s, 8, 2);
	swap_want(&s, 9, 3);
	swap_sent(&s);
	swap_down(&s, 2);
	assert_string_equal("1:have 7 have 8;3:have 7 have 8;4:have 7 have 8;", swap_sent(&s));
	swap_down(&s, 2); /* is gone */
	swap_down(&s, 1);
	swap_down(&s, 3);
	assert_string_equal("4:want 9;", swap_sent(&s));
	swap_down(&s, 4);
	assert_string_equal("", swap_sent(&s));
	assert_int_equal(3, bitswap_wants(s.b));
	swap_stop(&s);
}

/* What it said is forgotten with it. */
static void a_peer_that_comes_back_is_asked_as_new(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	swap_want(&s, 7, 0);
	swap_sent(&s);
	swap_feed(&s, 1, "DONT 7");
	swap_down(&s, 1);
	swap_up(&s, 1);
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_down(&s, 1);
	swap_up(&s, 1);
	swap_feed(&s, 1, "block 7");
	assert_string_equal("7 of 1;", swap_got(&s));
	swap_stop(&s);
}

static void what_was_lost_is_told_again_as_a_whole(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	bitswap_lost(s.b, peer_id(1), s.now);
	assert_string_equal("", swap_sent(&s)); /* there was nothing */
	swap_want(&s, 7, 1);
	swap_want(&s, 8, 2);
	assert_string_equal("1:want 7;2:want 8;", swap_sent(&s));
	swap_feed(&s, 2, "DONT 8");
	assert_string_equal("1:want 8;", swap_sent(&s));
	bitswap_lost(s.b, peer_id(1), s.now);
	swap_want(&s, 9, 1);
	assert_string_equal("1:full want 7 want 8 want 9;", swap_sent(&s));
	swap_want(&s, 10, 1);
	assert_string_equal("1:want 10;", swap_sent(&s));
	bitswap_lost(s.b, peer_id(9), s.now); /* is not there */
	bitswap_lost(s.b, peer_id(1), s.now);
	assert_int_equal(0, bitswap_deadline(s.b));
	assert_string_equal("1:full want 7 want 8 want 9 want 10;", swap_sent(&s));
	/* The one that is asked no more is told so, too. */
	bitswap_lost(s.b, peer_id(2), s.now);
	bitswap_cancel(s.b, block_cid(8));
	assert_string_equal("1:cancel 8;2:full;", swap_sent(&s));
	swap_stop(&s);
}

/* Its queue was full for so long that others were asked; then it is asked whether it has the block,
 * and that it was to be asked for it does not count. */
static void who_is_told_late_is_asked_if_it_has_it(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.full = 1;
	swap_want(&s, 7, 1);
	swap_pass(&s, BITSWAP_ASK_MS);
	swap_feed(&s, 2, "DONT 7");
	assert_string_equal("2:want 7;", swap_sent(&s));
	s.full = 0;
	bitswap_writable(s.b, peer_id(1), s.now);
	assert_string_equal("1:have 7;", swap_sent(&s));
	swap_feed(&s, 1, "HAVE 7");
	assert_string_equal("1:want 7;", swap_sent(&s));
	swap_stop(&s);
}

/* ---- the end of a want ---- */

static void a_cancelled_want_is_over(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 1);
	swap_want(&s, 8, 1);
	swap_sent(&s);
	bitswap_cancel(s.b, block_cid(7));
	assert_int_equal(1, bitswap_wants(s.b));
	assert_string_equal("1:cancel 7;", swap_sent(&s));
	swap_feed(&s, 1, "block 7");
	assert_string_equal("", swap_got(&s));
	assert_int_equal(1, swap_counts(&s).unwanted);
	bitswap_cancel(s.b, block_cid(7));
	assert_string_equal("", swap_sent(&s));
	swap_stop(&s);
}

static void a_want_that_was_not_told_need_not_be_cancelled(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 1);
	bitswap_cancel(s.b, block_cid(7));
	assert_string_equal("", swap_sent(&s));
	swap_stop(&s);
}

/* The reference takes a want behind a cancel of the same message for a cancel. */
static void a_want_behind_its_cancel_goes_in_a_message_of_its_own(void **state)
{
	struct swap s;

	swap_start_among(&s, 1);
	swap_want(&s, 7, 1);
	swap_want(&s, 8, 1);
	swap_sent(&s);
	bitswap_cancel(s.b, block_cid(7));
	bitswap_cancel(s.b, block_cid(8));
	swap_want(&s, 7, 1);
	swap_want(&s, 9, 1);
	assert_string_equal("1:cancel 7 cancel 8;1:want 7 want 9;", swap_sent(&s));
	swap_stop(&s);
}

/* Slots are used again, and what peers said of the former want does not count for the next. */
static void nothing_is_left_of_a_want_that_is_over(void **state)
{
	struct swap s;

	swap_start_among(&s, 3);
	swap_want(&s, 7, 1);
	swap_feed(&s, 1, "DONT 7");
	swap_sent(&s);
	swap_feed(&s, 1, "DONT 7");
	swap_feed(&s, 2, "HAVE 7");
	swap_feed(&s, 3, "HAVE 7");
	bitswap_cancel(s.b, block_cid(7));
	swap_sent(&s);
	swap_want(&s, 8, 1);
	assert_string_equal("1:want 8;", swap_sent(&s));
	swap_feed(&s, 1, "DONT 8");
	assert_string_equal("2:have 8;3:have 8;", swap_sent(&s));
	bitswap_cancel(s.b, block_cid(8));
	assert_string_equal("1:cancel 8;2:cancel 8;3:cancel 8;", swap_sent(&s));
	swap_stop(&s);
}

/* While the queue to a peer takes nothing they are collected, up to a limit. */
static void too_many_cancels_become_a_full_list(void **state)
{
	struct swap s;

	for (unsigned few = 0; few < 2; few++) {
		unsigned n = few ? 1000 : 2000;

		swap_start_among(&s, 1);
		s.quiet = true;
		for (unsigned i = 0; i < n; i++)
			swap_want(&s, i, 1);
		swap_sent(&s);
		s.full = 1;
		swap_want(&s, 3000, 1);
		swap_sent(&s);
		for (unsigned i = 1; i < n; i++)
			bitswap_cancel(s.b, block_cid(i));
		swap_sent(&s);
		s.full = 0;
		s.quiet = few;
		s.n_sent = 0;
		bitswap_writable(s.b, peer_id(1), s.now);
		assert_int_equal(few ? 2 : 1, s.n_sent);
		if (!few)
			assert_string_equal("1:full want 0 want 3000;", swap_sent(&s));
		swap_stop(&s);
	}
}

/* ---- what is not accepted ---- */

static void a_block_that_was_not_wanted_is_dropped(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 1);
	swap_feed(&s, 1, "block 8 block 7 block 7 block 9");
	assert_string_equal("7 of 1;", swap_got(&s));
	assert_int_equal(1, swap_counts(&s).received);
	assert_int_equal(3, swap_counts(&s).unwanted);
	swap_stop(&s);
}

/* It is what its bytes say, so it is another one than was wanted. */
static void a_block_whose_bytes_do_not_match_is_dropped(void **state)
{
	struct buf m = BUF_INIT(0);
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 1);
	swap_sent(&s);
	text_write("block 7", &m);
	m.data[m.len - 1] ^= 1;
	assert_int_equal(0, swap_feed_bytes(&s, 1, m.data, m.len));
	assert_string_equal("", swap_got(&s));
	assert_int_equal(1, swap_counts(&s).unwanted);
	assert_int_equal(1, bitswap_wants(s.b));
	m.data[m.len - 1] ^= 1;
	assert_int_equal(0, swap_feed_bytes(&s, 1, m.data, m.len));
	assert_string_equal("7 of 1;", swap_got(&s));
	buf_deinit(&m);
	swap_stop(&s);
}

static void a_block_may_come_from_who_was_not_asked(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	swap_want(&s, 7, 1);
	swap_sent(&s);
	swap_feed(&s, 2, "block 7");
	assert_string_equal("7 of 2;", swap_got(&s));
	assert_string_equal("1:cancel 7;", swap_sent(&s));
	swap_stop(&s);
}

static void a_cid_by_another_hash_cannot_be_wanted(void **state)
{
	struct cid cid;
	struct swap s;

	swap_start_among(&s, 1);
	cid_copy(&cid, block_cid(7));
	cid.bytes[2] = 0x16; /* sha3-256 */
	assert_int_equal(-EINVAL, bitswap_want(s.b, &cid, NULL, s.now));
	assert_string_equal("", swap_sent(&s));
	swap_stop(&s);
}

/* Version 0 names the multihash alone. */
static void a_block_by_a_cid_of_version_0_is_found(void **state)
{
	struct buf m = BUF_INIT(0);
	struct cid v0 = { .len = 34 };
	const uint8_t *p;
	struct swap s;
	size_t n;

	swap_start_among(&s, 1);
	memcpy(v0.bytes, block_cid(7)->bytes + 2, v0.len);
	assert_int_equal(0, bitswap_want(s.b, &v0, peer_id(1), s.now));
	swap_feed(&s, 1, "block 7"); /* the other name of it */
	assert_int_equal(1, bitswap_wants(s.b));
	assert_int_equal(1, swap_counts(&s).unwanted);
	p = block_bytes(7, &n);
	assert_int_equal(0, bitswap_put_block_head(&m, &v0, n));
	assert_int_equal(0, buf_append(&m, p, n));
	assert_int_equal(0, swap_feed_bytes(&s, 1, m.data, m.len));
	assert_string_equal("7 of 1;", swap_got(&s));
	buf_deinit(&m);
	swap_stop(&s);
}

/* ---- limits ---- */

static void wants_are_limited(void **state)
{
	struct swap s;

	swap_start_among(&s, 2);
	s.quiet = true;
	for (unsigned i = 0; i < BITSWAP_WANTS_MAX; i++)
		swap_want(&s, i, 1);
	assert_int_equal(-EAGAIN, bitswap_want(s.b, block_cid(BITSWAP_WANTS_MAX), NULL, s.now));
	swap_want(&s, 5, 1); /* is wanted already */
	swap_pass(&s, 0);
	assert_int_equal(1, s.n_sent);
	bitswap_cancel(s.b, block_cid(5));
	swap_want(&s, BITSWAP_WANTS_MAX, 0);
	swap_pass(&s, 2 * BITSWAP_ASK_MS);
	assert_in_range(s.largest, BITSWAP_WANTS_MAX * 36, BITSWAP_MESSAGE_MAX / 4);
	for (unsigned i = 0; i <= BITSWAP_WANTS_MAX; i++)
		bitswap_cancel(s.b, block_cid(i));
	assert_int_equal(0, bitswap_wants(s.b));
	swap_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_want_goes_out_at_once_and_its_block_comes),
		cmocka_unit_test(several_wants_go_in_one_message),
		cmocka_unit_test(a_chain_is_followed_without_a_pause),
		cmocka_unit_test(earlier_wants_come_first),
		cmocka_unit_test(without_a_hint_all_are_asked_whether_they_have_it),
		cmocka_unit_test(a_hint_that_is_not_there_is_as_none),
		cmocka_unit_test(the_only_peer_is_asked_for_the_block_itself),
		cmocka_unit_test(a_small_block_comes_instead_of_a_have),
		cmocka_unit_test(who_has_it_not_is_followed_by_the_others_at_once),
		cmocka_unit_test(who_has_it_no_more_is_not_asked),
		cmocka_unit_test(of_two_peers_the_second_is_asked_for_the_block_itself),
		cmocka_unit_test(who_gave_the_last_block_is_asked_first),
		cmocka_unit_test(what_others_say_of_blocks_they_were_not_asked_for_means_nothing),
		cmocka_unit_test(silence_is_followed_by_the_others),
		cmocka_unit_test(one_that_has_it_and_is_silent_is_followed_by_the_next_that_has_it),
		cmocka_unit_test(when_all_were_asked_it_begins_again),
		cmocka_unit_test(who_gets_it_later_may_say_so_at_any_time),
		cmocka_unit_test(who_sends_is_given_time),
		cmocka_unit_test(who_sends_something_else_is_given_time_too),
		cmocka_unit_test(a_peer_that_comes_is_asked_for_what_nobody_is_asked_for),
		cmocka_unit_test(a_peer_that_comes_is_asked_whether_it_has_what_all_are_asked_for),
		cmocka_unit_test(a_peer_that_goes_is_followed_by_the_others),
		cmocka_unit_test(a_peer_that_comes_back_is_asked_as_new),
		cmocka_unit_test(what_was_lost_is_told_again_as_a_whole),
		cmocka_unit_test(who_is_told_late_is_asked_if_it_has_it),
		cmocka_unit_test(a_cancelled_want_is_over),
		cmocka_unit_test(a_want_that_was_not_told_need_not_be_cancelled),
		cmocka_unit_test(a_want_behind_its_cancel_goes_in_a_message_of_its_own),
		cmocka_unit_test(nothing_is_left_of_a_want_that_is_over),
		cmocka_unit_test(too_many_cancels_become_a_full_list),
		cmocka_unit_test(a_block_that_was_not_wanted_is_dropped),
		cmocka_unit_test(a_block_whose_bytes_do_not_match_is_dropped),
		cmocka_unit_test(a_block_may_come_from_who_was_not_asked),
		cmocka_unit_test(a_cid_by_another_hash_cannot_be_wanted),
		cmocka_unit_test(a_block_by_a_cid_of_version_0_is_found),
		cmocka_unit_test(wants_are_limited),
	};

	return cmocka_run_group_tests_name("bitswap_wants", tests, NULL, NULL);
}
