/*
 * A whole pinset at once: spooled, hashed into a chain of blocks by a thread of its own while it
 * comes in, then loaded.
 *
 * "replace" makes the chain the whole history. "update" and "merge" write the differences as a list
 * of operations into a file, set a mark, and apply the list as ordinary deltas in transactions of
 * bounded size, each of which moves the mark: from the mark on it is certain. A failure is
 * -EINPROGRESS then, and is followed by the rest as soon as that works, a crash at the next start.
 */
#pragma once

#include <stdatomic.h>

#include "consensus/consensus.h"

/* @among: other trusted peers are known (NULL: they are not), looked at when it is committed; their
 * history would undo a "replace". Lives as long as the loader. */
int crdt_load_new(struct store *s, const atomic_bool *among, struct consensus_loader **ret);

/* load_update.c. Writer's thread, but for _compare. @bulk is sealed. */

/* Counts the differences for any method. Any thread that may block. */
int crdt_load_compare(struct store *s, struct bulk *bulk, struct consensus_load *ld);
int crdt_load_update(struct store *s, struct bulk *bulk, struct consensus_load *ld, struct err *e);
/* The same for changes that are made up now. */
int crdt_load_many(struct store *s, const struct consensus_many *m, struct err *e);
/* Goes on with what a failure or a crash interrupted; 0 also when there is nothing. */
int crdt_load_resume(struct store *s);
