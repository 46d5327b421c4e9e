#include "daemon/conf_tables.h"

#include <errno.h>

#include "util/duration.h"

static const struct conf_range at_least_5ms = { 5 * DURATION_MS, INT64_MAX, ">= 5ms" };
static const struct conf_range at_least_1ms = { DURATION_MS, INT64_MAX, ">= 1ms" };
static const struct conf_range append_entries = { 1, 1024, "from 1 to 1024" };

static const struct conf_key batching_keys[] = {
	FIELD("max_batch_size", CONF_INT64, 0, crdt_config, max_batch_size,
	      .range = &conf_not_negative),
	FIELD("max_batch_age", CONF_DURATION, CONF_LENIENT, crdt_config, max_batch_age_ms),
	FIELD("max_queue_size", CONF_INT64, CONF_ZERO_DEFAULT | CONF_OPTIONAL, crdt_config,
	      max_queue_size, .range = &conf_positive, .def = "50000"),
	NO_MORE_KEYS,
};

static const struct conf_key crdt_keys[] = {
	FIELD("cluster_name", CONF_STRING, CONF_ZERO_DEFAULT, crdt_config, cluster_name,
	      .def = "\"ipfs-cluster\""),
	FIELD("trusted_peers", CONF_VALUES, CONF_ZERO, crdt_config, trusted_peers,
	      .codec = &conf_peerid, .def = "[\"*\"]"),
	KEY("batching", CONF_OBJECT, 0, .sub = batching_keys),
	FIELD("repair_interval", CONF_DURATION, CONF_LENIENT, crdt_config, repair_interval_ms,
	      .range = &conf_not_negative, .def = "\"1h0m0s\""),
	FIELD("rebroadcast_interval", CONF_DURATION, CONF_LENIENT | CONF_OPTIONAL, crdt_config,
	      rebroadcast_interval_ms, .range = &conf_positive, .def = "\"1m0s\""),
	FIELD("peerset_metric", CONF_STRING, CONF_ZERO_DEFAULT | CONF_OPTIONAL, crdt_config,
	      peerset_metric, .def = "\"ping\""),
	FIELD("datastore_namespace", CONF_STRING, CONF_ZERO_DEFAULT | CONF_OPTIONAL, crdt_config,
	      datastore_namespace, .def = "\"/c\""),
	NO_MORE_KEYS,
};

static int crdt_check(void *conf, struct err *e)
{
	struct crdt_config *c = conf;
	size_t i;

	for (i = 0; i < c->trusted_peers.n; i++) {
		if (c->trusted_peers.v[i].len == 0)
			c->trust_all = true;
	}
	if (c->trust_all)
		c->trusted_peers.n = 0;
	return 0;
}

const struct conf_section conf_crdt = { "consensus.crdt", "CLUSTER_CRDT", crdt_keys, crdt_check };

#define TIMEOUT (CONF_ZERO_DEFAULT | CONF_LENIENT)

static const struct conf_key raft_keys[] = {
	FIELD("data_folder", CONF_STRING, CONF_OPTIONAL, raft_config, data_folder),
	FIELD("init_peerset", CONF_VALUES, CONF_LENIENT, raft_config, init_peerset,
	      .codec = &conf_peerid),
	FIELD("wait_for_leader_timeout", CONF_DURATION, TIMEOUT, raft_config,
	      wait_for_leader_timeout_ms, .range = &conf_positive, .def = "\"15s\""),
	FIELD("network_timeout", CONF_DURATION, TIMEOUT, raft_config, network_timeout_ms,
	      .range = &conf_positive, .def = "\"10s\""),
	FIELD("commit_retries", CONF_INT32, CONF_ZERO, raft_config, commit_retries,
	      .range = &conf_not_negative, .def = "1"),
	FIELD("commit_retry_delay", CONF_DURATION, TIMEOUT, raft_config, commit_retry_delay_ms,
	      .range = &conf_positive, .def = "\"200ms\""),
	FIELD("backups_rotate", CONF_INT32, CONF_ZERO_DEFAULT, raft_config, backups_rotate,
	      .range = &conf_positive, .def = "6"),
	FIELD("datastore_namespace", CONF_STRING, CONF_ZERO_DEFAULT | CONF_OPTIONAL | CONF_NO_ENV,
	      raft_config, datastore_namespace, .def = "\"/r\""),
	FIELD("heartbeat_timeout", CONF_DURATION, TIMEOUT, raft_config, heartbeat_timeout_ms,
	      .range = &at_least_5ms, .def = "\"1s\""),
	FIELD("election_timeout", CONF_DURATION, TIMEOUT, raft_config, election_timeout_ms,
	      .range = &at_least_5ms, .def = "\"1s\""),
	FIELD("commit_timeout", CONF_DURATION, TIMEOUT, raft_config, commit_timeout_ms,
	      .range = &at_least_1ms, .def = "\"50ms\""),
	FIELD("max_append_entries", CONF_INT32, CONF_ZERO_DEFAULT, raft_config, max_append_entries,
	      .range = &append_entries, .def = "64"),
	FIELD("trailing_logs", CONF_UINT64, CONF_ZERO_DEFAULT, raft_config, trailing_logs,
	      .def = "10240"),
	FIELD("snapshot_interval", CONF_DURATION, TIMEOUT, raft_config, snapshot_interval_ms,
	      .range = &at_least_5ms, .def = "\"2m0s\""),
	FIELD("snapshot_threshold", CONF_UINT64, CONF_ZERO_DEFAULT, raft_config, snapshot_threshold,
	      .def = "8192"),
	FIELD("leader_lease_timeout", CONF_DURATION, TIMEOUT, raft_config, leader_lease_timeout_ms,
	      .range = &at_least_5ms, .def = "\"500ms\""),
	NO_MORE_KEYS,
};

static int raft_check(void *conf, struct err *e)
{
	struct raft_config *c = conf;
	size_t i, n = 0;

	for (i = 0; i < c->init_peerset.n; i++) { /* "*" is no peer */
		if (c->init_peerset.v[i].len > 0)
			c->init_peerset.v[n++] = c->init_peerset.v[i];
	}
	c->init_peerset.n = n;
	if (c->leader_lease_timeout_ms > c->heartbeat_timeout_ms)
		return err_set(e, -EINVAL,
			       "leader_lease_timeout: must not be longer than heartbeat_timeout");
	if (c->election_timeout_ms < c->heartbeat_timeout_ms)
		return err_set(e, -EINVAL,
			       "election_timeout: must not be shorter than heartbeat_timeout");
	return 0;
}

const struct conf_section conf_raft = { "consensus.raft", "CLUSTER_RAFT", raft_keys, raft_check };
