/*
 * What other members say of pins: CLUSTER_STATUS (one pin, on all of them) and CLUSTER_ERRORS (all
 * pins in error). Loop's thread. Private to cluster/.
 */
#pragma once

#include "cluster/cluster.h"
#include "types/rpc_types.h"

struct status_cache;

int status_cache_new(struct status_cache **ret);
void status_cache_free(struct status_cache *cache);

/* Unix nanoseconds, of any time that a peer may say; 0 where it says none. */
int64_t said_time_ns(const struct rpc_time *t);

void status_ask_start(struct cluster_request *rq);
void errors_ask_start(struct cluster_request *rq);
