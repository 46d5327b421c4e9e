#include "util/json_write.h"

#include <stdbool.h>

#include "util/utf8.h"

static const char hex[] = "0123456789abcdef";

/* True for the ASCII that Go's encoder copies as it is. */
static const bool plain[256] = {
	[' '] = true, ['!'] = true,         ['#' ... '%'] = true,  ['\'' ... ';'] = true,
	['='] = true, ['?' ... '['] = true, [']' ... 0x7f] = true,
};

static bool is_line_separator(const uint8_t *s) /* of three valid bytes: U+2028 or U+2029 */
{
	return s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9);
}

/* The length of the text at @s that needs no escape. */
static size_t plain_run(const uint8_t *s, size_t n)
{
	size_t i = 0;

	for (;;) {
		size_t len;

		while (i < n && plain[s[i]])
			i++;
		if (i == n || s[i] < 0x80)
			return i;
		len = utf8_len(s + i, n - i);
		if (len == 0 || (len == 3 && is_line_separator(s + i)))
			return i;
		i += len;
	}
}

static char short_escape(uint8_t c)
{
	switch (c) {
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '"':
	case '\\':
		return (char)c;
	default:
		return 0;
	}
}

/* Writes the escape of what is at @s, where a plain run ended; *ret_len is what it stands for. */
static int write_escape(struct buf *out, const uint8_t *s, size_t n, size_t *ret_len)
{
	char unicode[6] = { '\\', 'u', '0', '0', hex[s[0] >> 4], hex[s[0] & 15] };
	char brief[2] = { '\\', short_escape(s[0]) };

	*ret_len = 1;
	if (brief[1])
		return buf_append(out, brief, sizeof(brief));
	if (s[0] < 0x80)
		return buf_append(out, unicode, sizeof(unicode));
	if (utf8_len(s, n) == 0)
		return buf_append(out, "\\ufffd", 6);
	*ret_len = 3;
	return buf_append(out, s[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
}

static int write_quoted(struct buf *out, const uint8_t *s, size_t n)
{
	int r = buf_byte(out, '"');

	while (r == 0 && n > 0) {
		size_t run = plain_run(s, n);

		r = buf_append(out, s, run);
		if (r == 0 && run < n) {
			size_t len;

			r = write_escape(out, s + run, n - run, &len);
			run += len;
		}
		s += run;
		n -= run;
	}
	return r < 0 ? r : buf_byte(out, '"');
}

int json_write_string(struct buf *out, const char *s, size_t n)
{
	size_t start = out->len;
	int r = write_quoted(out, (const uint8_t *)s, n);

	if (r < 0)
		out->len = start;
	return r;
}

int json_write_member(struct buf *out, const char *key, const char *value, size_t n)
{
	size_t start = out->len;
	int r = buf_printf(out, "\"%s\":", key);

	if (r == 0)
		r = json_write_string(out, value, n);
	if (r < 0)
		out->len = start;
	return r;
}

static int write_number(struct buf *out, uint64_t v, bool negative)
{
	char text[20]; /* 2^64 - 1, or a sign and 2^63 */
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	if (negative)
		text[--at] = '-';
	return buf_append(out, text + at, sizeof(text) - at);
}

int json_write_int(struct buf *out, int64_t v)
{
	return write_number(out, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0);
}

int json_write_uint(struct buf *out, uint64_t v)
{
	return write_number(out, v, false);
}
