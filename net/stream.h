/*
 * A stream of a peer that speaks one protocol: a yamux stream, multistream in front of it, and a
 * bounded queue of bytes to send. Loop's thread.
 *
 * Whoever opens or accepts a stream owns it until `ended` was called, or until it closes or resets
 * it itself, after which no callback comes and the pointer is dead.
 * Source: multistream-select 1.0; "Streams" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/peerid.h"
#include "util/err.h"

#define STREAM_NEGOTIATE_MS 10000
#define STREAM_LINGER_MS 10000      /* of a closed one in which nothing moves; then it is reset */
#define STREAM_OPENED_MAX 256       /* of ours in a connection; a peer takes no more */
#define STREAM_QUEUE_MAX (4u << 20) /* bytes waiting for credit; a larger write is refused */
#define STREAM_QUEUE_TOTAL_MAX (64u << 20) /* of all streams of a process */

struct conn;
struct stream;

struct stream_ops {
	/* Opener only, may be NULL: the peer agreed to this one of the protocols proposed. */
	void (*agreed)(void *arg, struct stream *s, const char *protocol);
	/* Bytes of the protocol. They count as consumed (credit goes back to the peer) when it
	 * returns, unless the stream is held by then. May close or reset @s. */
	void (*data)(void *arg, struct stream *s, const uint8_t *p, size_t n);
	/* The peer sends no more. NULL: nothing to do. */
	void (*eof)(void *arg, struct stream *s);
	/* After stream_write said -EAGAIN: at least half of the queue is free. Never from within
	 * stream_write. May be NULL. */
	void (*drained)(void *arg, struct stream *s);
	/* Over, and not by us: -ECONNRESET (the peer's reset, or the connection's end),
	 * -EPROTONOSUPPORT (none of the protocols), -EPROTO (the dialogue was broken),
	 * -ETIMEDOUT (no agreement within STREAM_NEGOTIATE_MS), -ECANCELED (conn_close), -ENOMEM.
	 * @s is freed when it returns. */
	void (*ended)(void *arg, struct stream *s, int why);
};

/* What an acceptor offers. */
struct stream_protocol {
	const char *name; /* "/ipfs/ping/1.0.0" */
	/* A peer opened a stream for it. Calls stream_own on @s, or stream_reset; where it does
	 * neither, the stream is reset. */
	void (*accepted)(void *arg, struct stream *s);
	void *arg;
};

/* Opens a stream; no callback comes from within. The list of protocols (1 to MSS_PROPOSALS_MAX, in
 * order of preference) lives as long as the negotiation, their names as long as the stream. What is
 * written before the agreement is sent behind the first proposal at once where @lazy (only where
 * the peer is known to speak it: -EPROTONOSUPPORT when it does not), and waits for the agreement
 * otherwise. -ENOTCONN: @c is not open; -EMFILE: it has too many; -ENOMEM. */
int stream_open(struct conn *c, const char *const *protocols, size_t n, bool lazy,
		const struct stream_ops *ops, void *arg, struct stream **ret);
/* For host, from within `inbound`: begins the acceptor's part of @s; @offers live as long as the
 * connection. A stream that is not accepted is reset. -ENOMEM. */
int stream_accept(struct stream *s, const struct stream_protocol *offers, size_t n);
/* The acceptor's protocol takes it over, from within `accepted`. */
void stream_own(struct stream *s, const struct stream_ops *ops, void *arg);

/* All or nothing. -EAGAIN: the queue is full, `drained` follows; -EFBIG: can never be taken;
 * -EPIPE: we said that no more comes; -ENOMEM. */
int stream_write(struct stream *s, const void *p, size_t n);
size_t stream_queued(const struct stream *s);
/* We send no more: FIN behind what is queued. Reading goes on. */
void stream_shut(struct stream *s);
/* FIN behind what is queued; what still comes is dropped. The caller lets go of it. Reset when the
 * peer takes nothing, or does not end its side, for STREAM_LINGER_MS. */
void stream_close(struct stream *s);
/* Ends it at once, with a code of enum yamux_reset. The caller lets go of it. */
void stream_reset(struct stream *s, uint32_t code);
/* From within `data`, those bytes too: bytes give no credit back until stream_unhold. */
void stream_hold(struct stream *s);
void stream_unhold(struct stream *s);

struct conn *stream_conn(const struct stream *s);
const struct peerid *stream_peer(const struct stream *s);
const char *stream_protocol_name(const struct stream *s); /* NULL before the agreement */
