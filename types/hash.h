/* Hashes of bytes, for names of things; the home of their library is here and in net/. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Before everything that hashes, makes keys or random numbers. -EIO. Any thread, any number of
 * times. */
int hash_init(void);
/* BLAKE2b of @size bytes (16 to 64). */
void hash_blake2b(void *out, size_t size, const void *p, size_t n);
/* For hash tables in memory: SipHash with a key chosen at the start of the process. */
uint64_t hash_short(const void *p, size_t n);
