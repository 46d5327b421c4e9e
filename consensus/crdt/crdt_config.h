/*
 * Section consensus.crdt. Filled and freed by daemon/config; immutable. Milliseconds.
 * Source: ipfs-cluster 1.1.6 consensus/crdt/config.go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/peerid.h"

struct crdt_config {
	char *cluster_name; /* the topic is made of it */
	struct {            /* laid out as struct conf_list */
		struct peerid *v;
		size_t n;
	} trusted_peers;        /* empty when trust_all */
	bool trust_all;         /* "*" was in the list */
	int64_t max_batch_size; /* operations; batching is on while this and the age are > 0 */
	int64_t max_batch_age_ms;
	int64_t max_queue_size;     /* of the reference; ours is on disk, and this has no effect */
	int64_t repair_interval_ms; /* 0: never */
	int64_t rebroadcast_interval_ms;
	char *peerset_metric;
	char *datastore_namespace;
};
