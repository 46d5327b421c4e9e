#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/vectors.h"
#include "types/msgpack_scan.h"
#include "types/pin_json.h"
#include "types/pin_pb.h"
#include "types/rpc_types.h"

#define CAP 16384
#define MEMORY (32u << 20)
#define PEER_HEX "0024080112208b7fa1c62fc88c8717b18ec4482262ae5726cd5d799a9c3cd3f5fca864a498f3"
#define CID_HEX "01551220fb5152e8e341db2eebdf15e76874fefe6d75c7adfa823b4273142acc19c20295"

static uint8_t input[CAP];
static struct bump memory;

static int setup(void **state)
{
	memory = (struct bump){ .left = MEMORY };
	return 0;
}

static int teardown(void **state)
{
	bump_free_all(memory.chunks);
	memory.chunks = NULL;
	return 0;
}

static size_t bytes_of(const char *hex)
{
	int n = base16_decode(hex, strlen(hex), input, sizeof(input));

	assert_true(n >= 0);
	return (size_t)n;
}

static void check_bytes(struct buf *out, const uint8_t *want, size_t n)
{
	assert_int_equal(n, out->len);
	assert_memory_equal(want, out->data, n);
	buf_deinit(out);
}

static bool is_text(const struct pin_text *t, const char *want)
{
	return t->n == strlen(want) && memcmp(t->p, want, t->n) == 0;
}

/* ---- the recorded streams: what is decoded and encoded again has the same bytes ---- */

static void check_id(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct rpc_id id;

	assert_int_equal(0, rpc_id_decode(p, n, &memory, &id, NULL));
	assert_true(id.peer.len == 38 && id.n_addresses == 1 && is_text(&id.version, "1.1.6"));
	assert_int_equal(0, rpc_id_encode(&id, &out));
	check_bytes(&out, p, n);
}

static void check_info(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct rpc_pin_info i;

	assert_int_equal(0, rpc_pin_info_decode(p, n, &memory, &i, NULL));
	assert_int_equal(0, rpc_pin_info_encode(&i, &out));
	check_bytes(&out, p, n);
}

static void check_gc(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct rpc_repo_gc g;

	assert_int_equal(0, rpc_repo_gc_decode(p, n, &memory, &g, NULL));
	assert_int_equal(0, rpc_repo_gc_encode(&g, &out));
	check_bytes(&out, p, n);
}

static void check_stat(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct rpc_repo_stat s;

	assert_int_equal(0, rpc_repo_stat_decode(p, n, &s, NULL));
	assert_int_equal(0, rpc_repo_stat_encode(&s, &out));
	check_bytes(&out, p, n);
}

static void check_node(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct rpc_node node;

	assert_int_equal(0, rpc_node_decode(p, n, &node, NULL));
	assert_true(node.len > 0 && cid_defined(&node.cid) && node.cumulative_size > 0);
	assert_int_equal(0, rpc_node_encode(&node, &out));
	check_bytes(&out, p, n);
}

static void check_cid(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct cid c;

	assert_int_equal(0, rpc_cid_decode(p, n, &c, NULL));
	assert_int_equal(0, rpc_cid_encode(&c, &out));
	check_bytes(&out, p, n);
}

static void check_peer(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct peerid id;

	assert_int_equal(0, rpc_peerid_decode(p, n, &id, NULL));
	assert_int_equal(0, rpc_peerid_encode(&id, &out));
	check_bytes(&out, p, n);
}

static void check_peers(const uint8_t *p, size_t n)
{
	const struct peerid *v;
	struct buf out = BUF_INIT(0);
	size_t count;

	assert_int_equal(0, rpc_peerids_decode(p, n, &memory, &v, &count, NULL));
	assert_int_equal(0, rpc_peerids_encode(v, count, &out));
	check_bytes(&out, p, n);
}

static void check_filter(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);
	uint32_t bits;

	assert_int_equal(0, rpc_filter_decode(p, n, &bits, NULL));
	assert_int_equal(0, rpc_filter_encode(bits, &out));
	check_bytes(&out, p, n);
}

static void check_empty(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, rpc_empty_encode(&out));
	check_bytes(&out, p, n);
}

static void check_version(const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, rpc_version_encode("1.1.6", &out));
	check_bytes(&out, p, n);
}

typedef void (*check_fn)(const uint8_t *p, size_t n);

