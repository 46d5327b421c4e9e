/*
 * Unsigned varints (LEB128), as multiformats and protobuf use them. Pure functions.
 * Source: multiformats unsigned-varint; vectors/varint.json.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX 10             /* bytes of the longest 64-bit varint */
#define VARINT_MULTIFORMATS_MAX 9 /* and of the longest that multiformats allow: 63 bits */

size_t varint_put(uint8_t out[VARINT_MAX], uint64_t v); /* bytes written */
size_t varint_len(uint64_t v);
int varint_get_long(const uint8_t *p, size_t n, int minimal, uint64_t *ret); /* private */

/* Reads one varint of at most 64 bits from the @n bytes at @p. Returns the bytes read, -EBADMSG
 * when cut, over 64 bits, or (multiformats only, @minimal) over 63 bits or not in the shortest
 * form. Inlined, since almost every varint is one byte. */
static inline int varint_get(const uint8_t *p, size_t n, int minimal, uint64_t *ret)
{
	if (n == 0 || p[0] >= 0x80)
		return varint_get_long(p, n, minimal, ret);
	*ret = p[0];
	return 1;
}
