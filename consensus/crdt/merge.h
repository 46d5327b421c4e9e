/*
 * A whole block of somebody else's: its delta goes into the set, and the heads follow. Blocks may
 * come in any order. At rest the heads are the merged blocks that no merged block links to, which
 * is kept by remembering the links whose block is not merged yet. Source: "Receiving" in
 * docs/formats.md. Writer's thread.
 */
#pragma once

#include "consensus/crdt/set.h"
#include "types/cid.h"
#include "util/err.h"

/* 1: merged, 0: it was merged before. -EBADMSG: the bytes are no block, or not of this CID. */
int merge_block(struct store_txn *t, const struct cid *cid, const uint8_t *p, size_t n,
		const struct set_observer *o, struct err *e);
