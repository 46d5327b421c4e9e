#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "net/host_internal.h"
#include "tests/unit/cluster/rpc_fixture.h"

static const struct buf nothing = { .data = (uint8_t *)(uintptr_t) "\x80", .len = 1 };

static void id_of(struct fix *f, const struct gorpc_call *c, size_t i, struct rpc_id *ret)
{
	struct err e = { 0 };
	size_t n;
	const uint8_t *p = gorpc_fake_value(c, i, &n);

	if (rpc_id_decode(p, n, &f->memory, ret, &e) < 0)
		fail_msg("%s", e.msg);
}

static bool address_is(const struct multiaddr *a, const char *text, const struct peerid *peer)
{
	struct multiaddr want;

	assert_int_equal(0, multiaddr_parse(text, strlen(text), &want, NULL));
	assert_int_equal(0, multiaddr_add_peerid(&want, peer));
	return a->len == want.len && memcmp(a->bytes, want.bytes, a->len) == 0;
}

static void is_us(struct fix *f, const struct rpc_id *id)
{
	char ipfs[PEERID_TEXT_MAX];

	assert_true(peerid_equal(&id->peer, &f->self.id));
	assert_int_equal(1, id->n_addresses);
	assert_true(address_is(&id->addresses[0], ADDRESS, &f->self.id));
	assert_true(fix_is(&id->peername, "unit"));
	assert_true(fix_is(&id->rpc_protocol, "/ipfscluster/1.0/rpc"));
	assert_true(fix_is(&id->version, PINFS_VERSION));
	assert_int_equal(0, id->error.n);
	peerid_format(&id->ipfs.peer, ipfs);
	assert_string_equal(KUBO_FAKE_ID_TEXT, ipfs);
	assert_int_equal(2, id->ipfs.n_addresses);
	assert_int_equal(0, id->ipfs.error.n);
}

/* ---- ID ---- */

static void id_says_who_this_peer_is(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = fix_call(f, "Cluster", "ID", &nothing);
	struct rpc_id id;

	fix_finished(f, c);
	id_of(f, c, 0, &id);
	is_us(f, &id);
	assert_int_equal(1, id.n_cluster_peers);
	assert_true(peerid_equal(&id.cluster_peers[0], &f->self.id));
	assert_int_equal(0, id.n_cluster_peers_addresses);
	gorpc_fake_free(c);
}

/* @peer is heard of, and can be found. */
static void add_member(struct fix *f, const struct peerid *peer, const char *address)
{
	struct multiaddr a;

	monitor_saw(members_monitor(f->cluster->members), peer, clock_now_ns(),
		    clock_now_ns() + 30 * NS_PER_S);
	assert_int_equal(0, multiaddr_parse(address, strlen(address), &a, NULL));
	assert_int_equal(0, host_learn(f->host, peer, &a, HOST_TTL_HOUR));
}

static void id_names_the_members_and_where_they_are(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;
	struct rpc_id id;
	struct multiaddr a;

	add_member(f, &f->friend, "/ip4/5.6.7.8/tcp/9096");
	/* Known, but no member. */
	assert_int_equal(0, multiaddr_parse(ADDRESS, strlen(ADDRESS), &a, NULL));
	assert_int_equal(0, host_learn(f->host, &f->stranger, &a, HOST_TTL_HOUR));
	c = fix_call(f, "Cluster", "IDStream", NULL);
	fix_finished(f, c);
	assert_int_equal(1, gorpc_fake_values(c));
	id_of(f, c, 0, &id);
	is_us(f, &id);
	assert_int_equal(2, id.n_cluster_peers);
	assert_true(peerid_compare(&id.cluster_peers[0], &id.cluster_peers[1]) < 0);
	assert_int_equal(1, id.n_cluster_peers_addresses);
	assert_true(
	    address_is(&id.cluster_peers_addresses[0], "/ip4/5.6.7.8/tcp/9096", &f->friend));
	gorpc_fake_free(c);
}

