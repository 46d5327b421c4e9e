#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "net/gorpc_frames.h"
#include "tests/lib/pieces.h"
#include "tests/lib/vectors.h"

#define CAP 16384

static uint8_t bytes[CAP];

static size_t bytes_of(const char *hex)
{
	int n = base16_decode(hex, strlen(hex), bytes, sizeof(bytes));

	assert_true(n >= 0);
	return (size_t)n;
}

/* The frames of a stream, cut in pieces of all kinds: their kinds as letters, and that they give
 * the stream again. */
static void check_cut(const uint8_t *p, size_t n, bool of_caller, uint32_t seed, char *ret_kinds)
{
	struct buf joined = BUF_INIT(0);
	struct gorpc_frames f;
	enum gorpc_frame kind;
	const uint8_t *frame;
	size_t len, count = 0;
	int r = 0;

	gorpc_frames_init(&f, of_caller);
	for (size_t at = 0, part; at < n; at += part) {
		part = seed ? pieces_next(&seed, n - at) : n;
		assert_int_equal(0, gorpc_frames_feed(&f, p + at, part));
		while ((r = gorpc_frames_next(&f, &kind, &frame, &len)) > 0) {
			ret_kinds[count++] = "iahv"[kind];
			assert_int_equal(0, buf_append(&joined, frame, len));
		}
		assert_int_equal(0, r);
		assert_int_equal(at + part - joined.len, gorpc_frames_waiting(&f));
	}
	ret_kinds[count] = '\0';
	assert_int_equal(n, joined.len);
	if (n > 0)
		assert_memory_equal(p, joined.data, n);
	buf_deinit(&joined);
	gorpc_frames_clear(&f);
}

static void recorded_streams_are_cut_into_their_objects(void **state)
{
	json_t *root = vectors_load("cluster-rpc-streams.json"), *v;
	char kinds[64], again[64];
	size_t i, n;

	json_array_foreach (vectors_array(root, "streams"), i, v) {
		n = vectors_hex(v, "request_hex", bytes, sizeof(bytes));
		check_cut(bytes, n, true, 0, kinds);
		assert_int_equal(json_array_size(json_object_get(v, "request")), strlen(kinds));
		assert_int_equal('i', kinds[0]);
		assert_int_equal(strlen(kinds) - 1, strspn(kinds + 1, "a"));
		for (uint32_t seed = 1; seed < 20; seed++) {
			check_cut(bytes, n, true, seed, again);
			assert_string_equal(kinds, again);
		}
		n = vectors_hex(v, "response_hex", bytes, sizeof(bytes));
		check_cut(bytes, n, false, 0, kinds);
		assert_int_equal(json_array_size(json_object_get(v, "response")), strlen(kinds));
		for (size_t k = 0; kinds[k]; k++)
			assert_int_equal("hv"[k % 2], kinds[k]);
		for (uint32_t seed = 1; seed < 20; seed++) {
			check_cut(bytes, n, false, seed, again);
			assert_string_equal(kinds, again);
		}
	}
	json_decref(root);
}

