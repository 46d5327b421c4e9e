#include "cluster/bloom.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BLOOM_BITS (8u * BLOOM_BYTES)
#define BLOOM_HASHES 7

struct bloom {
	uint64_t seed;
	uint8_t bits[BLOOM_BYTES];
};

struct bloom *bloom_new(void)
{
	struct bloom *b = calloc(1, sizeof(*b));

	if (b && getrandom(&b->seed, sizeof(b->seed), 0) != sizeof(b->seed)) {
		free(b);
		return NULL;
	}
	return b;
}

void bloom_free(struct bloom *b)
{
	free(b);
}

static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

/* The bits of an entry lie in steps of one half of its hash from the other half. */
static uint64_t hash(const struct bloom *b, uint8_t kind, const void *p, size_t n)
{
	const uint8_t *at = p;
	uint64_t h = mix(b->seed ^ kind ^ (uint64_t)n << 8);

	while (n > 0) {
		uint64_t word = 0;
		size_t k = n < sizeof(word) ? n : sizeof(word);

		memcpy(&word, at, k);
		h = mix(h ^ word);
		at += k;
		n -= k;
	}
	return h;
}

static uint32_t bit(uint64_t h, uint32_t i)
{
	return ((uint32_t)h + i * ((uint32_t)(h >> 32) | 1)) % BLOOM_BITS;
}

void bloom_add(struct bloom *b, uint8_t kind, const void *p, size_t n)
{
	uint64_t h = hash(b, kind, p, n);

	for (uint32_t i = 0; i < BLOOM_HASHES; i++)
		b->bits[bit(h, i) / 8] |= (uint8_t)(1u << bit(h, i) % 8);
}

bool bloom_has(const struct bloom *b, uint8_t kind, const void *p, size_t n)
{
	uint64_t h = hash(b, kind, p, n);

	for (uint32_t i = 0; i < BLOOM_HASHES; i++)
		if (!(b->bits[bit(h, i) / 8] & 1u << bit(h, i) % 8))
			return false;
	return true;
}
