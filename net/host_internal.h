/* What the files of the host share. Private to net/host*.c and their tests. */
#pragma once

#include <netinet/in.h>

#include "net/addrbook.h"
#include "net/conn.h"
#include "net/host.h"
#include "net/identify.h"
#include "net/ping.h"

#define HOST_PROTOCOLS_MAX 16 /* that are registered */
#define HOST_LISTENERS_MAX 16
#define HOST_SPOKEN_BYTES_MAX 65536 /* names of protocols kept of a peer */
#define HOST_TARGETS_MAX 64         /* socket addresses of one dial */
#define HOST_STAGGER_MS 250         /* before the next address is tried beside the last */
#define HOST_RECENT_MAX 256         /* remote addresses whose rate is remembered */
#define HOST_PUSH_LOOK_MS 60000     /* whether our addresses have changed */

/* How peers that are kept are dialled again. Tests set shorter ones. */
struct host_backoff {
	uint64_t first_ms, most_ms;
};

/* One connection, from its first moment to its end. */
struct link {
	struct list item; /* of the host */
	struct host *host;
	struct conn *conn;
	struct peer *peer; /* once open */
	struct list of_peer;
	struct sockaddr_storage remote;
	bool counted;        /* as one of an address */
	struct dial *dial;   /* it was made for */
	struct query *query; /* identify under way */
};

struct waiter {
	struct list item;
	host_connect_done done;
	void *arg;
};

struct peer {
	struct list item; /* of the host */
	struct peerid id;
	struct list links; /* open ones, oldest first */
	size_t n_links;
	bool up;              /* watches were told */
	struct buf protocols; /* names, each with a terminating zero */
	char agent[128];
	bool push; /* it takes identify pushes */

	bool kept;
	uint64_t next_dial; /* ms; while kept and not connected */
	uint64_t backoff;
	struct dial *dial; /* under way */
	struct list waiters;
};

struct listener {
	uv_tcp_t tcp;
	struct host *host;
	struct multiaddr at; /* with the real port */
	bool again;          /* a connection waits that could not be taken */
};

/* What is known of a remote address, to refuse floods from it. */
struct recent {
	uint8_t ip[16];
	uint8_t n;          /* bytes that count: 4, or 7 of IPv6 (a /56) */
	uint32_t tokens_ms; /* each new connection takes RATE_MS of it */
	uint64_t at;
};

struct host {
	struct host_options opt;
	struct conn_context ctx;
	struct addrbook *book;
	struct stream_protocol offers[HOST_PROTOCOLS_MAX];
	size_t n_offers;
	struct listener *listeners[HOST_LISTENERS_MAX];
	size_t n_listeners;
	struct multiaddr *addresses; /* announced */
	size_t n_addresses;
	uint64_t look_at; /* when to look at them again */
	struct list links, peers, watches;
	size_t n_links, n_upgrading;
	struct list dials, queries, pings;
	size_t n_dials;
	struct recent recent[HOST_RECENT_MAX];
	uv_timer_t timer;
	uint64_t wake_at;
	struct host_counts counts;
	struct host_backoff backoff;

	bool closing, timer_closing;
	size_t open_handles; /* listeners and resolves that have not ended */
	void (*closed)(void *arg);
	void *closed_arg;
};

uint64_t host_now(const struct host *h);
/* The timer fires at @ms at the latest. */
void host_wake(struct host *h, uint64_t ms);
struct peer *peer_find(const struct host *h, const struct peerid *id);
int peer_make(struct host *h, const struct peerid *id, struct peer **ret);
/* It has said what it speaks; @changed: something else than before. */
void peer_identified(struct host *h, struct peer *p, bool changed);
/* Not connected: when to dial it next, if it is kept. */
void peer_plan(struct host *h, struct peer *p);
/* Forgets it when nothing holds it any more. */
void peer_settle(struct host *h, struct peer *p);
int link_make(struct host *h, struct conn *c, struct link **ret);
bool peer_speaks(const struct peer *p, const char *protocol);
void host_check_closed(struct host *h);

/* host_listen.c */
int listen_start(struct host *h, struct err *e);
void listen_close(struct host *h);
void listen_tick(struct host *h, uint64_t now);
/* Looks at what is announced; true when it is another than before. */
bool listen_look(struct host *h);

/* host_dial.c */
void dial_start(struct host *h, struct peer *p);
/* One of its connections is over before it was open, or is open now. */
void dial_lost(struct dial *d, struct link *l, const struct err *why);
void dial_won(struct dial *d, struct link *l);
void dial_cancel(struct dial *d, int status, const char *why);
void dial_tick(struct host *h, uint64_t now);
void waiters_tell(struct peer *p, int status, const struct err *why);

/* host_identify.c */
int identify_serve(struct host *h); /* registers identify, push and ping */
void identify_ask(struct link *l);
void identify_forget(struct link *l); /* its connection ends */
void identify_push_all(struct host *h);
void identify_tick(struct host *h, uint64_t now);
