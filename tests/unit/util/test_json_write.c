#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/json_write.h"

struct string_case {
	const char *raw;
	size_t n; /* 0: up to the first zero */
	const char *json;
};

static void check_string(const struct string_case *c)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, json_write_string(&out, c->raw, c->n ? c->n : strlen(c->raw)));
	assert_int_equal(0, buf_terminate(&out));
	assert_string_equal(c->json, (const char *)out.data);
	buf_deinit(&out);
}

static void string_escapes_what_go_escapes(void **state)
{
	/* Texts on the right: Go's encoding/json. */
	static const struct string_case cases[] = {
		{ "", 0, "\"\"" },
		{ "plain text", 0, "\"plain text\"" },
		{ "a\"b\\c/d", 0, "\"a\\\"b\\\\c/d\"" },
		{ "\n\r\t\b\f", 0, "\"\\n\\r\\t\\b\\f\"" },
		{ "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"" },
		{ "<a&b>", 0, "\"\\u003ca\\u0026b\\u003e\"" },
		{ "\u00e9\u20ac\U0001f600", 0, "\"\u00e9\u20ac\U0001f600\"" },
		{ "x\u2028y\u2029z\u2027\u202a", 0, "\"x\\u2028y\\u2029z\u2027\u202a\"" },
		{ "\ufffd", 0, "\"\ufffd\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_string(&cases[i]);
}

static void string_replaces_each_byte_of_invalid_utf8(void **state)
{
	static const struct string_case cases[] = {
		{ "a\xff"
		  "b",
		  0, "\"a\\ufffdb\"" },
		{ "\xed\xa0\x80", 0, "\"\\ufffd\\ufffd\\ufffd\"" }, /* a surrogate */
		{ "\xc0\x80", 0, "\"\\ufffd\\ufffd\"" },            /* overlong */
		{ "\xe2\x80", 0, "\"\\ufffd\\ufffd\"" },            /* cut */
		{ "\xe2\x80\xa8\xe2", 0, "\"\\u2028\\ufffd\"" },
		{ "\xf4\x90\x80\x80", 0, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x80<", 0, "\"\\ufffd\\ufffd\\u003c\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_string(&cases[i]);
}

static void string_copies_all_other_ascii(void **state)
{
	for (int c = 0x20; c < 0x80; c++) {
		char raw[2] = { (char)c, 0 }, json[4] = { '"', (char)c, '"', 0 };
		struct string_case one = { raw, 1, json };

		if (!strchr("\"\\<>&", c))
			check_string(&one);
	}
}

static void string_over_the_limit_leaves_the_buffer(void **state)
{
	struct buf out = BUF_INIT(8);

	assert_int_equal(0, buf_str(&out, "12"));
	assert_int_equal(-EFBIG, json_write_string(&out, "abcde", 5));
	assert_int_equal(-EFBIG, json_write_string(&out, "a\x01", 2));
	assert_int_equal(2, out.len);
	assert_int_equal(0, json_write_string(&out, "abcd", 4));
	assert_memory_equal("12\"abcd\"", out.data, 8);
	buf_deinit(&out);
}

static void member_is_key_and_string(void **state)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, json_write_member(&out, "a_key", "b\"c\0d", 5));
	assert_int_equal(0, buf_terminate(&out));
	assert_string_equal("\"a_key\":\"b\\\"c\\u0000d\"", (const char *)out.data);
	buf_deinit(&out);
}

static void member_over_the_limit_leaves_the_buffer(void **state)
{
	struct buf out = BUF_INIT(8);

	assert_int_equal(0, buf_str(&out, "{"));
	assert_int_equal(-EFBIG, json_write_member(&out, "key", "v", 1));
	assert_int_equal(-EFBIG, json_write_member(&out, "longer", "", 0));
	assert_int_equal(1, out.len);
	buf_deinit(&out);
}

static void nothing_is_longer_than_the_bounds(void **state)
{
	static const char *const raw[] = { "", "\x01\x02\x03", "<>&<>&", "\xff\xff", "\u2028" };

	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		size_t n = strlen(raw[i]), max = JSON_STRING_MAX(n);
		char *to = malloc(max); /* its end is known to the sanitizer */

		assert_non_null(to);
		assert_in_range(json_put_string(to, raw[i], n) - to, 2, max);
		free(to);
	}
	for (int i = 0; i < 2; i++) {
		char *to = malloc(JSON_NUMBER_MAX), *end;

		assert_non_null(to);
		end = i ? json_put_int(to, INT64_MIN) : json_put_uint(to, UINT64_MAX);
		assert_int_equal(JSON_NUMBER_MAX, end - to);
		free(to);
	}
}

static void numbers_are_decimal_over_their_whole_range(void **state)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, json_write_int(&out, INT64_MIN));
	assert_int_equal(0, json_write_int(&out, -1));
	assert_int_equal(0, json_write_int(&out, 0));
	assert_int_equal(0, json_write_int(&out, INT64_MAX));
	assert_int_equal(0, json_write_uint(&out, 10));
	assert_int_equal(0, json_write_uint(&out, UINT64_MAX));
	assert_int_equal(0, buf_terminate(&out));
	assert_string_equal("-9223372036854775808-10922337203685477580710"
			    "18446744073709551615",
			    (const char *)out.data);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(string_escapes_what_go_escapes),
		cmocka_unit_test(string_replaces_each_byte_of_invalid_utf8),
		cmocka_unit_test(string_copies_all_other_ascii),
		cmocka_unit_test(string_over_the_limit_leaves_the_buffer),
		cmocka_unit_test(member_is_key_and_string),
		cmocka_unit_test(member_over_the_limit_leaves_the_buffer),
		cmocka_unit_test(nothing_is_longer_than_the_bounds),
		cmocka_unit_test(numbers_are_decimal_over_their_whole_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
