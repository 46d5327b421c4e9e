#include "util/duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NS_LIMIT (UINT64_C(1) << 63) /* the absolute value of the smallest duration */

struct unit {
	const char *name;
	uint64_t ns;
};

static const struct unit units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* U+00B5 micro sign */
	{ "\xce\xbcs", 1000 }, /* U+03BC Greek mu */
	{ "ms", 1000000 },
	{ "s", UINT64_C(1000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) },
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static const struct unit *unit_find(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0)
			return &units[i];
	}
	return NULL;
}

/* Digits before the point. -EINVAL when they do not fit. */
static int whole_parse(const char **s, uint64_t *ret)
{
	uint64_t v = 0;

	for (; digit(**s); (*s)++) {
		if (v > NS_LIMIT / 10)
			return -EINVAL;
		v = v * 10 + (uint64_t)(**s - '0');
	}
	*ret = v;
	return v > NS_LIMIT ? -EINVAL : 0;
}

/* Digits behind the point; as Go does, those that would overflow are passed over. */
static double fraction_parse(const char **s)
{
	uint64_t v = 0;
	double scale = 1;
	bool full = false;

	for (; digit(**s); (*s)++) {
		if (full || v > (NS_LIMIT - 1) / 10) {
			full = true;
			continue;
		}
		v = v * 10 + (uint64_t)(**s - '0');
		scale *= 10;
	}
	return (double)v / scale;
}

/* One number with its unit, added to *sum. */
static int term_parse(const char **s, uint64_t *sum)
{
	const char *start = *s, *name;
	const struct unit *u;
	double fraction = 0;
	uint64_t v;

	if (whole_parse(s, &v) < 0)
		return -EINVAL;
	if (**s == '.') {
		bool digits = *s != start;

		(*s)++;
		digits = digits || digit(**s);
		fraction = fraction_parse(s);
		if (!digits)
			return -EINVAL;
	} else if (*s == start) {
		return -EINVAL;
	}
	name = *s;
	while (**s && **s != '.' && !digit(**s))
		(*s)++;
	u = unit_find(name, (size_t)(*s - name));
	if (!u || v > NS_LIMIT / u->ns)
		return -EINVAL;
	v = v * u->ns + (uint64_t)(fraction * (double)u->ns);
	if (v > NS_LIMIT || *sum > NS_LIMIT - v)
		return -EINVAL;
	*sum += v;
	return 0;
}

int duration_parse(const char *s, int64_t *ret_ns)
{
	bool negative = *s == '-';
	uint64_t sum = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (*s == '\0')
		return -EINVAL;
	while (*s) {
		if (term_parse(&s, &sum) < 0)
			return -EINVAL;
	}
	if (!negative && sum > NS_LIMIT - 1)
		return -EINVAL;
	*ret_ns = (int64_t)(negative ? -sum : sum);
	return 0;
}

/* @v in units of @unit ns, with the fraction that is left of it, without trailing zeros. */
static void fraction_format(uint64_t v, uint64_t unit, const char *name, char *out, size_t cap)
{
	uint64_t rest = v % unit;
	char digits[16] = "";
	size_t n = 0, last = 0;

	while (rest > 0 && n < sizeof(digits) - 1) {
		rest *= 10;
		digits[n] = (char)('0' + rest / unit);
		rest %= unit;
		if (digits[n++] != '0')
			last = n;
	}
	digits[last] = '\0';
	snprintf(out, cap, "%llu%s%s%s", (unsigned long long)(v / unit), last ? "." : "", digits,
		 name);
}

void duration_format(int64_t ns, char out[DURATION_TEXT_MAX])
{
	uint64_t v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns, minutes;
	char seconds[DURATION_TEXT_MAX];
	const char *sign = ns < 0 ? "-" : "";

	if (v < (uint64_t)DURATION_S) {
		if (v == 0)
			snprintf(seconds, sizeof(seconds), "0s");
		else if (v < 1000)
			fraction_format(v, 1, "ns", seconds, sizeof(seconds));
		else if (v < (uint64_t)DURATION_MS)
			fraction_format(v, 1000, "\xc2\xb5s", seconds, sizeof(seconds));
		else
			fraction_format(v, (uint64_t)DURATION_MS, "ms", seconds, sizeof(seconds));
		snprintf(out, DURATION_TEXT_MAX, "%s%.24s", sign, seconds);
		return;
	}
	minutes = v / (60 * (uint64_t)DURATION_S);
	fraction_format(v % (60 * (uint64_t)DURATION_S), (uint64_t)DURATION_S, "s", seconds,
			sizeof(seconds));
	if (minutes >= 60)
		snprintf(out, DURATION_TEXT_MAX, "%s%lluh%um%.14s", sign,
			 (unsigned long long)(minutes / 60), (unsigned)(minutes % 60), seconds);
	else if (minutes > 0)
		snprintf(out, DURATION_TEXT_MAX, "%s%um%.14s", sign, (unsigned)minutes, seconds);
	else
		snprintf(out, DURATION_TEXT_MAX, "%s%.14s", sign, seconds);
}

int64_t duration_ms(int64_t ns)
{
	int64_t ms = ns / DURATION_MS, rest = ns % DURATION_MS;

	if (rest != 0)
		ms += rest < 0 ? -1 : 1;
	return ms;
}
