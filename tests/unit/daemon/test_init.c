#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>

#include "daemon/init.h"
#include "tests/lib/folder.h"
#include "tests/lib/vectors.h"

#define ID "12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk"
#define PEER "/ip4/127.0.0.1/tcp/9096/p2p/" ID
#define PEER2 "/dns4/example.org/tcp/9096/p2p/" ID

/* init in a folder below the scratch folder that does not exist yet; the caller frees the path. */
static char *init(const char *scratch, enum config_consensus consensus, struct init_result *ret)
{
	char *folder = path_join(scratch, "new");
	struct init_options o = { .folder = folder, .consensus = consensus };
	struct err e = { 0 };

	if (config_init(&o, ret, &e) < 0)
		fail_msg("%s", e.msg);
	return folder;
}

/* Without our sections, and with the name and the secret of the recorded file. */
static void assert_as_recorded(const char *folder, const char *name)
{
	char *text = folder_get(folder, CONFIG_FILE), *want_text = vectors_config(name);
	json_t *doc = json_loads(text, 0, NULL), *want = json_loads(want_text, 0, NULL);
	json_t *cluster = json_object_get(doc, "cluster"), *store;

	assert_int_equal(strlen(json_string_value(json_object_get(cluster, "secret"))), 64);
	json_object_set(cluster, "secret",
			json_object_get(json_object_get(want, "cluster"), "secret"));
	json_object_set_new(cluster, "peername", json_string("test-peer"));
	assert_int_equal(json_object_del(doc, "fuse"), 0);
	store = json_object_get(doc, "datastore");
	assert_int_equal(json_object_del(store, "lmdb"), 0);
	if (json_object_size(store) == 0)
		json_object_del(doc, "datastore");
	assert_true(json_equal(doc, want));
	json_decref(doc);
	json_decref(want);
	free(text);
	free(want_text);
}

static void a_new_folder_has_what_the_reference_writes(void **state)
{
	struct init_result ret = { 0 };
	char *folder = init(*state, CONFIG_CRDT, &ret), *text;
	struct config *c = NULL;
	char id[PEERID_TEXT_MAX];

	assert_true(ret.new_identity && ret.new_peerstore);
	assert_int_equal(folder_mode(*state, "new"), 0700);
	assert_int_equal(folder_mode(folder, CONFIG_FILE), 0600);
	assert_int_equal(folder_mode(folder, CONFIG_IDENTITY_FILE), 0600);
	assert_int_equal(folder_mode(folder, CONFIG_PEERSTORE_FILE) & 0600, 0600);
	assert_false(folder_has(folder, "cluster.lock"));
	assert_as_recorded(folder, "crdt.json");
	text = folder_get(folder, CONFIG_PEERSTORE_FILE);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(config_load(folder, &c, NULL), 0);
	peerid_format(&c->identity.id, id);
	assert_string_equal(id, ret.id);
	assert_true(c->crdt.trust_all);
	assert_true(c->cluster.has_secret);
	config_free(c);
	free(folder);
}

static void a_new_raft_folder_has_what_the_reference_writes(void **state)
{
	struct init_result ret = { 0 };
	char *folder = init(*state, CONFIG_RAFT, &ret);

	assert_as_recorded(folder, "raft.json");
	free(folder);
}

static void two_folders_share_neither_secret_nor_identity(void **state)
{
	char *a = path_join(*state, "a"), *b = path_join(*state, "b");
	struct init_options oa = { .folder = a }, ob = { .folder = b };
	struct init_result ra, rb;
	struct config *ca = NULL, *cb = NULL;

	assert_int_equal(config_init(&oa, &ra, NULL), 0);
	assert_int_equal(config_init(&ob, &rb, NULL), 0);
	assert_string_not_equal(ra.id, rb.id);
	assert_int_equal(config_load(a, &ca, NULL), 0);
	assert_int_equal(config_load(b, &cb, NULL), 0);
	assert_memory_not_equal(ca->cluster.secret, cb->cluster.secret, 32);
	config_free(ca);
	config_free(cb);
	free(a);
	free(b);
}

