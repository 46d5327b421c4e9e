#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "net/ping.h"

static void every_complete_round_is_echoed_however_it_is_split(void **state)
{
	uint8_t in[3 * PING_BYTES];
	struct ping_acceptor a;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t at = 0; at <= sizeof(in); at++) {
		struct buf out = BUF_INIT(0);

		ping_acceptor_init(&a, 0);
		assert_int_equal(0, ping_acceptor_feed(&a, in, at, 1, &out));
		assert_int_equal(at / PING_BYTES * PING_BYTES, out.len);
		assert_int_equal(0, ping_acceptor_feed(&a, in + at, sizeof(in) - at, 1, &out));
		assert_int_equal(sizeof(in), out.len);
		assert_memory_equal(in, out.data, sizeof(in));
		buf_deinit(&out);
	}
}

static void a_part_of_a_round_has_no_echo(void **state)
{
	struct buf out = BUF_INIT(0);
	uint8_t in[PING_BYTES - 1] = { 0 };
	struct ping_acceptor a;

	ping_acceptor_init(&a, 0);
	for (size_t i = 0; i < sizeof(in); i++)
		assert_int_equal(0, ping_acceptor_feed(&a, in + i, 1, 1, &out));
	assert_int_equal(0, out.len);
	buf_deinit(&out);
}

static void an_echo_without_room_changes_nothing(void **state)
{
	struct buf out = BUF_INIT(PING_BYTES);
	uint8_t in[2 * PING_BYTES] = { 1 };
	struct ping_acceptor a;

	ping_acceptor_init(&a, 0);
	assert_int_equal(-EFBIG, ping_acceptor_feed(&a, in, sizeof(in), 1, &out));
	assert_int_equal(0, out.len);
	assert_int_equal(0, ping_acceptor_feed(&a, in, PING_BYTES, 1, &out));
	assert_memory_equal(in, out.data, PING_BYTES);
	buf_deinit(&out);
}

static void an_acceptor_waits_for_a_round_and_not_for_ever(void **state)
{
	struct buf out = BUF_INIT(0);
	uint8_t in[PING_BYTES] = { 0 };
	struct ping_acceptor a;

	ping_acceptor_init(&a, 100);
	assert_true(ping_acceptor_deadline(&a) == 100 + PING_IDLE_MS);
	assert_int_equal(0, ping_acceptor_feed(&a, in, PING_BYTES - 1, 5000, &out));
	assert_true(ping_acceptor_deadline(&a) == 100 + PING_IDLE_MS);
	assert_int_equal(0, ping_acceptor_feed(&a, in, 1, 6000, &out));
	assert_true(ping_acceptor_deadline(&a) == 6000 + PING_IDLE_MS);
	assert_int_equal(0, ping_acceptor_feed(&a, in, PING_BYTES, 25000, &out));
	assert_true(ping_acceptor_deadline(&a) == 100 + PING_TOTAL_MS);
	buf_deinit(&out);
}

static void an_opener_measures_rounds_of_fresh_bytes(void **state)
{
	struct buf out = BUF_INIT(0);
	struct ping_opener o;
	uint64_t ms = 7;

	ping_opener_init(&o);
	assert_true(ping_opener_deadline(&o) == UINT64_MAX);
	assert_int_equal(0, ping_opener_send(&o, 1000, &out));
	assert_int_equal(-EBUSY, ping_opener_send(&o, 1001, &out));
	assert_int_equal(PING_BYTES, out.len);
	assert_true(ping_opener_deadline(&o) == 1000 + PING_IDLE_MS);
	for (size_t i = 0; i < PING_BYTES; i++) {
		int r = ping_opener_feed(&o, out.data + i, 1, 1000 + i, &ms, NULL);

		assert_int_equal(i == PING_BYTES - 1, r);
	}
	assert_int_equal(PING_BYTES - 1, ms);
	assert_true(ping_opener_deadline(&o) == UINT64_MAX);

	assert_int_equal(0, ping_opener_send(&o, 2000, &out));
	assert_int_equal(2 * PING_BYTES, out.len);
	assert_memory_not_equal(out.data, out.data + PING_BYTES, PING_BYTES);
	assert_int_equal(1,
			 ping_opener_feed(&o, out.data + PING_BYTES, PING_BYTES, 2000, &ms, NULL));
	assert_int_equal(0, ms);
	buf_deinit(&out);
}

static void an_opener_refuses_what_it_did_not_send(void **state)
{
	for (size_t i = 0; i <= PING_BYTES; i++) {
		uint8_t answer[PING_BYTES + 1] = { 0 };
		struct buf out = BUF_INIT(0);
		struct err e = { 0 };
		struct ping_opener o;
		uint64_t ms;

		ping_opener_init(&o);
		assert_int_equal(-EPROTO, ping_opener_feed(&o, answer, 1, 0, &ms, NULL));
		assert_int_equal(0, ping_opener_send(&o, 0, &out));
		memcpy(answer, out.data, PING_BYTES);
		answer[i] ^= 1; /* the last: one too many */
		assert_int_equal(
		    -EPROTO,
		    ping_opener_feed(&o, answer, PING_BYTES + (i == PING_BYTES), 0, &ms, &e));
		assert_int_equal(-EPROTO, e.code);
		buf_deinit(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_complete_round_is_echoed_however_it_is_split),
		cmocka_unit_test(a_part_of_a_round_has_no_echo),
		cmocka_unit_test(an_echo_without_room_changes_nothing),
		cmocka_unit_test(an_acceptor_waits_for_a_round_and_not_for_ever),
		cmocka_unit_test(an_opener_measures_rounds_of_fresh_bytes),
		cmocka_unit_test(an_opener_refuses_what_it_did_not_send),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
