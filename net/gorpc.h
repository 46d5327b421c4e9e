/*
 * Remote procedure calls as go-libp2p-gorpc 0.6 makes them: one stream a call, a plain
 * concatenation of msgpack objects. This file knows frames, errors and cancellation; what services
 * there are and what their arguments mean is told by whoever registers them. Loop's thread.
 * Source: "RPC" in docs/network.md; vectors/cluster-rpc-streams.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/host.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define GORPC_PROTOCOL "/ipfscluster/1.0/rpc"
#define GORPC_NAME_MAX 64                  /* of a service or method */
#define GORPC_HEADER_MAX 4096              /* bytes of a ServiceID or response header */
#define GORPC_VALUE_MAX (4u << 20)         /* bytes of one argument or value */
#define GORPC_DEPTH_MAX 16                 /* nesting of a value */
#define GORPC_CALLS_MAX 64                 /* under way of one peer; more are refused */
#define GORPC_ERROR_TEXT_MAX 1024          /* of a peer's error; cut */
#define GORPC_CALLER_BYTES_MAX (16u << 20) /* of arguments of one peer that wait; more: refused */
#define GORPC_BYTES_MAX (64u << 20) /* and of all: the largest of who has the most is refused */
#define GORPC_ARGUMENT_MS 30000     /* for a caller to say which method and with what argument */
#define GORPC_IDLE_MS 30000         /* without a byte of a streaming call without time limit */

enum gorpc_error {        /* ErrType on the wire */
	GORPC_METHOD = 0, /* returned by the method */
	GORPC_SERVER = 1, /* no such service or method, undecodable argument */
	GORPC_CLIENT = 2,
	GORPC_FORBIDDEN = 3,
};

struct gorpc;
struct gorpc_call;    /* one that we serve */
struct gorpc_request; /* one that we make */

/* ---- serving ---- */

struct gorpc_method {
	const char *service, *name;
	bool streaming;
	/*
	 * @p: the argument, one whole msgpack object, valid during the call (unary: exactly one;
	 * streaming: called for each one, and with NULL when no more comes). Answers now or later
	 * by the functions below, each call exactly once by gorpc_finish or gorpc_fail. An
	 * argument that cannot be decoded is to be answered by gorpc_fail with GORPC_SERVER.
	 */
	void (*argument)(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n);
	/* The caller is gone: nothing can be answered any more, and @call is dead when it returns;
	 * until then its peer and its arg can be asked for. May be NULL only where a method always
	 * answers from within `argument`. */
	void (*cancelled)(void *arg, struct gorpc_call *call);
};

struct gorpc_config {
	const struct gorpc_method *methods;
	size_t n_methods;
	/* Names that exist and are never for others: they are refused as forbidden, not as unknown.
	 * With "" as @method: whether there is such a service, of which all methods are closed. May
	 * be NULL. */
	bool (*closed)(const char *service, const char *method);
	/* Whether @peer may call it. */
	bool (*allowed)(void *arg, const struct peerid *peer, const struct gorpc_method *m);
	void *arg; /* of all of them */
};

const struct peerid *gorpc_call_peer(const struct gorpc_call *c);
void gorpc_call_set_arg(struct gorpc_call *c, void *arg); /* the method's own */
void *gorpc_call_arg(const struct gorpc_call *c);
/* One value, a whole msgpack object; a unary call has one, before gorpc_finish. -EAGAIN: the stream
 * is full, `writable` of gorpc_on_writable follows; -EFBIG: it and its header are over
 * STREAM_QUEUE_MAX; -ENOMEM. Nothing was taken then; a unary call that goes on to gorpc_finish is
 * reset. */
int gorpc_reply(struct gorpc_call *c, const void *value, size_t n);
void gorpc_on_writable(struct gorpc_call *c, void (*fn)(void *arg, struct gorpc_call *c));
/* Of a streaming call, for backpressure: no `argument` comes until gorpc_unhold, from within which
 * the ones that wait may come. The caller's end is told of after them; that it is gone, at once. */
void gorpc_hold(struct gorpc_call *c);
void gorpc_unhold(struct gorpc_call *c);
/* It is over, and @call dead, after each of these; a unary call has had its value before
 * gorpc_finish, and none before gorpc_fail. An empty @text becomes "unknown error"; a long one is
 * cut. */
void gorpc_finish(struct gorpc_call *c);
void gorpc_fail(struct gorpc_call *c, enum gorpc_error type, const char *text);

/* ---- calling ---- */

struct gorpc_result {
	/* 0; -EREMOTEIO with what the peer said; -EPROTONOSUPPORT, -ECONNRESET (also: ended without
	 * an answer), -ETIMEDOUT, -EBADMSG (malformed, cut, or too large), -ENOMEM, -ECANCELED
	 * (gorpc_close). */
	int status;
	enum gorpc_error type; /* where -EREMOTEIO */
	const char *text;      /* the reason in words, never NULL; valid during the call */
};

struct gorpc_handler {
	/* Each value, one whole msgpack object, valid during the call. A unary call that succeeds
	 * has exactly one; with an error there is none. May cancel the request. */
	void (*value)(void *arg, const uint8_t *p, size_t n);
	/* Once, last. The request is dead by then. */
	void (*done)(void *arg, const struct gorpc_result *r);
	void *arg;
};

/* Registers its protocol with @h, so before it connects. @cfg and what it points to live as long.
 */
int gorpc_new(struct host *h, uv_loop_t *loop, const struct gorpc_config *cfg, struct gorpc **ret,
	      struct err *e);
/* Ends all calls, from within: those served are cancelled, ours are done with -ECANCELED. New ones
 * are reset. @closed (may be NULL) comes in a later turn of the loop. Before the host is closed. */
void gorpc_close(struct gorpc *g, void (*closed)(void *arg), void *arg);
/* Calls a connected peer. @argument: one msgpack object; NULL for a streaming method without
 * arguments. Unary: @streaming false. On 0 done comes later, never from within. The whole call may
 * take @timeout_ms (0: no limit, but GORPC_IDLE_MS without a byte of a streaming call end it).
 * Otherwise done does not come: -ENOTCONN; -EFBIG: over GORPC_VALUE_MAX; -EAGAIN: too much waits to
 * be sent; -EMFILE; -ENOMEM; -ECANCELED: closing. */
int gorpc_call(struct gorpc *g, const struct peerid *peer, const char *service, const char *method,
	       bool streaming, const void *argument, size_t n, uint64_t timeout_ms,
	       const struct gorpc_handler *handler, struct gorpc_request **ret);
void gorpc_cancel(struct gorpc_request *r); /* done is not called */
