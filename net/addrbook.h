/*
 * The address book: where peers can be dialled, and for how long that is believed. No I/O; one
 * thread at a time. Times in ms of any steady clock.
 * Source: go-libp2p 0.48 peerstore; "Host" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/multiaddr.h"
#include "types/peerid.h"

#define ADDRBOOK_PEERS_MAX 4096
#define ADDRBOOK_PER_PEER_MAX 32
#define ADDRBOOK_HOUR_MS (60 * 60 * 1000)
#define ADDRBOOK_CLAIMED_MS (5 * 60 * 1000)
#define ADDRBOOK_AFTERWARDS_MS (15 * 60 * 1000) /* what a peer said, after it has gone */

enum addrbook_source {
	ADDRBOOK_SAID,       /* by the peer itself: while connected, then 15 minutes */
	ADDRBOOK_HEARD,      /* from a file, or from another peer: an hour */
	ADDRBOOK_CLAIMED,    /* by anybody on the local network: 5 minutes, and not told of */
	ADDRBOOK_CONFIGURED, /* for ever */
};

struct addrbook;

int addrbook_new(struct addrbook **ret);
void addrbook_free(struct addrbook *b);

/* Kept without a /p2p of @peer at its end, in the order of coming. An address of several sources
 * lives as long as one of them lets it. -EINVAL: it names another peer, or nothing; -ENOSPC: over a
 * limit. Where there are too many peers, one that was only heard of gives way to another that was
 * not. */
int addrbook_add(struct addrbook *b, const struct peerid *peer, const struct multiaddr *a,
		 enum addrbook_source source, uint64_t now_ms);
/* The peer says anew where it is: what it had said before ends now. */
void addrbook_said_before(struct addrbook *b, const struct peerid *peer, uint64_t now_ms);
/* It went: what it said lasts for 15 minutes. */
void addrbook_gone(struct addrbook *b, const struct peerid *peer, uint64_t now_ms);
/* What was ever known of this peer is forgotten only to make room, until it is not @kept. */
int addrbook_keep(struct addrbook *b, const struct peerid *peer, bool kept, uint64_t now_ms);

/* Copies at most @cap addresses, those first that are believed; returns how many. */
size_t addrbook_get(struct addrbook *b, const struct peerid *peer, uint64_t now_ms,
		    struct multiaddr *ret, size_t cap);
/* Each peer that has one that is more than claimed; stops when @fn returns false. @fn may not
 * change the book. */
void addrbook_each(struct addrbook *b, uint64_t now_ms,
		   bool (*fn)(void *arg, const struct peerid *peer, const struct multiaddr *v,
			      size_t n),
		   void *arg);
