#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cluster/rpc_internal.h"
#include "cluster/rpc_policy.h"

/* Source: the table of methods in docs/network.md. */
static const char *const open_ones[] = { "Cluster.ID", "Cluster.IDStream", "Cluster.PeerAdd",
					 "Cluster.Version" };
static const char *const trusted_ones[] = {
	"Cluster.PeerRemove",        "Cluster.Peers",          "Cluster.RecoverAllLocal",
	"Cluster.RecoverLocal",      "Cluster.RepoGCLocal",    "Consensus.AddPeer",
	"Consensus.LogPin",          "Consensus.LogUnpin",     "Consensus.RmPeer",
	"IPFSConnector.BlockStream", "IPFSConnector.RepoStat", "IPFSConnector.SwarmPeers",
	"PinTracker.Recover",        "PinTracker.Status",      "PinTracker.StatusAll",
};

static enum rpc_policy policy(const char *name)
{
	char service[64];
	const char *dot = strchr(name, '.');

	memcpy(service, name, (size_t)(dot - name));
	service[dot - name] = '\0';
	return rpc_policy_of(service, dot + 1);
}

static void methods_are_open_or_for_trusted_peers_as_in_the_reference(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(open_ones); i++)
		assert_int_equal(RPC_OPEN, policy(open_ones[i]));
	for (size_t i = 0; i < ARRAY_LEN(trusted_ones); i++)
		assert_int_equal(RPC_TRUSTED, policy(trusted_ones[i]));
}

static void what_is_open_or_trusted_is_served_and_nothing_else(void **state)
{
	size_t n;
	const struct gorpc_method *m = rpc_methods(&n);

	assert_int_equal(ARRAY_LEN(open_ones) + ARRAY_LEN(trusted_ones), n);
	for (size_t i = 0; i < n; i++) {
		enum rpc_policy p = rpc_policy_of(m[i].service, m[i].name);

		assert_true(p == RPC_OPEN || p == RPC_TRUSTED);
		assert_non_null(m[i].argument);
		assert_non_null(m[i].cancelled);
		for (size_t k = 0; k < i; k++)
			assert_false(strcmp(m[i].service, m[k].service) == 0 &&
				     strcmp(m[i].name, m[k].name) == 0);
	}
}

static void the_rest_of_the_reference_is_closed(void **state)
{
	static const char *const closed[] = {
		"Cluster.Pin",     "Cluster.Unpin",          "PinTracker.Track",
		"Consensus.Peers", "IPFSConnector.BlockGet", "PeerMonitor.LatestMetrics"
	};

	for (size_t i = 0; i < ARRAY_LEN(closed); i++)
		assert_int_equal(RPC_CLOSED, policy(closed[i]));
	assert_true(rpc_policy_is_closed("Cluster", "Pins"));
	assert_false(rpc_policy_is_closed("Cluster", "ID"));
	assert_false(rpc_policy_is_closed("Cluster", "Nope"));
	assert_false(rpc_policy_is_closed("Nope", "Pins"));
}

static void names_are_told_from_services_that_do_not_exist(void **state)
{
	assert_int_equal(RPC_UNKNOWN, rpc_policy_of("Cluster", "Nope"));
	assert_int_equal(RPC_UNKNOWN, rpc_policy_of("Nope", "ID"));
	assert_int_equal(RPC_UNKNOWN, rpc_policy_of("cluster", "ID"));
	assert_int_equal(RPC_UNKNOWN, rpc_policy_of("Cluster", ""));
	assert_true(rpc_policy_is_closed("PeerMonitor", ""));
	assert_true(rpc_policy_is_closed("Cluster", ""));
	assert_false(rpc_policy_is_closed("Nope", ""));
	assert_false(rpc_policy_is_closed("", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_are_open_or_for_trusted_peers_as_in_the_reference),
		cmocka_unit_test(what_is_open_or_trusted_is_served_and_nothing_else),
		cmocka_unit_test(the_rest_of_the_reference_is_closed),
		cmocka_unit_test(names_are_told_from_services_that_do_not_exist),
	};

	return cmocka_run_group_tests_name("rpc_policy", tests, NULL, NULL);
}
