#include "types/md5.h"

#include <math.h>
#include <string.h>

#define BLOCK 64
#define LENGTH_AT 56 /* in the last block: the bits of the message, 8 bytes */

static uint32_t rotate(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static uint32_t load(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Step @i of a block mixes word @k of it by @f. */
static void step(unsigned i, uint32_t b, uint32_t c, uint32_t d, uint32_t *f, unsigned *k)
{
	if (i < 16) {
		*f = (b & c) | (~b & d);
		*k = i;
	} else if (i < 32) {
		*f = (d & b) | (~d & c);
		*k = (5 * i + 1) % 16;
	} else if (i < 48) {
		*f = b ^ c ^ d;
		*k = (3 * i + 5) % 16;
	} else {
		*f = c ^ (b | ~d);
		*k = 7 * i % 16;
	}
}

static void mix(uint32_t state[4], const uint8_t *block)
{
	static const uint8_t turns[4][4] = {
		{ 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 }
	};
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

	for (unsigned i = 0; i < 64; i++) {
		uint32_t sine = (uint32_t)floor(fabs(sin((double)(i + 1))) * 4294967296.0);
		uint32_t f, next;
		unsigned k;

		step(i, b, c, d, &f, &k);
		next = b + rotate(a + f + sine + load(block + 4 * k), turns[i / 16][i % 4]);
		a = d;
		d = c;
		c = b;
		b = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

void md5(const void *p, size_t n, uint8_t out[MD5_BYTES])
{
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	uint8_t last[2 * BLOCK] = { 0 };
	const uint8_t *at = p;
	size_t left = n, padded;

	for (; left >= BLOCK; left -= BLOCK, at += BLOCK)
		mix(state, at);
	if (left > 0)
		memcpy(last, at, left);
	last[left] = 0x80;
	padded = left < LENGTH_AT ? BLOCK : 2 * BLOCK;
	for (unsigned i = 0; i < 8; i++)
		last[padded - 8 + i] = (uint8_t)((uint64_t)n * 8 >> 8 * i);
	for (size_t i = 0; i < padded; i += BLOCK)
		mix(state, last + i);
	for (unsigned i = 0; i < MD5_BYTES; i++)
		out[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
}
