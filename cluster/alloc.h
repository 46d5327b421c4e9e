/*
 * The balanced allocator: which peers shall pin. A pure function of metrics, so that the
 * reference's results are reproduced (vectors/cluster-allocator.json); where the reference leaves
 * an order open, lower IDs go first. Any thread.
 * Source: ipfs-cluster 1.1.6 allocate.go, allocator/balanced, util.go; "Allocation" in
 * docs/formats.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "types/cid.h"
#include "types/metric.h"
#include "types/peerid.h"
#include "util/err.h"

#define ALLOC_METRICS_MAX 8 /* names in allocate_by */

struct alloc_peer {
	struct peerid peer;
	/* One metric of each name of allocate_by, in its order; candidates without all of them do
	 * not come this far. */
	const struct metric *metrics;
};

struct alloc_request {
	int32_t min, max; /* after defaults; both -1: allocated everywhere, nothing to pick */
	size_t n_metrics; /* names in allocate_by, at most ALLOC_METRICS_MAX */
	/* Peers that can be allocated, in any order, without those that are blacklisted. */
	const struct alloc_peer *peers;
	size_t n_peers;
	const struct peerid *current; /* allocations of the existing pin */
	size_t n_current;
	const struct peerid *priority; /* user_allocations */
	size_t n_priority;
};

/* On 0 the caller frees *ret (NULL and 0: everywhere). Enough of the existing allocations among the
 * peers: they are all left as they were (*ret_kept), also those that are not; too many, the first
 * @max of them; too few, what is left of them and new ones. -ENOSPC with the reference's text in
 * words: too few peers. */
int alloc_pick(const struct alloc_request *rq, struct peerid **ret, size_t *ret_n, bool *ret_kept,
	       struct err *e);

/* Whether none of @v is closer to @cid than @self, by the distance of BLAKE2b-256 hashes: one of
 * all peers does what only one needs to do. */
bool alloc_is_closest(const struct cid *cid, const struct peerid *self, const struct peerid *v,
		      size_t n);
