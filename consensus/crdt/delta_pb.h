/*
 * The protobuf of a delta, which is the data of a block. For delta.c and block.c only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "consensus/crdt/delta.h"
#include "util/bump.h"

/* Bytes of the encoded delta, and the encoding itself. */
size_t delta_pb_size(const struct delta *d);
int delta_pb_append(const struct delta *d, struct buf *out);
/* Everything in @ret is memory of @b. -EBADMSG, -EFBIG, -ENOMEM. */
int delta_pb_decode(const uint8_t *p, size_t n, struct bump *b, struct delta *ret, struct err *e);
