#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "net/identify.h"
#include "tests/lib/vectors.h"
#include "util/container.h"

#define CAP 4096

/* Feeds @n bytes in pieces of @step (0: at once), then the end. */
static int read_steps(const uint8_t *p, size_t n, size_t first, size_t step, struct identify *ret)
{
	struct identify_reader r;
	struct err e = { 0 };
	int err = 0;

	if (step == 0)
		step = n;
	identify_reader_init(&r);
	if (first > 0)
		err = identify_feed(&r, p, first, &e);
	for (size_t at = first; err == 0 && at < n; at += step)
		err = identify_feed(&r, p + at, n - at < step ? n - at : step, &e);
	if (err == 0)
		err = identify_finish(&r, ret, &e);
	assert_int_equal(err, e.code);
	identify_reader_clear(&r);
	return err;
}

static int read_all(const struct buf *b, struct identify *ret)
{
	return read_steps(b->data, b->len, 0, 0, ret);
}

static void add_frame(struct buf *b, const void *p, size_t n)
{
	assert_int_equal(0, frame_write(p, n, b));
}

static void assert_text(const char *want, const struct identify_bytes *got)
{
	assert_non_null(got->p);
	assert_int_equal(strlen(want), got->n);
	assert_memory_equal(want, got->p, got->n);
}

static void assert_addr(const char *want, const struct identify_bytes *got)
{
	struct buf text = BUF_INIT(0);
	struct multiaddr a;

	assert_int_equal(0, multiaddr_from_bytes(got->p, got->n, &a, NULL));
	assert_int_equal(0, multiaddr_format(&a, &text));
	assert_int_equal(0, buf_terminate(&text));
	assert_string_equal(want, (char *)text.data);
	buf_deinit(&text);
}

static void assert_lists(json_t *root, const struct identify *id)
{
	json_t *v;
	size_t i;

	assert_int_equal(json_array_size(json_object_get(root, "protocols")), id->n_protocols);
	json_array_foreach (vectors_array(root, "protocols"), i, v) {
		assert_text(json_string_value(v), &id->protocols[i]);
		assert_true(identify_speaks(id, json_string_value(v)));
	}
	assert_false(identify_speaks(id, "/ipfs/id/1.0"));
	assert_false(identify_speaks(id, "/meshsub/1.3.0"));
}

static void assert_alice(json_t *root, const struct identify *id)
{
	uint8_t message[CAP];
	size_t i, n;
	json_t *v;

	assert_lists(root, id);
	assert_int_equal(json_array_size(json_object_get(root, "listen_addrs")), id->n_addrs);
	json_array_foreach (vectors_array(root, "listen_addrs"), i, v)
		assert_addr(json_string_value(v), &id->addrs[i]);
	assert_addr(vectors_str(root, "observed_addr"), &id->observed);
	assert_text(vectors_str(root, "protocol_version"), &id->protocol_version);
	/* The key comes first in the message: a tag, a length, 36 bytes. The agent comes last; the
	 * recorded one is not the one that the file names. */
	n = vectors_hex(root, "message", message, sizeof(message));
	assert_int_equal(message[1], id->public_key.n);
	assert_memory_equal(message + 2, id->public_key.p, id->public_key.n);
	assert_true(id->agent.n > 0 && id->agent.n < n);
	assert_int_equal(message[n - id->agent.n - 1], id->agent.n);
	assert_memory_equal(message + n - id->agent.n, id->agent.p, id->agent.n);
}

static void assert_writes(json_t *root, const char *key, const struct identify *id)
{
	struct buf out = BUF_INIT(0);
	uint8_t want[CAP];
	size_t n = vectors_hex(root, key, want, sizeof(want));

	assert_int_equal(0, identify_write(id, &out));
	assert_int_equal(n, out.len);
	assert_memory_equal(want, out.data, n);
	buf_deinit(&out);
}

static void the_recorded_message_is_read_however_it_is_split_and_written(void **state)
{
	json_t *root = vectors_load("identify.json");
	uint8_t bytes[CAP];
	size_t n = vectors_hex(root, "framed", bytes, sizeof(bytes));
	struct identify id;

	for (size_t at = 0; at <= n; at++) {
		assert_int_equal(0, read_steps(bytes, n, at, 0, &id));
		assert_alice(root, &id);
		identify_clear(&id);
	}
	assert_int_equal(0, read_steps(bytes, n, 0, 1, &id));
	assert_alice(root, &id);
	assert_writes(root, "framed", &id);
	identify_clear(&id);
	json_decref(root);
}

static void a_signed_record_is_passed_over(void **state)
{
	json_t *root = vectors_load("identify.json");
	uint8_t bytes[CAP];
	size_t n = vectors_hex(root, "framed_with_signed_peer_record", bytes, sizeof(bytes));
	struct identify id;

	assert_int_equal(0, read_steps(bytes, n, 0, 0, &id));
	assert_alice(root, &id);
	assert_writes(root, "framed", &id);
	identify_clear(&id);
	json_decref(root);
}

