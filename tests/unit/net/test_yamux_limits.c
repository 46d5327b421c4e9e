#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "tests/unit/net/yamux_fixture.h"

#define CODE_LIMIT "00001002"

/* Every allocation of the code under test: the linker puts these in its way. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static size_t live, peak;
static unsigned allocations, fail_at; /* fail_at: which one fails, 0: none */

static void *counted(void *p)
{
	live += p ? malloc_usable_size(p) : 0;
	if (live > peak)
		peak = live;
	return p;
}

static bool refused(void)
{
	return ++allocations == fail_at;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (refused())
		return NULL;
	live -= p ? malloc_usable_size(p) : 0;
	return counted(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
	live -= p ? malloc_usable_size(p) : 0;
	__real_free(p);
}

static uint8_t zeros[YAMUX_WINDOW];

static int feed_data(struct machine *m, uint32_t id, uint32_t n)
{
	int r = feed_frame(m, YAMUX_DATA, 0, id, n);

	return r < 0 || n == 0 ? r : yamux_feed(m->y, zeros, n, 1, NULL);
}

static struct yamux_stream *peer_opens(struct machine *m, uint32_t id)
{
	assert_int_equal(0, feed_frame(m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, id, 0));
	return m->last;
}

static size_t sends(struct machine *m)
{
	struct buf out = BUF_INIT(0);
	size_t n;

	assert_int_equal(0, yamux_drain(m->y, &out));
	n = out.len;
	buf_deinit(&out);
	return n;
}

static void start(struct machine *m, bool dialer)
{
	machine_start(m, dialer);
	m->quiet = true;
	live = peak = 0;
}

static void credit_goes_back_when_half_a_window_is_consumed(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	start(&m, true);
	s = peer_opens(&m, 2);
	sends(&m);
	assert_int_equal(0, feed_data(&m, 2, YAMUX_WINDOW));
	yamux_consumed(s, YAMUX_CREDIT_AT - 1);
	assert_sends(&m, "");
	yamux_consumed(s, 1);
	assert_sends(&m, "000100000000000200020000");
	assert_int_equal(0, feed_data(&m, 2, YAMUX_CREDIT_AT));
	yamux_consumed(s, YAMUX_WINDOW);
	assert_sends(&m, "000100000000000200040000");
	assert_int_equal(0, feed_data(&m, 2, YAMUX_WINDOW));
	assert_int_equal(-EPROTO, feed_data(&m, 2, 1));
	machine_stop(&m);
}

static void no_credit_goes_to_a_peer_that_sends_no_more(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	start(&m, true);
	s = peer_opens(&m, 2);
	assert_int_equal(0, feed_data(&m, 2, YAMUX_WINDOW));
	assert_int_equal(0, feed_frame(&m, YAMUX_WINDOW_UPDATE, YAMUX_FIN, 2, 0));
	sends(&m);
	yamux_consumed(s, YAMUX_WINDOW);
	assert_sends(&m, "");
	assert_int_equal(0, m.y->buffered);
	machine_stop(&m);
}

static void data_of_a_stream_over_in_both_directions_is_consumed_late(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	start(&m, true);
	s = peer_opens(&m, 2);
	yamux_shut(s);
	assert_int_equal(0, feed_data(&m, 2, YAMUX_WINDOW));
	assert_int_equal(0, feed_frame(&m, YAMUX_WINDOW_UPDATE, YAMUX_FIN, 2, 0));
	assert_int_equal(YAMUX_WINDOW, m.y->buffered);
	yamux_consumed(s, 1);
	assert_int_equal(YAMUX_WINDOW - 1, m.y->buffered);
	sends(&m);
	yamux_stream_release(s);
	assert_int_equal(0, m.y->buffered);
	assert_sends(&m, "");
	machine_stop(&m);
}

static void writing_stops_at_the_credit_and_goes_on_when_it_comes(void **state)
{
	struct yamux_stream *s;
	struct machine m;

	machine_start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	for (size_t left = YAMUX_WINDOW, n; left > 0; left -= n) {
		n = yamux_write(s, zeros, left);
		assert_true(n > 0);
		sends(&m);
	}
	machine_log(&m);
	assert_int_equal(0, feed_frame(&m, YAMUX_WINDOW_UPDATE, 0, 1, 0));
	assert_int_equal(0, yamux_write(s, zeros, 1));
	assert_sends(&m, "");
	assert_int_equal(0, feed_frame(&m, YAMUX_WINDOW_UPDATE, 0, 1, 0));
	assert_string_equal("", machine_log(&m));
	assert_int_equal(0, feed_frame(&m, YAMUX_WINDOW_UPDATE, 0, 1, 2));
	assert_string_equal("writable 1;", machine_log(&m));
	assert_int_equal(2, yamux_write(s, zeros, 3));
	assert_sends(&m, "0000000000000001000000020000");
	machine_stop(&m);
}

static void frames_that_we_send_have_at_most_the_usual_payload(void **state)
{
	struct buf out = BUF_INIT(0);
	struct yamux_stream *s;
	struct yamux_frame f;
	struct machine m;
	size_t at, sum = 0;

	start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	assert_int_equal(200000, yamux_write(s, zeros, 200000));
	assert_int_equal(0, yamux_drain(m.y, &out));
	for (at = YAMUX_HEADER; at < out.len; at += YAMUX_HEADER + f.length) {
		yamux_frame_get(out.data + at, &f);
		assert_true(f.type == YAMUX_DATA && f.length > 0 && f.length <= YAMUX_FRAME_MAX);
		sum += f.length;
	}
	assert_true(at == out.len && sum == 200000);
	buf_deinit(&out);
	machine_stop(&m);
}

static void write_all(struct machine *m, const char *event, struct yamux_stream *s)
{
	if (strcmp(event, "writable") == 0)
		yamux_write(s, zeros, YAMUX_WINDOW);
}

static void streams_that_wait_for_room_take_turns(void **state)
{
	struct yamux_stream *s[3];
	struct machine m;
	size_t n;

	machine_start(&m, true);
	m.act = write_all;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(0, yamux_open(m.y, &s[i]));
		assert_int_equal(0, feed_frame(&m, YAMUX_WINDOW_UPDATE, 0, s[i]->id, 1u << 30));
	}
	for (size_t i = 0; i < 3; i++) {
		n = yamux_write(s[i], zeros, YAMUX_WINDOW);
		assert_true(i == 0 ? n > YAMUX_WINDOW / 2 && n < YAMUX_WINDOW : n == 0);
	}
	for (int round = 0; round < 2; round++) {
		assert_true(sends(&m) <= YAMUX_QUEUE_MAX);
		assert_string_equal("writable 1;", machine_log(&m));
		assert_true(sends(&m) <= YAMUX_QUEUE_MAX);
		assert_string_equal("writable 3;", machine_log(&m));
		assert_true(sends(&m) <= YAMUX_QUEUE_MAX);
		assert_string_equal("writable 5;", machine_log(&m));
	}
	yamux_stream_release(s[0]);
	yamux_shut(s[1]);
	sends(&m);
	assert_string_equal("writable 5;", machine_log(&m));
	machine_stop(&m);
}

