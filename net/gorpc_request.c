/* Calling: one stream a call. It ends by its last value, by an error, or by its time. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/gorpc_internal.h"
#include "net/yamux.h"

struct gorpc_request {
	struct list item; /* of ours */
	struct gorpc *g;
	struct stream *stream; /* NULL: over */
	struct gorpc_frames frames;
	struct gorpc_handler handler;
	bool streaming;
	bool may_not_idle;   /* any byte puts off the end of its time */
	uint64_t due;        /* ms */
	uint64_t timeout_ms; /* for the words about it */
	unsigned busy;
};

/* ---- the end ---- */

static void enter(struct gorpc_request *r)
{
	r->busy++;
}

/* Not inlined: gcc takes each leave for the last one then, and warns of what comes after it. */
static __attribute__((noinline)) void leave(struct gorpc_request *r)
{
	if (--r->busy > 0 || r->stream)
		return;
	gorpc_frames_clear(&r->frames);
	free(r);
}

static void let_go(struct gorpc_request *r)
{
	r->stream = NULL;
	list_del(&r->item);
}

static void drop(struct gorpc_request *r)
{
	enter(r);
	let_go(r);
	leave(r);
}

/* Its stream is let go of already. */
static void tell(struct gorpc_request *r, int status, enum gorpc_error type, const char *text)
{
	const struct gorpc_result result = { status, type, text };

	enter(r);
	let_go(r);
	r->handler.done(r->handler.arg, &result);
	leave(r);
}

static void succeed(struct gorpc_request *r)
{
	stream_close(r->stream);
	tell(r, 0, GORPC_METHOD, "");
}

static void fail(struct gorpc_request *r, int status, const char *text)
{
	stream_reset(r->stream, YAMUX_RESET_NONE);
	tell(r, status, GORPC_METHOD, text);
}

/* ---- what comes ---- */

static void take_header(struct gorpc_request *r, const uint8_t *p, size_t n)
{
	struct gorpc_header h;
	struct err e = { 0 };

	if (gorpc_header_read(p, n, &h, &e) < 0) {
		fail(r, -EBADMSG, e.msg);
	} else if (h.failed) {
		stream_reset(r->stream, YAMUX_RESET_NONE); /* the value behind it says nothing */
		tell(r, -EREMOTEIO, h.type, h.error);
	}
}

static void take_value(struct gorpc_request *r, const uint8_t *p, size_t n)
{
	r->handler.value(r->handler.arg, p, n);
	if (r->stream && !r->streaming)
		succeed(r);
}

static void process(struct gorpc_request *r)
{
	enum gorpc_frame kind;
	const uint8_t *p;
	size_t n;
	int got = 1;

	enter(r);
	while (r->stream && got > 0) {
		got = gorpc_frames_next(&r->frames, &kind, &p, &n);
		if (got > 0 && kind == GORPC_FRAME_HEADER)
			take_header(r, p, n);
		else if (got > 0)
			take_value(r, p, n);
	}
	if (r->stream && got < 0)
		fail(r, -EBADMSG, got == -EFBIG ? "an answer that is too large" : "no msgpack");
	leave(r);
}

static void on_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct gorpc_request *r = arg;
	int got;

	if (r->may_not_idle)
		r->due = gorpc_now(r->g) + GORPC_IDLE_MS;
	got = gorpc_frames_feed(&r->frames, p, n);
	if (got == 0)
		process(r);
	else if (got == -EFBIG)
		fail(r, -EBADMSG, "an answer that is too large");
	else
		fail(r, got, "out of memory");
}

/* The end of a stream in order is between two values. */
static void on_eof(void *arg, struct stream *s)
{
	struct gorpc_request *r = arg;

	if (gorpc_frames_waiting(&r->frames) > 0 || r->frames.n % 2 != 0)
		fail(r, -EBADMSG, "the answer is cut");
	else if (!r->streaming)
		fail(r, -ECONNRESET, "the peer ended the call without an answer");
	else
		succeed(r);
}

static void on_ended(void *arg, struct stream *s, int why)
{
	struct gorpc_request *r = arg;

	switch (why) {
	case -EPROTONOSUPPORT:
		tell(r, why, GORPC_METHOD, "the peer does not speak the cluster's protocol");
		break;
	case -EPROTO:
		tell(r, -EBADMSG, GORPC_METHOD, "the peer broke the protocol");
		break;
	case -ETIMEDOUT:
		tell(r, why, GORPC_METHOD, "the peer did not agree on the protocol in time");
		break;
	case -ENOMEM:
		tell(r, why, GORPC_METHOD, "out of memory");
		break;
	default:
		tell(r, -ECONNRESET, GORPC_METHOD, "the call was reset, or its connection ended");
	}
}

