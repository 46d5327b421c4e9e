#include "bench/cids.h"

#include <stddef.h>
#include <string.h>

#define CID_BYTES 36

/* SplitMix64: one step of the sequence per number. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

void bench_cid(uint64_t n, char out[BENCH_CID_LEN + 1])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t bytes[CID_BYTES] = { 0x01, 0x55, 0x12, 0x20 };
	unsigned bits = 0, have = 0;
	char *p = out;

	for (size_t i = 0; i < 4; i++) {
		uint64_t word = mix(4 * n + i);

		memcpy(bytes + 4 + 8 * i, &word, sizeof(word));
	}
	*p++ = 'b';
	for (size_t i = 0; i < CID_BYTES; i++) {
		bits = bits << 8 | bytes[i];
		for (have += 8; have >= 5; have -= 5)
			*p++ = alphabet[bits >> (have - 5) & 31];
	}
	if (have > 0)
		*p++ = alphabet[bits << (5 - have) & 31];
	*p = '\0';
}
