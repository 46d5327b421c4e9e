/*
 * A delta of our own: built while it is applied, so that what comes later in the same transaction
 * sees what came before. A key stands in it at most once. Writer's thread. Source: "Local writes"
 * in docs/formats.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "types/cid.h"
#include "util/buf.h"

struct local_entry; /* offsets into text */

struct local_delta {
	struct store_txn *t;
	uint64_t number; /* of the block to be, from its first entry on */
	uint64_t height;
	struct cid *links;
	size_t n_links;
	uint64_t last_link; /* number of the last block linked to; links are in this order */
	struct local_entry *entries;
	size_t n_entries, cap_entries;
	struct buf text;
	uint64_t *seen; /* hashes of the keys in it, open addressing */
	size_t cap_seen;
	size_t size; /* encoded bytes so far, as the reference counts them */
};

/* Begins on the present heads. */
int local_begin(struct local_delta *d, struct store_txn *t);
/* May say so of a key that is not in it, very rarely: the caller then cuts, which is always right.
 */
bool local_has(const struct local_delta *d, const struct cid *cid);
/* True when the reference would cut the delta now. */
bool local_full(const struct local_delta *d);
/* Makes the block of what is in it, and goes on with a new delta. */
int local_cut(struct local_delta *d);
/* Sets the pin; @ret_serial is its row. @rank as in pinset_set. */
int local_put(struct local_delta *d, const struct cid *cid, const void *value, size_t len,
	      uint8_t rank, uint64_t *ret_serial);
/* Removes what is seen of the key. 1: done, 0: there was nothing. @ret_serial: the row it had. */
int local_del(struct local_delta *d, const struct cid *cid, uint64_t *ret_serial);
/* Makes the block and the new head. Nothing happens when nothing was put or removed. */
int local_finish(struct local_delta *d, struct cid *ret_head);
void local_clear(struct local_delta *d);
