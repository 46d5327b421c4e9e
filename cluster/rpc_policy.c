#include "cluster/rpc_policy.h"

#include <stddef.h>
#include <string.h>

#include "util/container.h"

static const struct {
	const char *service, *method;
	enum rpc_policy policy;
} methods[] = {
	{ "Cluster", "Alerts", RPC_CLOSED },
	{ "Cluster", "BandwidthByProtocol", RPC_CLOSED },
	{ "Cluster", "BlockAllocate", RPC_CLOSED },
	{ "Cluster", "ConnectGraph", RPC_CLOSED },
	{ "Cluster", "ID", RPC_OPEN },
	{ "Cluster", "IDStream", RPC_OPEN },
	{ "Cluster", "IPFSID", RPC_CLOSED },
	{ "Cluster", "Join", RPC_CLOSED },
	{ "Cluster", "PeerAdd", RPC_OPEN },
	{ "Cluster", "PeerRemove", RPC_TRUSTED },
	{ "Cluster", "Peers", RPC_TRUSTED },
	{ "Cluster", "PeersWithFilter", RPC_CLOSED },
	{ "Cluster", "Pin", RPC_CLOSED },
	{ "Cluster", "PinGet", RPC_CLOSED },
	{ "Cluster", "PinPath", RPC_CLOSED },
	{ "Cluster", "Pins", RPC_CLOSED },
	{ "Cluster", "Recover", RPC_CLOSED },
	{ "Cluster", "RecoverAll", RPC_CLOSED },
	{ "Cluster", "RecoverAllLocal", RPC_TRUSTED },
	{ "Cluster", "RecoverLocal", RPC_TRUSTED },
	{ "Cluster", "RepoGC", RPC_CLOSED },
	{ "Cluster", "RepoGCLocal", RPC_TRUSTED },
	{ "Cluster", "SendInformerMetrics", RPC_CLOSED },
	{ "Cluster", "SendInformersMetrics", RPC_CLOSED },
	{ "Cluster", "Status", RPC_CLOSED },
	{ "Cluster", "StatusAll", RPC_CLOSED },
	{ "Cluster", "StatusAllLocal", RPC_CLOSED },
	{ "Cluster", "StatusLocal", RPC_CLOSED },
	{ "Cluster", "Unpin", RPC_CLOSED },
	{ "Cluster", "UnpinPath", RPC_CLOSED },
	{ "Cluster", "Version", RPC_OPEN },

	{ "Consensus", "AddPeer", RPC_TRUSTED },
	{ "Consensus", "LogPin", RPC_TRUSTED },
	{ "Consensus", "LogUnpin", RPC_TRUSTED },
	{ "Consensus", "Peers", RPC_CLOSED },
	{ "Consensus", "RmPeer", RPC_TRUSTED },

	{ "IPFSConnector", "BlockGet", RPC_CLOSED },
	{ "IPFSConnector", "BlockStream", RPC_TRUSTED },
	{ "IPFSConnector", "ConfigKey", RPC_CLOSED },
	{ "IPFSConnector", "Pin", RPC_CLOSED },
	{ "IPFSConnector", "PinLs", RPC_CLOSED },
	{ "IPFSConnector", "PinLsCid", RPC_CLOSED },
	{ "IPFSConnector", "RepoStat", RPC_TRUSTED },
	{ "IPFSConnector", "Resolve", RPC_CLOSED },
	{ "IPFSConnector", "SwarmPeers", RPC_TRUSTED },
	{ "IPFSConnector", "Unpin", RPC_CLOSED },

	{ "PeerMonitor", "LatestMetrics", RPC_CLOSED },
	{ "PeerMonitor", "MetricNames", RPC_CLOSED },

	{ "PinTracker", "PinQueueSize", RPC_CLOSED },
	{ "PinTracker", "Recover", RPC_TRUSTED },
	{ "PinTracker", "RecoverAll", RPC_CLOSED },
	{ "PinTracker", "Status", RPC_TRUSTED },
	{ "PinTracker", "StatusAll", RPC_TRUSTED },
	{ "PinTracker", "Track", RPC_CLOSED },
	{ "PinTracker", "Untrack", RPC_CLOSED },
};

enum rpc_policy rpc_policy_of(const char *service, const char *method)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].service, service) == 0 &&
		    strcmp(methods[i].method, method) == 0)
			return methods[i].policy;
	return RPC_UNKNOWN;
}

static bool is_service(const char *service)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].service, service) == 0)
			return true;
	return false;
}

bool rpc_policy_is_closed(const char *service, const char *method)
{
	return method[0] ? rpc_policy_of(service, method) == RPC_CLOSED : is_service(service);
}
