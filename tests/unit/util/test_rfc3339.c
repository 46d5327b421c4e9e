#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/rfc3339.h"

static void format_agrees_with_the_c_library_over_all_years(void **state)
{
	/* A step that is no whole number of days or years: every month and time of day is met. */
	for (int64_t t = RFC3339_UNSET; t <= RFC3339_MAX; t += 1234567 * 7) {
		char text[RFC3339_LEN], want[64];
		time_t seconds = (time_t)t;
		int64_t back;
		struct tm tm;

		assert_non_null(gmtime_r(&seconds, &tm));
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_int_equal(0, rfc3339_format(t, text));
		assert_memory_equal(want, text, RFC3339_LEN);
		assert_int_equal(0, rfc3339_parse(text, sizeof(text), &back));
		assert_true(t == back);
	}
}

static void format_knows_the_ends_and_the_leap_days(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} cases[] = {
		{ RFC3339_UNSET, "0001-01-01T00:00:00Z" },
		{ RFC3339_MAX, "9999-12-31T23:59:59Z" },
		{ 0, "1970-01-01T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 1709164799, "2024-02-28T23:59:59Z" },
		{ 1709164800, "2024-02-29T00:00:00Z" },
		{ 4107542400, "2100-03-01T00:00:00Z" },
		{ 4107542399, "2100-02-28T23:59:59Z" },
		{ 1700000000, "2023-11-14T22:13:20Z" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[RFC3339_LEN];

		assert_int_equal(0, rfc3339_format(cases[i].t, text));
		assert_memory_equal(cases[i].text, text, RFC3339_LEN);
	}
}

static void format_refuses_times_outside_its_years(void **state)
{
	static const int64_t times[] = { RFC3339_UNSET - 1, RFC3339_MAX + 1, INT64_MIN, INT64_MAX };

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		char text[RFC3339_LEN];

		assert_int_equal(-ERANGE, rfc3339_format(times[i], text));
	}
}

static void format_ns_cuts_zeros_as_go_does(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 1700000000123456789, "2023-11-14T22:13:20.123456789Z" },
		{ 1700000000100000000, "2023-11-14T22:13:20.1Z" },
		{ 1700000000000000001, "2023-11-14T22:13:20.000000001Z" },
		{ 1700000000001200000, "2023-11-14T22:13:20.0012Z" },
		{ 1700000000000000000, "2023-11-14T22:13:20Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ INT64_MIN, "1677-09-21T00:12:43.145224192Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = BUF_INIT(0);

		assert_int_equal(0, rfc3339_format_ns(&out, cases[i].ns));
		assert_int_equal(0, buf_terminate(&out));
		assert_string_equal(cases[i].text, (const char *)out.data);
		buf_deinit(&out);
	}
}

static void parse_takes_offsets_and_fractions(void **state)
{
	static const struct {
		const char *text;
		int64_t t;
	} cases[] = {
		{ "2023-11-14T22:13:20Z", 1700000000 },
		{ "2023-11-14T22:13:20.999999999Z", 1700000000 },
		{ "2023-11-14T22:13:20,5Z", 1700000000 },
		{ "2023-11-14T18:13:20-04:00", 1700000000 },
		{ "2023-11-15T03:43:20.25+05:30", 1700000000 },
		{ "2023-11-14T22:13:20+00:00", 1700000000 },
		{ "2023-11-14T22:13:20-00:00", 1700000000 },
		{ "1969-12-31T23:59:59.9Z", -1 },
		{ "0001-01-01T00:00:00Z", RFC3339_UNSET },
		{ "0000-12-31T19:04:00-04:56", RFC3339_UNSET },
		{ "9999-12-31T23:59:59Z", RFC3339_MAX },
		{ "2000-02-29T00:00:00Z", 951782400 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t t = 0;

		if (rfc3339_parse(cases[i].text, strlen(cases[i].text), &t) != 0 || t != cases[i].t)
			fail_msg("%s gives %lld", cases[i].text, (long long)t);
	}
}

static void parse_is_strict(void **state)
{
	static const char *const texts[] = {
		"",
		"2020-01-01",
		"2020-01-01T00:00:00",
		"2020-01-01t00:00:00Z",
		"2020-01-01T00:00:00z",
		"2020-01-01 00:00:00Z",
		"2020-1-01T00:00:00ZZ",
		"2020-01-01T0:00:00ZZ",
		"02020-01-01T00:00:00Z",
		"+020-01-01T00:00:00Z",
		"2020-00-01T00:00:00Z",
		"2020-13-01T00:00:00Z",
		"2020-01-00T00:00:00Z",
		"2020-01-32T00:00:00Z",
		"2020-04-31T00:00:00Z",
		"2021-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2020-01-01T24:00:00Z",
		"2020-01-01T00:60:00Z",
		"2020-01-01T00:00:60Z",
		"2020-01-01T00:00:00.Z",
		"2020-01-01T00:00:00.5",
		"2020-01-01T00:00:00.5.5Z",
		"2020-01-01T00:00:00Z ",
		"2020-01-01T00:00:00+0100",
		"2020-01-01T00:00:00+01:0",
		"2020-01-01T00:00:00+24:00",
		"2020-01-01T00:00:00+00:60",
		"2020-01-01T00:00:00*01:00",
		"2020-01-01T00:00:00+01-00",
		"2020/01/01T00:00:00Z",
		"2020-01-01T00.00.00Z",
		"0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		int64_t t = 77;

		if (rfc3339_parse(texts[i], strlen(texts[i]), &t) != -EINVAL)
			fail_msg("\"%s\" is taken as %lld", texts[i], (long long)t);
		assert_true(t == 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_agrees_with_the_c_library_over_all_years),
		cmocka_unit_test(format_knows_the_ends_and_the_leap_days),
		cmocka_unit_test(format_refuses_times_outside_its_years),
		cmocka_unit_test(format_ns_cuts_zeros_as_go_does),
		cmocka_unit_test(parse_takes_offsets_and_fractions),
		cmocka_unit_test(parse_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
