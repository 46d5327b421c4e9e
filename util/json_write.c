#include "util/json_write.h"

#include <stdbool.h>
#include <string.h>

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

static char *put(char *to, const void *p, size_t n)
{
	memcpy(to, p, n);
	return to + n;
}

#define SPECIAL_MAX 6

/* Puts what stands for the character at @s, which is not plain ASCII; *ret_len is its length. */
static char *put_special(char *to, const uint8_t *s, size_t n, size_t *ret_len)
{
	char unicode[SPECIAL_MAX] = { '\\', 'u', '0', '0', hex[s[0] >> 4], hex[s[0] & 15] };
	char brief[2] = { '\\', short_escape(s[0]) };
	size_t len = utf8_len(s, n);

	*ret_len = len ? len : 1;
	if (brief[1])
		return put(to, brief, sizeof(brief));
	if (s[0] < 0x80)
		return put(to, unicode, sizeof(unicode));
	if (len == 0)
		return put(to, "\\ufffd", 6);
	if (len == 3 && is_line_separator(s))
		return put(to, s[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
	return put(to, s, len);
}

char *json_put_string(char *to, const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;

	*to++ = '"';
	for (size_t i = 0, len; i < n; i += len) {
		len = 1;
		if (plain[p[i]])
			*to++ = (char)p[i];
		else
			to = put_special(to, p + i, n - i, &len);
	}
	*to++ = '"';
	return to;
}

static size_t string_len(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t total = 2;

	for (size_t i = 0, len; i < n; i += len) {
		char special[SPECIAL_MAX];

		len = 1;
		if (plain[p[i]])
			total++;
		else
			total += (size_t)(put_special(special, p + i, n - i, &len) - special);
	}
	return total;
}

int json_write_string(struct buf *out, const char *s, size_t n)
{
	size_t len = string_len(s, n);
	int r = buf_reserve(out, len);

	if (r < 0)
		return r;
	json_put_string((char *)out->data + out->len, s, n);
	out->len += len;
	return 0;
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

char *json_put_uint(char *to, uint64_t v)
{
	size_t n = 1;

	for (uint64_t rest = v; rest >= 10; rest /= 10)
		n++;
	for (size_t i = n; i-- > 0; v /= 10)
		to[i] = (char)('0' + v % 10);
	return to + n;
}

char *json_put_int(char *to, int64_t v)
{
	if (v >= 0)
		return json_put_uint(to, (uint64_t)v);
	*to++ = '-';
	return json_put_uint(to, -(uint64_t)v);
}

int json_write_int(struct buf *out, int64_t v)
{
	char text[JSON_NUMBER_MAX];

	return buf_append(out, text, (size_t)(json_put_int(text, v) - text));
}

int json_write_uint(struct buf *out, uint64_t v)
{
	char text[JSON_NUMBER_MAX];

	return buf_append(out, text, (size_t)(json_put_uint(text, v) - text));
}
