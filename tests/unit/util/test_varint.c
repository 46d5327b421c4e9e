#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "tests/lib/vectors.h"
#include "util/varint.h"

static void recorded_values_come_back(void **state)
{
	json_t *root = vectors_load("varint.json"), *c;
	size_t i;

	json_array_foreach (vectors_array(root, "valid"), i, c) {
		uint64_t want = strtoull(vectors_str(c, "value"), NULL, 10), got;
		uint8_t bytes[32], again[VARINT_MAX];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));

		assert_int_equal(n, varint_get(bytes, n, 1, &got));
		assert_true(want == got);
		assert_int_equal(n, varint_get(bytes, n, 0, &got));
		assert_true(want == got);
		assert_int_equal(n, varint_len(want));
		assert_int_equal(n, varint_put(again, want));
		assert_memory_equal(bytes, again, n);
	}
	json_decref(root);
}

static void recorded_errors_are_refused(void **state)
{
	json_t *root = vectors_load("varint.json"), *c;
	size_t i;

	json_array_foreach (vectors_array(root, "invalid_multiformats"), i, c) {
		const char *text = vectors_str(c, "bytes");
		bool protobuf = strcmp(vectors_str(c, "protobuf_style_reader"), "accepted") == 0;
		uint8_t bytes[32];
		size_t n = vectors_hex(c, "bytes", bytes, sizeof(bytes));
		uint64_t v;
		int r = varint_get(bytes, n, 1, &v);

		if (r != -EBADMSG)
			fail_msg("\"%s\" is taken as a multiformats varint", text);
		r = varint_get(bytes, n, 0, &v);
		if (r != (protobuf ? (int)n : -EBADMSG))
			fail_msg("\"%s\" gives %d as a protobuf varint", text, r);
	}
	json_decref(root);
}

static void every_cut_is_refused(void **state)
{
	for (unsigned bits = 8; bits <= 64; bits++) {
		uint64_t want = UINT64_MAX >> (64 - bits), got;
		uint8_t bytes[VARINT_MAX];
		size_t n = varint_put(bytes, want);

		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(-EBADMSG, varint_get(bytes, cut, 0, &got));
		assert_int_equal(n, varint_get(bytes, n, 0, &got));
		assert_true(want == got);
	}
}

static void bytes_behind_the_varint_are_left(void **state)
{
	static const uint8_t bytes[] = { 0xac, 0x02, 0xff };
	uint64_t v;

	assert_int_equal(2, varint_get(bytes, sizeof(bytes), 1, &v));
	assert_int_equal(300, v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_values_come_back),
		cmocka_unit_test(recorded_errors_are_refused),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(bytes_behind_the_varint_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
