/* How much a peer may ask of us, how long it may take, and backpressure in both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net/gorpc_served.h"

static void slow_callers_are_dropped(void **state)
{
	static const char *const cut[] = { "", "82", ONE, ONE "a3" };
	struct raw r[4], many;

	raw_open(served.net, &many);
	raw_write_hex(&many, MANY);
	for (size_t i = 0; i < 4; i++) {
		raw_open(served.net, &r[i]);
		raw_write_hex(&r[i], cut[i]);
	}
	pair_turns(served.net, 50);
	pair_time(served.net, GORPC_ARGUMENT_MS - 5000);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(0, r[i].ended);
	pair_time(served.net, 6000);
	for (size_t i = 0; i < 4; i++) {
		until(served.net, r[i].ended);
		raw_clear(&r[i]);
	}
	/* Arguments of a streaming call may take their time. */
	assert_int_equal(0, many.ended);
	raw_write_hex(&many, "05");
	until(served.net, served.n_arguments == 1);
	raw_reset(&many);
	until(served.net, served.cancelled == 1);
	raw_clear(&many);
}

/* ---- limits ---- */

static void each_caller_has_its_own_time(void **state)
{
	struct raw first, second;

	raw_open(served.net, &first);
	raw_write_hex(&first, ONE);
	pair_turns(served.net, 50);
	pair_time(served.net, GORPC_ARGUMENT_MS / 2);
	raw_open(served.net, &second);
	raw_write_hex(&second, ONE);
	pair_turns(served.net, 50);
	pair_time(served.net, GORPC_ARGUMENT_MS / 2 + 1000);
	until(served.net, first.ended);
	pair_turns(served.net, 50);
	assert_int_equal(0, second.ended);
	pair_time(served.net, GORPC_ARGUMENT_MS / 2);
	until(served.net, second.ended);
	raw_clear(&first);
	raw_clear(&second);
}

static void calls_of_one_peer_are_limited(void **state)
{
	static struct raw r[GORPC_CALLS_MAX];
	static const char refused[] =
	    "83a753657276696365"
	    "82a44e616d65a0a64d6574686f64a0"
	    "a54572726f72"
	    "da0025"
	    "746f6f206d616e792063616c6c73206f6620796f7572732061726520756e64657220776179"
	    "a745727254797065"
	    "01"
	    "c0";
	struct raw extra;

	for (size_t i = 0; i < GORPC_CALLS_MAX; i++) {
		raw_open(served.net, &r[i]);
		raw_write_hex(&r[i], ONE "05");
	}
	until(served.net, served.n_arguments == GORPC_CALLS_MAX);
	raw_open(served.net, &extra);
	raw_write_hex(&extra, ONE "05");
	until(served.net, extra.eof);
	assert_true(got_hex(&extra, refused));
	raw_clear(&extra);
	/* There is room again when one is over. */
	served_nil(served.calls[3], true);
	raw_open(served.net, &extra);
	raw_write_hex(&extra, ONE "05");
	until(served.net, served.n_arguments == GORPC_CALLS_MAX + 1);
	for (size_t i = 0; i < GORPC_CALLS_MAX; i++)
		raw_clear(&r[i]);
	raw_clear(&extra);
	until(served.net, served.cancelled == GORPC_CALLS_MAX);
}

/* One that is not whole may wait, but not as many as there may be calls. */
static void bytes_that_wait_are_limited(void **state)
{
	const size_t n = 3u << 20;
	uint8_t *much = calloc(1, n);
	struct raw r[6];
	size_t refused = 0, open = 0;

	assert_non_null(much);
	for (size_t i = 0; i < 6; i++) {
		raw_open(served.net, &r[i]);
		raw_write_hex(&r[i], ONE "db003fff00");
		raw_write(&r[i], much, n);
		until(served.net, stream_queued(r[i].s) == 0 || r[i].eof || r[i].ended);
	}
	until(served.net, r[5].eof || r[5].ended);
	for (size_t i = 0; i < 6; i++) {
		refused += r[i].eof || r[i].ended;
		open += !r[i].eof && !r[i].ended;
		raw_clear(&r[i]);
	}
	assert_int_equal(5, open);
	assert_int_equal(1, refused);
	free(much);
	assert_int_equal(0, served.n_calls);
}

static void a_large_argument_comes_whole(void **state)
{
	uint8_t *much = malloc(GORPC_VALUE_MAX);
	struct raw r;

	assert_non_null(much);
	for (size_t i = 0; i < GORPC_VALUE_MAX; i++)
		much[i] = (uint8_t)(i * 7 + i / 251);
	memcpy(much, "\xdb\x00\x3f\xff\xfb", 5);
	raw_open(served.net, &r);
	raw_write_hex(&r, ONE);
	until(served.net, stream_queued(r.s) == 0);
	raw_write(&r, much, GORPC_VALUE_MAX);
	until(served.net, served.n_arguments == 1);
	assert_int_equal(GORPC_VALUE_MAX, served.arguments.len);
	assert_memory_equal(much, served.arguments.data, GORPC_VALUE_MAX);
	served_nil(served.calls[0], true);
	until(served.net, r.eof);
	raw_clear(&r);
	free(much);
}

