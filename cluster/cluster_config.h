/*
 * What the policy of a peer is told by the configuration: section cluster and the sections of
 * tracker, allocator, monitor and informers. Filled and freed by daemon/config; immutable.
 * Milliseconds. Source: ipfs-cluster 1.1.6 cluster_config.go and the config.go of each component.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/multiaddr.h"
#include "util/conf.h"

struct multiaddrs { /* laid out as struct conf_list */
	struct multiaddr *v;
	size_t n;
};

struct names { /* laid out as struct conf_list */
	char **v;
	size_t n;
};

struct pubsub_config {
	int64_t seen_messages_ttl_ms;
	int64_t heartbeat_interval_ms;
	int32_t d_factor; /* multiplies gossipsub's mesh degrees */
	int32_t history_gossip;
	int32_t history_length;
	bool flood_publish;
};

struct connmgr_config {
	int32_t high_water;
	int32_t low_water;
	int64_t grace_period_ms;
};

/* Section cluster. */
struct cluster_config {
	char *peername;
	uint8_t secret[32];
	bool has_secret; /* false: an unprotected network */
	bool leave_on_shutdown;
	struct multiaddrs listen;
	struct multiaddrs announce;
	struct multiaddrs no_announce;
	struct connmgr_config connmgr;
	struct pubsub_config pubsub;
	int64_t dial_peer_timeout_ms;
	int64_t state_sync_interval_ms;
	int64_t pin_recover_interval_ms;
	int32_t replication_factor_min;
	int32_t replication_factor_max;
	int64_t monitor_ping_interval_ms;
	int64_t peer_watch_interval_ms;
	int64_t mdns_interval_ms; /* 0: no mDNS */
	bool pin_only_on_trusted_peers;
	bool pin_only_on_untrusted_peers;
	bool disable_repinning;
	bool follower_mode;
	char *peerstore_file; /* "": peerstore in the configuration folder */
	struct multiaddrs peer_addresses;
};

/* Section pin_tracker.stateless. */
struct tracker_config {
	int64_t max_pin_queue_size; /* of the reference; ours is on disk, and this has no effect */
	int32_t concurrent_pins;
	int64_t priority_pin_max_age_ms;
	int32_t priority_pin_max_retries;
};

/* Section allocator.balanced. */
struct allocator_config {
	struct names allocate_by;
};

/* Section monitor.pubsubmon. */
struct monitor_config {
	int64_t check_interval_ms;
};

/* Sections informer.disk, informer.pinqueue, informer.tags, informer.numpin. */
struct informer_config {
	int64_t disk_ttl_ms;
	char *disk_metric; /* "freespace" or "reposize" */
	int64_t pinqueue_ttl_ms;
	int32_t pinqueue_bucket_size; /* 0: the weight is 0 */
	int64_t tags_ttl_ms;
	struct conf_map tags;
	int64_t numpin_ttl_ms; /* 0: the section is missing, the number is not told */
};