static const struct {
	const char *method;
	check_fn argument, value;
} methods[] = {
	{ "Cluster.ID", check_empty, check_id },
	{ "Cluster.IDStream", NULL, check_id },
	{ "Cluster.PeerAdd", check_peer, check_id },
	{ "Cluster.PeerRemove", check_peer, check_empty },
	{ "Cluster.Peers", NULL, check_id },
	{ "Cluster.RecoverAllLocal", NULL, check_info },
	{ "Cluster.RecoverLocal", check_cid, check_info },
	{ "Cluster.RepoGCLocal", check_empty, check_gc },
	{ "Cluster.Version", check_empty, check_version },
	{ "Consensus.AddPeer", check_peer, check_empty },
	{ "Consensus.LogPin", NULL, check_empty },
	{ "Consensus.LogUnpin", NULL, check_empty },
	{ "Consensus.RmPeer", check_peer, check_empty },
	{ "IPFSConnector.BlockStream", check_node, NULL },
	{ "IPFSConnector.RepoStat", check_empty, check_stat },
	{ "IPFSConnector.SwarmPeers", check_empty, check_peers },
	{ "PinTracker.Recover", check_cid, check_info },
	{ "PinTracker.Status", check_cid, check_info },
	{ "PinTracker.StatusAll", check_filter, check_info },
};

/* Each object that is not the ServiceID or a header; returns their number. */
static size_t check_stream(const uint8_t *p, size_t n, bool requests, check_fn check)
{
	size_t at = 0, size, checked = 0;

	for (size_t i = 0; at < n; i++, at += size) {
		assert_int_equal(1, mp_object_size(p + at, n - at, CAP, &size));
		if (!check || (requests ? i == 0 : i % 2 == 0))
			continue;
		check(p + at, size);
		checked++;
	}
	return checked;
}

static void recorded_values_are_written_with_the_same_bytes(void **state)
{
	json_t *root = vectors_load("cluster-rpc-streams.json"), *v;
	size_t i, checked = 0, known = 0, n;

	json_array_foreach (vectors_array(root, "streams"), i, v) {
		for (size_t k = 0; k < sizeof(methods) / sizeof(methods[0]); k++) {
			if (strcmp(methods[k].method, vectors_str(v, "method")) != 0)
				continue;
			known++;
			n = vectors_hex(v, "request_hex", input, sizeof(input));
			checked += check_stream(input, n, true, methods[k].argument);
			n = vectors_hex(v, "response_hex", input, sizeof(input));
			checked += check_stream(input, n, false, methods[k].value);
		}
	}
	/* All but five streams of methods that are closed or do not exist. */
	assert_int_equal(38, known);
	assert_true(checked > 60);
	json_decref(root);
}

static void a_state_of_a_pin_is_read(void **state)
{
	size_t n =
	    bytes_of("8ea163da0024" CID_HEX "a16da16ea170da0026" PEER_HEX "a16f91da0026" PEER_HEX
		     "a16790a174a46553f100a26d6481a16ba176a2706ea570726f6265a169da0026" PEER_HEX
		     "a2696191da0031047f000001060fa1a50326" PEER_HEX
		     "a2737410a27473a8773594006553f101a16102a179c3");
	struct rpc_pin_info i;

	assert_int_equal(0, rpc_pin_info_decode(input, n, &memory, &i, NULL));
	assert_int_equal(36, i.cid.len);
	assert_true(is_text(&i.name, "n") && is_text(&i.peername, "probe"));
	assert_int_equal(1, i.n_allocations);
	assert_true(i.origins && i.n_origins == 0);
	assert_true(i.n_metadata == 1 && is_text(&i.metadata[0].key, "k") &&
		    is_text(&i.metadata[0].value, "v"));
	assert_int_equal(1, i.n_ipfs_addresses);
	assert_true(i.created.set && i.created.s == 1700000000 && i.created.ns == 0);
	assert_true(i.since.set && i.since.s == 1700000001 && i.since.ns == 500000000);
	assert_int_equal(STATUS_PINNED, i.status);
	assert_int_equal(2, i.attempts);
	assert_true(i.priority && !i.error.p);
}

static void states_that_are_no_single_one_are_undefined(void **state)
{
	static const struct {
		const char *hex;
		enum status want;
	} cases[] = {
		{ "81a2737400", STATUS_UNDEFINED },
		{ "81a27374cd0100", STATUS_REMOTE },
		{ "81a27374d11000", STATUS_UNEXPECTEDLY_UNPINNED },
		{ "81a2737402", STATUS_CLUSTER_ERROR },
		{ "81a2737401", STATUS_UNDEFINED },
		{ "81a273740e", STATUS_UNDEFINED }, /* error */
		{ "81a27374d12000", STATUS_UNDEFINED },
		{ "81a27374ff", STATUS_UNDEFINED },
	};
	struct rpc_pin_info i;

	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		assert_int_equal(
		    0, rpc_pin_info_decode(input, bytes_of(cases[k].hex), &memory, &i, NULL));
		assert_int_equal(cases[k].want, i.status);
	}
}

