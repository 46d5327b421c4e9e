/*
 * The reference's HTTP interfaces and its observations. Nothing here is used at run time.
 */
#include "daemon/conf_tables.h"

#include <limits.h>

static const struct conf_range header_bytes = { 4096, INT64_MAX, ">= 4096" };

#define EXPOSED                                                                                    \
	"[\"Content-Type\", \"X-Stream-Output\", \"X-Chunked-Output\", \"X-Content-Length\"]"

#define API_KEYS(address)                                                                          \
	{                                                                                          \
		KEY("http_listen_multiaddress", CONF_VALUES, CONF_ONE_OR_MANY | CONF_ZERO_DEFAULT, \
		    .codec = &conf_multiaddr, .def = address),                                     \
		    KEY("ssl_cert_file", CONF_STRING, CONF_OPTIONAL),                              \
		    KEY("ssl_key_file", CONF_STRING, CONF_OPTIONAL),                               \
		    KEY("read_timeout", CONF_DURATION, 0, .range = &conf_not_negative),            \
		    KEY("read_header_timeout", CONF_DURATION, 0, .range = &conf_not_negative,      \
			.def = "\"5s\""),                                                          \
		    KEY("write_timeout", CONF_DURATION, 0, .range = &conf_not_negative),           \
		    KEY("idle_timeout", CONF_DURATION, 0, .range = &conf_not_negative,             \
			.def = "\"2m0s\""),                                                        \
		    KEY("max_header_bytes", CONF_INT64, CONF_ZERO_DEFAULT, .range = &header_bytes, \
			.def = "4096"),                                                            \
		    KEY("libp2p_listen_multiaddress", CONF_VALUES,                                 \
			CONF_ONE_OR_MANY | CONF_OPTIONAL, .codec = &conf_multiaddr),               \
		    KEY("id", CONF_VALUE, CONF_OPTIONAL, .codec = &conf_peerid),                   \
		    KEY("private_key", CONF_STRING, CONF_OPTIONAL | CONF_SECRET),                  \
		    KEY("basic_auth_credentials", CONF_MAP, CONF_SECRET | CONF_NOT_EMPTY),         \
		    KEY("http_log_file", CONF_STRING, 0),                                          \
		    KEY("headers", CONF_LISTS, CONF_ZERO, .def = "{}"),                            \
		    KEY("cors_allowed_origins", CONF_STRINGS, CONF_ZERO, .def = "[\"*\"]"),        \
		    KEY("cors_allowed_methods", CONF_STRINGS, CONF_ZERO, .def = "[\"GET\"]"),      \
		    KEY("cors_allowed_headers", CONF_STRINGS, 0),                                  \
		    KEY("cors_exposed_headers", CONF_STRINGS, CONF_ZERO, .def = EXPOSED),          \
		    KEY("cors_allow_credentials", CONF_BOOL, CONF_ZERO, .def = "true"),            \
		    KEY("cors_max_age", CONF_DURATION, 0, .range = &conf_not_negative),            \
		    NO_MORE_KEYS,                                                                  \
	}

static const struct conf_key restapi_keys[] = API_KEYS("\"/ip4/127.0.0.1/tcp/9094\"");
static const struct conf_key pinsvcapi_keys[] = API_KEYS("\"/ip4/127.0.0.1/tcp/9097\"");

const struct conf_section conf_restapi = { "api.restapi", "CLUSTER_RESTAPI", restapi_keys, NULL };
const struct conf_section conf_pinsvcapi = { "api.pinsvcapi", "CLUSTER_PINSVCAPI", pinsvcapi_keys,
					     NULL };

static const struct conf_key ipfsproxy_keys[] = {
	KEY("listen_multiaddress", CONF_VALUES, CONF_ONE_OR_MANY | CONF_ZERO_DEFAULT,
	    .codec = &conf_multiaddr, .def = "\"/ip4/127.0.0.1/tcp/9095\""),
	KEY("node_multiaddress", CONF_VALUE, CONF_ZERO_DEFAULT, .codec = &conf_multiaddr,
	    .def = "\"/ip4/127.0.0.1/tcp/5001\""),
	KEY("node_https", CONF_BOOL, CONF_OPTIONAL),
	KEY("log_file", CONF_STRING, 0),
	KEY("read_timeout", CONF_DURATION, 0, .range = &conf_not_negative),
	KEY("read_header_timeout", CONF_DURATION, 0, .range = &conf_not_negative, .def = "\"5s\""),
	KEY("write_timeout", CONF_DURATION, 0, .range = &conf_not_negative),
	KEY("idle_timeout", CONF_DURATION, 0, .range = &conf_not_negative, .def = "\"1m0s\""),
	KEY("max_header_bytes", CONF_INT64, CONF_ZERO_DEFAULT, .range = &header_bytes,
	    .def = "4096"),
	KEY("extract_headers_extra", CONF_STRINGS, CONF_OPTIONAL),
	KEY("extract_headers_path", CONF_STRING, CONF_OPTIONAL | CONF_ZERO_DEFAULT,
	    .def = "\"/api/v0/version\""),
	KEY("extract_headers_ttl", CONF_DURATION, CONF_OPTIONAL, .range = &conf_not_negative,
	    .def = "\"5m0s\""),
	NO_MORE_KEYS,
};

const struct conf_section conf_ipfsproxy = { "api.ipfsproxy", "CLUSTER_IPFSPROXY", ipfsproxy_keys,
					     NULL };

static const struct conf_key metrics_keys[] = {
	KEY("enable_stats", CONF_BOOL, CONF_ZERO),
	KEY("prometheus_endpoint", CONF_VALUE, CONF_NOT_EMPTY, .codec = &conf_multiaddr,
	    .def = "\"/ip4/127.0.0.1/tcp/8888\""),
	KEY("reporting_interval", CONF_DURATION, 0, .def = "\"30s\""),
	NO_MORE_KEYS,
};

const struct conf_section conf_metrics = { "observations.metrics", "CLUSTER_METRICS", metrics_keys,
					   NULL };

static const struct conf_key tracing_keys[] = {
	KEY("enable_tracing", CONF_BOOL, CONF_ZERO),
	KEY("jaeger_agent_endpoint", CONF_VALUE, CONF_NOT_EMPTY, .codec = &conf_multiaddr,
	    .def = "\"/ip4/0.0.0.0/udp/6831\""),
	KEY("sampling_prob", CONF_DOUBLE, CONF_ZERO, .def = "0.3"),
	KEY("service_name", CONF_STRING, CONF_ZERO, .def = "\"cluster-daemon\""),
	NO_MORE_KEYS,
};

const struct conf_section conf_tracing = { "observations.tracing", "CLUSTER_TRACING", tracing_keys,
					   NULL };