static void pongs_pass_queued_data(void **state)
{
	struct buf out = BUF_INIT(0);
	struct yamux_stream *s;
	struct machine m;

	start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	yamux_write(s, zeros, YAMUX_WINDOW);
	assert_int_equal(0, feed_frame(&m, YAMUX_PING, YAMUX_SYN, 0, 5));
	assert_int_equal(0, yamux_drain(m.y, &out));
	assert_memory_equal("\0\2\0\2\0\0\0\0\0\0\0\5\0\1\0\1", out.data, 16);
	buf_deinit(&out);
	machine_stop(&m);
}

static void a_buffer_too_small_for_the_queue_takes_nothing(void **state)
{
	struct buf out = BUF_INIT(20);
	struct yamux_stream *s;
	struct machine m;

	start(&m, true);
	assert_int_equal(0, yamux_open(m.y, &s));
	assert_int_equal(0, feed_frame(&m, YAMUX_PING, YAMUX_SYN, 0, 5));
	assert_int_equal(-EFBIG, yamux_drain(m.y, &out));
	assert_int_equal(0, out.len);
	assert_sends(&m, "000200020000000000000005"
			 "000100010000000100000000");
	buf_deinit(&out);
	machine_stop(&m);
}

static void streams_over_the_limit_are_refused_until_others_are_released(void **state)
{
	struct yamux_stream *first;
	struct machine m;

	start(&m, false);
	first = peer_opens(&m, 1);
	for (uint32_t i = 1; i < YAMUX_INBOUND_MAX; i++)
		peer_opens(&m, 2 * i + 1);
	assert_int_equal(YAMUX_INBOUND_MAX * YAMUX_HEADER, sends(&m));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(0, feed_frame(&m, YAMUX_DATA, YAMUX_SYN, 1001 + 2 * i, 0));
	assert_sends(&m, "00010008000003e9" CODE_LIMIT "00010008000003eb" CODE_LIMIT
			 "00010008000003ed" CODE_LIMIT);
	assert_int_equal(YAMUX_INBOUND_MAX, yamux_streams(m.y));
	/* Data behind a refused opening goes nowhere; our own streams are no matter of it. */
	assert_int_equal(0, feed_data(&m, 1001, YAMUX_WINDOW));
	assert_int_equal(0, yamux_open(m.y, &m.last));
	yamux_stream_release(first);
	sends(&m);
	peer_opens(&m, 2001);
	assert_sends(&m, "00010002000007d100000000");
	assert_true(peak < 128u * 1024);
	machine_stop(&m);
}

