/*
 * The replicated set: merging a delta, and making the tombstones of a removal. Functions of a write
 * transaction and bytes; no network, no queue.
 * Source: "Merge of one block" in docs/formats.md (go-ds-crdt 0.6.8).
 */
#pragma once

#include <stdbool.h>
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

/*
 * The steps of merging the delta of a block, which merge.c takes in this order: every tombstone is
 * remembered; then the value of each key named is made of what is left (the reference excludes all
 * ids named before one in the delta, and the last of a key stays); then the elements, key by key.
 */
int set_tombstone(struct store_txn *t, const struct delta_entry *en);
/* Once for each key. @o may be NULL, as below. *ret_read: bytes of blocks looked through. */
int set_recompute(struct store_txn *t, const struct delta_entry *en, const struct set_observer *o,
		  size_t *ret_read);
/* All elements of one key, in the order of the delta: each is compared with the state before the
 * delta, so the last that beats it stays, even if it is the smaller. Nothing where the elements of
 * this block are there already: a merge can be begun again. */
int set_key(struct store_txn *t, uint64_t number, uint64_t priority,
	    const struct delta_entry *const *group, size_t n, const struct set_observer *o);

/* The elements by key, and by their place where keys are equal. The caller frees. */
int set_order(const struct delta *d, const struct delta_entry ***ret);
int set_compare_keys(const struct delta_entry *a, const struct delta_entry *b);
bool set_same_key(const struct delta_entry *a, const struct delta_entry *b);