static void a_message_of_protocols_alone_is_read_and_written(void **state)
{
	json_t *root = vectors_load("identify.json");
	uint8_t bytes[CAP];
	size_t n = vectors_hex(root, "minimal_framed", bytes, sizeof(bytes));
	struct identify id;

	assert_int_equal(0, read_steps(bytes, n, 0, 0, &id));
	assert_lists(root, &id);
	assert_int_equal(0, id.n_addrs);
	assert_null(id.public_key.p);
	assert_null(id.observed.p);
	assert_null(id.agent.p);
	assert_null(id.protocol_version.p);
	assert_writes(root, "minimal_framed", &id);
	identify_clear(&id);
	json_decref(root);
}

static void every_cut_of_a_message_is_refused(void **state)
{
	json_t *root = vectors_load("identify.json");
	uint8_t bytes[CAP];
	size_t n = vectors_hex(root, "framed", bytes, sizeof(bytes));
	struct identify id;

	for (size_t at = 0; at < n; at++)
		assert_int_equal(-EBADMSG, read_steps(bytes, at, 0, 0, &id));
	json_decref(root);
}

static void later_frames_add_to_lists_and_win_elsewhere(void **state)
{
	static const char one[] = "\x1a\x02/a\x2a\x01v\x32\x03one";
	static const char two[] = "\x1a\x02/b\x32\x03two";
	struct buf b = BUF_INIT(0);
	struct identify id;

	add_frame(&b, one, sizeof(one) - 1);
	add_frame(&b, "", 0);
	add_frame(&b, two, sizeof(two) - 1);
	assert_int_equal(0, read_all(&b, &id));
	assert_int_equal(2, id.n_protocols);
	assert_text("/a", &id.protocols[0]);
	assert_text("/b", &id.protocols[1]);
	assert_text("two", &id.agent);
	assert_text("v", &id.protocol_version);
	identify_clear(&id);
	buf_deinit(&b);
}

static void a_field_does_not_reach_into_the_next_frame(void **state)
{
	struct buf b = BUF_INIT(0);
	struct identify id;

	add_frame(&b, "\x1a\x02/", 3);
	add_frame(&b, "a", 1);
	assert_int_equal(-EBADMSG, read_all(&b, &id));
	buf_deinit(&b);
}

static void frames_are_bounded_in_size_and_number(void **state)
{
	static uint8_t zeros[IDENTIFY_FRAME_MAX + 1] = { 0x3a, 0xfd, 0x3f }; /* one unknown field */
	struct buf b = BUF_INIT(0);
	struct identify id;

	for (int i = 0; i < IDENTIFY_FRAMES_MAX; i++)
		add_frame(&b, zeros, IDENTIFY_FRAME_MAX);
	assert_int_equal(0, read_all(&b, &id));
	identify_clear(&id);
	add_frame(&b, "", 0);
	assert_int_equal(-EFBIG, read_all(&b, &id));
	buf_reset(&b);
	add_frame(&b, zeros, sizeof(zeros));
	assert_int_equal(-EFBIG, read_steps(b.data, 2, 0, 0, &id)); /* by its length alone */
	buf_deinit(&b);
}

static void malformed_messages_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ "\x00", 1 },                     /* field 0 */
		{ "\x1a", 1 },                     /* no length */
		{ "\x1a\x05/abc", 6 },             /* too short */
		{ "\x1a\xff\xff\xff\xff\x0f", 6 }, /* 4 GiB */
		{ "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
		{ "\x18\x01", 2 }, /* a number for a protocol */
		{ "\x1c\x1b", 2 }, /* an end of no group */
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11 },
	};
	struct buf b = BUF_INIT(0);
	struct identify id;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		add_frame(&b, cases[i].bytes, cases[i].n);
		assert_int_equal(-EBADMSG, read_all(&b, &id));
	}
	assert_int_equal(-EPROTO, read_steps((const uint8_t *)"\x80\x00", 2, 0, 0, &id));
	assert_int_equal(-EPROTO,
			 read_steps((const uint8_t *)"\xff\xff\xff\xff\xff", 5, 0, 0, &id));
	assert_int_equal(-EBADMSG, read_steps((const uint8_t *)"", 0, 0, 0, &id));
	buf_deinit(&b);
}