static void peers_become_trusted_and_known(void **state)
{
	static const char *const peers[] = { PEER, PEER2 };
	struct init_options o = { .folder = *state, .peers = peers, .n_peers = 2 };
	struct init_result ret = { 0 };
	struct config *c = NULL;
	char *text;

	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_int_equal(ret.n_peers, 2);
	text = folder_get(*state, CONFIG_PEERSTORE_FILE);
	assert_string_equal(text, PEER "\n" PEER2 "\n");
	free(text);
	assert_int_equal(config_load(*state, &c, NULL), 0);
	assert_false(c->crdt.trust_all);
	assert_int_equal(c->crdt.trusted_peers.n, 1); /* one peer with two addresses */
	config_free(c);
}

static void peers_are_the_first_peerset_in_raft(void **state)
{
	static const char *const peers[] = { PEER };
	struct init_options o = {
		.folder = *state, .consensus = CONFIG_RAFT, .peers = peers, .n_peers = 1
	};
	struct init_result ret = { 0 };
	struct config *c = NULL;

	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_int_equal(config_load(*state, &c, NULL), 0);
	assert_int_equal(c->raft.init_peerset.n, 1);
	config_free(c);
}

static void an_existing_configuration_is_never_overwritten(void **state)
{
	struct init_options o = { .folder = *state };
	struct init_result ret = { 0 };
	struct err e = { 0 };
	char *text, want[256];

	folder_put(*state, CONFIG_FILE, "mine");
	assert_int_equal(config_init(&o, &ret, &e), -EEXIST);
	snprintf(want, sizeof(want), "%s/service.json is there already", (char *)*state);
	assert_int_equal(strncmp(e.msg, want, strlen(want)), 0);
	text = folder_get(*state, CONFIG_FILE);
	assert_string_equal(text, "mine");
	free(text);
	assert_false(folder_has(*state, CONFIG_IDENTITY_FILE));
	assert_false(folder_has(*state, CONFIG_PEERSTORE_FILE));
}

static void an_identity_and_a_peerstore_that_are_there_are_kept(void **state)
{
	char *identity = vectors_config("identity.json"), *text;
	struct init_options o = { .folder = *state };
	struct init_result ret = { 0 };

	folder_put(*state, CONFIG_IDENTITY_FILE, identity);
	folder_put(*state, CONFIG_PEERSTORE_FILE, PEER "\n");
	assert_int_equal(config_init(&o, &ret, NULL), 0);
	assert_false(ret.new_identity);
	assert_false(ret.new_peerstore);
	assert_string_equal(ret.id, ID);
	text = folder_get(*state, CONFIG_IDENTITY_FILE);
	assert_string_equal(text, identity);
	free(text);
	text = folder_get(*state, CONFIG_PEERSTORE_FILE);
	assert_string_equal(text, PEER "\n");
	free(text);
	free(identity);
}

static void the_environment_goes_into_the_files(void **state)
{
	static const char secret[] =
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
	struct init_result ret = { 0 };
	struct config *c = NULL;
	char *folder;

	setenv("CLUSTER_SECRET", secret, 1);
	setenv("CLUSTER_PEERNAME", "from-env", 1);
	setenv("CLUSTER_CRDT_CLUSTERNAME", "other", 1);
	setenv("CLUSTER_FUSE_AUDITDAYS", "7", 1);
	folder = init(*state, CONFIG_CRDT, &ret);
	unsetenv("CLUSTER_SECRET");
	unsetenv("CLUSTER_PEERNAME");
	unsetenv("CLUSTER_CRDT_CLUSTERNAME");
	unsetenv("CLUSTER_FUSE_AUDITDAYS");
	assert_int_equal(config_load(folder, &c, NULL), 0);
	assert_int_equal(c->cluster.secret[31], 0xff);
	assert_string_equal(c->cluster.peername, "from-env");
	assert_string_equal(c->crdt.cluster_name, "other");
	assert_int_equal(c->fs.audit_days, 7);
	config_free(c);
	free(folder);
}

/* Nothing is left of an init that cannot be done. */
static const char *typed;

static int type_secret(char ret[INIT_SECRET_MAX], struct err *e)
{
	snprintf(ret, INIT_SECRET_MAX, "%s", typed);
	return 0;
}

