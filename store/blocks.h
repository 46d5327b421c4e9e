/*
 * Blocks of the CRDT's DAG, its heads, and the elements and tombstones of each key. Blocks have
 * numbers here, so that an element takes few bytes; a number may exist before its block arrives.
 * Source: "Store" in docs/formats.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "types/cid.h"

/* Identity of a block: the digest of its sha2-256 multihash, or a hash of any other text that a
 * peer used as an element's id. */
struct block_id {
	uint8_t bytes[33];
};

struct block_row {
	uint64_t number, height;
	bool stored;         /* its bytes are here */
	bool merged;         /* its delta is in the set */
	struct cid cid;      /* undefined for ids that are no block's */
	const uint8_t *data; /* as long as the transaction; until its next change when writing */
	size_t len;
};

void block_id_of_cid(const struct cid *block, struct block_id *ret);
void block_id_of_text(const char *id, size_t n, struct block_id *ret); /* "/" + base32 */

int blocks_find(const struct store_txn *t, const struct block_id *id, struct block_row *ret);
int blocks_row(const struct store_txn *t, uint64_t number, struct block_row *ret);
/* Any block by CID, for serving it. */
int blocks_get(const struct store_txn *t, const struct cid *cid, struct block_row *ret);
/* The number of an id, made when it has none. */
int blocks_number(struct store_txn *t, const struct block_id *id, uint64_t *ret);
/* Stores a block, if its bytes are not here yet. It counts as merged unless it is wanted. */
int blocks_put(struct store_txn *t, const struct cid *cid, const uint8_t *data, size_t len,
	       uint64_t height, uint64_t *ret_number);
/* For our own blocks: a number before the block's bytes, and so its CID, are known. */
uint64_t blocks_reserve(struct store_txn *t);
int blocks_put_reserved(struct store_txn *t, uint64_t number, const struct cid *cid,
			const uint8_t *data, size_t len, uint64_t height);

/* Heads in order of their numbers, from above @after. -ENOENT at the end. */
int heads_next(const struct store_txn *t, uint64_t *after, uint64_t *ret_height);
int heads_has(const struct store_txn *t, uint64_t number); /* 1, 0 or -errno */
int heads_put(struct store_txn *t, uint64_t number, uint64_t height);
int heads_del(struct store_txn *t, uint64_t number);
int heads_count(const struct store_txn *t, uint64_t *ret);

/* Blocks to be merged: what merged ones link to, and what was begun and has more parts. A block is
 * merged when its bytes are here and it is not among these. */
int wanted_put(struct store_txn *t, uint64_t number, bool linked);
int wanted_del(struct store_txn *t, uint64_t number); /* 1: a merged block links to it; 0, -errno */
int wanted_next(const struct store_txn *t, uint64_t *after); /* -ENOENT at the end */
int wanted_count(const struct store_txn *t, uint64_t *ret);

int elements_add(struct store_txn *t, uint64_t kid, uint64_t block);
int elements_del(struct store_txn *t, uint64_t kid, uint64_t block); /* 0 also when not there */
int tombstones_add(struct store_txn *t, uint64_t kid, uint64_t block);
int elements_has(const struct store_txn *t, uint64_t kid, uint64_t block);   /* 1, 0, -errno */
int tombstones_has(const struct store_txn *t, uint64_t kid, uint64_t block); /* the same */
/* Elements of a key in order of block numbers, from above @after. -ENOENT at the end. */
int elements_next(const struct store_txn *t, uint64_t kid, uint64_t *after);
int tombstones_next(const struct store_txn *t, uint64_t kid, uint64_t *after);

/* Operations that wait for their delta (crdt.batching), in order. */
int pending_next(const struct store_txn *t, uint64_t after, uint64_t *ret_seq, const void **ret,
		 size_t *ret_len);
int pending_add(struct store_txn *t, const void *p, size_t n);
int pending_clear(struct store_txn *t);