/* What the two ends write first is what was recorded of them. */
static void ids_and_headers_have_the_bytes_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-rpc-streams.json"), *v;
	size_t i, failed = 0;

	json_array_foreach (vectors_array(root, "streams"), i, v) {
		json_t *response = json_object_get(v, "response");
		struct buf out = BUF_INIT(0);
		struct gorpc_header h;
		struct gorpc_id id;
		struct gorpc_frames f;
		enum gorpc_frame kind;
		const uint8_t *frame;
		char name[2 * GORPC_NAME_MAX + 2];
		size_t n = vectors_hex(v, "request_hex", bytes, sizeof(bytes)), len;

		gorpc_frames_init(&f, true);
		assert_int_equal(0, gorpc_frames_feed(&f, bytes, n));
		assert_int_equal(1, gorpc_frames_next(&f, &kind, &frame, &len));
		assert_int_equal(0, gorpc_id_read(frame, len, &id, NULL));
		snprintf(name, sizeof(name), "%s.%s", id.service, id.method);
		assert_string_equal(vectors_str(v, "method"), name);
		assert_int_equal(0, gorpc_id_write(&id, &out));
		assert_int_equal(len, out.len);
		assert_memory_equal(frame, out.data, len);
		gorpc_frames_clear(&f);
		buf_reset(&out);

		n = vectors_hex(v, "response_hex", bytes, sizeof(bytes));
		gorpc_frames_init(&f, false);
		assert_int_equal(0, gorpc_frames_feed(&f, bytes, n));
		for (size_t k = 0; gorpc_frames_next(&f, &kind, &frame, &len) > 0; k++) {
			json_t *error = json_object_get(json_array_get(response, k), "Error");

			if (kind != GORPC_FRAME_HEADER)
				continue;
			assert_int_equal(0, gorpc_header_read(frame, len, &h, NULL));
			assert_int_equal(error != NULL, h.failed);
			assert_string_equal(error ? json_string_value(error) : "", h.error);
			failed += h.failed;
			assert_int_equal(
			    0, gorpc_header_write(&id, h.type, h.failed ? h.error : NULL, &out));
			assert_int_equal(len, out.len);
			assert_memory_equal(frame, out.data, len);
			buf_reset(&out);
		}
		gorpc_frames_clear(&f);
		buf_deinit(&out);
	}
	assert_true(failed >= 10);
	json_decref(root);
}

static void ids_are_read_in_all_forms(void **state)
{
	static const struct {
		const char *hex, *service, *method;
	} cases[] = {
		{ "92a7436c7573746572a24944", "Cluster", "ID" },
		{ "82d9044e616d65d907436c7573746572a64d6574686f64a24944", "Cluster", "ID" },
		{ "82a46e616d65a7436c7573746572a66d6574686f64a24944", "", "" },
		{ "c0", "", "" },
		{ "80", "", "" },
	};
	struct gorpc_id id;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&id, 'x', sizeof(id));
		assert_int_equal(0, gorpc_id_read(bytes, bytes_of(cases[i].hex), &id, NULL));
		assert_string_equal(cases[i].service, id.service);
		assert_string_equal(cases[i].method, id.method);
	}
}

static void malformed_ids_are_refused(void **state)
{
	static const char *const bad[] = {
		"05", "a24944", "81a44e616d6505", "81a44e616d65a3610062", "9105", "",
	};
	struct gorpc_id id = { 0 };
	struct buf out = BUF_INIT(0);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(-EBADMSG, gorpc_id_read(bytes, bytes_of(bad[i]), &id, NULL));
	/* The longest name, and one byte more. */
	memset(id.service, 'x', GORPC_NAME_MAX);
	id.service[GORPC_NAME_MAX] = '\0';
	id.method[0] = '\0';
	assert_int_equal(0, gorpc_id_write(&id, &out));
	assert_int_equal(0, gorpc_id_read(out.data, out.len, &id, NULL));
	assert_int_equal(GORPC_NAME_MAX, strlen(id.service));
	bytes_of("92da0041");
	memset(bytes + 4, 'x', GORPC_NAME_MAX + 1);
	bytes[4 + GORPC_NAME_MAX + 1] = 0xa0;
	assert_int_equal(-EBADMSG, gorpc_id_read(bytes, 4 + GORPC_NAME_MAX + 2, &id, NULL));
	buf_deinit(&out);
}

static void headers_are_read_in_all_forms(void **state)
{
	static const struct {
		const char *hex;
		bool failed;
		enum gorpc_error type;
		const char *error;
	} cases[] = {
		{ "c0", false, GORPC_METHOD, "" },
		{ "80", false, GORPC_METHOD, "" },
		{ "81a54572726f72a0", false, GORPC_METHOD, "" },
		{ "81a54572726f72a178", true, GORPC_METHOD, "x" },
		{ "81a54572726f72d90178", true, GORPC_METHOD, "x" },
		{ "82a54572726f72a178a74572725479706502", true, GORPC_CLIENT, "x" },
		{ "82a54572726f72a178a745727254797065cd0003", true, GORPC_FORBIDDEN, "x" },
		/* Kinds of errors that we do not know. */
		{ "82a54572726f72a178a74572725479706504", true, GORPC_SERVER, "x" },
		{ "82a54572726f72a178a745727254797065ff", true, GORPC_SERVER, "x" },
		{ "93c0a17803", true, GORPC_FORBIDDEN, "x" },
		{ "81a54572726f72a2ff78", true, GORPC_METHOD, "\xef\xbf\xbdx" },
	};
	struct gorpc_header h;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&h, 0x55, sizeof(h));
		assert_int_equal(0, gorpc_header_read(bytes, bytes_of(cases[i].hex), &h, NULL));
		assert_int_equal(cases[i].failed, h.failed);
		assert_int_equal(cases[i].type, h.type);
		assert_string_equal(cases[i].error, h.error);
	}
	assert_int_equal(-EBADMSG, gorpc_header_read(bytes, bytes_of("05"), &h, NULL));
	assert_int_equal(-EBADMSG,
			 gorpc_header_read(bytes, bytes_of("81a54572726f7205"), &h, NULL));
	assert_int_equal(-EBADMSG,
			 gorpc_header_read(bytes, bytes_of("81a745727254797065a0"), &h, NULL));
}