/* Over that of the environment, as the reference does it. */
static void a_typed_secret_goes_into_the_file(void **state)
{
	static const uint8_t want[4] = { 0xab, 0xcd, 0xab, 0xcd };
	char *folder = path_join(*state, "new");
	struct init_options o = { .folder = folder, .ask_secret = type_secret };
	struct init_result ret = { 0 };
	struct config *c = NULL;

	typed = "ABCDabcdABCDabcdABCDabcdABCDabcdABCDabcdABCDabcdABCDabcdABCDabcd";
	setenv("CLUSTER_SECRET", "ff", 1);
	assert_int_equal(config_init(&o, &ret, NULL), -EINVAL);
	setenv("CLUSTER_SECRET", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	       1);
	assert_int_equal(config_init(&o, &ret, NULL), 0);
	unsetenv("CLUSTER_SECRET");
	assert_int_equal(config_load(folder, &c, NULL), 0);
	assert_memory_equal(c->cluster.secret, want, sizeof(want));
	config_free(c);
	free(folder);
}

static void a_typed_secret_that_is_none_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"1234",
		"zz",
		" abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd",
		"abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdab",
	};
	char *folder = path_join(*state, "new");
	struct init_options o = { .folder = folder, .ask_secret = type_secret };
	struct init_result ret = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };

		typed = cases[i];
		assert_int_equal(config_init(&o, &ret, &e), -EINVAL);
		assert_string_equal(e.msg, "the secret must be 64 hexadecimal digits");
		assert_false(folder_has(*state, "new"));
	}
	free(folder);
}

/* The ports of the four listeners, five addresses. */
static void ports_of(const char *folder, unsigned ret[5])
{
	static const char *const paths[][3] = { { "cluster", NULL, "listen_multiaddress" },
						{ "api", "ipfsproxy", "listen_multiaddress" },
						{ "api", "restapi", "http_listen_multiaddress" },
						{ "api", "pinsvcapi",
						  "http_listen_multiaddress" } };
	char *text = folder_get(folder, CONFIG_FILE);
	json_t *doc = json_loads(text, 0, NULL);
	size_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		json_t *section = json_object_get(doc, paths[i][0]), *v;

		if (paths[i][1])
			section = json_object_get(section, paths[i][1]);
		v = json_object_get(section, paths[i][2]);
		for (size_t k = 0; k < (json_is_array(v) ? json_array_size(v) : 1); k++) {
			const char *a =
			    json_string_value(json_is_array(v) ? json_array_get(v, k) : v);

			assert_true(n < 5);
			assert_int_equal(sscanf(a, "/ip4/%*[0-9.]/%*[a-z]/%u", &ret[n++]), 1);
		}
	}
	assert_int_equal(n, 5);
	json_decref(doc);
	free(text);
}

static void random_ports_are_free_ones_and_differ(void **state)
{
	char *folder = path_join(*state, "new");
	struct init_options o = { .folder = folder, .random_ports = true };
	struct init_result ret = { 0 };
	struct config *c = NULL;
	unsigned port[5];

	assert_int_equal(config_init(&o, &ret, NULL), 0);
	ports_of(folder, port);
	for (size_t i = 0; i < 5; i++) {
		assert_in_range(port[i], 1024, 65535);
		assert_false(port[i] >= 9094 && port[i] <= 9097);
	}
	assert_int_not_equal(port[0], port[2]); /* both TCP */
	assert_int_not_equal(port[2], port[3]);
	assert_int_not_equal(port[3], port[4]);
	assert_int_equal(config_load(folder, &c, NULL), 0);
	assert_int_equal(c->cluster.listen.n, 2);
	assert_true(c->cluster.disable_repinning); /* the section is there in full */
	config_free(c);
	free(folder);
}

static void an_address_of_the_environment_keeps_its_port(void **state)
{
	struct init_options o = { .folder = *state, .random_ports = true };
	struct init_result ret = { 0 };
	unsigned port[5];

	setenv("CLUSTER_LISTENMULTIADDRESS", "/ip4/127.0.0.1/tcp/77,/ip4/127.0.0.1/udp/78/quic", 1);
	assert_int_equal(config_init(&o, &ret, NULL), 0);
	unsetenv("CLUSTER_LISTENMULTIADDRESS");
	ports_of(*state, port);
	assert_int_equal(port[0], 77);
	assert_int_equal(port[1], 78);
	assert_int_not_equal(port[2], 9095);
}

