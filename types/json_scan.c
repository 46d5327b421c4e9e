#include "types/json_scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/utf8.h"

#define REPLACEMENT 0xfffd

static void position(const struct scan *s, size_t at, uint64_t *line, uint64_t *column)
{
	*line = s->line;
	*column = s->column;
	for (size_t i = 0; i < at && i < s->n; i++) {
		++*column;
		if (s->text[i] == '\n') {
			++*line;
			*column = 1;
		}
	}
}

int scan_fail(const struct scan *s, int code, size_t at, const char *fmt, ...)
{
	uint64_t line, column;
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	position(s, at, &line, &column);
	return err_set(s->e, code, "line %llu, column %llu: %s", (unsigned long long)line,
		       (unsigned long long)column, reason);
}

/* The byte that was met instead of what was expected. */
static int unexpected(const struct scan *s, const char *expected)
{
	unsigned char c;

	if (s->at >= s->n)
		return scan_fail(s, -EINVAL, s->at, "the text ends where %s was expected",
				 expected);
	c = (unsigned char)s->text[s->at];
	if (c > ' ' && c < 0x7f)
		return scan_fail(s, -EINVAL, s->at, "'%c' where %s was expected", c, expected);
	return scan_fail(s, -EINVAL, s->at, "byte 0x%02x where %s was expected", c, expected);
}

enum scan_kind scan_peek(struct scan *s)
{
	while (s->at < s->n) {
		char c = s->text[s->at];

		if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
			s->at++;
			continue;
		}
		if (c == '"')
			return SCAN_STRING;
		if (c == '{')
			return SCAN_OBJECT;
		if (c == '[')
			return SCAN_ARRAY;
		if (c == '-' || (c >= '0' && c <= '9'))
			return SCAN_NUMBER;
		if (c == 'n')
			return SCAN_NULL;
		return c == 't' || c == 'f' ? SCAN_BOOL : SCAN_END;
	}
	return SCAN_END;
}

static int literal(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n - s->at < n || memcmp(s->text + s->at, word, n) != 0)
		return unexpected(s, word);
	s->at += n;
	return 0;
}

int scan_null(struct scan *s)
{
	scan_peek(s);
	return literal(s, "null");
}

static bool digit_at(const struct scan *s)
{
	return s->at < s->n && s->text[s->at] >= '0' && s->text[s->at] <= '9';
}

static bool accept(struct scan *s, char c)
{
	if (s->at == s->n || s->text[s->at] != c)
		return false;
	s->at++;
	return true;
}

static int digits(struct scan *s)
{
	if (!digit_at(s))
		return unexpected(s, "a digit");
	while (digit_at(s))
		s->at++;
	return 0;
}

