#include "daemon/conf_tables.h"

#include <errno.h>
#include <string.h>

#include "cluster/alloc.h"
#include "types/metric.h"

static const struct conf_key ipfshttp_keys[] = {
	FIELD("node_multiaddress", CONF_VALUE, CONF_NOT_EMPTY, kubo_config, node_multiaddress,
	      .codec = &conf_multiaddr, .def = "\"/ip4/127.0.0.1/tcp/5001\""),
	FIELD("connect_swarms_delay", CONF_DURATION, 0, kubo_config, connect_swarms_delay_ms,
	      .range = &conf_not_negative, .def = "\"30s\""),
	FIELD("ipfs_request_timeout", CONF_DURATION, 0, kubo_config, ipfs_request_timeout_ms,
	      .range = &conf_not_negative, .def = "\"5m0s\""),
	FIELD("pin_timeout", CONF_DURATION, 0, kubo_config, pin_timeout_ms,
	      .range = &conf_not_negative, .def = "\"2m0s\""),
	FIELD("unpin_timeout", CONF_DURATION, 0, kubo_config, unpin_timeout_ms,
	      .range = &conf_not_negative, .def = "\"3h0m0s\""),
	FIELD("repogc_timeout", CONF_DURATION, 0, kubo_config, repogc_timeout_ms,
	      .range = &conf_not_negative, .def = "\"24h0m0s\""),
	FIELD("informer_trigger_interval", CONF_INT32, 0, kubo_config, informer_trigger_interval,
	      .range = &conf_not_negative),
	FIELD("unpin_disable", CONF_BOOL, CONF_OPTIONAL, kubo_config, unpin_disable),
	NO_MORE_KEYS,
};

const struct conf_section conf_ipfshttp = { "ipfs_connector.ipfshttp", "CLUSTER_IPFSHTTP",
					    ipfshttp_keys, NULL };

static const struct conf_key stateless_keys[] = {
	FIELD("max_pin_queue_size", CONF_INT64, CONF_ZERO_DEFAULT | CONF_OPTIONAL, tracker_config,
	      max_pin_queue_size, .range = &conf_positive, .def = "1000000"),
	FIELD("concurrent_pins", CONF_INT32, CONF_ZERO_DEFAULT, tracker_config, concurrent_pins,
	      .range = &conf_positive, .def = "10"),
	FIELD("priority_pin_max_age", CONF_DURATION, 0, tracker_config, priority_pin_max_age_ms,
	      .range = &conf_positive, .def = "\"24h0m0s\""),
	FIELD("priority_pin_max_retries", CONF_INT32, CONF_ZERO_DEFAULT, tracker_config,
	      priority_pin_max_retries, .range = &conf_positive, .def = "5"),
	NO_MORE_KEYS,
};

const struct conf_section conf_stateless = { "pin_tracker.stateless", "CLUSTER_STATELESS",
					     stateless_keys, NULL };

static const struct conf_key pubsubmon_keys[] = {
	FIELD("check_interval", CONF_DURATION, 0, monitor_config, check_interval_ms,
	      .range = &conf_positive, .def = "\"15s\""),
	NO_MORE_KEYS,
};

const struct conf_section conf_pubsubmon = { "monitor.pubsubmon", "CLUSTER_PUBSUBMON",
					     pubsubmon_keys, NULL };

static const struct conf_key balanced_keys[] = {
	FIELD("allocate_by", CONF_STRINGS, CONF_ZERO_DEFAULT, allocator_config, allocate_by,
	      .def = "[\"tag:group\", \"freespace\"]"),
	NO_MORE_KEYS,
};

static int balanced_check(void *conf, struct err *e)
{
	const struct allocator_config *c = conf;

	if (c->allocate_by.n > ALLOC_METRICS_MAX)
		return err_set(e, -EINVAL, "allocate_by: must be at most %d names",
			       ALLOC_METRICS_MAX);
	return 0;
}

const struct conf_section conf_balanced = { "allocator.balanced", "CLUSTER_BALANCED", balanced_keys,
					    balanced_check };

static const struct conf_key disk_keys[] = {
	FIELD("metric_ttl", CONF_DURATION, 0, informer_config, disk_ttl_ms, .range = &conf_positive,
	      .def = "\"30s\""),
	FIELD("metric_type", CONF_STRING, 0, informer_config, disk_metric,
	      .choices = "freespace|reposize", .def = "\"freespace\""),
	NO_MORE_KEYS,
};

const struct conf_section conf_disk = { "informer.disk", "CLUSTER_DISK", disk_keys, NULL };

/* The reference has this informer and does not start it. Here it runs where its section is. */
static const struct conf_key numpin_keys[] = {
	FIELD("metric_ttl", CONF_DURATION, CONF_LENIENT, informer_config, numpin_ttl_ms,
	      .def = "\"10s\""),
	NO_MORE_KEYS,
};

const struct conf_section conf_numpin = { "informer.numpin", "CLUSTER_NUMPIN", numpin_keys, NULL };

static const struct conf_key pinqueue_keys[] = {
	FIELD("metric_ttl", CONF_DURATION, 0, informer_config, pinqueue_ttl_ms,
	      .range = &conf_positive, .def = "\"30s\""),
	FIELD("weight_bucket_size", CONF_INT32, CONF_ZERO, informer_config, pinqueue_bucket_size,
	      .range = &conf_not_negative, .def = "100000"),
	NO_MORE_KEYS,
};

const struct conf_section conf_pinqueue = { "informer.pinqueue", "CLUSTER_PINQUEUE", pinqueue_keys,
					    NULL };

static const struct conf_key tags_keys[] = {
	FIELD("metric_ttl", CONF_DURATION, 0, informer_config, tags_ttl_ms, .range = &conf_positive,
	      .def = "\"30s\""),
	FIELD("tags", CONF_MAP, CONF_ZERO, informer_config, tags,
	      .def = "{\"group\": \"default\"}"),
	NO_MORE_KEYS,
};

/* They are sent as metrics, which have limits. */
static int tags_check(void *conf, struct err *e)
{
	const struct informer_config *c = conf;

	for (size_t i = 0; i < c->tags.n; i++) {
		const struct conf_pair *tag = &c->tags.v[i];

		if (strlen(tag->key) > METRIC_NAME_MAX - strlen("tag:") ||
		    strlen(tag->value) > METRIC_VALUE_MAX)
			return err_set(e, -EINVAL,
				       "tags.%.32s: must be at most %zu bytes, and its value at "
				       "most %d",
				       tag->key, METRIC_NAME_MAX - strlen("tag:"),
				       METRIC_VALUE_MAX);
	}
	return 0;
}

const struct conf_section conf_tags = { "informer.tags", "CLUSTER_TAGS", tags_keys, tags_check };
