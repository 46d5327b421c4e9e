/*
 * Two peers on loopback, in one loop and one process, and a proxy that can stand between them. The
 * clock of libuv is ours: it can be put forward. Include after cmocka.h.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "net/conn_internal.h"
#include "net/yamux_internal.h"
#include "util/buf.h"

#define DIAL_MS 5000
#define MARGIN_MS 2000 /* real time that a test may take between two times that it sets */
#define CHANS_MAX 600

struct net;

/* One end of a stream, as its owner sees it. */
struct chan {
	struct stream *s; /* NULL: over */
	struct buf got;
	bool eof;
	int ended; /* of `ended`; 0 while it did not come */
	unsigned drained;
	const char *agreed;
	/* What else the owner does. */
	void (*on_data)(struct chan *ch, const uint8_t *p, size_t n);
	void (*on_event)(struct chan *ch,
			 const char *event); /* "agreed", "eof", "drained", "ended" */
	struct chan *other;
	size_t sent, to_send; /* by chan_send_on */
	size_t n_got;
	bool echo; /* what comes goes back */
	bool bulk; /* what comes is compared with chan_byte, and not kept */
};

struct peer {
	struct net *net;
	struct identity id;
	struct conn_context ctx;
	uv_tcp_t listener;
	struct sockaddr_in at; /* of the listener */
	struct conn *conn;     /* the latest; NULL once it is closed */
	unsigned accepted, opened, closed;
	struct err why;                 /* of the latest end */
	struct stream_protocol offered; /* "/test/1" */
	size_t n_offers;                /* 1; 0: streams are not accepted */
	void (*on_open)(struct peer *p, struct conn *c);
	void (*on_accepted)(struct peer *p, struct chan *ch); /* it owns its stream by now */
	struct chan chans[CHANS_MAX]; /* of streams that came, in their order */
	size_t n_chans;
};

/* Between dialer and listener: of one connection, towards the dialer (0) and the listener (1). */
struct proxy {
	struct net *net;
	uv_tcp_t listener, ends[2];
	struct sockaddr_in at;
	uv_connect_t connect;
	uv_idle_t idle;
	struct buf waiting[2]; /* bytes from each end */
	bool eof[2];
	size_t passed[2]; /* of all that came from each end */
	size_t step;      /* bytes passed on in a turn of the loop, each way */
	int corrupt;      /* the end whose next piece ends in a wrong byte; -1: none */
	bool up, ended;
};

struct net {
	uv_loop_t loop;
	uint8_t secret[32];
	struct peer a, b; /* a listens, b dials */
	bool may_fail;    /* what we ask for: memory is short */
	struct proxy *proxy;
};

int net_setup(void **state);                   /* with a secret */
int net_teardown(void **state);                /* everything must be closed by then, and is freed */
void net_time(struct net *n, uint64_t ms);     /* passes */
void net_turns(struct net *n, unsigned turns); /* of the loop, without waiting */

/* Runs the loop until @condition holds; the test hangs, and is ended, when it never does. */
#define until(net, condition)                                                                      \
	do {                                                                                       \
		while (!(condition))                                                               \
			uv_run(&(net)->loop, UV_RUN_ONCE);                                         \
	} while (0)

/* b dials a, directly or through the proxy. */
void net_dial(struct net *n);
void net_connect(struct net *n); /* and waits until it is open on both sides */
void net_close(struct net *n);   /* closes what is open, and waits for the end */
void peer_dial(struct peer *p, const struct sockaddr_in *to, const struct peerid *expected);

/* What @c would never send: a frame of yamux with @n bytes behind it. */
void conn_inject(struct conn *c, const struct yamux_frame *f, const void *p, size_t n);

/* Before the first dial. */
void proxy_start(struct net *n, size_t step);
void proxy_end(struct proxy *p);  /* closes both ways */
void proxy_deaf(struct proxy *p); /* neither reads nor passes anything on any more */
/* Takes what lies in the kernel from the dialer, to no end. */
void proxy_read_some(struct proxy *p);

extern const struct stream_ops chan_ops;
extern const char *const chan_protocol[1]; /* "/test/1" */

/* Opens a stream of chan_protocol. */
void chan_open(struct chan *ch, struct conn *c, bool lazy);
void chan_open_as(struct chan *ch, struct conn *c, const char *const *protocols, size_t n,
		  bool lazy);
/* Writes @n bytes that go on where the last ones ended, as far as the queue takes them; goes on
 * when it is drained. */
void chan_send_on(struct chan *ch, size_t n);
uint8_t chan_byte(size_t at); /* what those bytes are */
void chan_close(struct chan *ch);
void chan_clear(struct chan *ch);
