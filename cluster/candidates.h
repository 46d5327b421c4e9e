/*
 * Candidates: a picture of the cluster in which allocations are decided. Taken from the monitor on
 * the loop's thread, read by the writer's, where pins are decided; it never changes.
 *
 * A candidate is a peer with a valid metric of every name in allocate_by; which peers may be
 * candidates can depend on whether they are trusted. A peer that knows no other is its own only
 * candidate, whatever its metrics: it takes pins before Kubo has answered, or when it is full.
 * Source: ipfs-cluster 1.1.6 allocate.go; "Allocation" in docs/formats.md.
 */
#pragma once

#include <stdatomic.h>

#include "cluster/alloc.h"
#include "cluster/cluster_config.h"
#include "cluster/monitor.h"
#include "util/bump.h"

#define CANDIDATES_AGE_NS 1000000000LL /* after that a picture is taken anew in any case */
#define CANDIDATES_BYTES_MAX (64u << 20)

struct candidates_options {
	struct peerid self;
	struct monitor *monitor; /* NULL: there is no network */
	/* With a monitor: */
	const char *alive;                     /* who has a valid one is a member: peerset_metric */
	const struct allocator_config *config; /* 1 to ALLOC_METRICS_MAX names in allocate_by */
	bool trusted_only, untrusted_only;
	bool (*is_trusted)(void *arg, const struct peerid *peer); /* NULL: all are */
	void *arg;
};

struct candidates_view {
	size_t n_metrics;
	struct alloc_peer *peers; /* the candidates */
	size_t n_peers;
	struct peerid *members; /* who is alive, and this peer; by ID */
	size_t n_members;

	/* private */
	atomic_uint users;
	struct bump memory; /* of the candidates */
};

struct candidates;

int candidates_new(const struct candidates_options *opt, struct candidates **ret);
void candidates_free(struct candidates *c);

/* The picture at @now_ns, the last one where nothing changed. Loop's thread. On 0 the caller gives
 * *ret back. -ENOMEM, -EFBIG. */
int candidates_view(struct candidates *c, int64_t now_ns, struct candidates_view **ret);
/* NULL is allowed. Any thread. */
void candidates_view_put(struct candidates_view *v);