static void what_is_no_address_or_protocol_is_left_out(void **state)
{
	static const char bytes[] = "\x12\x08\x04\x7f\0\0\x01\x06\x23\x88" /* good */
				    "\x12\x00"
				    "\x12\x03\x04\x7f\x00"                 /* cut */
				    "\x12\x08\x04\x0a\0\0\x01\x06\x23\x88" /* good */
				    "\x12\x02\xff\x7f"                     /* unknown protocol */
				    "\x22\x01\x04"                         /* observed: cut */
				    "\x1a\x00"
				    "\x1a\x03/\0a"
				    "\x1a\x02/z"
				    "\x32\x01\0";
	struct buf b = BUF_INIT(0);
	struct identify id;

	add_frame(&b, bytes, sizeof(bytes) - 1);
	assert_int_equal(0, read_all(&b, &id));
	assert_int_equal(2, id.n_addrs);
	assert_addr("/ip4/127.0.0.1/tcp/9096", &id.addrs[0]);
	assert_addr("/ip4/10.0.0.1/tcp/9096", &id.addrs[1]);
	assert_int_equal(1, id.n_protocols);
	assert_text("/z", &id.protocols[0]);
	assert_null(id.observed.p);
	assert_null(id.agent.p);
	identify_clear(&id);
	buf_deinit(&b);
}

static void add_many(struct buf *b, const char *item, size_t n)
{
	struct buf frame = BUF_INIT(0);

	while (n-- > 0) {
		assert_int_equal(0, buf_append(&frame, item, 2 + (size_t)item[1]));
		if (n % 700 > 0)
			continue;
		add_frame(b, frame.data, frame.len);
		buf_reset(&frame);
	}
	buf_deinit(&frame);
}

static void of_too_many_items_the_first_are_kept(void **state)
{
	struct buf b = BUF_INIT(0);
	struct identify id;

	add_many(&b, "\x12\x08\x04\x7f\0\0\x01\x06\x23\x88", IDENTIFY_ADDRS_MAX + 200);
	add_many(&b, "\x1a\x02/a", IDENTIFY_PROTOCOLS_MAX);
	add_many(&b, "\x1a\x02/b", 1);
	assert_int_equal(0, read_all(&b, &id));
	assert_int_equal(IDENTIFY_ADDRS_MAX, id.n_addrs);
	assert_int_equal(IDENTIFY_PROTOCOLS_MAX, id.n_protocols);
	assert_true(identify_speaks(&id, "/a"));
	assert_false(identify_speaks(&id, "/b"));
	identify_clear(&id);
	buf_deinit(&b);
}

static void texts_are_bounded(void **state)
{
	uint8_t bytes[4 + IDENTIFY_TEXT_MAX + 1] = { 0x1a, 0x80, 0x02 };
	struct buf b = BUF_INIT(0);
	struct identify id;

	memset(bytes + 3, 'a', sizeof(bytes) - 3);
	add_frame(&b, bytes, 3 + IDENTIFY_TEXT_MAX);
	bytes[1]++;
	add_frame(&b, bytes, 4 + IDENTIFY_TEXT_MAX);
	assert_int_equal(0, read_all(&b, &id));
	assert_int_equal(1, id.n_protocols);
	assert_int_equal(IDENTIFY_TEXT_MAX, id.protocols[0].n);
	identify_clear(&id);
	buf_deinit(&b);
}

static void a_message_that_wants_much_memory_is_refused(void **state)
{
	struct buf frame = BUF_INIT(0), b = BUF_INIT(0);
	struct identify id;

	while (frame.len < IDENTIFY_FRAME_MAX)
		assert_int_equal(0, buf_append(&frame, "\x12\x00", 2));
	for (int i = 0; i < IDENTIFY_FRAMES_MAX; i++)
		add_frame(&b, frame.data, frame.len);
	assert_int_equal(-EFBIG, read_all(&b, &id));
	buf_deinit(&frame);
	buf_deinit(&b);
}

static void our_message_has_to_be_short(void **state)
{
	static const uint8_t text[IDENTIFY_OURS_MAX];
	struct identify id = { .agent = { text, IDENTIFY_OURS_MAX - 3 } };
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, identify_write(&id, &out));
	assert_int_equal(2 + IDENTIFY_OURS_MAX, out.len);
	id.agent.n++;
	assert_int_equal(-EFBIG, identify_write(&id, &out));
	assert_int_equal(2 + IDENTIFY_OURS_MAX, out.len);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_recorded_message_is_read_however_it_is_split_and_written),
		cmocka_unit_test(a_signed_record_is_passed_over),
		cmocka_unit_test(a_message_of_protocols_alone_is_read_and_written),
		cmocka_unit_test(every_cut_of_a_message_is_refused),
		cmocka_unit_test(later_frames_add_to_lists_and_win_elsewhere),
		cmocka_unit_test(a_field_does_not_reach_into_the_next_frame),
		cmocka_unit_test(frames_are_bounded_in_size_and_number),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(what_is_no_address_or_protocol_is_left_out),
		cmocka_unit_test(of_too_many_items_the_first_are_kept),
		cmocka_unit_test(texts_are_bounded),
		cmocka_unit_test(a_message_that_wants_much_memory_is_refused),
		cmocka_unit_test(our_message_has_to_be_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