static void what_is_missing_or_nil_is_zero(void **state)
{
	static const char *const empty[] = {
		"80", "90", "c0", "81a163c0", "82a163c0a170c0", "9fc0c0c0c0c0c0c0c0c0c0c0c0c0c0c0"
	};
	struct rpc_pin_info i, none = { 0 };
	struct rpc_id id, no_id = { 0 };
	struct buf out = BUF_INIT(0);

	for (size_t k = 0; k < sizeof(empty) / sizeof(empty[0]); k++) {
		size_t n = bytes_of(empty[k]);

		assert_int_equal(0, rpc_pin_info_decode(input, n, &memory, &i, NULL));
		assert_true(i.cid.len == 0 && i.peer.len == 0 && !i.name.p && !i.allocations &&
			    !i.created.set && !i.metadata);
		assert_int_equal(0, rpc_id_decode(input, n, &memory, &id, NULL));
		assert_true(id.peer.len == 0 && !id.addresses && !id.ipfs.addresses);
	}
	assert_int_equal(0, rpc_pin_info_encode(&none, &out));
	check_bytes(&out, (const uint8_t *)"\x81\xa1\x63\xc0", 4);
	assert_int_equal(0, rpc_id_encode(&no_id, &out));
	check_bytes(&out, (const uint8_t *)"\x80", 1);
}

static void texts_become_utf8(void **state)
{
	size_t n = bytes_of("81a165a561ff62e282"); /* "a", ff, "b", and the half of a rune */
	struct rpc_pin_info i;

	assert_int_equal(0, rpc_pin_info_decode(input, n, &memory, &i, NULL));
	assert_true(is_text(&i.error, "a\xef\xbf\xbd"
				      "b\xef\xbf\xbd\xef\xbf\xbd"));
}

static void addresses_of_unknown_kinds_are_left_out(void **state)
{
	/* An address of protocol 0x3fff, then one that is known. */
	size_t n = bytes_of("81a16192a3ff7f01a8047f00000106ffff");
	struct rpc_id id;

	assert_int_equal(0, rpc_id_decode(input, n, &memory, &id, NULL));
	assert_int_equal(1, id.n_addresses);
	assert_int_equal(8, id.addresses[0].len);
}

static void fields_of_another_kind_are_refused(void **state)
{
	static const char *const infos[] = {
		"05",
		"a0",
		"81a16305",
		"81a163a0",
		"81a16da1ff00",
		"81a16d05",
		"81a16f05",
		"81a16f91a0",
		"81a16f9105",
		"81a167a0",
		"81a174ce6553f100",
		"81a26d6490",
		"81a26d64810505",
		"81a26d6481a16b05",
		"81a27374a0",
		"81a161c3",
		"81a17905",
		"81a2737480",
	};
	static const char *const ids[] = {
		"81a16905",
		"81a1619105",
		"81a26370"
		"91a0",
		"81a270"
		"6e05",
		"81a2697005",
		"81a2697081a16905",
	};
	struct rpc_pin_info i;
	struct rpc_id id;

	for (size_t k = 0; k < sizeof(infos) / sizeof(infos[0]); k++)
		assert_int_equal(-EBADMSG,
				 rpc_pin_info_decode(input, bytes_of(infos[k]), &memory, &i, NULL));
	for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++)
		assert_int_equal(-EBADMSG,
				 rpc_id_decode(input, bytes_of(ids[k]), &memory, &id, NULL));
}

/* A map of one key with an array of @n nils. */
static size_t nils(const char *key, size_t n)
{
	size_t at = 0;

	input[at++] = 0x81;
	input[at++] = (uint8_t)(0xa0 + strlen(key));
	memcpy(input + at, key, strlen(key));
	at += strlen(key);
	input[at++] = 0xdc;
	input[at++] = (uint8_t)(n >> 8);
	input[at++] = (uint8_t)n;
	memset(input + at, 0xc0, n);
	return at + n;
}

