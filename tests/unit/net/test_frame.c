#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "net/frame.h"
#include "tests/lib/pieces.h"
#include "tests/lib/vectors.h"
#include "util/varint.h"

#define MAX 100000

/* What came out, each frame behind its length in four bytes. */
struct seen {
	struct buf bytes;
	size_t n;
	int answer; /* of the callback */
};

static int note(void *arg, const uint8_t *frame, size_t n)
{
	struct seen *s = arg;
	uint32_t length = (uint32_t)n;

	assert_int_equal(buf_append(&s->bytes, &length, sizeof(length)), 0);
	assert_int_equal(buf_append(&s->bytes, frame, n), 0);
	s->n++;
	return s->answer;
}

static int feed_all(const uint8_t *p, size_t n, size_t max, struct seen *s, struct err *e)
{
	struct frame_reader r;
	int err;

	frame_reader_init(&r, max);
	err = frame_feed(&r, p, n, note, s, e);
	frame_reader_clear(&r);
	return err;
}

/* Frames of several sizes, empty ones and the greatest among them. */
static void write_frames(struct buf *wire, struct seen *want)
{
	static const size_t sizes[] = { 3, 0, 0, 1, 127, 128, 300, 16383, 16384, MAX, 5 };
	static uint8_t body[MAX];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(frame_write(body + i, sizes[i] - (sizes[i] == MAX ? i : 0), wire),
				 0);
		note(want, body + i, sizes[i] - (sizes[i] == MAX ? i : 0));
	}
}

static void assert_same(const struct seen *got, const struct seen *want)
{
	assert_int_equal(got->n, want->n);
	assert_int_equal(got->bytes.len, want->bytes.len);
	assert_memory_equal(got->bytes.data, want->bytes.data, want->bytes.len);
}

static void frames_come_out_however_they_are_cut(void **state)
{
	static const uint8_t wire[] = { 3, 'a', 'b', 'c', 0, 0x80, 1 };
	uint8_t bytes[sizeof(wire) + 128 + 2] = { 0 };
	struct seen want = { 0 };

	memcpy(bytes, wire, sizeof(wire));
	memset(bytes + sizeof(wire), 'x', 128);
	bytes[sizeof(wire) + 128] = 1;
	assert_int_equal(feed_all(bytes, sizeof(bytes), MAX, &want, NULL), 0);
	assert_int_equal(want.n, 4);
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		struct seen got = { 0 };
		struct frame_reader r;

		frame_reader_init(&r, MAX);
		assert_int_equal(frame_feed(&r, bytes, cut, note, &got, NULL), 0);
		assert_int_equal(frame_feed(&r, bytes + cut, sizeof(bytes) - cut, note, &got, NULL),
				 0);
		assert_same(&got, &want);
		frame_reader_clear(&r);
		buf_deinit(&got.bytes);
	}
	buf_deinit(&want.bytes);
}

static void what_is_written_is_read_through_random_pieces(void **state)
{
	struct buf wire = BUF_INIT(0);
	struct seen want = { 0 };

	write_frames(&wire, &want);
	for (uint32_t round = 1; round <= 20; round++) {
		struct seen got = { 0 };
		uint32_t seed = round;
		struct frame_reader r;
		size_t part;

		frame_reader_init(&r, MAX);
		for (size_t at = 0; at < wire.len; at += part) {
			part = pieces_next(&seed, wire.len - at);
			assert_int_equal(frame_feed(&r, wire.data + at, part, note, &got, NULL), 0);
		}
		assert_same(&got, &want);
		assert_true(r.body.cap <= 65536);
		frame_reader_clear(&r);
		buf_deinit(&got.bytes);
	}
	buf_deinit(&wire);
	buf_deinit(&want.bytes);
}

static void recorded_lengths_are_read(void **state)
{
	json_t *root = vectors_load("varint.json"), *c;
	size_t i;

	json_array_foreach (vectors_array(root, "valid"), i, c) {
		unsigned long long value = strtoull(vectors_str(c, "value"), NULL, 10);
		uint8_t head[VARINT_MAX];
		size_t n = vectors_hex(c, "bytes", head, sizeof(head));
		struct seen got = { 0 };

		/* Behind a maximum just below it, which tells how the length was read. */
		if (n > 4)
			assert_int_equal(feed_all(head, n, SIZE_MAX, &got, NULL), -EPROTO);
		else if (value > 0)
			assert_int_equal(feed_all(head, n, value - 1, &got, NULL), -EFBIG);
		if (n <= 4)
			assert_int_equal(feed_all(head, n, value, &got, NULL), 0);
		assert_int_equal(got.n, value == 0);
		buf_deinit(&got.bytes);
	}
	json_decref(root);
}