static void id_tells_that_kubo_is_away(void **state)
{
	struct fix *f = *state;
	struct err why = { 0 };
	struct gorpc_call *c;
	struct rpc_id id;

	err_set(&why, -ECONNREFUSED, "connect: connection refused");
	kubo_fake_away(f->kubo, true);
	tracker_kubo_lost(f->cluster->tracker, &why);
	c = fix_call(f, "Cluster", "ID", &nothing);
	fix_finished(f, c);
	id_of(f, c, 0, &id);
	assert_true(fix_is(&id.ipfs.error, "connect: connection refused"));
	gorpc_fake_free(c);
}

static void a_stream_says_nothing_before_its_caller_is_done(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = gorpc_fake_call(f->rpc, &f->friend, "Cluster", "IDStream");

	gorpc_fake_argument(c, nothing.data, nothing.len); /* of no meaning */
	assert_int_equal(GORPC_FAKE_OPEN, gorpc_fake_state(c));
	gorpc_fake_argument(c, NULL, 0);
	assert_int_equal(GORPC_FAKE_FINISHED, gorpc_fake_state(c));
	gorpc_fake_free(c);
}

static void version_is_that_of_the_program(void **state)
{
	static const char want[] = "\x81\xa1v";
	struct fix *f = *state;
	struct gorpc_call *c = fix_call(f, "Cluster", "Version", &nothing);
	const uint8_t *p;
	size_t n;

	fix_finished(f, c);
	p = gorpc_fake_value(c, 0, &n);
	assert_memory_equal(want, p, strlen(want));
	assert_memory_equal(PINFS_VERSION, p + 4, strlen(PINFS_VERSION));
	gorpc_fake_free(c);
}

static void strangers_may_ask_who_we_are_and_nothing_more(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = gorpc_fake_call(f->rpc, &f->stranger, "Cluster", "ID");

	gorpc_fake_argument(c, nothing.data, nothing.len);
	assert_int_equal(GORPC_FAKE_FINISHED, gorpc_fake_state(c));
	gorpc_fake_free(c);
	c = gorpc_fake_call(f->rpc, &f->stranger, "Cluster", "Peers");
	assert_int_equal(GORPC_FORBIDDEN, gorpc_fake_error(c));
	gorpc_fake_free(c);
	c = gorpc_fake_call(f->rpc, &f->friend, "Cluster", "Pin");
	assert_int_equal(GORPC_FORBIDDEN, gorpc_fake_error(c));
	gorpc_fake_free(c);
}

/* ---- Peers, PeerRemove ---- */

static void peers_begins_with_this_peer(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = fix_call(f, "Cluster", "Peers", NULL);
	struct rpc_id id;

	fix_finished(f, c);
	assert_int_equal(1, gorpc_fake_values(c));
	id_of(f, c, 0, &id);
	is_us(f, &id);
	gorpc_fake_free(c);
}

static void peers_cannot_be_removed(void **state)
{
	struct fix *f = *state;
	struct buf peer = BUF_INIT(0);

	assert_int_equal(0, rpc_peerid_encode(&f->stranger, &peer));
	fix_failed(f, fix_call(f, "Cluster", "PeerRemove", &peer),
		   "crdt consensus component cannot remove peers");
	buf_deinit(&peer);
}

/* ---- PeerAdd ---- */

static struct gorpc_call *peer_add(struct fix *f, const struct peerid *peer)
{
	struct buf argument = BUF_INIT(0);
	struct gorpc_call *c;

	assert_int_equal(0, rpc_peerid_encode(peer, &argument));
	c = fix_call(f, "Cluster", "PeerAdd", &argument);
	buf_deinit(&argument);
	return c;
}

/* It answers with this ID. */
static void say_id(struct fix *f, const struct rpc_id *id)
{
	struct buf out = BUF_INIT(0);

	assert_int_equal(0, rpc_id_encode(id, &out));
	gorpc_fake_answer(gorpc_fake_request(f->rpc), out.data, out.len);
	buf_deinit(&out);
}

static bool has_addresses(void *arg, const struct peerid *peer, const struct multiaddr *v, size_t n)
{
	struct fix *f = arg;

	if (peerid_equal(peer, &f->stranger) && n == 1)
		f->closed = true; /* a flag as good as any */
	return true;
}