/* A map of one key with a map of @n times nil and nil. */
static size_t pairs(const char *key, size_t n)
{
	size_t len = nils(key, n);

	input[2 + strlen(key)] = 0xde;
	memset(input + len, 0xc0, n);
	return len + n;
}

/* What is no msgpack at all, and what is another type than a struct. */
static void other_documents_are_refused(void **state)
{
	static const char *const bad[] = { "", "c1", "8000", "ddffffffff", "05", "a161" };
	struct rpc_repo_stat stat;
	struct rpc_pin_info info;
	const struct peerid *ids;
	struct rpc_node node;
	struct rpc_repo_gc gc;
	struct rpc_id id;
	struct peerid peer;
	struct cid cid;
	uint32_t bits;
	size_t n;

	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		const size_t len = bytes_of(bad[k]);
		struct err e = { 0 };

		assert_int_equal(-EBADMSG, rpc_id_decode(input, len, &memory, &id, &e));
		assert_int_equal(-EBADMSG, e.code);
		assert_int_equal(-EBADMSG, rpc_pin_info_decode(input, len, &memory, &info, NULL));
		assert_int_equal(-EBADMSG, rpc_repo_gc_decode(input, len, &memory, &gc, NULL));
		assert_int_equal(-EBADMSG, rpc_repo_stat_decode(input, len, &stat, NULL));
		assert_int_equal(-EBADMSG, rpc_node_decode(input, len, &node, NULL));
		assert_int_equal(-EBADMSG, rpc_cid_decode(input, len, &cid, NULL));
		assert_int_equal(-EBADMSG, rpc_peerid_decode(input, len, &peer, NULL));
		assert_int_equal(-EBADMSG, rpc_peerids_decode(input, len, &memory, &ids, &n, NULL));
		if (strcmp(bad[k], "05") != 0)
			assert_int_equal(-EBADMSG, rpc_filter_decode(input, len, &bits, NULL));
	}
}

static void long_lists_are_refused(void **state)
{
	struct rpc_pin_info i;

	assert_int_equal(0, rpc_pin_info_decode(input, nils("o", RPC_LIST_MAX), &memory, &i, NULL));
	assert_int_equal(RPC_LIST_MAX, i.n_allocations);
	assert_int_equal(
	    -EFBIG, rpc_pin_info_decode(input, nils("o", RPC_LIST_MAX + 1), &memory, &i, NULL));
}

static void a_long_collection_is_cut_and_counted(void **state)
{
	struct rpc_repo_gc g;

	assert_int_equal(0,
			 rpc_repo_gc_decode(input, nils("k", RPC_LIST_MAX + 3), &memory, &g, NULL));
	assert_int_equal(RPC_LIST_MAX, g.n_keys);
	assert_int_equal(3, g.n_left_out);
}

static void keys_of_a_collection_may_be_encoded_as_they_come(void **state)
{
	struct rpc_gc_key keys[2] = { { .error = { "lost", 4 } }, { .error = { "", 0 } } };
	struct rpc_repo_gc g = { .peername = { "p", 1 }, .keys = keys, .n_keys = 2 };
	struct buf at_once = BUF_INIT(0), each = BUF_INIT(0), joined = BUF_INIT(0);

	cid_of_block(CODEC_RAW, "x", 1, &keys[1].cid);
	assert_int_equal(0, rpc_repo_gc_encode(&g, &at_once));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(0, rpc_gc_key_encode(&keys[i], &each));
	g.keys = NULL;
	g.encoded = &each;
	assert_int_equal(0, rpc_repo_gc_encode(&g, &joined));
	check_bytes(&joined, at_once.data, at_once.len);
	buf_deinit(&at_once);
	buf_deinit(&each);
}

static void memory_for_a_value_is_limited(void **state)
{
	struct bump small = { .left = 10000 };
	struct rpc_pin_info i;

	assert_int_equal(-EFBIG, rpc_pin_info_decode(input, nils("g", 100), &small, &i, NULL));
	assert_int_equal(0, rpc_pin_info_decode(input, nils("g", 10), &small, &i, NULL));
	bump_free_all(small.chunks);
}

static void filters_are_not_negative(void **state)
{
	uint32_t bits;

	assert_int_equal(0, rpc_filter_decode(input, bytes_of("cd0604"), &bits, NULL));
	assert_int_equal(0x604, bits);
	assert_int_equal(0, rpc_filter_decode(input, bytes_of("c0"), &bits, NULL));
	assert_int_equal(0, bits);
	assert_int_equal(-EBADMSG, rpc_filter_decode(input, bytes_of("ff"), &bits, NULL));
	assert_int_equal(-EBADMSG,
			 rpc_filter_decode(input, bytes_of("cf0000000200000000"), &bits, NULL));
	assert_int_equal(-EBADMSG, rpc_filter_decode(input, bytes_of("a0"), &bits, NULL));
}

