#include "util/utf8.h"

#include <string.h>

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_len(const uint8_t *p, size_t n)
{
	uint8_t c = p[0];

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || n < 2 || !is_tail(p[1]))
		return 0;
	if (c < 0xe0)
		return 2;
	if (n < 3 || !is_tail(p[2]))
		return 0;
	if (c < 0xf0) {
		if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (c > 0xf4 || n < 4 || !is_tail(p[3]))
		return 0;
	if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
		return 0;
	return 4;
}

bool utf8_valid(const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t i = 0;

	while (i < n) {
		uint64_t eight;
		size_t len;

		if (n - i >= 8) {
			memcpy(&eight, p + i, 8);
			if (!(eight & 0x8080808080808080u)) {
				i += 8;
				continue;
			}
		}
		len = utf8_len(p + i, n - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

size_t utf8_clean(const void *data, size_t n, char *out, size_t cap)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	const uint8_t *p = data;
	size_t len = 0;

	for (size_t i = 0, step; i < n; i += step ? step : 1) {
		const void *piece = p + i;
		size_t take = step = utf8_len(p + i, n - i);

		if (step == 0) {
			piece = replacement;
			take = sizeof(replacement) - 1;
		}
		if (take > cap - len)
			break;
		if (out)
			memcpy(out + len, piece, take);
		len += take;
	}
	return len;
}

size_t utf8_put(char out[UTF8_MAX], uint32_t rune)
{
	if (rune < 0x80) {
		out[0] = (char)rune;
		return 1;
	}
	if (rune < 0x800) {
		out[0] = (char)(0xc0 | rune >> 6);
		out[1] = (char)(0x80 | (rune & 0x3f));
		return 2;
	}
	if (rune < 0x10000) {
		out[0] = (char)(0xe0 | rune >> 12);
		out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
		out[2] = (char)(0x80 | (rune & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | rune >> 18);
	out[1] = (char)(0x80 | (rune >> 12 & 0x3f));
	out[2] = (char)(0x80 | (rune >> 6 & 0x3f));
	out[3] = (char)(0x80 | (rune & 0x3f));
	return 4;
}
