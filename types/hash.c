#include "types/hash.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>

static uint8_t short_key[crypto_shorthash_KEYBYTES];
static pthread_once_t short_once = PTHREAD_ONCE_INIT;

static void make_short_key(void)
{
	randombytes_buf(short_key, sizeof(short_key));
}

int hash_init(void)
{
	return sodium_init() < 0 ? -EIO : 0;
}

void hash_blake2b(void *out, size_t size, const void *p, size_t n)
{
	crypto_generichash(out, size, p, n, NULL, 0);
}

uint64_t hash_short(const void *p, size_t n)
{
	uint64_t h;

	pthread_once(&short_once, make_short_key);
	crypto_shorthash((uint8_t *)&h, p, n, short_key);
	return h;
}