/* ---- backpressure ---- */

static void a_held_call_gets_no_arguments(void **state)
{
	struct raw r;

	served.hold_at = 1;
	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "010203");
	until(served.net, served.n_arguments == 1);
	raw_write_hex(&r, "04");
	raw_shut(&r);
	pair_turns(served.net, 50);
	assert_int_equal(1, served.n_arguments);
	assert_int_equal(0, served.ends);
	served.hold_at = 3;
	gorpc_unhold(served.calls[0]);
	assert_int_equal(3, served.n_arguments);
	served.hold_at = 0;
	gorpc_unhold(served.calls[0]);
	assert_int_equal(4, served.n_arguments);
	assert_int_equal(1, served.ends);
	gorpc_unhold(served.calls[0]);
	assert_int_equal(1, served.ends);
	assert_memory_equal("\x01\x02\x03\x04", served.arguments.data, 4);
	served_nil(served.calls[0], true);
	until(served.net, r.eof);
	raw_clear(&r);
}

static void a_held_call_takes_no_more_than_the_credit_it_gave(void **state)
{
	const size_t n = 1u << 20;
	uint8_t *much = calloc(1, n); /* so many arguments */
	struct raw r;

	assert_non_null(much);
	served.hold_at = 1;
	raw_open(served.net, &r);
	raw_write_hex(&r, MANY);
	raw_write(&r, much, n);
	until(served.net, served.n_arguments == 1);
	pair_turns(served.net, 200);
	assert_true(stream_queued(r.s) >= n - (300u << 10));
	served.hold_at = 0;
	gorpc_unhold(served.calls[0]);
	until(served.net, served.n_arguments == n);
	raw_reset(&r);
	until(served.net, served.cancelled == 1);
	raw_clear(&r);
	free(much);
}

static void a_held_call_can_be_cancelled(void **state)
{
	struct raw r;

	served.hold_at = 1;
	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "0102");
	until(served.net, served.n_arguments == 1);
	raw_reset(&r);
	until(served.net, served.cancelled == 1);
	assert_int_equal(1, served.n_arguments);
	raw_clear(&r);
}

static void on_writable(void *arg, struct gorpc_call *c)
{
	served.writable++;
}

static void a_full_stream_says_when_it_is_not(void **state)
{
	uint8_t value[65536] = { 0xda, 0xff, 0xfd };
	const size_t header = sizeof(MANY_OK) / 2;
	struct raw r;
	size_t taken = 0;
	int err;

	raw_open(served.net, &r);
	raw_write_hex(&r, MANY "05");
	until(served.net, served.n_arguments == 1);
	gorpc_on_writable(served.calls[0], on_writable);
	stream_hold(r.s);
	while ((err = gorpc_reply(served.calls[0], value, sizeof(value))) == 0) {
		taken++;
		pair_turns(served.net, 5);
	}
	assert_int_equal(-EAGAIN, err);
	assert_true(taken * sizeof(value) >= STREAM_QUEUE_MAX - 2 * sizeof(value));
	pair_turns(served.net, 100);
	assert_int_equal(0, served.writable);
	stream_unhold(r.s);
	until(served.net, served.writable == 1);
	assert_int_equal(0, gorpc_reply(served.calls[0], "\x01", 1));
	gorpc_finish(served.calls[0]);
	served.calls[0] = NULL;
	until(served.net, r.eof);
	/* All that was taken, and nothing of what was not. */
	assert_int_equal(taken * (header + sizeof(value)) + header + 1, r.got.len);
	raw_clear(&r);
}

static void a_value_that_cannot_be_sent_resets_a_unary_call(void **state)
{
	uint8_t *much = calloc(1, STREAM_QUEUE_MAX + 1);
	struct raw r;

	assert_non_null(much);
	raw_open(served.net, &r);
	raw_write_hex(&r, ONE "05");
	until(served.net, served.n_arguments == 1);
	assert_int_equal(-EFBIG, gorpc_reply(served.calls[0], much, STREAM_QUEUE_MAX));
	gorpc_finish(served.calls[0]);
	served.calls[0] = NULL;
	until(served.net, r.ended);
	assert_int_equal(0, r.got.len);
	raw_clear(&r);
	free(much);
}

#define ON_HOSTS(test) cmocka_unit_test_setup_teardown(test, served_setup, served_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_HOSTS(slow_callers_are_dropped),
		ON_HOSTS(each_caller_has_its_own_time),
		ON_HOSTS(calls_of_one_peer_are_limited),
		ON_HOSTS(bytes_that_wait_are_limited),
		ON_HOSTS(a_large_argument_comes_whole),
		ON_HOSTS(a_held_call_gets_no_arguments),
		ON_HOSTS(a_held_call_takes_no_more_than_the_credit_it_gave),
		ON_HOSTS(a_held_call_can_be_cancelled),
		ON_HOSTS(a_full_stream_says_when_it_is_not),
		ON_HOSTS(a_value_that_cannot_be_sent_resets_a_unary_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