static void unconsumed_bytes_over_the_limit_reset_the_stream_that_brings_them(void **state)
{
	uint32_t full = YAMUX_BUFFERED_MAX / YAMUX_WINDOW;
	struct yamux_stream *first;
	struct machine m;

	start(&m, true);
	first = peer_opens(&m, 2);
	assert_int_equal(0, feed_data(&m, 2, YAMUX_WINDOW));
	for (uint32_t i = 1; i < full; i++) {
		peer_opens(&m, 2 + 2 * i);
		assert_int_equal(0, feed_data(&m, 2 + 2 * i, YAMUX_WINDOW));
	}
	assert_int_equal(YAMUX_BUFFERED_MAX, m.y->buffered);
	peer_opens(&m, 1000);
	peer_opens(&m, 1002);
	sends(&m);
	assert_int_equal(0, feed_data(&m, 1000, 1));
	assert_sends(&m, "00010008000003e8" CODE_LIMIT);
	assert_int_equal(YAMUX_BUFFERED_MAX, m.y->buffered);
	yamux_consumed(first, 1);
	assert_int_equal(0, feed_data(&m, 1002, 1));
	assert_int_equal(YAMUX_BUFFERED_MAX, m.y->buffered);
	yamux_stream_release(first);
	assert_int_equal(YAMUX_BUFFERED_MAX - YAMUX_WINDOW + 1, m.y->buffered);
	assert_true(peak < 64u * 1024);
	machine_stop(&m);
}

static void pings_over_the_limit_are_dropped(void **state)
{
	struct machine m;

	start(&m, true);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 5 * YAMUX_PINGS_MAX; i++)
			assert_int_equal(0, feed_frame(&m, YAMUX_PING, YAMUX_SYN, 0, i));
		assert_int_equal(0, yamux_tick(m.y, m.y->deadline)); /* ours has its place */
		m.y->awaiting_pong = false;
		assert_int_equal((YAMUX_PINGS_MAX + 1) * YAMUX_HEADER, sends(&m));
	}
	assert_true(peak < 16u * 1024);
	machine_stop(&m);
}

static void four_gigabytes_for_nobody_cost_no_memory(void **state)
{
	struct machine m;

	start(&m, true);
	assert_int_equal(0, feed_frame(&m, YAMUX_DATA, YAMUX_FIN, 77, UINT32_MAX));
	for (int i = 0; i < 64; i++)
		assert_int_equal(0, yamux_feed(m.y, zeros, sizeof(zeros), 1, NULL));
	assert_int_equal(UINT32_MAX - 64 * sizeof(zeros), m.y->payload_left);
	assert_int_equal(0, peak);
	m.y->payload_left = 3; /* the rest, in short */
	assert_int_equal(0, yamux_feed(m.y, zeros, 3, 1, NULL));
	assert_int_equal(0, feed_frame(&m, YAMUX_PING, YAMUX_SYN, 0, 1));
	assert_sends(&m, "000200020000000000000001");
	machine_stop(&m);
}

