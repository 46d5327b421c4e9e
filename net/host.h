/*
 * The host: this peer on the network. Listens, dials, keeps connections, knows who is connected
 * and what they speak (identify), and finds for each stream the connection to use. Protocols are
 * registered; the host knows none but identify and ping.
 *
 * Loop's thread. Source: go-libp2p 0.48 as ipfs-cluster 1.1.6 sets it up; "Host" in
 * docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "net/stream.h"
#include "types/identity.h"
#include "types/multiaddr.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/list.h"

/* Surplus is closed at accept, as floods are (flood.h). */
#define HOST_CONNECTIONS_MAX 512 /* in all */
#define HOST_UPGRADING_MAX 64    /* inbound ones whose peer is not known yet */
#define HOST_PER_PEER_MAX 4      /* connections of one peer */
#define HOST_KEPT_MAX 1024       /* peers of host_keep */
#define HOST_DIALS_MAX 16        /* peers that are dialled at a time; others wait */

struct host;

struct host_options {
	uv_loop_t *loop;
	const struct identity *self;
	const uint8_t *psk; /* NULL: an unprotected network */
	const struct multiaddr *listen;
	size_t n_listen;
	const struct multiaddr *announce; /* in place of what is listened on, where not empty */
	size_t n_announce;
	const struct multiaddr *no_announce;
	size_t n_no_announce;
	const char *agent; /* "pinfs/1.0" */
	uint64_t dial_timeout_ms;
	uint32_t low_water, high_water;
	uint64_t grace_ms; /* connections younger than this are not trimmed */
};

/* Whoever wants to know who is connected. Embedded by the listener; lives until host_unwatch. All
 * functions of the host may be called from within. */
struct host_watch {
	/* The first connection to it is up, and it has said what it speaks. */
	void (*up)(struct host_watch *w, const struct peerid *peer);
	/* What it speaks has changed (an identify push). May be NULL. */
	void (*changed)(struct host_watch *w, const struct peerid *peer);
	/* Its last connection is gone. */
	void (*down)(struct host_watch *w, const struct peerid *peer);
	struct list item;
};

/* Listens; succeeds when one address can be listened on (each failure is logged), or when there is
 * none to listen on. Addresses we cannot listen on by kind (udp, quic) are passed over. @opt is
 * copied, but for what it points to, which lives as long as the host. What a failure leaves behind
 * ends in the next turns of the loop. */
int host_new(const struct host_options *opt, struct host **ret, struct err *e);
/* Ends all connections and listeners, then calls @closed; watches, owners of streams and whoever
 * waits for a peer are told before. Once. */
void host_close(struct host *h, void (*closed)(void *arg), void *arg);

/* Before the first connection. @name and @arg live as long as the host. */
int host_serve(struct host *h, const struct stream_protocol *p);
/* Whoever serves @name is about to end: its arg is not used any more, new streams are reset. */
void host_unserve(struct host *h, const char *name);
/* Told of peers from now on. */
void host_watch(struct host *h, struct host_watch *w);
void host_unwatch(struct host *h, struct host_watch *w);

const struct peerid *host_self(const struct host *h);
/* What we announce, without /p2p; valid until the loop's next turn. */
const struct multiaddr *host_addresses(const struct host *h, size_t *ret_n);

/* ---- the address book ---- */

enum host_address_ttl {
	HOST_TTL_PERMANENT, /* configured */
	HOST_TTL_HOUR,      /* from the peerstore file, or from another peer */
	HOST_TTL_CONNECTED, /* said by the peer itself: while connected, then 15 minutes */
	HOST_TTL_CLAIMED,   /* by anybody on the local network: 5 minutes, and only for dialling */
};

/* Addresses without or with the matching /p2p. Kept in order; what cannot be dialled is kept too.
 * -EINVAL: another peer's; -ENOSPC (ADDRBOOK_PEERS_MAX, ADDRBOOK_PER_PEER_MAX), -ENOMEM. */
int host_learn(struct host *h, const struct peerid *peer, const struct multiaddr *a,
	       enum host_address_ttl ttl);
/* Each peer with an address that is believed, or that is kept; none that is only claimed. @fn
 * returns false to stop; it may not call the host. */
void host_each_known(struct host *h,
		     bool (*fn)(void *arg, const struct peerid *peer, const struct multiaddr *v,
				size_t n),
		     void *arg);

/* ---- connecting ---- */

/* Dials a peer by the addresses known of it, unless connected. @done (may be NULL) comes once, in a
 * later turn of the loop: 0: it is up; otherwise @why has the reason in words, and the code is
 *   -EHOSTUNREACH  no address led to it        -ECANCELED  host_disconnect, host_close
 *   -EPROTO        connected, but it does not say what it speaks (streams can be opened)
 *   -ECONNRESET    it went before it said so   -ENOMEM
 * -EINVAL: we are it; -ECANCELED: closing; -ENOMEM: then @done does not come. */
typedef void (*host_connect_done)(void *arg, const struct peerid *peer, int status,
				  const struct err *why);
int host_connect(struct host *h, const struct peerid *peer, host_connect_done done, void *arg);
/* From now on the peer is dialled whenever it is not connected: at once, then after 5 s, doubling
 * to 5 minutes, with jitter. Its connections are not trimmed, its addresses not forgotten. Where
 * there are too many, the last one that is not connected is kept no more. */
void host_keep(struct host *h, const struct peerid *peer);
/* Ends its connections, calling the owners of streams from within, and what host_keep began. */
void host_disconnect(struct host *h, const struct peerid *peer);

bool host_is_connected(const struct host *h, const struct peerid *peer);
/* Connected, identified, and it says it speaks @protocol. */
bool host_speaks(const struct host *h, const struct peerid *peer, const char *protocol);
size_t host_count(const struct host *h); /* connected peers */
/* Each peer that is up. @fn returns false to stop; it may not connect or disconnect. */
void host_each(struct host *h, bool (*fn)(void *arg, const struct peerid *peer), void *arg);
/* The agent it named, "" while unknown: the peer's bytes. Valid until the loop's next turn. */
const char *host_agent(const struct host *h, const struct peerid *peer);
uint64_t host_rtt_ms(const struct host *h, const struct peerid *peer); /* 0: unknown */

/* Opens a stream to a connected peer, up or not. -ENOTCONN. See stream_open; lazy when it is known
 * to speak the first of the protocols. */
int host_open(struct host *h, const struct peerid *peer, const char *const *protocols, size_t n,
	      const struct stream_ops *ops, void *arg, struct stream **ret);

/* Counters since the start, for health. */
struct host_counts {
	uint64_t accepted, dialled, dial_failures;
	uint64_t refused;         /* over a limit */
	uint64_t bad_first_token; /* not of our network: a wrong secret looks like this */
	uint64_t bad_handshake;
	uint64_t bytes_in, bytes_out;
};
void host_counts(const struct host *h, struct host_counts *ret);
