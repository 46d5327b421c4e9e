#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "util/duration.h"

#define NS INT64_C(1)
#define US (1000 * NS)
#define MINUTE (60 * DURATION_S)
#define HOUR (60 * MINUTE)

/* As Go's time package has them. */
static const struct {
	const char *text;
	int64_t ns;
	const char *usual; /* what Go prints; NULL: the text itself */
} good[] = {
	{ "0s", 0, NULL },
	{ "0", 0, "0s" },
	{ "-0", 0, "0s" },
	{ "1ns", NS, NULL },
	{ "1.1\xc2\xb5s", 1100, NULL },
	{ "1.1\xce\xbcs", 1100, "1.1\xc2\xb5s" },
	{ "1us", US, "1\xc2\xb5s" },
	{ "2.2ms", 2200 * US, NULL },
	{ "50ms", 50 * DURATION_MS, NULL },
	{ "3.3s", 3300 * DURATION_MS, NULL },
	{ "1.004s", 1004 * DURATION_MS, NULL },
	{ "5m0s", 5 * MINUTE, NULL },
	{ "5m", 5 * MINUTE, "5m0s" },
	{ "4m5.001s", 4 * MINUTE + 5001 * DURATION_MS, NULL },
	{ "24h0m0s", 24 * HOUR, NULL },
	{ "5h6m7.001s", 5 * HOUR + 6 * MINUTE + 7001 * DURATION_MS, NULL },
	{ "90m", 90 * MINUTE, "1h30m0s" },
	{ "1.5h", 90 * MINUTE, "1h30m0s" },
	{ ".5s", 500 * DURATION_MS, "500ms" },
	{ "1.s", DURATION_S, "1s" },
	{ "+5s", 5 * DURATION_S, "5s" },
	{ "-2m3.4s", -(2 * MINUTE + 3400 * DURATION_MS), NULL },
	{ "3s1h", HOUR + 3 * DURATION_S, "1h0m3s" },
	{ "0.100000000000000000000h", 6 * MINUTE, "6m0s" },
	{ "9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s" },
	{ "-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s" },
};

static const char *const bad[] = {
	"",
	"3",
	"-",
	"s",
	".",
	"-.",
	".s",
	"+.s",
	"1d",
	"1S",
	" 1s",
	"1s ",
	"1 s",
	"1h2",
	"--1s",
	"1..5s",
	"1e3s",
	"3000000h",
	"9223372036854775808ns",
	"0x1s",
	"1s-1s",
	"-9223372036854775809ns",
	"99999999999999999999s",
};

static void durations_are_read_as_go_reads_them(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t ns = 42;

		if (duration_parse(good[i].text, &ns) != 0 || ns != good[i].ns)
			fail_msg("%s: %lld", good[i].text, (long long)ns);
	}
}

static void durations_are_written_as_go_writes_them(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[DURATION_TEXT_MAX];

		duration_format(good[i].ns, text);
		assert_string_equal(text, good[i].usual ? good[i].usual : good[i].text);
	}
}

static void text_that_go_refuses_is_refused(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ns = 42;

		if (duration_parse(bad[i], &ns) != -EINVAL || ns != 42)
			fail_msg("\"%s\" was taken as %lld", bad[i], (long long)ns);
	}
}

static void milliseconds_are_rounded_away_from_zero(void **state)
{
	assert_int_equal(duration_ms(0), 0);
	assert_int_equal(duration_ms(1), 1);
	assert_int_equal(duration_ms(-1), -1);
	assert_int_equal(duration_ms(DURATION_MS), 1);
	assert_int_equal(duration_ms(DURATION_MS + 1), 2);
	assert_int_equal(duration_ms(-DURATION_S), -1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_as_go_reads_them),
		cmocka_unit_test(durations_are_written_as_go_writes_them),
		cmocka_unit_test(text_that_go_refuses_is_refused),
		cmocka_unit_test(milliseconds_are_rounded_away_from_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