int scan_number(struct scan *s, struct scan_token *ret)
{
	int r = 0;

	if (scan_peek(s) != SCAN_NUMBER)
		return unexpected(s, "a number");
	ret->p = s->text + s->at;
	accept(s, '-');
	if (!accept(s, '0'))
		r = digits(s);
	if (r == 0 && accept(s, '.'))
		r = digits(s);
	if (r == 0 && (accept(s, 'e') || accept(s, 'E'))) {
		if (!accept(s, '+'))
			accept(s, '-');
		r = digits(s);
	}
	ret->n = (size_t)(s->text + s->at - ret->p);
	ret->plain = true;
	return r;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at @p, or -1. */
static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int d = hex_value(p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static int skip_escape(struct scan *s)
{
	size_t start = s->at++;

	if (s->at == s->n)
		return unexpected(s, "the rest of a string");
	if (s->text[s->at] == 'u') {
		if (s->n - s->at < 5 || hex4(s->text + s->at + 1) < 0)
			return scan_fail(s, -EINVAL, start, "a \\u without four hex digits");
		s->at += 5;
		return 0;
	}
	if (s->text[s->at] == 0 || !strchr("\"\\/bfnrt", s->text[s->at]))
		return scan_fail(s, -EINVAL, start, "an unknown escape in a string");
	s->at++;
	return 0;
}

int scan_string(struct scan *s, struct scan_token *ret)
{
	bool escapes = false;

	if (scan_peek(s) != SCAN_STRING)
		return unexpected(s, "a string");
	ret->p = s->text + ++s->at;
	for (;;) {
		unsigned char c;

		if (s->at == s->n)
			return unexpected(s, "the end of a string");
		c = (unsigned char)s->text[s->at];
		if (c == '"')
			break;
		if (c < ' ')
			return unexpected(s, "an escape");
		if (c == '\\') {
			int r = skip_escape(s);

			if (r < 0)
				return r;
			escapes = true;
		} else {
			s->at++;
		}
	}
	ret->n = (size_t)(s->text + s->at++ - ret->p);
	ret->plain = !escapes && utf8_valid(ret->p, ret->n);
	return 0;
}

int scan_member(struct scan *s, bool *first, struct scan_token *ret_key)
{
	int r;

	scan_peek(s);
	if (*first && !accept(s, '{'))
		return unexpected(s, "an object");
	scan_peek(s);
	if (accept(s, '}'))
		return 0;
	if (!*first && !accept(s, ','))
		return unexpected(s, "',' or '}'");
	*first = false;
	r = scan_string(s, ret_key);
	if (r < 0)
		return r;
	scan_peek(s);
	return accept(s, ':') ? 1 : unexpected(s, "':'");
}

int scan_element(struct scan *s, bool *first)
{
	scan_peek(s);
	if (*first && !accept(s, '['))
		return unexpected(s, "an array");
	scan_peek(s);
	if (accept(s, ']'))
		return 0;
	if (!*first && !accept(s, ','))
		return unexpected(s, "',' or ']'");
	*first = false;
	return 1;
}

/* One value that is no array or object. */
static int skip_scalar(struct scan *s)
{
	struct scan_token ignored;

	switch (scan_peek(s)) {
	case SCAN_NULL:
		return literal(s, "null");
	case SCAN_BOOL:
		return literal(s, s->text[s->at] == 't' ? "true" : "false");
	case SCAN_NUMBER:
		return scan_number(s, &ignored);
	case SCAN_STRING:
		return scan_string(s, &ignored);
	case SCAN_ARRAY:
	case SCAN_OBJECT:
	case SCAN_END:
		break;
	}
	return unexpected(s, "a value");
}

int scan_skip(struct scan *s)
{
	bool in_object[SCAN_DEPTH_MAX];
	size_t depth = 0;
	bool first = false;

	do {
		struct scan_token key;
		int more = 1;

		/* To the next value of the innermost array or object, or behind its end. */
		if (depth > 0)
			more = in_object[depth - 1] ? scan_member(s, &first, &key)
						    : scan_element(s, &first);
		if (more < 0)
			return more;
		if (more == 0) {
			depth--;
			first = false;
			continue;
		}
		first = scan_peek(s) == SCAN_OBJECT || scan_peek(s) == SCAN_ARRAY;
		if (first) {
			if (depth == SCAN_DEPTH_MAX)
				return scan_fail(s, -EINVAL, s->at, "nested too deeply");
			in_object[depth++] = scan_peek(s) == SCAN_OBJECT;
		} else if ((more = skip_scalar(s)) < 0) {
			return more;
		}
	} while (depth > 0);
	return 0;
}

int scan_finish(struct scan *s)
{
	scan_peek(s);
	return s->at == s->n ? 0 : unexpected(s, "the end of the text");
}

/* The character of the escape at @p, a complete one; *ret_len is its length. A pair of surrogates
 * is one, every other surrogate is U+FFFD. */
static uint32_t unescape(const char *p, const char *end, size_t *ret_len)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *found;
	int unit, low;

	*ret_len = 2;
	if (p[1] != 'u') {
		found = strchr(from, p[1]);
		return (unsigned char)(found ? to[found - from] : p[1]);
	}
	*ret_len = 6;
	unit = hex4(p + 2);
	if (unit < 0xd800 || unit > 0xdfff)
		return (uint32_t)unit;
	low = unit < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return REPLACEMENT;
	*ret_len = 12;
	return 0x10000u + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
}

size_t scan_unquote(const struct scan_token *t, char *out)
{
	const char *p = t->p, *end = t->p + t->n;
	char *start = out;

	while (p < end) {
		size_t len;

		if (*p == '\\') {
			out += utf8_put(out, unescape(p, end, &len));
			p += len;
			continue;
		}
		len = utf8_len((const uint8_t *)p, (size_t)(end - p));
		if (len == 0) {
			out += utf8_put(out, REPLACEMENT);
			p++;
			continue;
		}
		memcpy(out, p, len);
		out += len;
		p += len;
	}
	return (size_t)(out - start);
}
