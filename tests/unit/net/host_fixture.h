/*
 * Hosts on loopback, in one loop and one process, and strangers that have only connections. The
 * clock of libuv can be put forward. Include after cmocka.h.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "net/host_internal.h"
#include "net/yamux.h"
#include "util/buf.h"

#define NODES 3
#define TALKS_MAX 16
#define OFFERS_MAX 4
#define DIAL_MS 3000

struct hosts;

/* One end of a stream, as its owner sees it. */
struct talk {
	struct stream *s; /* NULL: over */
	char got[128];    /* what came, terminated; the rest is counted only */
	size_t n;
	bool eof, agreed;
	int ended; /* of `ended`; 0 while it did not come */
};

/* How a host_connect ended. */
struct call {
	unsigned n; /* how often */
	int status;
	struct err why;
	struct peerid peer;
};

struct node {
	struct hosts *all;
	struct identity id;
	struct host_options opt;
	struct multiaddr listen;
	struct host *h; /* NULL: stopped */
	struct host_watch watch;
	unsigned ups, changes, downs;
	struct peerid last;           /* of whom it was told */
	struct talk talks[TALKS_MAX]; /* of streams of "/test/1" that came; what comes is echoed */
	size_t n_talks;
	bool closed;
};

/* A peer that is no host: a connection, and the protocols that a test gives it. */
struct stranger {
	struct hosts *all;
	struct identity id;
	struct conn_context ctx;
	uv_tcp_t listener;
	bool listens;
	bool deaf;  /* connections wait until stranger_hear */
	bool waits; /* one does */
	struct multiaddr at;
	struct conn *conn; /* the latest; NULL: none, or over */
	unsigned opened, closed;
	struct err why; /* of the latest end */
	struct stream_protocol offers[OFFERS_MAX];
	size_t n_offers;
};

struct hosts {
	uv_loop_t loop;
	uv_timer_t tick; /* so that `until` looks now and then */
	uint8_t secret[32], other_secret[32];
	struct node nodes[NODES]; /* the first two have been started, the third one not */
	struct node *a, *b, *c;
};

int hosts_setup(void **state);
int hosts_teardown(void **state);                  /* stops what runs; no handle may be left */
void hosts_time(struct hosts *f, uint64_t ms);     /* passes */
void hosts_turns(struct hosts *f, unsigned turns); /* of the loop, without waiting */

/* Runs the loop until @condition holds; the test hangs, and is ended, when it never does. */
#define until(f, condition)                                                                        \
	do {                                                                                       \
		while (!(condition))                                                               \
			uv_run(&(f)->loop, UV_RUN_ONCE);                                           \
	} while (0)

void node_start(struct node *n); /* where it listened before */
void node_close(struct node *n); /* begins to stop it; `closed` is set */
void node_stop(struct node *n);
/* Where @n can be dialled: without /p2p. */
struct multiaddr node_address(const struct node *n);
const struct peerid *node_id(const struct node *n);
/* @n learns where @other is. */
void node_learn(struct node *n, const struct node *other);
/* Learns, connects, and waits until both are up. */
void node_join(struct node *n, struct node *other);
void node_connect(struct node *n, const struct node *other, struct call *call);
void call_done(void *arg, const struct peerid *peer, int status, const struct err *why);
bool node_knows(const struct node *n, const struct peerid *peer, const char *address);
struct host_counts node_counts(const struct node *n);
struct multiaddr address_of(const char *text);

extern const struct stream_ops talk_ops;
extern const char *const test_protocol[1]; /* "/test/1" */
void talk_open(struct talk *t, struct node *n, const struct peerid *to);
void talk_close(struct talk *t);

void stranger_start(struct hosts *f, struct stranger *st);
void stranger_offer(struct stranger *st, const char *name,
		    void (*accepted)(void *arg, struct stream *s), void *arg);
/* It speaks "/test/1" and identify, and says so. */
void stranger_offer_identify(struct stranger *st);
void stranger_listen(struct stranger *st);
void stranger_hear(struct stranger *st);                       /* takes the one that waits */
void stranger_dial(struct stranger *st, const struct node *n); /* and waits until it is open */
/* As stranger_dial, without waiting. */
void stranger_call(struct stranger *st, const struct node *n);
void stranger_hang_up(struct stranger *st); /* and waits */
void stranger_stop(struct stranger *st);
/* Writes an identify message with these protocols (NULL at the end), and these addresses. */
void stranger_say(struct stream *s, const char *const *protocols, const char *const *addresses);