static void a_peer_that_is_added_is_asked_and_learnt(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = peer_add(f, &f->stranger);
	struct rpc_id id = { .peer = f->stranger,
			     .addresses = &f->address,
			     .n_addresses = 1,
			     .cluster_peers = &f->stranger,
			     .n_cluster_peers = 1,
			     .peername = { "new", 3 } };
	struct gorpc_request *r = gorpc_fake_request(f->rpc);

	assert_non_null(r);
	assert_string_equal("Cluster.ID", gorpc_fake_request_name(r));
	assert_true(peerid_equal(gorpc_fake_request_peer(r), &f->stranger));
	assert_int_equal(GORPC_FAKE_OPEN, gorpc_fake_state(c));
	say_id(f, &id);
	fix_finished(f, c);
	id_of(f, c, 0, &id);
	assert_true(peerid_equal(&id.peer, &f->stranger));
	assert_true(fix_is(&id.peername, "new"));
	assert_int_equal(2, id.n_cluster_peers); /* we are one of them */
	assert_true(peerid_equal(&id.cluster_peers[1], &f->self.id));
	gorpc_fake_free(c);
	host_each_known(f->host, has_addresses, f);
	assert_true(f->closed);
	f->closed = false;
}

/* A stranger may come back by itself, and costs nothing until then. */
static void a_peer_that_is_added_is_kept_where_it_is_trusted(void **state)
{
	struct fix *f = *state;
	const struct peerid *const added[] = { &f->friend, &f->stranger };

	for (size_t i = 0; i < 2; i++) {
		struct gorpc_call *c = peer_add(f, added[i]);
		const struct rpc_id id = { .peer = *added[i] };

		say_id(f, &id);
		fix_finished(f, c);
		gorpc_fake_free(c);
	}
	assert_non_null(peer_find(f->host, &f->friend));
	assert_null(peer_find(f->host, &f->stranger));
}

static void a_peer_that_knows_us_is_not_told_twice(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = peer_add(f, &f->friend);
	const struct peerid both[] = { f->self.id, f->friend };
	struct rpc_id id = { .peer = f->friend, .cluster_peers = both, .n_cluster_peers = 2 };

	say_id(f, &id);
	fix_finished(f, c);
	id_of(f, c, 0, &id);
	assert_int_equal(2, id.n_cluster_peers);
	gorpc_fake_free(c);
}

static void a_peer_that_is_added_must_answer_for_itself(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = peer_add(f, &f->stranger);
	struct rpc_id id = { .peer = f->friend };

	say_id(f, &id);
	fix_failed(f, c, "asking the peer for its ID: it answers with the ID of another peer");
	c = peer_add(f, &f->stranger);
	gorpc_fake_answer(gorpc_fake_request(f->rpc), "\x05", 1);
	assert_int_equal(GORPC_FAKE_FAILED, gorpc_fake_state(c));
	gorpc_fake_free(c);
	c = peer_add(f, &f->stranger);
	gorpc_fake_refuse(gorpc_fake_request(f->rpc), -ETIMEDOUT, "no answer in time");
	fix_failed(f, c, "asking the peer for its ID: no answer in time");
	gorpc_fake_away(f->rpc, true);
	fix_failed(f, peer_add(f, &f->stranger),
		   "asking the peer for its ID: there is no connection to it");
	f->closed = true;
	host_each_known(f->host, has_addresses, f);
	f->closed = false;
}

static void adding_us_tells_who_we_are(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = peer_add(f, &f->self.id);
	struct rpc_id id;

	fix_finished(f, c);
	id_of(f, c, 0, &id);
	is_us(f, &id);
	gorpc_fake_free(c);
}

static void adding_nobody_makes_no_sense(void **state)
{
	static const struct buf nil = { .data = (uint8_t *)(uintptr_t) "\xc0", .len = 1 };
	struct fix *f = *state;
	struct gorpc_call *c = fix_call(f, "Cluster", "PeerAdd", &nil);

	assert_int_equal(GORPC_SERVER, gorpc_fake_error(c));
	gorpc_fake_free(c);
	c = fix_call(f, "Cluster", "PeerAdd", &nothing);
	assert_int_equal(GORPC_SERVER, gorpc_fake_error(c));
	gorpc_fake_free(c);
}

