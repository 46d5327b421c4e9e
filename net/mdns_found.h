/*
 * Peers that the local network says are there: what of it can be of use, and how often a peer is
 * told of. Anybody on the network can say anything, so all of it is bounded. No I/O; one thread at
 * a time; times in ms of any steady clock. Source: go-libp2p 0.48 p2p/discovery/mdns; "mDNS" in
 * docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/mdns_message.h"
#include "types/multiaddr.h"
#include "types/peerid.h"

#define MDNS_ADDRESSES_MAX 16     /* of a peer; what it says beyond is passed over */
#define MDNS_PEERS_MAX 256        /* remembered; there are no others while they are heard of */
#define MDNS_AGAIN_FIRST_MS 60000 /* after which a peer is told of again... */
#define MDNS_AGAIN_MOST_MS (60 * 60 * 1000) /* ...doubling, but at least as often */
#define MDNS_FORGET_MS (2 * 60 * 60 * 1000) /* after a peer was heard of last */

struct mdns_found {
	struct peerid peer;
	struct multiaddr v[MDNS_ADDRESSES_MAX]; /* with /p2p; never none */
	size_t n;
};

/* Whether an address is worth being told on a local network: a host and a TCP port, and the host an
 * IP address or a name below .local. With or without a peer at its end. */
bool mdns_is_suitable(const struct multiaddr *a);

/* Reads the addresses in a TXT record: those of the peer that is named first. @near: it is said by
 * this machine itself, so that loopback addresses are of use. False: there are none. */
bool mdns_found_read(const struct mdns_entry *txt, bool near, struct mdns_found *ret);

/* Zero-initialised: nobody is remembered. */
struct mdns_peers {
	size_t n;
	struct {
		struct peerid id;
		uint64_t heard_at, again_at, wait;
	} v[MDNS_PEERS_MAX];
};

/* The peer was heard of: whether to tell of it now. It stays so until it was told of. */
bool mdns_peers_heard(struct mdns_peers *p, const struct peerid *id, uint64_t now_ms);
void mdns_peers_told(struct mdns_peers *p, const struct peerid *id, uint64_t now_ms);
