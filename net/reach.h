/*
 * From where an address can be reached: whether what a peer says of itself is of use to us. Pure.
 * Source: go-multiaddr net/private.go, go-libp2p 0.48 identify (filterAddrs).
 */
#pragma once

#include <stdbool.h>

#include "types/multiaddr.h"

enum reach {
	REACH_NOWHERE, /* unspecified and multicast addresses */
	REACH_MACHINE, /* loopback */
	REACH_NETWORK, /* private and link-local ones */
	REACH_WORLD,   /* the others, names too */
};

enum reach reach_of(const struct multiaddr *a);
/* Whether a peer that talks to us from @remote may be found at @said. */
bool reach_is_useful(const struct multiaddr *said, const struct multiaddr *remote);
