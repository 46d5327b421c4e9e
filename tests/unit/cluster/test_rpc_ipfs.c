#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/rpc_fixture.h"

static const struct buf nothing = { .data = (uint8_t *)(uintptr_t) "\x80", .len = 1 };

static void lose_kubo(struct fix *f)
{
	struct err why = { 0 };

	err_set(&why, -ECONNREFUSED, "connection refused");
	kubo_fake_away(f->kubo, true);
	tracker_kubo_lost(f->cluster->tracker, &why);
}

static void repo_stat_is_what_was_seen_last(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = fix_call(f, "IPFSConnector", "RepoStat", &nothing);
	struct rpc_repo_stat stat;
	const uint8_t *p;
	size_t n;

	fix_finished(f, c);
	p = gorpc_fake_value(c, 0, &n);
	assert_int_equal(0, rpc_repo_stat_decode(p, n, &stat, NULL));
	assert_true(stat.repo_size == 10 && stat.storage_max == 100);
	gorpc_fake_free(c);
	lose_kubo(f);
	fix_failed(f, fix_call(f, "IPFSConnector", "RepoStat", &nothing), "connection refused");
}

static void swarm_peers_are_those_of_kubo(void **state)
{
	struct fix *f = *state;
	struct peerid peers[2] = { f->stranger, f->friend };
	const struct peerid *got;
	struct gorpc_call *c;
	const uint8_t *p;
	size_t n;

	kubo_fake_peers(f->kubo, peers, 2);
	c = fix_call(f, "IPFSConnector", "SwarmPeers", &nothing);
	assert_int_equal(GORPC_FAKE_OPEN, gorpc_fake_state(c));
	fix_finished(f, c);
	p = gorpc_fake_value(c, 0, &n);
	assert_int_equal(0, rpc_peerids_decode(p, n, &f->memory, &got, &n, NULL));
	assert_int_equal(2, n);
	assert_true(peerid_equal(&got[0], &f->stranger) && peerid_equal(&got[1], &f->friend));
	gorpc_fake_free(c);
}

static void swarm_peers_fail_as_kubo_does(void **state)
{
	struct fix *f = *state;

	kubo_fake_fail(f->kubo, KUBO_FAKE_PEERS, -EREMOTEIO, "offline");
	fix_failed(f, fix_call(f, "IPFSConnector", "SwarmPeers", &nothing), "offline");
}

static void who_does_not_wait_for_swarm_peers_ends_the_question(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;

	kubo_fake_hold(f->kubo, KUBO_FAKE_PEERS, true);
	c = fix_call(f, "IPFSConnector", "SwarmPeers", &nothing);
	fix_turn(f);
	gorpc_fake_free(c);
	fix_until(f, kubo_fake_open(f->kubo) == 0);
	c = fix_call(f, "IPFSConnector", "SwarmPeers", &nothing);
	fix_turn(f);
	fix_close(f);
	assert_int_equal(GORPC_FAKE_GONE, gorpc_fake_state(c));
	gorpc_fake_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(repo_stat_is_what_was_seen_last),
		T(swarm_peers_are_those_of_kubo),
		T(swarm_peers_fail_as_kubo_does),
		T(who_does_not_wait_for_swarm_peers_ends_the_question),
	};

	return cmocka_run_group_tests_name("rpc_ipfs", tests, NULL, NULL);
}