static void a_long_error_is_cut(void **state)
{
	static const struct gorpc_id id;
	char text[2 * GORPC_ERROR_TEXT_MAX + 1];
	struct buf out = BUF_INIT(0);
	struct gorpc_header h;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(0, gorpc_header_write(&id, GORPC_METHOD, text, &out));
	assert_int_equal(0, gorpc_header_read(out.data, out.len, &h, NULL));
	assert_int_equal(GORPC_ERROR_TEXT_MAX, strlen(h.error));
	buf_deinit(&out);
}

static int next_of(const char *hex, bool of_caller, size_t skip)
{
	struct gorpc_frames f;
	enum gorpc_frame kind;
	const uint8_t *frame;
	size_t n;
	int r = 1;

	gorpc_frames_init(&f, of_caller);
	assert_int_equal(0, gorpc_frames_feed(&f, bytes, bytes_of(hex)));
	for (size_t i = 0; r > 0 && i <= skip; i++)
		r = gorpc_frames_next(&f, &kind, &frame, &n);
	gorpc_frames_clear(&f);
	return r;
}

static void what_is_too_large_for_its_kind_is_refused_at_once(void **state)
{
	/* A raw of 4096 bytes is, with its head, over what a ServiceID or a header may have. */
	assert_int_equal(-EFBIG, next_of("da1000", true, 0));
	assert_int_equal(-EFBIG, next_of("da1000", false, 0));
	assert_int_equal(0, next_of("da0ffd", true, 0));
	/* Behind it are arguments or values. */
	assert_int_equal(0, next_of("80da1000", true, 1));
	assert_int_equal(0, next_of("80da1000", false, 1));
	assert_int_equal(-EFBIG, next_of("8080da1000", false, 2));
	assert_int_equal(-EFBIG, next_of("80db00400000", true, 1));
	assert_int_equal(0, next_of("80db003ffffb", true, 1));
	assert_int_equal(-EBADMSG, next_of("c1", true, 0));
	assert_int_equal(-EBADMSG, next_of("9191919191919191919191919191919191", true, 0));
}

static void what_waits_is_limited(void **state)
{
	uint8_t *much = calloc(1, GORPC_BUFFER_MAX + 1);
	struct gorpc_frames f;

	assert_non_null(much);
	gorpc_frames_init(&f, true);
	assert_int_equal(-EFBIG, gorpc_frames_feed(&f, much, GORPC_BUFFER_MAX + 1));
	assert_int_equal(0, gorpc_frames_feed(&f, much, GORPC_BUFFER_MAX));
	assert_int_equal(-EFBIG, gorpc_frames_feed(&f, much, 1));
	assert_int_equal(GORPC_BUFFER_MAX, gorpc_frames_waiting(&f));
	gorpc_frames_clear(&f);
	free(much);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_streams_are_cut_into_their_objects),
		cmocka_unit_test(ids_and_headers_have_the_bytes_of_the_reference),
		cmocka_unit_test(ids_are_read_in_all_forms),
		cmocka_unit_test(malformed_ids_are_refused),
		cmocka_unit_test(headers_are_read_in_all_forms),
		cmocka_unit_test(a_long_error_is_cut),
		cmocka_unit_test(what_is_too_large_for_its_kind_is_refused_at_once),
		cmocka_unit_test(what_waits_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
