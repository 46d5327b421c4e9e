/*
 * Frames of uvarint length and bytes, as identify, gossip and bitswap use them: cut from a stream
 * as its bytes arrive. One thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

struct frame_reader {
	size_t max; /* bytes of one frame */
	struct buf body;
	uint8_t head[4];
	size_t n_head, want;
};

void frame_reader_init(struct frame_reader *r, size_t max);
void frame_reader_clear(struct frame_reader *r);
/* Hands out each complete frame; a negative return ends the feed with it. -EFBIG, -EPROTO (a length
 * that is not minimal or has more than 4 bytes): final. */
int frame_feed(struct frame_reader *r, const uint8_t *p, size_t n,
	       int (*fn)(void *arg, const uint8_t *frame, size_t n), void *arg, struct err *e);
int frame_write(const void *p, size_t n, struct buf *out);
