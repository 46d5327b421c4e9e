/*
 * Every class of wrong value in service.json and identity.json with its message, and the odd values
 * that the reference accepts and so we do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "daemon/config.h"
#include "tests/lib/folder.h"
#include "tests/lib/vectors.h"

static size_t warnings;

static void count(void *arg, const char *msg)
{
	warnings++;
}

static const struct conf_source source = { .file = CONFIG_FILE, .warn = count };

/* Puts @value (JSON text) at "a.b.c" of @doc; objects on the way are made. */
static void put(json_t *doc, const char *path, const char *value)
{
	char copy[256], *name = copy, *dot;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((dot = strchr(name, '.'))) {
		json_t *next;

		*dot = '\0';
		next = json_object_get(doc, name);
		if (!next) {
			next = json_object();
			json_object_set_new(doc, name, next);
		}
		doc = next;
		name = dot + 1;
	}
	assert_int_equal(json_object_set_new(doc, name, json_loads(value, JSON_DECODE_ANY, NULL)),
			 0);
}

/* The recorded file @base with one value changed. */
static int load_changed(const char *base, const char *path, const char *value, struct config **ret,
			struct err *e)
{
	char *text = vectors_config(base), *changed;
	json_t *doc = json_loads(text, 0, NULL);
	int r;

	put(doc, path, value);
	changed = json_dumps(doc, 0);
	warnings = 0;
	r = config_parse(changed, strlen(changed), &source, ret, e);
	json_decref(doc);
	free(changed);
	free(text);
	return r;
}

struct wrong {
	const char *path, *value, *msg; /* @msg: how it begins, behind "service.json: " */
};

#define LETTERS_25 "nnnnnnnnnnnnnnnnnnnnnnnnn"
#define LETTERS_125 LETTERS_25 LETTERS_25 LETTERS_25 LETTERS_25 LETTERS_25