static void a_peer_that_takes_no_answers_is_left(void **state)
{
	struct machine m;
	int r = 0;

	start(&m, true);
	for (uint32_t i = 1; r == 0 && i < 1000000; i++) {
		r = feed_frame(&m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, 2 * i, 0);
		if (r == 0)
			r = feed_frame(&m, YAMUX_WINDOW_UPDATE, YAMUX_RST, 2 * i, 0);
	}
	assert_int_equal(-EPROTO, r);
	assert_true(peak < YAMUX_QUEUE_MAX + YAMUX_CONTROL_MAX + 64u * 1024);
	machine_stop(&m);
}

static void a_lost_stream_is_only_refused_without_memory(void **state)
{
	struct machine m;

	start(&m, true);
	peer_opens(&m, 2); /* the queue has its memory now */
	sends(&m);
	peer_opens(&m, 4);
	fail_at = allocations + 1;
	assert_int_equal(0, feed_frame(&m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, 6, 0));
	fail_at = 0;
	assert_sends(&m, "000100020000000400000000"
			 "0001000800000006" CODE_LIMIT);
	machine_stop(&m);
}

/* A little of everything; the first error. */
static int live_a_little(struct machine *m)
{
	struct yamux_stream *s;
	int r = yamux_open(m->y, &s);

	if (r < 0)
		return r;
	yamux_write(s, zeros, 1000);
	r = feed_frame(m, YAMUX_WINDOW_UPDATE, YAMUX_SYN, 2, 0);
	if (r == 0)
		r = feed_data(m, 2, 10);
	if (r == 0)
		r = feed_frame(m, YAMUX_PING, YAMUX_SYN, 0, 1);
	yamux_shut(s);
	return r < 0 ? r : yamux_tick(m->y, YAMUX_KEEPALIVE_MS);
}

static void any_allocation_may_fail(void **state)
{
	unsigned failures = 0, n = 1;
	struct yamux_events ev = { 0 };
	struct yamux *none;
	struct machine m;
	bool reached = true;

	fail_at = allocations + 1;
	assert_int_equal(-ENOMEM, yamux_new(true, &ev, 0, &none));
	for (; reached; n++) {
		int r;

		fail_at = 0;
		start(&m, true);
		fail_at = allocations + n;
		r = live_a_little(&m);
		reached = allocations >= fail_at;
		fail_at = 0;
		assert_true(r == 0 || (reached && r == -ENOMEM));
		failures += r < 0;
		machine_stop(&m);
	}
	assert_true(failures >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credit_goes_back_when_half_a_window_is_consumed),
		cmocka_unit_test(no_credit_goes_to_a_peer_that_sends_no_more),
		cmocka_unit_test(data_of_a_stream_over_in_both_directions_is_consumed_late),
		cmocka_unit_test(writing_stops_at_the_credit_and_goes_on_when_it_comes),
		cmocka_unit_test(frames_that_we_send_have_at_most_the_usual_payload),
		cmocka_unit_test(streams_that_wait_for_room_take_turns),
		cmocka_unit_test(pongs_pass_queued_data),
		cmocka_unit_test(a_buffer_too_small_for_the_queue_takes_nothing),
		cmocka_unit_test(streams_over_the_limit_are_refused_until_others_are_released),
		cmocka_unit_test(unconsumed_bytes_over_the_limit_reset_the_stream_that_brings_them),
		cmocka_unit_test(pings_over_the_limit_are_dropped),
		cmocka_unit_test(four_gigabytes_for_nobody_cost_no_memory),
		cmocka_unit_test(a_peer_that_takes_no_answers_is_left),
		cmocka_unit_test(a_lost_stream_is_only_refused_without_memory),
		cmocka_unit_test(any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