/* ---- pins ---- */

/* A pin that came through the state has the bytes of the reference after its own round trip. A map
 * of several entries has them in another order there, which is no order. */
static void pins_have_the_bytes_of_the_reference(void **state)
{
	json_t *root = vectors_load("cluster-pins.json"), *v;
	struct pin p, again;
	size_t i, exact = 0;

	pin_init(&p);
	pin_init(&again);
	json_array_foreach (vectors_array(root, "write"), i, v) {
		static uint8_t pb[CAP], want[CAP];
		size_t n_pb = vectors_hex(v, "protobuf_hex", pb, sizeof(pb));
		size_t n = vectors_hex(v, "msgpack_after_roundtrip_hex", want, sizeof(want));
		struct buf out = BUF_INIT(0);

		assert_int_equal(0, pin_pb_decode(pb, n_pb, &p, NULL));
		assert_int_equal(0, rpc_pin_encode(&p, &out));
		assert_int_equal(n, out.len);
		if (p.n_metadata < 2) {
			assert_memory_equal(want, out.data, n);
			exact++;
		}
		assert_int_equal(0, rpc_pin_decode(want, n, &again, NULL));
		assert_true(pin_equal_but_time(&p, &again));
		assert_true(cid_equal(&p.cid, &again.cid) && p.timestamp == again.timestamp);
		buf_deinit(&out);
	}
	assert_int_equal(18, exact);
	pin_deinit(&p);
	pin_deinit(&again);
	json_decref(root);
}

/* What a peer sends of a pin that was not stored yet: the protobuf that it would become. */
static void pins_that_were_not_stored_are_read(void **state)
{
	json_t *root = vectors_load("cluster-pins.json"), *v;
	struct pin p;
	size_t i;

	pin_init(&p);
	json_array_foreach (vectors_array(root, "write"), i, v) {
		static uint8_t want[CAP];
		size_t n_want = vectors_hex(v, "protobuf_hex", want, sizeof(want));
		size_t n = vectors_hex(v, "msgpack_hex", input, sizeof(input));
		struct buf out = BUF_INIT(0);

		assert_int_equal(0, rpc_pin_decode(input, n, &p, NULL));
		assert_int_equal(0, pin_pb_encode(&p, &out));
		if (n_want != out.len || memcmp(want, out.data, n_want) != 0)
			fail_msg("%s: another protobuf", vectors_str(v, "name"));
		buf_deinit(&out);
	}
	pin_deinit(&p);
	json_decref(root);
}

static void other_encodings_of_pins_are_read(void **state)
{
	static const struct {
		const char *hex;
		int64_t timestamp;
		size_t cid_len;
		int r;
	} cases[] = {
		{ "81a169a46553f100", 1700000000, 0, 0 },
		{ "81a169d6ff6553f100", 1700000000, 0, 0 },
		{ "81a169d7ff1d6f34546553f100", 1700000000, 0, 0 },
		{ "81a169a81d6f34546553f100", 1700000000, 0, 0 },
		{ "81a169ac1dcd6500ffffffffffffffff", -1, 0, 0 },
		{ "81a169c70cff1dcd6500ffffffffffffffff", -1, 0, 0 },
		{ "81a169c4046553f100", 1700000000, 0, 0 },
		{ "81a169c0", 0, 0, 0 },
		{ "81a169ce6553f100", 0, 0, -EBADMSG },
		{ "81a169b4323032302d30312d30315430303a30303a30305a", 0, 0, -EBADMSG },
		{ "81a163d924" CID_HEX, 0, 36, 0 },
		{ "81a163c424" CID_HEX, 0, 36, 0 },
		{ "81a163c0", 0, 0, 0 },
		{ "81a163a0", 0, 0, -EBADMSG },
		{ "81a163a3010203", 0, 0, -EBADMSG },
		{ "81a16191a0", 0, 0, -EBADMSG },
		{ "81a16191c0", 0, 0, -EBADMSG },
		{ "81a16791c0", 0, 0, -EBADMSG },
		{ "81a172da0024" CID_HEX, 0, 0, 0 },
		{ "81a16dc0", 0, 0, 0 },
		{ "81a16d80", 0, 0, 0 },
		{ "81a16d90", 0, 0, -EBADMSG },
		{ "81a16105", 0, 0, -EBADMSG },
		{ "81a16705", 0, 0, -EBADMSG },
		{ "dfffffffff", 0, 0, -EBADMSG },
		{ "81a16d81a16bc0", 0, 0, 0 },
		{ "81a16ea1ff", 0, 0, -EBADMSG }, /* no UTF-8 */
		{ "81a16d81a1ff"
		  "a0",
		  0, 0, -EBADMSG },
		{ "81a164d280000000", 0, 0, 0 },
		{ "81a164d3ffffffff00000000", 0, 0, -EBADMSG }, /* no 32 bits */
		{ "81a173ff", 0, 0, -EBADMSG },
		{ "9b0102a16e00"
		  "00c0c0c0c0c0"
		  "c424" CID_HEX,
		  0, 36, 0 },
	};
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cases[i].r,
				 rpc_pin_decode(input, bytes_of(cases[i].hex), &p, NULL));
		if (cases[i].r == 0) {
			assert_true(cases[i].timestamp == p.timestamp);
			assert_int_equal(cases[i].cid_len, p.cid.len);
		}
	}
	pin_deinit(&p);
}