static const struct wrong crdt_wrong[] = {
	{ "source", "\"http://h/x\"", "source: a configuration is not fetched from elsewhere" },
	{ "cluster", "null", "cluster: the section is missing" },
	{ "cluster", "5", "cluster: must be an object" },
	{ "consensus", "5", "consensus: must be an object" },
	{ "consensus", "null", "consensus: must have one of crdt and raft, not none" },
	{ "consensus", "{}", "consensus: must have one of crdt and raft, not none" },
	{ "consensus.crdt", "null", "consensus: must have one of crdt and raft, not none" },
	{ "consensus.raft", "{}", "consensus: must have one of crdt and raft, not both" },
	{ "api", "[]", "api: must be an object" },
	{ "cluster.peername", "5", "cluster.peername: must be a string" },
	{ "cluster.secret", "\"zz\"", "cluster.secret: must be 64 hexadecimal digits" },
	{ "cluster.secret", "\"1234\"", "cluster.secret: must be 64 hexadecimal digits" },
	{ "cluster.leave_on_shutdown", "\"no\"",
	  "cluster.leave_on_shutdown: must be true or false" },
	{ "cluster.listen_multiaddress", "[]",
	  "cluster.listen_multiaddress: must be a multiaddress or a list of such with at least one "
	  "entry" },
	{ "cluster.listen_multiaddress", "null",
	  "cluster.listen_multiaddress: must be a multiaddress or a list of such with at least one "
	  "entry" },
	{ "cluster.listen_multiaddress", "\"foo\"",
	  "cluster.listen_multiaddress: must be a multiaddress or a list of such with at least one "
	  "entry: " },
	{ "cluster.peer_addresses", "\"/ip4/1.2.3.4/tcp/1\"",
	  "cluster.peer_addresses: must be a list, each a multiaddress" },
	{ "cluster.connection_manager", "[]", "cluster.connection_manager: must be an object" },
	{ "cluster.connection_manager.low_water", "500",
	  "cluster.connection_manager.low_water: must not be greater than high_water" },
	{ "cluster.connection_manager.grace_period", "\"0s\"",
	  "cluster.connection_manager.grace_period: must be a duration other than 0, written like "
	  "\"1h30m\" or \"500ms\"" },
	{ "cluster.pubsub.d_factor", "0", "cluster.pubsub.d_factor: must be a number above 0" },
	{ "cluster.state_sync_interval", "\"0s\"",
	  "cluster.state_sync_interval: must be a duration above 0" },
	{ "cluster.state_sync_interval", "\"1d\"",
	  "cluster.state_sync_interval: must be a duration above 0" },
	{ "cluster.replication_factor_min", "1.0",
	  "cluster.replication_factor_min: must be a number >= 1, or -1 for every peer" },
	{ "cluster.replication_factor_min", "-2",
	  "cluster.replication_factor_min: must be a number >= 1, or -1 for every peer" },
	{ "cluster.replication_factor_min", "2",
	  "cluster.replication_factor_min: must be -1 when replication_factor_max is" },
	{ "consensus.crdt", "[]", "consensus.crdt: must be an object" },
	{ "consensus.crdt.trusted_peers", "\"*\"",
	  "consensus.crdt.trusted_peers: must be a list, each a peer ID" },
	{ "consensus.crdt.trusted_peers", "[\"x\"]",
	  "consensus.crdt.trusted_peers: must be a list, each a peer ID: " },
	{ "consensus.crdt.batching.max_batch_size", "-1",
	  "consensus.crdt.batching.max_batch_size: must be a number >= 0" },
	{ "consensus.crdt.repair_interval", "\"-1s\"",
	  "consensus.crdt.repair_interval: must be a duration >= 0" },
	{ "ipfs_connector.ipfshttp.node_multiaddress", "\"\"",
	  "ipfs_connector.ipfshttp.node_multiaddress: must be a multiaddress" },
	{ "pin_tracker.stateless.concurrent_pins", "-1",
	  "pin_tracker.stateless.concurrent_pins: must be a number above 0" },
	{ "allocator.balanced.allocate_by",
	  "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]",
	  "allocator.balanced.allocate_by: must be at most 8 names" },
	{ "informer.disk.metric_type", "\"foo\"",
	  "informer.disk.metric_type: must be one of freespace|reposize" },
	{ "informer.tags.tags", "{\"a\": 5}", "informer.tags.tags: must be an object of strings" },
	{ "informer.tags.tags", "{\"" LETTERS_125 "\": \"\"}",
	  "informer.tags.tags." LETTERS_25 "nnnnnnn: must be at most 124 bytes" },
	{ "api.restapi.max_header_bytes", "100",
	  "api.restapi.max_header_bytes: must be a number >= 4096" },
	{ "api.restapi.basic_auth_credentials", "{}",
	  "api.restapi.basic_auth_credentials: must be an object of strings with at least one "
	  "entry, or null" },
	{ "api.restapi.headers", "{\"a\": \"b\"}",
	  "api.restapi.headers: must be an object of lists of strings" },
	{ "observations.tracing.sampling_prob", "\"x\"",
	  "observations.tracing.sampling_prob: must be a number" },
	{ "datastore.pebble.pebble_options.cache_size_bytes", "\"x\"",
	  "datastore.pebble.pebble_options.cache_size_bytes: must be a number" },
	{ "datastore.lmdb.map_size", "4096",
	  "datastore.lmdb.map_size: must be a number from 16777216 to 70368744177664" },
	{ "fuse.max_unpins", "-2",
	  "fuse.max_unpins: must be a number >= 1, 0 for the usual limit, -1 for none" },
	{ "fuse.commit_deadline", "\"0s\"",
	  "fuse.commit_deadline: must be a duration from 1s to 1h" },
};

static const struct wrong raft_wrong[] = {
	{ "consensus.raft.heartbeat_timeout", "\"1ms\"",
	  "consensus.raft.heartbeat_timeout: must be a duration >= 5ms" },
	{ "consensus.raft.heartbeat_timeout", "\"2s\"",
	  "consensus.raft.election_timeout: must not be shorter than heartbeat_timeout" },
	{ "consensus.raft.leader_lease_timeout", "\"2s\"",
	  "consensus.raft.leader_lease_timeout: must not be longer than heartbeat_timeout" },
	{ "consensus.raft.commit_timeout", "\"100us\"",
	  "consensus.raft.commit_timeout: must be a duration >= 1ms" },
	{ "consensus.raft.commit_retries", "-1",
	  "consensus.raft.commit_retries: must be a number >= 0" },
	{ "consensus.raft.backups_rotate", "-1",
	  "consensus.raft.backups_rotate: must be a number above 0" },
	{ "consensus.raft.max_append_entries", "2000",
	  "consensus.raft.max_append_entries: must be a number from 1 to 1024" },
	{ "consensus.raft.trailing_logs", "-1",
	  "consensus.raft.trailing_logs: must be a number >= 0" },
};

