/*
 * Which methods there are, and who may call them: open to every peer of the network, to trusted
 * peers, or closed to all others (they are for the peer's own use, in the reference). Pure.
 * Source: ipfs-cluster 1.1.6 rpc_policy.go; "Methods" in docs/network.md.
 */
#pragma once

#include <stdbool.h>

enum rpc_policy {
	RPC_UNKNOWN,
	RPC_OPEN,
	RPC_TRUSTED,
	RPC_CLOSED
};

enum rpc_policy rpc_policy_of(const char *service, const char *method);
/* With "" as @method: whether there is such a service. */
bool rpc_policy_is_closed(const char *service, const char *method);
