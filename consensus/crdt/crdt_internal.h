/*
 * What the files of the engine share: crdt.c carries out operations, crdt_net.c is what other peers
 * make of it. Not for others.
 */
#pragma once

#include <stdatomic.h>

#include "consensus/crdt/announce.h"
#include "consensus/crdt/crdt.h"
#include "consensus/crdt/dag.h"
#include "consensus/crdt/heard.h"
#include "util/container.h"

struct crdt {
	struct consensus base;
	struct store *store;
	const struct crdt_config *cfg;
	const struct consensus_events *events;
	struct consensus_op *queue, **queue_tail;
	uv_timer_t cut_timer; /* crdt.batching: the age of the oldest pending operation */
	bool cut_due;
	uv_timer_t resume_timer; /* an import or a large batch that is certain, but not finished */
	unsigned resume_ms;      /* until the next try after a failure */
	bool resume_due;

	/* the batch under way */
	struct store_batch batch;
	bool busy;
	struct consensus_op *group;
	bool cut;         /* the batch makes deltas of what is pending */
	bool new_heads;   /* it has made one */
	bool cut_changed; /* cutting changed what is shown */
	uint64_t pending_after;

	/* among others; NULL: alone */
	struct dag *dag;
	struct announce *announce;
	uv_timer_t repair_timer;
	struct heard heard;
	void (*net_closed)(struct crdt *c);
	atomic_bool among; /* other trusted peers are known */

	void (*closed)(void *arg);
	void *closed_arg;
	bool closing, ending; /* ending: nothing of the network reaches it any more */
};

static inline struct crdt *crdt_of(struct consensus *base)
{
	return container_of(base, struct crdt, base);
}

/* crdt_net.c: ends announcing, then fetching, then the repair. */
void crdt_net_close(struct crdt *c, void (*closed)(struct crdt *c));