static void assert_all_refused(const char *base, const struct wrong *w, size_t n)
{
	size_t i, skip = strlen("service.json: ");

	for (i = 0; i < n; i++) {
		struct config *c = NULL;
		struct err e = { 0 };

		assert_int_equal(load_changed(base, w[i].path, w[i].value, &c, &e), -EINVAL);
		assert_null(c);
		if (strncmp(e.msg, "service.json: ", skip) != 0 ||
		    strncmp(e.msg + skip, w[i].msg, strlen(w[i].msg)) != 0)
			fail_msg("%s = %s: %s", w[i].path, w[i].value, e.msg);
	}
}

static void wrong_values_name_file_section_key_and_rule(void **state)
{
	assert_all_refused("crdt.json", crdt_wrong, sizeof(crdt_wrong) / sizeof(crdt_wrong[0]));
	assert_all_refused("raft.json", raft_wrong, sizeof(raft_wrong) / sizeof(raft_wrong[0]));
}

/* As the reference does, tried with its own program; @warned: we say something. */
static const struct {
	const char *base, *path, *value;
	size_t warned;
} odd[] = {
	{ "crdt.json", "source", "\"\"", 0 },
	{ "crdt.json", "cluster.secret", "\"\"", 0 },
	{ "crdt.json", "cluster.peername", "null", 0 },
	{ "crdt.json", "cluster.listen_multiaddress", "\"/ip4/127.0.0.1/tcp/1\"", 0 },
	{ "crdt.json", "cluster.announce_multiaddress", "\"\"", 0 },
	{ "crdt.json", "cluster.announce_multiaddress", "null", 0 },
	{ "crdt.json", "cluster.replication_factor_min", "0", 0 },
	{ "crdt.json", "cluster.connection_manager", "null", 0 },
	{ "crdt.json", "cluster.connection_manager.grace_period", "\"-1s\"", 0 },
	{ "crdt.json", "cluster.mdns_interval", "\"-1h\"", 0 },
	{ "crdt.json", "cluster.foo", "1", 1 },
	{ "crdt.json", "foo", "1", 1 },
	{ "crdt.json", "state", "{\"x\": 1}", 0 },
	{ "crdt.json", "informer.foo", "{}", 1 },
	{ "crdt.json", "informer.numpin", "{\"metric_ttl\": \"10s\"}", 0 },
	{ "crdt.json", "consensus.crdt", "{}", 0 },
	{ "crdt.json", "consensus.crdt.repair_interval", "\"bad\"", 1 },
	{ "crdt.json", "consensus.crdt.batching.max_batch_age", "\"x\"", 1 },
	{ "crdt.json", "ipfs_connector", "null", 0 },
	{ "crdt.json", "ipfs_connector.ipfshttp.pin_timeout", "\"0s\"", 0 },
	{ "crdt.json", "pin_tracker.stateless.concurrent_pins", "0", 0 },
	{ "crdt.json", "allocator.balanced.allocate_by", "[]", 0 },
	{ "crdt.json", "informer.tags.tags", "null", 0 },
	{ "crdt.json", "api.restapi", "{}", 0 },
	{ "crdt.json", "api.restapi.max_header_bytes", "0", 0 },
	{ "crdt.json", "api.restapi.cors_max_age", "\"\"", 0 },
	{ "crdt.json", "observations.tracing.sampling_prob", "-1", 0 },
	{ "crdt.json", "datastore.pebble", "{}", 0 },
	{ "crdt.json", "datastore.pebble.pebble_options.levels", "null", 0 },
	{ "raft.json", "consensus.raft", "{}", 0 },
	{ "raft.json", "consensus.raft.init_peerset", "[\"x\"]", 1 },
	{ "raft.json", "consensus.raft.heartbeat_timeout", "\"x\"", 1 },
	{ "raft.json", "consensus.raft.network_timeout", "\"0s\"", 0 },
	{ "raft.json", "consensus.raft.trailing_logs", "0", 0 },
};

static void what_the_reference_accepts_is_accepted(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct config *c = NULL;
		struct err e = { 0 };

		if (load_changed(odd[i].base, odd[i].path, odd[i].value, &c, &e) < 0)
			fail_msg("%s = %s: %s", odd[i].path, odd[i].value, e.msg);
		if (warnings != odd[i].warned)
			fail_msg("%s = %s: %zu warnings", odd[i].path, odd[i].value, warnings);
		config_free(c);
	}
}