static void pins_beyond_the_limits_are_refused(void **state)
{
	uint8_t *large = calloc(1, PIN_BYTES_MAX + 1);
	struct pin p;

	assert_non_null(large);
	pin_init(&p);
	assert_int_equal(-EFBIG, rpc_pin_decode(large, PIN_BYTES_MAX + 1, &p, NULL));
	assert_int_equal(-EFBIG, rpc_pin_decode(input, nils("a", PIN_LIST_MAX + 1), &p, NULL));
	assert_int_equal(-EFBIG, rpc_pin_decode(input, nils("g", PIN_LIST_MAX + 1), &p, NULL));
	assert_int_equal(-EFBIG, rpc_pin_decode(input, pairs("m", PIN_LIST_MAX + 1), &p, NULL));
	assert_int_equal(0, rpc_pin_decode(input, pairs("m", PIN_LIST_MAX), &p, NULL));
	assert_int_equal(1, p.n_metadata); /* all keys are equal */
	pin_deinit(&p);
	free(large);
}

static void types_are_bits(void **state)
{
	static const struct {
		const char *hex;
		enum pin_type want;
	} cases[] = {
		{ "80", PIN_TYPE_BAD },
		{ "81a17401", PIN_TYPE_BAD },
		{ "81a17402", PIN_TYPE_DATA },
		{ "81a17404", PIN_TYPE_META },
		{ "81a17408", PIN_TYPE_CLUSTERDAG },
		{ "81a17410", PIN_TYPE_SHARD },
		{ "81a1741e", PIN_TYPE_SHARD }, /* all of them */
	};
	struct pin p;

	pin_init(&p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(0, rpc_pin_decode(input, bytes_of(cases[i].hex), &p, NULL));
		assert_int_equal(cases[i].want, p.type);
	}
	pin_deinit(&p);
}

static void a_decoded_pin_needs_its_input_no_more(void **state)
{
	size_t n = bytes_of("83a16ea3616263a16d81a16ba176a163c424" CID_HEX);
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, rpc_pin_decode(input, n, &p, NULL));
	memset(input, 0xee, n);
	assert_true(is_text(&p.name, "abc"));
	assert_true(p.n_metadata == 1 && is_text(&p.metadata[0].key, "k") &&
		    is_text(&p.metadata[0].value, "v"));
	pin_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(recorded_values_are_written_with_the_same_bytes,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_state_of_a_pin_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(states_that_are_no_single_one_are_undefined, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_missing_or_nil_is_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(texts_become_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_of_unknown_kinds_are_left_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(fields_of_another_kind_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(other_documents_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lists_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_collection_is_cut_and_counted, setup,
						teardown),
		cmocka_unit_test(keys_of_a_collection_may_be_encoded_as_they_come),
		cmocka_unit_test_setup_teardown(memory_for_a_value_is_limited, setup, teardown),
		cmocka_unit_test(filters_are_not_negative),
		cmocka_unit_test(pins_have_the_bytes_of_the_reference),
		cmocka_unit_test(pins_that_were_not_stored_are_read),
		cmocka_unit_test(other_encodings_of_pins_are_read),
		cmocka_unit_test(pins_beyond_the_limits_are_refused),
		cmocka_unit_test(types_are_bits),
		cmocka_unit_test(a_decoded_pin_needs_its_input_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