static const struct stream_ops ops = { .data = on_data, .eof = on_eof, .ended = on_ended };

/* ---- making one ---- */

static struct gorpc_request *request_new(struct gorpc *g, bool streaming, uint64_t timeout_ms,
					 const struct gorpc_handler *handler)
{
	struct gorpc_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->g = g;
	r->streaming = streaming;
	r->handler = *handler;
	r->may_not_idle = streaming && timeout_ms == 0;
	r->timeout_ms = r->may_not_idle ? GORPC_IDLE_MS : timeout_ms;
	r->due = r->timeout_ms > 0 ? gorpc_now(g) + r->timeout_ms : GORPC_NEVER;
	gorpc_frames_init(&r->frames, false);
	list_init(&r->item);
	return r;
}

/* The caller's part of the dialogue, all of it at once. */
static int say(struct gorpc_request *r, const struct gorpc_id *id, const void *argument, size_t n)
{
	struct buf out = BUF_INIT(0);
	int err = gorpc_id_write(id, &out);

	if (err == 0 && argument)
		err = buf_append(&out, argument, n);
	if (err == 0)
		err = stream_write(r->stream, out.data, out.len);
	if (err == 0 && r->streaming)
		stream_shut(r->stream);
	buf_deinit(&out);
	return err;
}

int gorpc_call(struct gorpc *g, const struct peerid *peer, const char *service, const char *method,
	       bool streaming, const void *argument, size_t n, uint64_t timeout_ms,
	       const struct gorpc_handler *handler, struct gorpc_request **ret)
{
	struct gorpc_request *r;
	struct gorpc_id id;
	int err;

	assert(streaming || argument);
	assert(strlen(service) <= GORPC_NAME_MAX && strlen(method) <= GORPC_NAME_MAX);
	if (g->closing)
		return -ECANCELED;
	if (n > GORPC_VALUE_MAX)
		return -EFBIG;
	snprintf(id.service, sizeof(id.service), "%s", service);
	snprintf(id.method, sizeof(id.method), "%s", method);
	r = request_new(g, streaming, timeout_ms, handler);
	if (!r)
		return -ENOMEM;
	err = host_open(g->host, peer, gorpc_protocol, 1, &ops, r, &r->stream);
	if (err < 0) {
		drop(r);
		return err;
	}
	err = say(r, &id, argument, n);
	if (err < 0) {
		stream_reset(r->stream, YAMUX_RESET_NONE);
		drop(r);
		return err;
	}
	list_add_tail(&g->requests, &r->item);
	if (r->due != GORPC_NEVER)
		gorpc_wake(g, r->due);
	*ret = r;
	return 0;
}

void gorpc_cancel(struct gorpc_request *r)
{
	stream_reset(r->stream, YAMUX_RESET_NONE);
	drop(r);
}

/* ---- time, and the end ---- */

static struct gorpc_request *overdue(struct gorpc *g, uint64_t now_ms, uint64_t *ret_next)
{
	struct list *it;

	*ret_next = GORPC_NEVER;
	list_each (it, &g->requests) {
		struct gorpc_request *r = container_of(it, struct gorpc_request, item);

		if (r->due <= now_ms)
			return r;
		if (r->due < *ret_next)
			*ret_next = r->due;
	}
	return NULL;
}

uint64_t requests_expire(struct gorpc *g, uint64_t now_ms)
{
	struct gorpc_request *r;
	uint64_t next;
	char why[64];

	while ((r = overdue(g, now_ms, &next))) {
		snprintf(why, sizeof(why), "no answer within %llu ms",
			 (unsigned long long)r->timeout_ms);
		fail(r, -ETIMEDOUT, why);
	}
	return next;
}

void requests_end_all(struct gorpc *g)
{
	while (!list_empty(&g->requests)) {
		struct list *first = g->requests.next;
		struct gorpc_request *r = container_of(first, struct gorpc_request, item);

		stream_reset(r->stream, YAMUX_RESET_SHUTDOWN);
		tell(r, -ECANCELED, GORPC_METHOD, "shutting down");
	}
}
