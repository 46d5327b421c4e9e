/*
 * A whole block of somebody else's: its delta goes into the set, and the heads follow. Blocks may
 * come in any order. At rest the heads are the merged blocks that no merged block links to, which
 * is kept by remembering the links whose block is not merged yet. Source: "Receiving" in
 * docs/formats.md.
 *
 * A large block is merged in parts, each a transaction of bounded size. Its bytes are stored first,
 * and until its last part it is among the wanted ones, so that it is neither a head nor forgotten;
 * after a crash it is begun again, and what is done already is passed over, with the same result.
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
	MERGE_END,
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
	const struct delta_entry **order; /* elements by key */
	uint64_t number;
	/* How far it is. A caller whose transaction failed puts the former place back. */
	struct merge_place place;
};

/* Decodes; any thread. @p are the bytes of @cid; both live until merge_close. -EBADMSG, -EFBIG: the
 * bytes are no block of ours. */
int merge_open(struct merge *m, const struct cid *cid, const uint8_t *p, size_t n, struct err *e);
/* Writer's thread. Merges as far as *budget goes, which is counted down: about the pages that are
 * dirtied. 1: it is merged (or was before), 0: more is to be done in another transaction, -errno.
 * @o may be NULL. */
int merge_step(struct merge *m, struct store_txn *t, size_t *budget, const struct set_observer *o);
void merge_close(struct merge *m);

/* All of it at once. 1: merged, 0: it was merged before. -EBADMSG also where @p has another CID. */
int merge_block(struct store_txn *t, const struct cid *cid, const uint8_t *p, size_t n,
		const struct set_observer *o, struct err *e);
