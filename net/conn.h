/*
 * One connection to a peer: a TCP socket and its upgrade (private network, multistream, Noise,
 * muxer), then a yamux session. Above it are streams (net/stream.h).
 *
 * Loop's thread; SIGPIPE is ignored. A connection is freed by itself, in a later turn of the loop
 * than its `closed`. A failed upgrade ends without another word to the peer. The socket is always
 * read, however slow the owners of streams are: backpressure is yamux credit.
 * Source: libp2p's connection upgrade as go-libp2p 0.48 does it; "Connections" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "types/identity.h"
#include "types/peerid.h"
#include "util/err.h"

#define CONN_UPGRADE_IN_MS 15000  /* from accept to the muxer */
#define CONN_WRITE_STALL_MS 10000 /* bytes waiting, and the socket took none of them */
#define CONN_SEND_MAX (1u << 20)  /* bytes handed to the socket, which has them before the next */

struct conn;
struct stream;

/* What all connections of a host share; lives longer than any of them. */
struct conn_context {
	uv_loop_t *loop;
	const struct identity *self;
	const uint8_t *psk; /* 32 bytes in guarded memory; NULL: an unprotected network */
	/* The upgrade is done: conn_peer is known, streams can be opened. */
	void (*open)(void *arg, struct conn *c);
	/* The peer opened a stream: its multistream dialogue has not begun. stream_accept it. */
	void (*inbound)(void *arg, struct conn *c, struct stream *s);
	/* It is over, open or not (conn_opened_ms is 0). Its streams have been told already. @why
	 * is never NULL; its code:
	 *   -ENONET      the peer's first bytes are not ours: another network, or another secret
	 *   -EPROTO      a broken upgrade or connection     -EACCES   another peer than expected
	 *   -ETIMEDOUT   upgrade, keepalive or writing      -ECANCELED  conn_close
	 *   -ECONNRESET  the peer ended it                  others    of the socket */
	void (*closed)(void *arg, struct conn *c, const struct err *why);
	void *arg;
};

/* Dials. @expected: who must answer. @timeout_ms is for connecting and upgrading together. On 0
 * open or closed follows, never from within; otherwise neither. */
int conn_dial(const struct conn_context *ctx, const struct sockaddr *to,
	      const struct peerid *expected, uint64_t timeout_ms, struct conn **ret, struct err *e);
/* Takes a connection that waits on @listener (from within its uv_connection_cb). As conn_dial.
 * -ENOMEM: it may wait still, and the listener reports no other before it was taken: call again
 * later (-EAGAIN: none waits). */
int conn_accept(const struct conn_context *ctx, uv_stream_t *listener, struct conn **ret,
		struct err *e);
/* Says go-away where it is open, ends its streams with -ECANCELED (from within), and closes: what
 * waits in streams is lost. `closed` follows in a later turn. Harmless when closing already. */
void conn_close(struct conn *c);

/* For whoever uses it, until closed. */
void conn_set_arg(struct conn *c, void *arg);
void *conn_arg(const struct conn *c);

bool conn_is_dialer(const struct conn *c);
bool conn_is_open(const struct conn *c);
const struct peerid *conn_peer(const struct conn *c); /* NULL before it was open */
/* The other end of the socket. */
const struct sockaddr *conn_remote(const struct conn *c);
size_t conn_streams(const struct conn *c);
uint64_t conn_opened_ms(const struct conn *c); /* uv_now when it was opened, or 0 */
uint64_t conn_bytes_in(const struct conn *c);
uint64_t conn_bytes_out(const struct conn *c);
/* Round trip of the last keepalive in ms, 0 while unknown. */
uint64_t conn_rtt_ms(const struct conn *c);
