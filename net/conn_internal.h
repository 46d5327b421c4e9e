/*
 * What the parts of a connection share: conn.c has its beginning and end, conn_turn.c the socket
 * and the timer in between, conn_layers.c the way of the bytes through the layers; stream.c,
 * stream_send.c and stream_dialogue.c what is above yamux. For them only.
 *
 * Each callback of libuv is one turn of a connection. What others call in between (stream_write,
 * conn_close...) changes state and wakes the timer, whose turn sends and ends: so no owner is
 * called from within a call of its own, but by conn_close.
 */
#pragma once

#include "net/conn.h"
#include "net/mss.h"
#include "net/noise.h"
#include "net/pnet.h"
#include "net/sendq.h"
#include "net/stream.h"
#include "net/yamux.h"
#include "util/buf.h"
#include "util/list.h"

enum conn_phase {
	CONN_CONNECTING,
	CONN_SECURITY,  /* multistream agrees on Noise */
	CONN_HANDSHAKE, /* of Noise */
	CONN_MUXER,     /* multistream agrees on yamux, where the handshake has not */
	CONN_OPEN,
	CONN_CLOSING
};

struct conn {
	const struct conn_context *ctx;
	void *arg;
	bool dialer;
	enum conn_phase phase;
	struct err why; /* when CONN_CLOSING */
	bool unborn;    /* conn_dial or conn_accept failed: nobody is told of the end */
	struct sockaddr_storage remote;
	uint64_t opened_ms, bytes_in, bytes_out;

	/* conn_turn.c */
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	bool awake; /* the timer's turn comes at once */
	uint64_t upgrade_deadline;
	struct buf sending; /* what @write has */
	bool writing;
	size_t unsent;    /* of it, at the last look */
	unsigned looks;   /* in a row that found no progress */
	uint64_t look_ms; /* the next one */

	/* conn_layers.c */
	struct peerid expected; /* len 0: anybody */
	struct pnet pnet;
	struct mss *mss; /* until CONN_OPEN */
	struct noise *noise;
	struct yamux *yamux; /* NULL: was never open */
	struct buf wire;     /* to be sent, not yet encrypted for the private network */
	size_t wire_clear;   /* bytes at its front that never will be: our nonce */

	/* stream.c */
	struct list streams;
	struct list timed;    /* streams with a deadline, in order */
	struct list relieved; /* streams whose owner waits for `drained`, which is due */
	size_t n_opened;      /* by us */
};

/* conn.c */
/* It is over, in order or not: tells the owners of streams. The first reason counts. */
void conn_fail(struct conn *c, const struct err *why);
/* `closed` follows when they are closed, and the end of @c. */
void conn_close_handles(struct conn *c);

/* conn_turn.c */
/* Gives the connection a turn soon. */
void conn_wake(struct conn *c);
/* The end of each turn: callbacks that are due, bytes to send, when the next turn is; or the end of
 * what has failed. */
void conn_settle(struct conn *c);
void conn_set_timer(struct conn *c);
/* The socket ended, or failed with @r. */
void conn_lost(struct conn *c, int r);
int conn_read(struct conn *c); /* begins to */

/* conn_layers.c */
/* Begins the upgrade; the socket is connected. */
int layers_start(struct conn *c, struct err *e);
/* Takes bytes of the socket, which it changes. A failure is final. */
int layers_in(struct conn *c, uint8_t *p, size_t n, struct err *e);
/* Moves all that is to be sent now to @out, which is empty. */
int layers_out(struct conn *c, struct buf *out, struct err *e);
void layers_clear(struct conn *c);

/* stream.c */
struct dialogue; /* stream_dialogue.c */

struct stream {
	struct conn *conn;
	struct yamux_stream *y;       /* NULL: over, but a callback of it still runs */
	const struct stream_ops *ops; /* NULL: nobody owns it, yet or any more */
	void *arg;
	const char *protocol;      /* NULL before the agreement */
	struct dialogue *dialogue; /* NULL after it */
	bool opener, lazy;
	struct sendq tokens; /* of the dialogue; go first */
	struct sendq queue;  /* the owner's bytes; before the agreement they go where @lazy */
	bool spoke;          /* some of them are gone */
	bool shut, sent_fin, got_eof;
	bool let_go; /* by stream_close */
	bool held;
	size_t n_held; /* bytes that give no credit yet */
	unsigned busy; /* callbacks of it that run */
	uint64_t deadline;
	struct list all, timed;
	struct list refused; /* a write was: with all such ones, or in conn->relieved */
};

void stream_events(struct conn *c, struct yamux_events *ret);
/* The earliest deadline of a stream, UINT64_MAX without. */
uint64_t streams_deadline(const struct conn *c);
void streams_expire(struct conn *c, uint64_t now_ms);
/* All are over. */
void streams_end(struct conn *c, int why);

/* Around a callback: in between, @s stays. Leaving tells whether it is alive. */
void stream_enter(struct stream *s);
bool stream_leave(struct stream *s);
/* Its owner, if any, has let go. */
void stream_drop(struct stream *s);
void stream_set_deadline(struct stream *s, uint64_t ms_from_now);
void stream_no_deadline(struct stream *s);
/* It fails: the peer gets a reset with @code, its owner @why. */
void stream_fail(struct stream *s, uint32_t code, int why);

/* stream_send.c */
/* Sends what can be sent. Drops a stream that was let go of when it is done. */
void stream_pump(struct stream *s);
/* @n bytes fewer are queued, of a stream. */
void stream_unqueued(size_t n);
/* Calls `drained` where that is due. */
void streams_relieve(struct conn *c);

/* stream_dialogue.c */
/* @s->dialogue exists. Returns how many bytes of @p the dialogue took; ends, hands over or goes on
 * with the stream, which is busy. */
size_t dialogue_feed(struct stream *s, const uint8_t *p, size_t n);
int dialogue_open(struct stream *s, const char *const *protocols, size_t n);
int dialogue_accept(struct stream *s, const struct stream_protocol *offers, size_t n);
void dialogue_free(struct stream *s);
