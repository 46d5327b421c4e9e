#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "daemon/conf_tables.h"
#include "daemon/config.h"
#include "tests/lib/folder.h"
#include "tests/lib/vectors.h"

#define ID "12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk"

static const struct conf_source source = { .file = CONFIG_FILE };

static struct config *parse(const char *text)
{
	struct config *c = NULL;
	struct err e = { 0 };

	if (config_parse(text, strlen(text), &source, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

static struct config *parse_recorded(const char *name)
{
	char *text = vectors_config(name);
	struct config *c = parse(text);

	free(text);
	return c;
}

/* A folder with these recorded files. */
static void folder_fill(const char *folder, const char *service)
{
	char *text = vectors_config(service), *identity = vectors_config("identity.json");

	folder_put(folder, CONFIG_FILE, text);
	folder_put(folder, CONFIG_IDENTITY_FILE, identity);
	free(identity);
	free(text);
}

static void assert_multiaddr(const struct multiaddr *a, const char *want)
{
	struct buf text = BUF_INIT(1024);

	assert_int_equal(multiaddr_format(a, &text), 0);
	assert_int_equal(buf_terminate(&text), 0);
	assert_string_equal((char *)text.data, want);
	buf_deinit(&text);
}

static void recorded_files_are_rewritten_to_the_byte(void **state)
{
	static const char *const names[] = { "crdt.json", "raft.json", "badger.json",
					     "badger3.json", "leveldb.json" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf out = BUF_INIT(1 << 20);
		struct config *c = parse_recorded(names[i]);
		char *text = vectors_config(names[i]);

		assert_int_equal(config_json(c, &out), 0);
		assert_int_equal(buf_terminate(&out), 0);
		assert_string_equal((char *)out.data, text);
		free(text);
		buf_deinit(&out);
		config_free(c);
	}
}

static void the_cluster_section_of_a_recorded_file_has_its_values(void **state)
{
	struct config *c = parse_recorded("crdt.json");
	const struct cluster_config *k = &c->cluster;
	size_t i;

	assert_string_equal(k->peername, "test-peer");
	for (i = 0; i < 32; i++)
		assert_int_equal(k->secret[i], i);
	assert_true(k->has_secret);
	assert_false(k->leave_on_shutdown);
	assert_int_equal(k->listen.n, 2);
	assert_multiaddr(&k->listen.v[0], "/ip4/0.0.0.0/tcp/9096");
	assert_multiaddr(&k->listen.v[1], "/ip4/0.0.0.0/udp/9096/quic");
	assert_int_equal(k->connmgr.high_water, 400);
	assert_int_equal(k->connmgr.low_water, 100);
	assert_int_equal(k->connmgr.grace_period_ms, 120000);
	assert_int_equal(k->pubsub.seen_messages_ttl_ms, 1800000);
	assert_int_equal(k->pubsub.heartbeat_interval_ms, 10000);
	assert_int_equal(k->pubsub.d_factor, 4);
	assert_int_equal(k->dial_peer_timeout_ms, 3000);
	assert_int_equal(k->state_sync_interval_ms, 300000);
	assert_int_equal(k->pin_recover_interval_ms, 720000);
	assert_int_equal(k->replication_factor_min, -1);
	assert_int_equal(k->replication_factor_max, -1);
	assert_int_equal(k->monitor_ping_interval_ms, 15000);
	assert_int_equal(k->peer_watch_interval_ms, 5000);
	assert_int_equal(k->mdns_interval_ms, 10000);
	assert_true(k->disable_repinning);
	assert_false(k->follower_mode);
	assert_int_equal(k->peer_addresses.n, 0);
	config_free(c);
}

static void the_crdt_section_of_a_recorded_file_has_its_values(void **state)
{
	struct config *c = parse_recorded("crdt.json");

	assert_int_equal(c->consensus, CONFIG_CRDT);
	assert_string_equal(c->crdt.cluster_name, "ipfs-cluster");
	assert_true(c->crdt.trust_all);
	assert_int_equal(c->crdt.trusted_peers.n, 0);
	assert_int_equal(c->crdt.max_batch_size, 0);
	assert_int_equal(c->crdt.max_batch_age_ms, 0);
	assert_int_equal(c->crdt.max_queue_size, 50000);
	assert_int_equal(c->crdt.repair_interval_ms, 3600000);
	assert_int_equal(c->crdt.rebroadcast_interval_ms, 60000);
	assert_string_equal(c->crdt.peerset_metric, "ping");
	assert_string_equal(c->crdt.datastore_namespace, "/c");
	config_free(c);
}

static void the_raft_section_of_a_recorded_file_has_its_values(void **state)
{
	struct config *c = parse_recorded("raft.json");

	assert_int_equal(c->consensus, CONFIG_RAFT);
	assert_int_equal(c->raft.init_peerset.n, 0);
	assert_int_equal(c->raft.wait_for_leader_timeout_ms, 15000);
	assert_int_equal(c->raft.network_timeout_ms, 10000);
	assert_int_equal(c->raft.commit_retries, 1);
	assert_int_equal(c->raft.commit_retry_delay_ms, 200);
	assert_int_equal(c->raft.backups_rotate, 6);
	assert_int_equal(c->raft.heartbeat_timeout_ms, 1000);
	assert_int_equal(c->raft.election_timeout_ms, 1000);
	assert_int_equal(c->raft.commit_timeout_ms, 50);
	assert_int_equal(c->raft.max_append_entries, 64);
	assert_int_equal(c->raft.trailing_logs, 10240);
	assert_int_equal(c->raft.snapshot_interval_ms, 120000);
	assert_int_equal(c->raft.snapshot_threshold, 8192);
	assert_int_equal(c->raft.leader_lease_timeout_ms, 500);
	config_free(c);
}

static void the_other_sections_of_a_recorded_file_have_their_values(void **state)
{
	struct config *c = parse_recorded("crdt.json");

	assert_multiaddr(&c->kubo.node_multiaddress, "/ip4/127.0.0.1/tcp/5001");
	assert_int_equal(c->kubo.connect_swarms_delay_ms, 30000);
	assert_int_equal(c->kubo.ipfs_request_timeout_ms, 300000);
	assert_int_equal(c->kubo.pin_timeout_ms, 120000);
	assert_int_equal(c->kubo.unpin_timeout_ms, 10800000);
	assert_int_equal(c->kubo.repogc_timeout_ms, 86400000);
	assert_false(c->kubo.unpin_disable);
	assert_int_equal(c->tracker.max_pin_queue_size, 1000000);
	assert_int_equal(c->tracker.concurrent_pins, 10);
	assert_int_equal(c->tracker.priority_pin_max_age_ms, 86400000);
	assert_int_equal(c->tracker.priority_pin_max_retries, 5);
	assert_int_equal(c->monitor.check_interval_ms, 15000);
	assert_int_equal(c->allocator.allocate_by.n, 2);
	assert_string_equal(c->allocator.allocate_by.v[1], "freespace");
	assert_int_equal(c->informer.disk_ttl_ms, 30000);
	assert_string_equal(c->informer.disk_metric, "freespace");
	assert_int_equal(c->informer.pinqueue_bucket_size, 100000);
	assert_int_equal(c->informer.tags.n, 1);
	assert_string_equal(c->informer.tags.v[0].key, "group");
	assert_string_equal(c->informer.tags.v[0].value, "default");
	config_free(c);
}

static void a_file_without_allocator_is_one_without_tags(void **state)
{
	struct config *c =
	    parse("{\"cluster\": {\"listen_multiaddress\": \"/ip4/127.0.0.1/tcp/1\"}, "
		  "\"consensus\": {\"crdt\": {}}}");

	assert_int_equal(c->allocator.allocate_by.n, 1);
	assert_string_equal(c->allocator.allocate_by.v[0], "freespace");
	config_free(c);
	c = parse("{\"cluster\": {\"listen_multiaddress\": \"/ip4/127.0.0.1/tcp/1\"}, "
		  "\"consensus\": {\"crdt\": {}}, \"allocator\": {\"balanced\": {}}}");
	assert_int_equal(c->allocator.allocate_by.n, 2);
	config_free(c);
}

static void pins_are_counted_for_others_where_the_section_is(void **state)
{
	struct config *c = parse_recorded("crdt.json");

	assert_int_equal(c->informer.numpin_ttl_ms, 0);
	config_free(c);
	c = parse("{\"cluster\": {\"listen_multiaddress\": \"/ip4/127.0.0.1/tcp/1\"}, "
		  "\"consensus\": {\"crdt\": {}}, \"informer\": {\"numpin\": {}}}");
	assert_int_equal(c->informer.numpin_ttl_ms, 10000);
	config_free(c);
}

static void our_sections_have_defaults_where_the_file_has_none(void **state)
{
	struct config *c = parse_recorded("crdt.json");

	assert_string_equal(c->store.folder, "lmdb");
	assert_int_equal(c->store.map_size, INT64_C(1) << 40);
	assert_string_equal(c->fs.access, "");
	assert_int_equal(c->fs.max_unpins, 0);
	assert_int_equal(c->fs.backups_rotate, 6);
	assert_int_equal(c->fs.commit_deadline_ms, 30000);
	config_free(c);
}

static void every_default_of_every_table_passes_its_own_check(void **state)
{
	const struct conf_table *t;

	for (t = conf_tables; t->section; t++) {
		json_t *doc = NULL, *again = NULL;
		struct err e = { 0 };

		if (conf_normalize(t->section, NULL, &source, &doc, NULL, &e) < 0 ||
		    conf_normalize(t->section, doc, &source, &again, NULL, &e) < 0)
			fail_msg("%s", e.msg);
		if (!json_equal(doc, again))
			fail_msg("%s: a default is not in its usual form", t->section->path);
		json_decref(doc);
		json_decref(again);
	}
}

static void backups_rotate_of_raft_wins_in_raft_alone(void **state)
{
	struct config *c =
	    parse("{\"cluster\": {\"listen_multiaddress\": \"/ip4/127.0.0.1/tcp/1\"}, "
		  "\"consensus\": {\"raft\": {\"backups_rotate\": 3}}, "
		  "\"fuse\": {\"backups_rotate\": 9}}");

	assert_int_equal(c->fs.backups_rotate, 3);
	config_free(c);
	c = parse("{\"cluster\": {\"listen_multiaddress\": \"/ip4/127.0.0.1/tcp/1\"}, "
		  "\"consensus\": {\"crdt\": {}}, \"fuse\": {\"backups_rotate\": 9}}");
	assert_int_equal(c->fs.backups_rotate, 9);
	assert_false(c->crdt.trust_all); /* a section without the list trusts nobody */
	config_free(c);
}

/* Each variable and the file that the reference made of all of them. */
static void the_environment_is_applied_as_the_reference_does(void **state)
{
	static const char *const names[] = { "env-crdt.json", "env-raft.json" };
	static const struct conf_source with_env = { .file = CONFIG_FILE, .getenv = getenv };
	size_t i;

	for (i = 0; i < 2; i++) {
		char *text = vectors_config(names[i]),
		     *base = vectors_config(names[i] + strlen("env-"));
		json_t *root = json_loads(text, 0, NULL), *value;
		struct config *c = NULL;
		struct err e = { 0 };
		const char *name;

		json_object_foreach (json_object_get(root, "env"), name, value)
			setenv(name, json_string_value(value), 1);
		if (config_parse(base, strlen(base), &with_env, &c, &e) < 0)
			fail_msg("%s", e.msg);
		json_object_foreach (json_object_get(root, "env"), name, value)
			unsetenv(name);
		assert_true(
		    json_equal(json_object_get(c->doc, "cluster"),
			       json_object_get(json_object_get(root, "service"), "cluster")));
		assert_true(json_equal(c->doc, json_object_get(root, "service")));
		assert_int_equal(c->cluster.replication_factor_min, 3);
		config_free(c);
		json_decref(root);
		free(base);
		free(text);
	}
}

static void a_folder_is_loaded_with_its_identity(void **state)
{
	char id[PEERID_TEXT_MAX];
	struct config *c = NULL;

	folder_fill(*state, "crdt.json");
	assert_int_equal(config_load(*state, &c, NULL), 0);
	peerid_format(&c->identity.id, id);
	assert_string_equal(id, ID);
	assert_string_equal(c->folder, *state);
	assert_string_equal(strrchr(c->peerstore, '/'), "/peerstore");
	config_free(c);
}

static void an_identity_may_come_from_the_environment(void **state)
{
	char *text = vectors_config("identity.json"), *service = vectors_config("crdt.json");
	json_t *identity = json_loads(text, 0, NULL);
	struct config *c = NULL;

	folder_put(*state, CONFIG_FILE, service);
	setenv("CLUSTER_ID", ID, 1);
	setenv("CLUSTER_PRIVATEKEY", json_string_value(json_object_get(identity, "private_key")),
	       1);
	assert_int_equal(config_load(*state, &c, NULL), 0);
	unsetenv("CLUSTER_ID");
	unsetenv("CLUSTER_PRIVATEKEY");
	/* Neither of them is a key of the section cluster. */
	assert_null(json_object_get(json_object_get(c->doc, "cluster"), "private_key"));
	config_free(c);
	json_decref(identity);
	free(service);
	free(text);
}

static void an_identity_may_lie_in_an_old_service_json(void **state)
{
	char *text = vectors_config("identity.json"), *service = vectors_config("crdt.json");
	json_t *identity = json_loads(text, 0, NULL), *doc = json_loads(service, 0, NULL);
	struct buf shown = BUF_INIT(1 << 20);
	struct config *c = NULL;
	char *merged;

	json_object_update(json_object_get(doc, "cluster"), identity);
	merged = json_dumps(doc, 0);
	folder_put(*state, CONFIG_FILE, merged);
	assert_int_equal(config_load(*state, &c, NULL), 0);
	assert_int_equal(config_json_public(c, &shown), 0);
	assert_int_equal(buf_terminate(&shown), 0);
	assert_null(strstr((char *)shown.data,
			   json_string_value(json_object_get(identity, "private_key"))));
	buf_deinit(&shown);
	config_free(c);
	json_decref(identity);
	json_decref(doc);
	free(merged);
	free(service);
	free(text);
}

static void what_may_be_shown_has_no_secrets(void **state)
{
	static const char text[] =
	    "{\"cluster\": {\"secret\": "
	    "\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\", "
	    "\"listen_multiaddress\": \"/ip4/127.0.0.1/tcp/1\"}, \"consensus\": {\"crdt\": {}}, "
	    "\"api\": {\"restapi\": {\"basic_auth_credentials\": {\"user\": \"hunter2\"}, "
	    "\"private_key\": \"topsecret\"}, \"unknown\": {\"password\": \"hunter2\"}}}";
	static const char *const secrets[] = { "0001020304", "hunter2", "topsecret" };
	struct buf shown = BUF_INIT(1 << 20);
	struct config *c = parse(text);
	size_t i;

	assert_int_equal(config_json_public(c, &shown), 0);
	assert_int_equal(buf_terminate(&shown), 0);
	for (i = 0; i < 3; i++)
		assert_null(strstr((char *)shown.data, secrets[i]));
	assert_non_null(strstr((char *)shown.data, "\"secret\": \"XXX_hidden_XXX\""));
	assert_non_null(strstr((char *)shown.data, "\"listen_multiaddress\": \"/ip4/127"));
	assert_int_equal(shown.data[shown.len - 1], '\n');
	buf_deinit(&shown);
	config_free(c);
}

static void the_identity_is_shown_without_its_key(void **state)
{
	struct buf shown = BUF_INIT(1024);
	struct config *c = NULL;

	folder_fill(*state, "crdt.json");
	assert_int_equal(config_load(*state, &c, NULL), 0);
	assert_int_equal(config_identity_public(c, &shown), 0);
	assert_int_equal(buf_terminate(&shown), 0);
	assert_string_equal((char *)shown.data, "{\n    \"id\": \"" ID "\"\n}\n");
	buf_deinit(&shown);
	config_free(c);
}

/* Folder and file that are made, and what is found in crdt mode with datastore.pebble. */
static void the_stores_of_the_reference_are_found(void **state)
{
	static const struct {
		const char *service, *folder, *file, *found;
	} cases[] = {
		{ "crdt.json", NULL, NULL, NULL },
		{ "crdt.json", "pebble", NULL, NULL },
		{ "crdt.json", "pebble", "LOCK", "pebble" },
		{ "crdt.json", "badger", "LOCK", NULL },
		{ "badger.json", "badger", "LOCK", "badger" },
		{ "badger3.json", "badger3", "LOCK", "badger3" },
		{ "leveldb.json", "leveldb", "LOCK", "leveldb" },
		{ "crdt.json", "raft", "raft.db", NULL },
		{ "raft.json", "raft", "raft.db", "raft/raft.db" },
		{ "raft.json", "raft", "engine", NULL },
		{ "raft.json", "pebble", "LOCK", NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *path = cases[i].folder ? path_join(*state, cases[i].folder) : NULL;
		struct config *c = NULL;
		const char *found;

		folder_empty(*state);
		folder_fill(*state, cases[i].service);
		if (path)
			assert_int_equal(mkdir(path, 0700), 0);
		if (cases[i].file)
			folder_put(path, cases[i].file, "");
		assert_int_equal(config_load(*state, &c, NULL), 0);
		found = config_go_store(c);
		assert_string_equal(found ? found : "none",
				    cases[i].found ? cases[i].found : "none");
		config_free(c);
		free(path);
	}
}

static void the_default_folder_is_that_of_the_reference(void **state)
{
	char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL, *folder;

	setenv("IPFS_CLUSTER_PATH", "some/where", 1);
	folder = config_default_folder();
	assert_string_equal(folder, "some/where");
	free(folder);
	unsetenv("IPFS_CLUSTER_PATH");
	setenv("HOME", "/home/someone", 1);
	folder = config_default_folder();
	assert_string_equal(folder, "/home/someone/.ipfs-cluster");
	free(folder);
	unsetenv("HOME");
	assert_null(config_default_folder());
	if (home)
		setenv("HOME", home, 1);
	free(home);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_files_are_rewritten_to_the_byte),
		cmocka_unit_test(the_cluster_section_of_a_recorded_file_has_its_values),
		cmocka_unit_test(the_crdt_section_of_a_recorded_file_has_its_values),
		cmocka_unit_test(the_raft_section_of_a_recorded_file_has_its_values),
		cmocka_unit_test(the_other_sections_of_a_recorded_file_have_their_values),
		cmocka_unit_test(a_file_without_allocator_is_one_without_tags),
		cmocka_unit_test(pins_are_counted_for_others_where_the_section_is),
		cmocka_unit_test(our_sections_have_defaults_where_the_file_has_none),
		cmocka_unit_test(every_default_of_every_table_passes_its_own_check),
		cmocka_unit_test(backups_rotate_of_raft_wins_in_raft_alone),
		cmocka_unit_test(the_environment_is_applied_as_the_reference_does),
		IN_FOLDER(a_folder_is_loaded_with_its_identity),
		IN_FOLDER(an_identity_may_come_from_the_environment),
		IN_FOLDER(an_identity_may_lie_in_an_old_service_json),
		cmocka_unit_test(what_may_be_shown_has_no_secrets),
		IN_FOLDER(the_identity_is_shown_without_its_key),
		IN_FOLDER(the_stores_of_the_reference_are_found),
		cmocka_unit_test(the_default_folder_is_that_of_the_reference),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
