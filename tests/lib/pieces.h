/* Cutting bytes into pieces of sizes that look random and are the same in each run. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint32_t pieces_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* The size of the next piece of @n > 0 bytes: mostly small, now and then everything. */
static inline size_t pieces_next(uint32_t *seed, size_t n)
{
	size_t most = pieces_random(seed) % 8 == 0 ? n : pieces_random(seed) % 64 + 1;

	if (most > n)
		most = n;
	return pieces_random(seed) % most + 1;
}
