/*
 * Operations acknowledged before their delta (crdt.batching): durable and visible at once, in
 * order, until the delta is cut. Writer's thread.
 */
#pragma once

#include "consensus/consensus.h"
#include "store/store.h"

/* Stores the change and shows its effect; fills its serial and whether anything changed. */
int pending_apply(struct store_txn *t, struct consensus_change *ch);
/* Makes deltas of all that is pending: the last operation of each CID counts. */
int pending_cut(struct store_txn *t);
