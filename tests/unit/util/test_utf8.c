#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

static void every_rune_is_written_and_recognised(void **state)
{
	for (uint32_t rune = 0; rune <= 0x10ffff; rune++) {
		char text[UTF8_MAX];
		size_t n = utf8_put(text, rune);
		size_t want = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
		int surrogate = rune >= 0xd800 && rune <= 0xdfff;

		if (n != want)
			fail_msg("U+%04x takes %zu bytes", rune, n);
		if (utf8_len((uint8_t *)text, n) != (surrogate ? 0 : n))
			fail_msg("U+%04x", rune);
		if (utf8_len((uint8_t *)text, n - 1 ? n - 1 : 1) != (n == 1))
			fail_msg("U+%04x is accepted when cut", rune);
	}
}

static void what_is_no_rune_is_refused(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2 ",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xe2\x80",
		"\xe2\x80 ",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf0\x90\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xfe",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (utf8_len((const uint8_t *)bad[i], strlen(bad[i])) != 0)
			fail_msg("case %zu", i);
}

/* The text is looked at in steps of eight bytes where it is ASCII. */
static void a_bad_byte_is_found_wherever_it_is(void **state)
{
	for (size_t n = 0; n < 40; n++) {
		char *text = malloc(n + 1);

		assert_non_null(text);
		memset(text, 'a', n);
		assert_true(utf8_valid(text, n));
		for (size_t at = 0; at < n; at++) {
			text[at] = (char)0xff;
			assert_false(utf8_valid(text, n));
			text[at] = (char)0xc3;
			assert_false(utf8_valid(text, n));
			text[at] = 'a';
		}
		for (size_t at = 0; at + 1 < n; at++) {
			memcpy(text + at, "\u00e9", 2);
			assert_true(utf8_valid(text, n));
			memcpy(text + at, "aa", 2);
		}
		free(text);
	}
}

static void texts_are_cleaned(void **state)
{
	static const struct {
		const char *in;
		size_t cap;
		const char *want;
	} cases[] = {
		{ "", 10, "" },
		{ "abc", 10, "abc" },
		{ "abc", 2, "ab" },
		{ "\xc3\xa9t\xc3\xa9", 10, "\xc3\xa9t\xc3\xa9" },
		{ "\xc3\xa9t\xc3\xa9", 4, "\xc3\xa9t" }, /* no half of a rune */
		{ "a\xff", 4, "a\xef\xbf\xbd" },
		{ "a\xff", 3, "a" },
		{ "\xe2\x82", 10, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xc3z", 10, "\xef\xbf\xbdz" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const size_t n = strlen(cases[i].in);
		char out[16];
		size_t len = utf8_clean(cases[i].in, n, out, cases[i].cap);

		assert_int_equal(strlen(cases[i].want), len);
		assert_memory_equal(cases[i].want, out, len);
		assert_int_equal(len, utf8_clean(cases[i].in, n, NULL, cases[i].cap));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rune_is_written_and_recognised),
		cmocka_unit_test(what_is_no_rune_is_refused),
		cmocka_unit_test(a_bad_byte_is_found_wherever_it_is),
		cmocka_unit_test(texts_are_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
