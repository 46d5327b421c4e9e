#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "tests/unit/net/noise_fixture.h"

static int setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

/* Runs a handshake in which bit @bit of message @number is another; whether it ended well. */
static bool tampered_ends_well(unsigned number, size_t bit, size_t *ret_bits)
{
	struct end a, b, *from = number == 2 ? &b : &a, *to = number == 2 ? &a : &b;
	size_t start, sent;
	bool well;
	int r;

	end_start(&b, 2, false, NULL);
	end_start(&a, 1, true, &b.id.id);
	if (number > 1)
		assert_int_equal(end_pass(&a, &b), 0);
	if (number > 2)
		assert_int_equal(end_pass(&b, &a), 0);
	start = from->passed;
	*ret_bits = 8 * (from->out.len - start);
	from->out.data[start + bit / 8] ^= (uint8_t)(1 << bit % 8);
	sent = to->out.len;
	r = end_pass(from, to);
	if (number == 1 && r == 0)
		r = end_pass(&b, &a); /* nothing protects message 1 itself */
	well = noise_state(a.n) == NOISE_OPEN && noise_state(b.n) == NOISE_OPEN;
	if (number > 1 && r < 0)
		assert_failed(to, sent);
	else if (r == 0) /* a length that was made greater */
		assert_true(bit / 8 < 2);
	end_stop(&a);
	end_stop(&b);
	return well;
}

static void no_bit_of_the_handshake_can_be_changed(void **state)
{
	for (unsigned number = 1; number <= 3; number++) {
		size_t bits = 1;

		/* Another bit of each byte in turn. */
		for (size_t bit = 0; bit < bits; bit += bit % 8 == 7 ? 1 : 9)
			assert_false(tampered_ends_well(number, bit, &bits));
		assert_true(bits >= 8 * 34);
	}
}

static void connect_ends(struct end *a, struct end *b)
{
	end_start(b, 2, false, NULL);
	end_start(a, 1, true, &b->id.id);
	assert_int_equal(end_pass(a, b), 0);
	assert_int_equal(end_pass(b, a), 0);
	assert_int_equal(end_pass(a, b), 0);
}

static void no_byte_behind_the_handshake_can_be_changed(void **state)
{
	const size_t size = 2 + 9 + 16;

	for (size_t i = 0; i < size; i++) {
		struct end a, b;
		size_t sent;
		int r;

		connect_ends(&a, &b);
		assert_int_equal(noise_seal(a.n, "untouched", 9, &a.out), 0);
		assert_int_equal(noise_seal(a.n, "untouched", 9, &a.out), 0);
		assert_int_equal(a.out.len - a.passed, 2 * size);
		a.out.data[a.passed + size + i] ^= 1;
		sent = b.out.len;
		r = end_pass(&a, &b);
		assert_int_equal(b.plain.len, 9); /* the first was whole */
		if (i > 0) {
			assert_int_equal(r, -EPROTO);
			assert_failed(&b, sent);
		}
		end_stop(&a);
		end_stop(&b);
	}
}

static void messages_do_not_come_twice_or_in_another_order(void **state)
{
	struct end a, b;
	size_t size;

	connect_ends(&a, &b);
	assert_int_equal(noise_seal(a.n, "once", 4, &a.out), 0);
	size = a.out.len - a.passed;
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(end_feed(&b, a.out.data + a.out.len - size, size), -EPROTO);
	assert_int_equal(b.plain.len, 4);
	end_stop(&a);
	end_stop(&b);

	connect_ends(&a, &b);
	assert_int_equal(noise_seal(a.n, "first", 5, &a.out), 0);
	a.passed = a.out.len;
	assert_int_equal(noise_seal(a.n, "second", 6, &a.out), 0);
	assert_int_equal(end_pass(&a, &b), -EPROTO);
	end_stop(&a);
	end_stop(&b);
}

static void another_peer_than_the_expected_is_left_without_a_word(void **state)
{
	struct err e = { 0 };
	struct end a, b;

	end_start(&b, 2, false, NULL);
	end_start(&a, 1, true, &b.id.id);
	end_stop(&b);
	end_start(&b, 3, false, NULL);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(noise_feed(a.n, b.out.data, b.out.len, &a.out, &a.plain, &e), -EACCES);
	assert_non_null(strstr(e.msg, "was expected"));
	assert_failed(&a, 34);
	end_stop(&a);
	end_stop(&b);
}

static void a_listener_can_expect_a_peer_too(void **state)
{
	struct end a, b, c;

	end_start(&c, 3, true, NULL);
	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, &c.id.id);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(end_pass(&b, &a), 0);
	assert_int_equal(end_pass(&a, &b), -EACCES);
	assert_failed(&b, 2 + 216);
	end_stop(&a);
	end_stop(&b);
	end_stop(&c);
}

