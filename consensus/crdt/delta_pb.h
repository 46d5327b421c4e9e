/*
 * The protobuf of a delta, which is the data of a block. For delta.c and block.c only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "consensus/crdt/delta.h"

/* Memory for the decoding of one block: only grows, is freed as a whole, and refuses to pass what
 * it was given at the start. */
struct bump_chunk;
struct bump {
	struct bump_chunk *chunks;
	size_t left; /* bytes that may still be asked for */
	int err;     /* -ENOMEM or -EFBIG after a refusal */
};

void *bump_alloc(struct bump *b, size_t n); /* aligned for any type; NULL sets err */
void bump_free_all(struct bump_chunk *chunks);

/* Bytes of the encoded delta, and the encoding itself. */
size_t delta_pb_size(const struct delta *d);
int delta_pb_append(const struct delta *d, struct buf *out);
/* Everything in @ret is memory of @b. -EBADMSG, -EFBIG, -ENOMEM. */
int delta_pb_decode(const uint8_t *p, size_t n, struct bump *b, struct delta *ret, struct err *e);
