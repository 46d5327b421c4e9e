/*
 * What the files of the host share: host.c is its outside and its life, host_peer.c whom it knows
 * and who waits for them, host_link.c has connections, host_dial.c and host_lookup.c make them,
 * host_listen.c takes them, host_announce.c says where, host_identify.c and host_ping.c are what
 * the host itself speaks. Private to net/host*.c and their tests.
 *
 * Whoever is called from here may call any function of host.h. Watches and the owners of streams
 * are called from within turns of connections; those who wait for a peer only by the host's timer.
 * So nothing here is held over a call of a watch, of conn_close or of waiters_run but what cannot
 * go: connections and their peers, which end in turns of their own, and a peer that is `held`.
 */
#pragma once

#include "net/addrbook.h"
#include "net/conn.h"
#include "net/flood.h"
#include "net/host.h"
#include "net/identify.h"
#include "net/ping.h"
#include "net/targets.h"

#define HOST_PROTOCOLS_MAX 16 /* that are registered */
#define HOST_LISTENERS_MAX 16
#define HOST_ANNOUNCED_MAX 64
#define HOST_SPOKEN_BYTES_MAX 65536 /* names of protocols kept of a peer */
#define HOST_AGENT_BYTES_MAX 128
#define HOST_STAGGER_MS 250 /* before the next address is tried beside the last */
#define HOST_LOOKUPS_MAX 2  /* threads of the pool that look up names */
#define HOST_PUSHES_MAX 2   /* of one peer at a time */
#define HOST_LOOK_MS 60000  /* whether our addresses have changed, and old ones can be trimmed */
#define HOST_ASK_AGAIN_MS 60000 /* what a peer speaks, after it did not say */

struct dial;
struct lookup;

/* One connection, from its first moment to its end. */
struct link {
	struct list item; /* of the host */
	struct host *host;
	struct conn *conn;
	struct peer *peer;     /* once open, unless refused */
	struct list of_peer;   /* with its others */
	struct flood_key from; /* that it counts for */
	struct dial *dial;     /* it is being made for */
};

struct peer {
	struct list item; /* of the host */
	struct peerid id;
	struct list links; /* that were opened, oldest first */
	size_t n_links;
	bool up;              /* watches were told */
	struct buf protocols; /* names, each with a terminating zero */
	char agent[HOST_AGENT_BYTES_MAX];
	unsigned asks;   /* queries under way to it */
	uint64_t ask_at; /* ms; while not up, connected, and none is under way */

	bool kept;
	uint64_t next_dial, backoff; /* ms; while kept and not connected */
	struct dial *dial;           /* under way */
	struct list waiters;
	bool held; /* stays, whatever happens */
};

struct listener {
	uv_tcp_t tcp;
	struct host *host;
	struct sockaddr_storage at; /* with the real port */
	bool again;                 /* a connection waits that could not be taken */
};

struct host {
	struct host_options opt;
	struct conn_context ctx;
	struct addrbook *book;
	struct stream_protocol offers[HOST_PROTOCOLS_MAX];
	size_t n_offers;
	struct listener *listeners[HOST_LISTENERS_MAX];
	size_t n_listeners;
	struct multiaddr addresses[HOST_ANNOUNCED_MAX];
	size_t n_addresses;
	struct list links, peers;
	size_t n_links, n_upgrading; /* the latter inbound */
	struct list watches, *next_watch;
	struct list told; /* waiters that are to be called */
	struct list dials, lookups, queries, pings;
	size_t n_dials, n_lookups; /* lookups that have begun */
	struct flood flood;
	uv_timer_t timer;
	uint64_t wake_at, look_at;
	struct host_counts counts;
	uint64_t backoff_first_ms, backoff_most_ms;

	bool closing, timer_closing;
	size_t n_conns;   /* that have not ended, refused ones too */
	size_t n_handles; /* of listeners, open or closing */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* host.c */
uint64_t host_now(const struct host *h);
/* The timer fires at @ms at the latest. */
void host_wake(struct host *h, uint64_t ms);
/* Ends the host where it is closing and nothing is left. */
void host_check_closed(struct host *h);

/* host_peer.c */
struct peer *peer_find(const struct host *h, const struct peerid *id);
int peer_make(struct host *h, const struct peerid *id, struct peer **ret);
/* Forgets it when nothing holds it any more. */
void peer_settle(struct host *h, struct peer *p);
/* The oldest connection that is open, or NULL. @p may be NULL. */
struct link *peer_link(const struct peer *p);
bool peer_speaks(const struct peer *p, const char *protocol);
/* It has said what it speaks; @changed: something else than before. Calls watches. */
void peer_identified(struct host *h, struct peer *p, bool changed);
/* One of its connections has ended. Calls watches; may forget it. */
void peer_lost(struct host *h, struct peer *p);
/* Not connected: when to dial it next, if it is kept. */
void peer_plan(struct host *h, struct peer *p);
/* Does what those who wait for it need: a dial, a query, or an answer. */
void peer_attend(struct host *h, struct peer *p);
int peer_wait(struct host *h, struct peer *p, host_connect_done done, void *arg);
/* Answers those who wait for it, soon. @why may be NULL. */
void peer_answer(struct host *h, struct peer *p, int status, const struct err *why);
void peers_tick(struct host *h, uint64_t now);
/* Calls those who have an answer. */
void waiters_run(struct host *h);

/* host_link.c */
void links_init(struct host *h);
/* Of a connection that was just dialled or accepted. */
int link_make(struct host *h, struct conn *c, struct link **ret);
/* Closes what is over the high water mark. Calls owners of streams. */
void links_trim(struct host *h);

/* host_dial.c */
/* When it cannot, whoever waits has an answer. */
void dial_start(struct host *h, struct peer *p);
/* One of its connections is over before it was open, or is open now. */
void dial_lost(struct dial *d, const struct link *l, const struct err *why);
void dial_won(struct dial *d);
void dial_cancel(struct dial *d, const char *why);
/* A lookup has ended. @t is NULL where it failed. */
void dial_found(struct dial *d, const struct targets *t, const struct err *why);
void dial_tick(struct host *h, uint64_t now);

/* host_lookup.c */
int lookup_start(struct host *h, struct dial *d, const struct multiaddr *a,
		 const struct peerid *peer);
/* Ends those of @d that can be; returns how many will not call dial_found. */
size_t lookup_drop(struct host *h, const struct dial *d);

/* host_listen.c */
int listen_start(struct host *h, struct err *e);
void listen_close(struct host *h);
void listen_tick(struct host *h, uint64_t now);

/* host_announce.c */
void announce_address_of(const struct sockaddr *a, struct multiaddr *ret);
/* Looks at what is announced; true when it is another than before. */
bool announce_look(struct host *h);

/* host_identify.c */
int identify_serve(struct host *h); /* registers identify and push */
void identify_ask(struct link *l);
void identify_push_all(struct host *h);
void identify_tick(struct host *h, uint64_t now);

/* host_ping.c */
int ping_serve(struct host *h);
void ping_tick(struct host *h, uint64_t now);
