/*
 * The chain of blocks that an import becomes: pins in the order of the dump, cut where the
 * reference cuts, so that equal input gives its head. Holds one block at a time. One thread at a
 * time. Source: "Import" in docs/formats.md.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"

struct chain;

/* Takes each block, from height 1 up; @data lives until it returns. */
typedef int (*chain_block_fn)(void *arg, const struct cid *cid, const void *data, size_t len,
			      uint64_t height);

int chain_new(chain_block_fn fn, void *arg, struct chain **ret);
void chain_free(struct chain *c);
/* The block with the pin will have the index (from 0) in @ret_block, and that plus one as height.
 */
int chain_add(struct chain *c, const struct cid *pin, const void *value, size_t len,
	      uint64_t *ret_block);
/* After the last. @ret_head is undefined where nothing was added. */
int chain_finish(struct chain *c, struct cid *ret_head, uint64_t *ret_height);
