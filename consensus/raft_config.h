/*
 * Section consensus.raft. Filled and freed by daemon/config; immutable. Milliseconds.
 * Source: ipfs-cluster 1.1.6 consensus/raft/config.go, hashicorp/raft ValidateConfig.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/peerid.h"

struct raft_config {
	char *data_folder; /* "": raft below the configuration folder */
	struct {           /* laid out as struct conf_list */
		struct peerid *v;
		size_t n;
	} init_peerset;
	int64_t wait_for_leader_timeout_ms;
	int64_t network_timeout_ms;
	int32_t commit_retries;
	int64_t commit_retry_delay_ms;
	int32_t backups_rotate;
	char *datastore_namespace;
	int64_t heartbeat_timeout_ms;
	int64_t election_timeout_ms;
	int64_t commit_timeout_ms;
	int32_t max_append_entries;
	uint64_t trailing_logs;
	int64_t snapshot_interval_ms;
	uint64_t snapshot_threshold;
	int64_t leader_lease_timeout_ms;
};