/* Points of 25519 whose product with any key is zero. */
static const uint8_t weak[][32] = {
	{ 0 },
	{ 1 },
	{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
	  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
	  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
};

static void a_weak_ephemeral_key_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		uint8_t first[2 + 32] = { 0, 32 }, second[2 + 216] = { 0, 216 };
		struct err e = { 0 };
		struct end end;

		memcpy(first + 2, weak[i], 32);
		memcpy(second + 2, weak[i], 32);
		end_start(&end, 1, false, NULL);
		assert_int_equal(noise_feed(end.n, first, sizeof(first), &end.out, &end.plain, &e),
				 -EPROTO);
		assert_non_null(strstr(e.msg, "weak"));
		assert_failed(&end, 0);
		end_stop(&end);
		e.msg[0] = '\0';
		end_start(&end, 1, true, NULL);
		assert_int_equal(
		    noise_feed(end.n, second, sizeof(second), &end.out, &end.plain, &e), -EPROTO);
		assert_non_null(strstr(e.msg, "weak"));
		assert_failed(&end, 34);
		end_stop(&end);
	}
}

static void wrong_lengths_are_refused_before_the_message_comes(void **state)
{
	static const struct {
		bool dialer;
		uint8_t length[2];
	} cases[] = {
		{ false, { 0, 0 } },  { false, { 0, 31 } }, { false, { 0, 33 } },
		{ false, { 1, 32 } }, { true, { 0, 0 } },   { true, { 0, 95 } },
	};
	struct end end, a, b;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		end_start(&end, 1, cases[i].dialer, NULL);
		assert_int_equal(end_feed(&end, cases[i].length, 2), -EPROTO);
		assert_failed(&end, cases[i].dialer ? 34 : 0);
		end_stop(&end);
	}
	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, NULL);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(end_feed(&b, (const uint8_t *)"\0\x3f", 2), -EPROTO);
	end_stop(&a);
	end_stop(&b);
	connect_ends(&a, &b);
	assert_int_equal(end_feed(&b, (const uint8_t *)"\0\x0f", 2), -EPROTO);
	end_stop(&a);
	end_stop(&b);
}

static void unexpected_bytes_behind_the_handshake_are_refused(void **state)
{
	static const uint8_t garbage[2 + 32] = { 0, 32, 1, 2, 3 };
	struct end a, b;

	/* Behind message 2 nothing can come: the dialer does not even answer. */
	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, NULL);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(buf_append(&b.out, garbage, sizeof(garbage)), 0);
	assert_int_equal(end_pass(&b, &a), -EPROTO);
	assert_failed(&a, 34);
	end_stop(&a);
	end_stop(&b);

	end_start(&a, 1, true, NULL);
	end_start(&b, 2, false, NULL);
	assert_int_equal(end_pass(&a, &b), 0);
	assert_int_equal(end_pass(&b, &a), 0);
	assert_int_equal(buf_append(&a.out, garbage, sizeof(garbage)), 0);
	assert_int_equal(end_pass(&a, &b), -EPROTO);
	assert_int_equal(b.plain.len, 0);
	assert_failed(&b, 2 + 216);
	end_stop(&a);
	end_stop(&b);
}

static void text_that_finds_no_room_ends_the_channel(void **state)
{
	struct buf small = BUF_INIT(8);
	struct end a, b;

	connect_ends(&a, &b);
	assert_int_equal(noise_seal(a.n, "more than eight", 15, &a.out), 0);
	assert_int_equal(
	    noise_feed(b.n, a.out.data + a.passed, a.out.len - a.passed, &b.out, &small, NULL),
	    -EFBIG);
	assert_int_equal(small.len, 0);
	assert_int_equal(noise_state(b.n), NOISE_FAILED);
	end_stop(&a);
	end_stop(&b);
	buf_deinit(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_bit_of_the_handshake_can_be_changed),
		cmocka_unit_test(no_byte_behind_the_handshake_can_be_changed),
		cmocka_unit_test(messages_do_not_come_twice_or_in_another_order),
		cmocka_unit_test(another_peer_than_the_expected_is_left_without_a_word),
		cmocka_unit_test(a_listener_can_expect_a_peer_too),
		cmocka_unit_test(a_weak_ephemeral_key_is_refused),
		cmocka_unit_test(wrong_lengths_are_refused_before_the_message_comes),
		cmocka_unit_test(unexpected_bytes_behind_the_handshake_are_refused),
		cmocka_unit_test(text_that_finds_no_room_ends_the_channel),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
