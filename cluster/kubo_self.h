/*
 * What others are told of this peer's Kubo, out of what the tracker remembers of it. Any thread.
 * Source: ipfs-cluster 1.1.6 cluster.go (sendPingMetric), ipfsconn.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cluster/tracker.h"
#include "types/multiaddr.h"

/* Its peer ID; none where it is not known. */
void kubo_self_peer(const struct tracker_kubo *k, struct peerid *ret);
/* At most @max of its addresses; of @public_only those that can be reached from anywhere. On 0 the
 * caller frees *ret. -ENOMEM. */
int kubo_self_addresses(const struct tracker_kubo *k, bool public_only, size_t max,
			struct multiaddr **ret, size_t *ret_n);
