/*
 * A whole block of somebody else's: its delta goes into the set, and the heads follow. Blocks may
 * come in any order. At rest the heads are the merged blocks that no merged block links to, which
 * is kept by remembering the links whose block is not merged yet. Source: "Receiving" in
 * docs/formats.md.
 *
 * Blocks that are here together are merged together: the elements of all of them in the order of
 * their keys, so that neighbours share pages of the store, whatever order they were pinned in. That
 * goes in parts, each a transaction of bounded size. The bytes of a block are stored first, and
 * until its end it is among the wanted ones, so that it is neither a head nor forgotten; after a
 * crash it is begun again, and what is done already is passed over, with the same result.
 */
#pragma once

#include "consensus/crdt/set.h"
#include "types/cid.h"
#include "util/err.h"

enum merge_stage {
	MERGE_BEGIN,
	MERGE_TOMBSTONES,
	MERGE_RECOMPUTE,
	MERGE_ELEMENTS,
	MERGE_DONE,
};

struct merge_place {
	enum merge_stage stage;
	size_t at; /* entries of the stage that are done */
};

struct merge {
	const struct cid *cid;
	const uint8_t *p;
	size_t n;
	struct block block;
	const struct delta_entry **order;    /* elements by key */
	const struct set_observer *observer; /* set by the caller; may be NULL */
	uint64_t number;
	/* How far it is. A caller whose transaction failed puts the former place back. */
	struct merge_place place;
};

/* Decodes; any thread. @p are the bytes of @cid; both live until merge_close. -EBADMSG, -EFBIG: the
 * bytes are no block of ours. */
int merge_open(struct merge *m, const struct cid *cid, const uint8_t *p, size_t n, struct err *e);
/* Writer's thread. Merges @set as far as *budget goes, which is counted down: about the pages that
 * are dirtied. 0 whether they are done or more is to be done in another transaction; -errno, and
 * *ret_culprit is the one that failed. */
int merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
	       struct merge **ret_culprit);
size_t merge_entries(const struct merge *m); /* elements and tombstones */
size_t merge_bytes(const struct merge *m);   /* of memory that it holds */
bool merge_is_done(const struct merge *m);   /* also where it was before */
void merge_close(struct merge *m);

/* All of it at once. 1: merged, 0: it was merged before. -EBADMSG also where @p has another CID. */
int merge_block(struct store_txn *t, const struct cid *cid, const uint8_t *p, size_t n,
		const struct set_observer *o, struct err *e);