static void recorded_wrong_lengths_are_refused(void **state)
{
	json_t *root = vectors_load("varint.json"), *c;
	size_t i;

	json_array_foreach (vectors_array(root, "invalid_multiformats"), i, c) {
		uint8_t head[16];
		size_t n = vectors_hex(c, "bytes", head, sizeof(head));
		struct seen got = { 0 };
		bool cut = n == 0 || (n < 4 && head[n - 1] & 0x80);

		assert_int_equal(feed_all(head, n, SIZE_MAX, &got, NULL), cut ? 0 : -EPROTO);
		assert_int_equal(got.n, 0);
	}
	json_decref(root);
}

static void a_frame_over_the_limit_is_refused_by_its_length_alone(void **state)
{
	static const uint8_t over[] = { 2, 'o', 'k', 0xc9, 0x01 }, at_limit[] = { 0xc8, 0x01 };
	struct seen got = { 0 };
	struct err e = { 0 };

	assert_int_equal(feed_all(over, sizeof(over), 200, &got, &e), -EFBIG);
	assert_int_equal(got.n, 1);
	assert_string_equal(e.msg, "a frame of 201 bytes, at most 200");
	assert_int_equal(feed_all(at_limit, sizeof(at_limit), 200, &got, NULL), 0);
	buf_deinit(&got.bytes);
}

static void a_length_alone_takes_no_memory(void **state)
{
	static const uint8_t head[] = { 0x80, 0x80, 0x80, 0x02, 'x' }; /* 4 MiB */
	struct seen got = { 0 };
	struct frame_reader r;

	frame_reader_init(&r, 4u << 20);
	assert_int_equal(frame_feed(&r, head, sizeof(head), note, &got, NULL), 0);
	assert_true(r.body.cap <= 4096);
	frame_reader_clear(&r);
}

static void a_callback_ends_the_feed(void **state)
{
	static const uint8_t wire[] = { 1, 'a', 1, 'b' };
	struct seen got = { .answer = -ECANCELED };

	assert_int_equal(feed_all(wire, sizeof(wire), 10, &got, NULL), -ECANCELED);
	assert_int_equal(got.n, 1);
	buf_deinit(&got.bytes);
}

static int give_up(void *arg, const uint8_t *frame, size_t n)
{
	frame_reader_clear(arg);
	return -ECANCELED;
}

static void a_callback_may_clear_the_reader_and_end_the_feed(void **state)
{
	static const uint8_t wire[] = { 2, 'a', 'b', 1 };
	struct frame_reader r;

	frame_reader_init(&r, 10);
	assert_int_equal(frame_feed(&r, wire, 2, give_up, &r, NULL), 0);
	assert_int_equal(frame_feed(&r, wire + 2, 2, give_up, &r, NULL), -ECANCELED);
}

static void a_frame_that_four_bytes_cannot_count_is_not_written(void **state)
{
	struct buf out = BUF_INIT(16);

	assert_int_equal(frame_write("", 1u << 28, &out), -EFBIG);
	assert_int_equal(frame_write("0123456789abcdef", 16, &out), -EFBIG);
	assert_int_equal(out.len, 0);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_out_however_they_are_cut),
		cmocka_unit_test(what_is_written_is_read_through_random_pieces),
		cmocka_unit_test(recorded_lengths_are_read),
		cmocka_unit_test(recorded_wrong_lengths_are_refused),
		cmocka_unit_test(a_frame_over_the_limit_is_refused_by_its_length_alone),
		cmocka_unit_test(a_length_alone_takes_no_memory),
		cmocka_unit_test(a_callback_ends_the_feed),
		cmocka_unit_test(a_callback_may_clear_the_reader_and_end_the_feed),
		cmocka_unit_test(a_frame_that_four_bytes_cannot_count_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