static void who_gives_up_adding_a_peer_ends_the_question(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = peer_add(f, &f->stranger);

	gorpc_fake_cancel(c);
	assert_null(gorpc_fake_request(f->rpc));
	gorpc_fake_free(c);
	c = peer_add(f, &f->stranger);
	fix_close(f);
	assert_int_equal(GORPC_FAKE_GONE, gorpc_fake_state(c));
	gorpc_fake_free(c);
}

/* ---- RepoGCLocal ---- */

static void gc_of(struct fix *f, const struct gorpc_call *c, struct rpc_repo_gc *ret)
{
	struct err e = { 0 };
	size_t n;
	const uint8_t *p = gorpc_fake_value(c, 0, &n);

	if (rpc_repo_gc_decode(p, n, &f->memory, ret, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(peerid_equal(&ret->peer, &f->self.id));
	assert_true(fix_is(&ret->peername, "unit"));
}

static void garbage_is_collected_and_told(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = fix_call(f, "Cluster", "RepoGCLocal", &nothing);
	struct rpc_repo_gc gc;

	assert_int_equal(GORPC_FAKE_OPEN, gorpc_fake_state(c));
	fix_failed(f, fix_call(f, "Cluster", "RepoGCLocal", &nothing),
		   "a garbage collection is running");
	fix_finished(f, c);
	gc_of(f, c, &gc);
	assert_int_equal(2, gc.n_keys);
	assert_true(fix_is(&gc.keys[1].error, "one \"bad\" block"));
	assert_int_equal(0, gc.error.n);
	gorpc_fake_free(c);
}

static void a_collection_that_fails_says_why(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;
	struct rpc_repo_gc gc;

	kubo_fake_fail(f->kubo, KUBO_FAKE_GC, -EREMOTEIO, "no repo");
	c = fix_call(f, "Cluster", "RepoGCLocal", &nothing);
	fix_finished(f, c);
	gc_of(f, c, &gc);
	assert_int_equal(0, gc.n_keys);
	assert_true(fix_is(&gc.error, "no repo"));
	gorpc_fake_free(c);
}

static void a_collection_goes_on_without_its_caller(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;

	kubo_fake_hold(f->kubo, KUBO_FAKE_GC, true);
	c = fix_call(f, "Cluster", "RepoGCLocal", &nothing);
	fix_turn(f);
	gorpc_fake_free(c); /* gone */
	kubo_fake_hold(f->kubo, KUBO_FAKE_GC, false);
	fix_until(f, !f->cluster->tracker->gc_call);
	c = fix_call(f, "Cluster", "RepoGCLocal", &nothing);
	fix_finished(f, c);
	gorpc_fake_free(c);
	kubo_fake_hold(f->kubo, KUBO_FAKE_GC, true);
	c = fix_call(f, "Cluster", "RepoGCLocal", &nothing);
	fix_turn(f);
	fix_close(f);
	assert_int_equal(GORPC_FAKE_GONE, gorpc_fake_state(c));
	gorpc_fake_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(id_says_who_this_peer_is),
		T(id_names_the_members_and_where_they_are),
		T(id_tells_that_kubo_is_away),
		T(a_stream_says_nothing_before_its_caller_is_done),
		T(version_is_that_of_the_program),
		T(strangers_may_ask_who_we_are_and_nothing_more),
		T(peers_begins_with_this_peer),
		T(peers_cannot_be_removed),
		T(a_peer_that_is_added_is_asked_and_learnt),
		T(a_peer_that_is_added_is_kept_where_it_is_trusted),
		T(a_peer_that_knows_us_is_not_told_twice),
		T(a_peer_that_is_added_must_answer_for_itself),
		T(adding_us_tells_who_we_are),
		T(adding_nobody_makes_no_sense),
		T(who_gives_up_adding_a_peer_ends_the_question),
		T(garbage_is_collected_and_told),
		T(a_collection_that_fails_says_why),
		T(a_collection_goes_on_without_its_caller),
	};

	return cmocka_run_group_tests_name("rpc_cluster", tests, NULL, NULL);
}
