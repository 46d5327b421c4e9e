#include "util/varint.h"

#include <errno.h>

size_t varint_put(uint8_t out[VARINT_MAX], uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		out[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	out[n++] = (uint8_t)v;
	return n;
}

size_t varint_len(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

int varint_get_long(const uint8_t *p, size_t n, int minimal, uint64_t *ret)
{
	size_t max = minimal ? VARINT_MULTIFORMATS_MAX : VARINT_MAX;
	uint64_t v = 0;

	for (size_t i = 0; i < n && i < max; i++) {
		uint64_t bits = p[i] & 0x7f;

		if (i == VARINT_MAX - 1 && p[i] > 1)
			return -EBADMSG;
		v |= bits << (7 * i);
		if (p[i] & 0x80)
			continue;
		if (minimal && i > 0 && p[i] == 0)
			return -EBADMSG;
		*ret = v;
		return (int)i + 1;
	}
	return -EBADMSG;
}