static void a_missing_secret_is_an_open_network(void **state)
{
	struct config *c = NULL;

	assert_int_equal(load_changed("crdt.json", "cluster.secret", "\"\"", &c, NULL), 0);
	assert_false(c->cluster.has_secret);
	config_free(c);
	assert_int_equal(load_changed("crdt.json", "cluster.secret",
				      "\"00000000000000000000000000000000"
				      "00000000000000000000000000000000\"",
				      &c, NULL),
			 0);
	assert_true(c->cluster.has_secret); /* a poor one */
	config_free(c);
}

static void one_star_among_trusted_peers_trusts_all(void **state)
{
	struct config *c = NULL;

	assert_int_equal(
	    load_changed("crdt.json", "consensus.crdt.trusted_peers",
			 "[\"12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk\", \"*\"]", &c,
			 NULL),
	    0);
	assert_true(c->crdt.trust_all);
	assert_int_equal(c->crdt.trusted_peers.n, 0);
	config_free(c);
	assert_int_equal(load_changed("crdt.json", "consensus.crdt.trusted_peers",
				      "[\"12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk\"]",
				      &c, NULL),
			 0);
	assert_false(c->crdt.trust_all);
	assert_int_equal(c->crdt.trusted_peers.n, 1);
	config_free(c);
}

static void bytes_that_are_not_json_are_refused_with_their_place(void **state)
{
	static const char *const cases[][2] = {
		{ "", "service.json: line 1, column 0: " },
		{ "{\n  \"cluster\": }", "service.json: line 2, column 14: " },
		{ "{} {}", "service.json: line 1, column 4: " },
		{ "[]", "service.json: must be a JSON object" },
		{ "{\"a\": 99999999999999999999}", "service.json: line 1, column 26: " },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = NULL;
		struct err e = { 0 };

		assert_int_equal(config_parse(cases[i][0], strlen(cases[i][0]), &source, &c, &e),
				 -EINVAL);
		if (strncmp(e.msg, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s", e.msg);
	}
}

static void missing_files_say_how_to_make_them(void **state)
{
	char *service = vectors_config("crdt.json"), want[512];
	struct config *c = NULL;
	struct err e = { 0 };

	assert_int_equal(config_load(*state, &c, &e), -EINVAL);
	snprintf(want, sizeof(want), "there is no %s/service.json: make one with --init",
		 (char *)*state);
	assert_string_equal(e.msg, want);
	folder_put(*state, CONFIG_FILE, service);
	assert_int_equal(config_load(*state, &c, &e), -EINVAL);
	snprintf(want, sizeof(want), "there is no %s/identity.json: make one with --init",
		 (char *)*state);
	assert_string_equal(e.msg, want);
	free(service);
}

static void wrong_identities_name_the_file(void **state)
{
	static const char *const cases[][2] = {
		{ "", "identity.json: line 1, column 0: " },
		{ "[]", "identity.json: must be a JSON object" },
		{ "{}", "identity.json: id: is missing" },
		{ "{\"id\": 5}", "identity.json: id: must be a string" },
		{ "{\"id\": \"12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk\"}",
		  "identity.json: private_key: is missing" },
		{ "{\"id\": \"x\", \"private_key\": \"x\"}", "identity.json: " },
	};
	char *service = vectors_config("crdt.json");
	size_t i;

	folder_put(*state, CONFIG_FILE, service);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = NULL;
		struct err e = { 0 };

		folder_put(*state, CONFIG_IDENTITY_FILE, cases[i][0]);
		assert_int_equal(config_load(*state, &c, &e), -EINVAL);
		if (strncmp(e.msg, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: %s", cases[i][0], e.msg);
	}
	free(service);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_values_name_file_section_key_and_rule),
		cmocka_unit_test(what_the_reference_accepts_is_accepted),
		cmocka_unit_test(a_missing_secret_is_an_open_network),
		cmocka_unit_test(one_star_among_trusted_peers_trusts_all),
		cmocka_unit_test(bytes_that_are_not_json_are_refused_with_their_place),
		IN_FOLDER(missing_files_say_how_to_make_them),
		IN_FOLDER(wrong_identities_name_the_file),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
