/*
 * The crdt engine of one peer: turns operations into deltas. Operations that wait share one
 * transaction and one delta. Loop's thread.
 */
#pragma once

#include "consensus/consensus.h"
#include "consensus/crdt/crdt_config.h"

/* @events and @cfg live as long as the engine. */
int crdt_new(struct store *s, uv_loop_t *loop, const struct crdt_config *cfg,
	     const struct consensus_events *events, struct consensus **ret, struct err *e);