static void wrong_wishes_leave_nothing_behind(void **state)
{
	static const struct {
		const char *var, *value, *peer, *msg;
	} cases[] = {
		{ "CLUSTER_SECRET", "zz", NULL, "CLUSTER_SECRET: must be 64 hexadecimal digits" },
		{ "CLUSTER_REPLICATIONFACTORMIN", "abc", NULL,
		  "CLUSTER_REPLICATIONFACTORMIN: must be a number" },
		{ "CLUSTER_REPLICATIONFACTORMIN", "3", NULL,
		  "service.json: cluster.replication_factor_min: must be -1 when" },
		{ "CLUSTER_ID", ID, NULL, "identity.json: private_key: is missing" },
		{ NULL, NULL, "foo", "peer foo: " },
		{ NULL, NULL, "/ip4/1.2.3.4/tcp/1",
		  "peer /ip4/1.2.3.4/tcp/1: must end in /p2p/ and the peer's ID" },
	};
	char *folder = path_join(*state, "new");
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct init_options o = { .folder = folder,
					  .peers = &cases[i].peer,
					  .n_peers = cases[i].peer != NULL };
		struct init_result ret = { 0 };
		struct err e = { 0 };

		if (cases[i].var)
			setenv(cases[i].var, cases[i].value, 1);
		assert_int_equal(config_init(&o, &ret, &e), -EINVAL);
		if (cases[i].var)
			unsetenv(cases[i].var);
		if (strncmp(e.msg, cases[i].msg, strlen(cases[i].msg)) != 0)
			fail_msg("%s", e.msg);
		assert_false(folder_has(*state, "new"));
	}
	free(folder);
}

static void a_broken_identity_stops_init(void **state)
{
	struct init_options o = { .folder = *state };
	struct init_result ret = { 0 };

	folder_put(*state, CONFIG_IDENTITY_FILE, "{}");
	assert_int_equal(config_init(&o, &ret, NULL), -EINVAL);
	assert_false(folder_has(*state, CONFIG_FILE));
	assert_false(folder_has(*state, CONFIG_PEERSTORE_FILE));
}

/* service.json cannot be written: its temporary name is taken by a folder. */
static void a_failed_write_takes_everything_back(void **state)
{
	struct init_options o = { .folder = *state };
	char *trap = path_join(*state, CONFIG_FILE ".tmp");
	struct init_result ret = { 0 };
	struct err e = { 0 };

	assert_int_equal(mkdir(trap, 0700), 0);
	assert_true(config_init(&o, &ret, &e) < 0);
	assert_non_null(strstr(e.msg, CONFIG_FILE));
	assert_false(folder_has(*state, CONFIG_FILE));
	assert_false(folder_has(*state, CONFIG_IDENTITY_FILE));
	assert_false(folder_has(*state, CONFIG_PEERSTORE_FILE));
	assert_false(folder_has(*state, "cluster.lock"));
	free(trap);
}

/* The same in a folder that init made: the peerstore's folder does not exist. */
static void a_failed_write_takes_a_new_folder_back(void **state)
{
	char *folder = path_join(*state, "new");
	struct init_options o = { .folder = folder };
	struct init_result ret = { 0 };

	setenv("CLUSTER_PEERSTOREFILE", "no/peerstore", 1);
	assert_int_equal(config_init(&o, &ret, NULL), -ENOENT);
	unsetenv("CLUSTER_PEERSTOREFILE");
	assert_false(folder_has(*state, "new"));
	free(folder);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_new_folder_has_what_the_reference_writes),
		IN_FOLDER(a_new_raft_folder_has_what_the_reference_writes),
		IN_FOLDER(two_folders_share_neither_secret_nor_identity),
		IN_FOLDER(peers_become_trusted_and_known),
		IN_FOLDER(peers_are_the_first_peerset_in_raft),
		IN_FOLDER(an_existing_configuration_is_never_overwritten),
		IN_FOLDER(an_identity_and_a_peerstore_that_are_there_are_kept),
		IN_FOLDER(the_environment_goes_into_the_files),
		IN_FOLDER(a_typed_secret_goes_into_the_file),
		IN_FOLDER(a_typed_secret_that_is_none_is_refused),
		IN_FOLDER(random_ports_are_free_ones_and_differ),
		IN_FOLDER(an_address_of_the_environment_keeps_its_port),
		IN_FOLDER(wrong_wishes_leave_nothing_behind),
		IN_FOLDER(a_broken_identity_stops_init),
		IN_FOLDER(a_failed_write_takes_everything_back),
		IN_FOLDER(a_failed_write_takes_a_new_folder_back),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
