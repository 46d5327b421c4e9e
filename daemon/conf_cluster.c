#include "daemon/conf_tables.h"

#include <errno.h>
#include <limits.h>

#include "util/duration.h"

static const struct conf_range factor = { -1, INT32_MAX, ">= 1, or -1 for every peer" };

static const struct conf_key connmgr_keys[] = {
	FIELD("high_water", CONF_INT32, 0, cluster_config, connmgr.high_water,
	      .range = &conf_positive, .def = "400"),
	FIELD("low_water", CONF_INT32, 0, cluster_config, connmgr.low_water,
	      .range = &conf_positive, .def = "100"),
	FIELD("grace_period", CONF_DURATION, CONF_NONZERO, cluster_config, connmgr.grace_period_ms,
	      .def = "\"2m0s\""),
	NO_MORE_KEYS,
};

static const struct conf_key resource_keys[] = {
	KEY("enabled", CONF_BOOL, CONF_ZERO, .def = "true"),
	KEY("memory_limit_bytes", CONF_UINT64, CONF_ZERO),
	KEY("file_descriptors_limit", CONF_UINT64, CONF_ZERO),
	NO_MORE_KEYS,
};

static const struct conf_key pubsub_keys[] = {
	FIELD("seen_messages_ttl", CONF_DURATION, 0, cluster_config, pubsub.seen_messages_ttl_ms,
	      .range = &conf_positive, .def = "\"30m0s\""),
	FIELD("heartbeat_interval", CONF_DURATION, 0, cluster_config, pubsub.heartbeat_interval_ms,
	      .range = &conf_positive, .def = "\"10s\""),
	FIELD("d_factor", CONF_INT32, 0, cluster_config, pubsub.d_factor, .range = &conf_positive,
	      .def = "4"),
	FIELD("history_gossip", CONF_INT32, 0, cluster_config, pubsub.history_gossip,
	      .range = &conf_positive, .def = "2"),
	FIELD("history_length", CONF_INT32, 0, cluster_config, pubsub.history_length,
	      .range = &conf_positive, .def = "6"),
	FIELD("flood_publish", CONF_BOOL, CONF_ZERO, cluster_config, pubsub.flood_publish),
	NO_MORE_KEYS,
};

/* id and private_key are where identities lived before identity.json; daemon/config looks at them
 * itself. */
static const struct conf_key keys[] = {
	KEY("id", CONF_STRING, CONF_OPTIONAL | CONF_NO_ENV),
	FIELD("peername", CONF_STRING, CONF_ZERO_DEFAULT, cluster_config, peername),
	KEY("private_key", CONF_STRING, CONF_OPTIONAL | CONF_NO_ENV | CONF_SECRET),
	FIELD("secret", CONF_HEX, CONF_SECRET, cluster_config, secret, .size = 32),
	FIELD("leave_on_shutdown", CONF_BOOL, CONF_ZERO, cluster_config, leave_on_shutdown),
	FIELD("listen_multiaddress", CONF_VALUES, CONF_ZERO | CONF_ONE_OR_MANY | CONF_NOT_EMPTY,
	      cluster_config, listen, .codec = &conf_multiaddr,
	      .def = "[\"/ip4/0.0.0.0/tcp/9096\", \"/ip4/0.0.0.0/udp/9096/quic\"]"),
	FIELD("announce_multiaddress", CONF_VALUES, CONF_ONE_OR_MANY, cluster_config, announce,
	      .codec = &conf_multiaddr),
	FIELD("no_announce_multiaddress", CONF_VALUES, CONF_ONE_OR_MANY, cluster_config,
	      no_announce, .codec = &conf_multiaddr),
	KEY("enable_relay_hop", CONF_BOOL, CONF_ZERO, .def = "true"),
	KEY("connection_manager", CONF_OBJECT, 0, .sub = connmgr_keys),
	KEY("resource_manager", CONF_OBJECT, 0, .sub = resource_keys),
	KEY("pubsub", CONF_OBJECT, 0, .sub = pubsub_keys),
	FIELD("dial_peer_timeout", CONF_DURATION, 0, cluster_config, dial_peer_timeout_ms,
	      .range = &conf_positive, .def = "\"3s\""),
	FIELD("state_sync_interval", CONF_DURATION, 0, cluster_config, state_sync_interval_ms,
	      .range = &conf_positive, .def = "\"5m0s\""),
	FIELD("pin_recover_interval", CONF_DURATION, 0, cluster_config, pin_recover_interval_ms,
	      .range = &conf_positive, .def = "\"12m0s\""),
	FIELD("replication_factor_min", CONF_INT32, CONF_ZERO_DEFAULT, cluster_config,
	      replication_factor_min, .range = &factor, .def = "-1"),
	FIELD("replication_factor_max", CONF_INT32, CONF_ZERO_DEFAULT, cluster_config,
	      replication_factor_max, .range = &factor, .def = "-1"),
	FIELD("monitor_ping_interval", CONF_DURATION, 0, cluster_config, monitor_ping_interval_ms,
	      .range = &conf_positive, .def = "\"15s\""),
	FIELD("peer_watch_interval", CONF_DURATION, 0, cluster_config, peer_watch_interval_ms,
	      .range = &conf_positive, .def = "\"5s\""),
	FIELD("mdns_interval", CONF_DURATION, 0, cluster_config, mdns_interval_ms,
	      .def = "\"10s\""),
	FIELD("pin_only_on_trusted_peers", CONF_BOOL, CONF_ZERO, cluster_config,
	      pin_only_on_trusted_peers),
	FIELD("pin_only_on_untrusted_peers", CONF_BOOL, CONF_ZERO, cluster_config,
	      pin_only_on_untrusted_peers),
	FIELD("disable_repinning", CONF_BOOL, CONF_ZERO, cluster_config, disable_repinning,
	      .def = "true"),
	FIELD("follower_mode", CONF_BOOL, CONF_OPTIONAL, cluster_config, follower_mode),
	FIELD("peerstore_file", CONF_STRING, CONF_OPTIONAL, cluster_config, peerstore_file),
	FIELD("peer_addresses", CONF_VALUES, 0, cluster_config, peer_addresses,
	      .codec = &conf_multiaddr),
	NO_MORE_KEYS,
};

static int check(void *conf, struct err *e)
{
	struct cluster_config *c = conf;
	int32_t min = c->replication_factor_min, max = c->replication_factor_max;

	if (c->connmgr.low_water > c->connmgr.high_water)
		return err_set(e, -EINVAL,
			       "connection_manager.low_water: must not be greater than "
			       "high_water");
	if ((min == -1) != (max == -1))
		return err_set(e, -EINVAL,
			       "replication_factor_min: must be -1 when replication_factor_max is, "
			       "and only then");
	if (min > max)
		return err_set(e, -EINVAL,
			       "replication_factor_min: must not be larger than "
			       "replication_factor_max");
	if (c->pin_only_on_trusted_peers && c->pin_only_on_untrusted_peers)
		return err_set(e, -EINVAL,
			       "pin_only_on_trusted_peers: must be false when "
			       "pin_only_on_untrusted_peers is true");
	return 0;
}

const struct conf_section conf_cluster = { "cluster", "CLUSTER", keys, check };
