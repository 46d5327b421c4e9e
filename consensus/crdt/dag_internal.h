/*
 * What the files of the walk share: dag.c asks for blocks, dag_merge.c merges them and tells what
 * changed. Not for others.
 */
#pragma once

#include <pthread.h>

#include "consensus/crdt/dag.h"
#include "consensus/crdt/fetch.h"

struct dag_change {
	struct cid cid;
	uint64_t serial;
	bool removed;
};

struct dag {
	struct store *store;
	const struct consensus_events *events;
	const struct crdt_net *net;
	struct fetches fetches;
	uint64_t place;      /* in the list of wanted blocks */
	uint64_t generation; /* of the tables that the fetches are for */
	struct cid *last;    /* the heads heard last */
	size_t n_last;

	/* merging; while busy, what is of the batch is the writer's */
	struct store_batch batch;
	bool busy;
	struct fetch *culprit; /* merging it failed */
	struct dag_change changes[DAG_PART];
	size_t n_changes;
	bool flood; /* changes that were not told one by one */
	int64_t told_ms;
	bool full; /* the last batch failed; the next one is due at again_ms */
	int64_t again_ms;

	uv_timer_t timer;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;

	pthread_mutex_t lock; /* of what follows */
	struct crdt_sync state;
};

/* dag.c: asks for what there is place for, and merges what is here. */
void dag_refill(struct dag *d);
void dag_bad(struct dag *d, struct fetch *f, const struct err *why);
void dag_count(struct dag *d, unsigned merged, unsigned failed);
/* A batch has ended: closing goes on. */
void dag_idle(struct dag *d);

/* dag_merge.c: gives the writer what has arrived, unless it has some. */
void dag_merge(struct dag *d);
