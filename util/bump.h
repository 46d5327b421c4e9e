/*
 * Memory for the decoding of one message from outside: only grows, is freed as a whole, and refuses
 * to pass what it was given at the start. One thread at a time.
 */
#pragma once

#include <stddef.h>

struct bump_chunk;
struct bump {
	struct bump_chunk *chunks;
	size_t left; /* bytes that may still be asked for */
	int err;     /* -ENOMEM or -EFBIG after a refusal */
};

void *bump_alloc(struct bump *b, size_t n); /* aligned for any type; NULL sets err */
void bump_free_all(struct bump_chunk *chunks);
