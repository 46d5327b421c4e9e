#include "util/rfc3339.h"

#include <errno.h>
#include <stdbool.h>

#define DAY_S 86400
#define NS_PER_S 1000000000
#define FRACTION_MAX 64 /* bytes; more digits than any writer has */

struct civil {
	unsigned year, month, day; /* from 0, 1 and 1 */
};

/*
 * Days count from 0000-03-01, so that the leap day ends a year. The proleptic Gregorian calendar
 * repeats every 400 years, which are 146097 days.
 */
#define EPOCH_DAY 719468 /* 1970-01-01 in that count */

static int64_t day_of_civil(const struct civil *c)
{
	int64_t year = (int64_t)c->year - (c->month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t month = (c->month + 9) % 12; /* March is 0 */
	int64_t day_of_year = (153 * month + 2) / 5 + c->day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
}

/* @day is not before 0000-03-01. */
static struct civil civil_of_day(uint32_t day)
{
	uint32_t era = day / 146097, rest = day % 146097;
	uint32_t year_of_era = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
	uint32_t day_of_year = rest - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t month = (5 * day_of_year + 2) / 153;
	struct civil c = {
		.year = era * 400 + year_of_era + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day_of_year - (153 * month + 2) / 5 + 1,
	};

	return c;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

static void put_2(char *out, unsigned v)
{
	out[0] = (char)('0' + v / 10);
	out[1] = (char)('0' + v % 10);
}

int rfc3339_format(int64_t unix_s, char out[RFC3339_LEN])
{
	struct civil c;
	uint64_t from_year_1;
	uint32_t s;

	if (unix_s < RFC3339_UNSET || unix_s > RFC3339_MAX)
		return -ERANGE;
	from_year_1 = (uint64_t)(unix_s - RFC3339_UNSET);
	s = (uint32_t)(from_year_1 % DAY_S);
	/* 0001-01-01 is day 306 of the count above. */
	c = civil_of_day((uint32_t)(from_year_1 / DAY_S) + 306);
	put_2(out, c.year / 100);
	put_2(out + 2, c.year % 100);
	out[4] = '-';
	put_2(out + 5, c.month);
	out[7] = '-';
	put_2(out + 8, c.day);
	out[10] = 'T';
	put_2(out + 11, s / 3600);
	out[13] = ':';
	put_2(out + 14, s / 60 % 60);
	out[16] = ':';
	put_2(out + 17, s % 60);
	out[19] = 'Z';
	return 0;
}

int rfc3339_format_ns(struct buf *out, int64_t unix_ns)
{
	int64_t s = unix_ns / NS_PER_S, ns = unix_ns % NS_PER_S;
	char text[RFC3339_LEN + 10];
	size_t len = RFC3339_LEN;
	int r;

	if (ns < 0) {
		ns += NS_PER_S;
		s--;
	}
	r = rfc3339_format(s, text);
	if (r < 0)
		return r;
	if (ns > 0) {
		for (size_t i = RFC3339_LEN + 8; i >= RFC3339_LEN; i--, ns /= 10)
			text[i] = (char)('0' + ns % 10);
		for (len += 9; text[len - 1] == '0';)
			len--;
		text[RFC3339_LEN - 1] = '.';
		text[len++] = 'Z';
	}
	return buf_append(out, text, len);
}

/* Reads @n digits into *ret; false when one of them is none. */
static bool digits(const char *s, size_t n, unsigned *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned char)s[i] - (unsigned)'0';

		if (d > 9)
			return false;
		*ret = *ret * 10 + d;
	}
	return true;
}

/* "Z", "+hh:mm" or "-hh:mm", all of the @n bytes. */
static bool parse_offset(const char *s, size_t n, int64_t *ret_s)
{
	unsigned hour, minute;

	*ret_s = 0;
	if (n == 1 && s[0] == 'Z')
		return true;
	if (n != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':')
		return false;
	if (!digits(s + 1, 2, &hour) || !digits(s + 4, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*ret_s = (int64_t)hour * 3600 + minute * 60;
	if (s[0] == '-')
		*ret_s = -*ret_s;
	return true;
}

/* The bytes of a fraction with its mark, 0 where there is none, -EINVAL for a mark alone. */
static int fraction_len(const char *s, size_t n)
{
	size_t len = 1;

	if (n == 0 || (s[0] != '.' && s[0] != ','))
		return 0;
	while (len < n && s[len] >= '0' && s[len] <= '9')
		len++;
	return len > 1 && len < FRACTION_MAX ? (int)len : -EINVAL;
}

int rfc3339_parse(const char *s, size_t n, int64_t *ret_unix_s)
{
	unsigned hour, minute, second;
	struct civil c;
	int64_t offset, t;
	int fraction;

	if (n < RFC3339_LEN)
		return -EINVAL;
	if (s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':')
		return -EINVAL;
	if (!digits(s, 4, &c.year) || !digits(s + 5, 2, &c.month) || !digits(s + 8, 2, &c.day) ||
	    !digits(s + 11, 2, &hour) || !digits(s + 14, 2, &minute) || !digits(s + 17, 2, &second))
		return -EINVAL;
	if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > days_in_month(c.year, c.month) ||
	    hour > 23 || minute > 59 || second > 59)
		return -EINVAL;
	fraction = fraction_len(s + 19, n - 19);
	if (fraction < 0 || !parse_offset(s + 19 + fraction, n - 19 - (size_t)fraction, &offset))
		return -EINVAL;
	t = (day_of_civil(&c) - EPOCH_DAY) * DAY_S + hour * 3600 + minute * 60 + second - offset;
	if (t < RFC3339_UNSET || t > RFC3339_MAX)
		return -EINVAL;
	*ret_unix_s = t;
	return 0;
}
