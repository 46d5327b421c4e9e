/*
 * The replicated set: merging a delta, and making the tombstones of a removal. Functions of a write
 * transaction and bytes; no network, no queue.
 * Source: "Merge of one block" in docs/formats.md (go-ds-crdt 0.6.8).
 */
#pragma once

#include <stdint.h>

#include "consensus/crdt/delta.h"
#include "store/blocks.h"
#include "store/pinset.h"
#include "store/store.h"

/* Told for each key whose effective value a merge changed. */
struct set_observer {
	void (*put)(void *arg, const struct cid *cid, uint64_t serial);
	void (*del)(void *arg, const struct cid *cid, uint64_t serial);
	void *arg;
};

/* Merges the delta of block @number: tombstones first, then elements, with the reference's rules
 * for keys that stand in it more than once. @o may be NULL. */
int set_merge(struct store_txn *t, uint64_t number, const struct delta *d,
	      const struct set_observer *o);
