/*
 * libsodium's random bytes replaced by given ones, for handshakes that are to give recorded bytes.
 * What is asked for beyond them is a constant. One thread, after sodium_init.
 */
#pragma once

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static struct {
	const uint8_t *p;
	size_t n;
} fixed_random_left;

static inline const char *fixed_random_name(void)
{
	return "fixed";
}

static inline void fixed_random_buf(void *const out, const size_t n)
{
	size_t given = n < fixed_random_left.n ? n : fixed_random_left.n;

	memset(out, 0x55, n);
	if (given == 0)
		return;
	memcpy(out, fixed_random_left.p, given);
	fixed_random_left.p += given;
	fixed_random_left.n -= given;
}

static inline uint32_t fixed_random_word(void)
{
	uint32_t v;

	fixed_random_buf(&v, sizeof(v));
	return v;
}

/* From here on the @n bytes at @p, which live as long as they are not used up, are drawn. */
static inline void fixed_random_give(const uint8_t *p, size_t n)
{
	static randombytes_implementation fixed = {
		.implementation_name = fixed_random_name,
		.random = fixed_random_word,
		.buf = fixed_random_buf,
	};

	fixed_random_left.p = p;
	fixed_random_left.n = n;
	randombytes_set_implementation(&fixed);
}

/* Back to the real ones. */
static inline void fixed_random_end(void)
{
	randombytes_set_implementation(&randombytes_sysrandom_implementation);
}
