/*
 * Serving: a stream of a peer is one call. It is read until its method has what it needs; what
 * comes after that from a unary caller means nothing, but its end means that nobody waits.
 *
 * A call whose method has been told of it (`begun`) ends by the method, by gorpc_finish or
 * gorpc_fail, or by `cancelled`, never by both.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/gorpc_internal.h"
#include "net/yamux.h"
#include "types/msgpack_wire.h"
#include "util/utf8.h"

/* A peer that calls us. */
struct caller {
	struct list item;
	struct peerid peer;
	struct list calls;
	size_t n_calls;
	size_t waiting; /* bytes in all of its calls */
};

struct gorpc_call {
	struct list item; /* of its caller */
	struct gorpc *g;
	struct caller *caller; /* NULL: over */
	struct peerid peer;
	struct stream *stream; /* NULL: over */
	struct gorpc_frames frames;
	size_t waiting; /* its part of caller->waiting */
	struct gorpc_id id;
	const struct gorpc_method *method; /* NULL: not known yet */
	uint64_t due;                      /* ms; when it must have said what it wants */
	bool begun;                        /* the method was told of it */
	bool complete;                     /* and has all arguments */
	bool eof, held;
	bool replied; /* unary: its one value was sent, or could not be: */
	bool failed;
	unsigned busy; /* somebody further up the stack still looks at it */
	void *arg;     /* of the method */
	void (*writable)(void *arg, struct gorpc_call *c);
};

/* ---- callers ---- */

static struct caller *caller_find(const struct gorpc *g, const struct peerid *peer)
{
	struct list *it;

	list_each (it, &g->callers) {
		struct caller *k = container_of(it, struct caller, item);

		if (peerid_equal(&k->peer, peer))
			return k;
	}
	return NULL;
}

static struct caller *caller_make(struct gorpc *g, const struct peerid *peer)
{
	struct caller *k = caller_find(g, peer);

	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->peer = *peer;
	list_init(&k->calls);
	list_add_tail(&g->callers, &k->item);
	return k;
}

static void caller_settle(struct caller *k)
{
	if (k->n_calls > 0)
		return;
	list_del(&k->item);
	free(k);
}

/* ---- the end of a call ---- */

static void enter(struct gorpc_call *c)
{
	c->busy++;
}

static void leave(struct gorpc_call *c)
{
	if (--c->busy > 0 || c->stream)
		return;
	gorpc_frames_clear(&c->frames);
	free(c);
}

/* Its stream is let go of, or gone; nothing happens to it any more. */
static void detach(struct gorpc_call *c)
{
	struct caller *k = c->caller;

	enter(c);
	c->stream = NULL;
	k->waiting -= c->waiting;
	c->g->waiting -= c->waiting;
	list_del(&c->item);
	k->n_calls--;
	caller_settle(k);
	c->caller = NULL;
	leave(c);
}

/* The method hears that it is over, if it knows of it. */
static void cancel(struct gorpc_call *c)
{
	const struct gorpc_method *m = c->begun ? c->method : NULL;

	enter(c);
	detach(c);
	if (m && m->cancelled)
		m->cancelled(c->g->cfg->arg, c);
	leave(c);
}

/* Without a word to the peer. */
static void drop(struct gorpc_call *c, uint32_t code)
{
	stream_reset(c->stream, code);
	cancel(c);
}

/* An error goes out, if it can. */
static int send_error(struct stream *s, const struct gorpc_id *id, enum gorpc_error type,
		      const char *text)
{
	struct buf out = BUF_INIT(0);
	struct mp_writer w;
	int r;

	mp_writer_init(&w, &out);
	r = gorpc_header_write(id, type, text, &out);
	mp_nil(&w);
	if (r == 0)
		r = w.error;
	if (r == 0)
		r = stream_write(s, out.data, out.len);
	buf_deinit(&out);
	return r;
}

static void end_with_error(struct gorpc_call *c, enum gorpc_error type, const char *text)
{
	if (send_error(c->stream, &c->id, type, text) == 0)
		stream_close(c->stream);
	else
		stream_reset(c->stream, YAMUX_RESET_LIMIT);
}

/* Ours, not the method's. */
static void refuse(struct gorpc_call *c, enum gorpc_error type, const char *text)
{
	end_with_error(c, type, text);
	cancel(c);
}

/* ---- which method ---- */

static bool has_service(const struct gorpc_config *cfg, const char *service)
{
	for (size_t i = 0; i < cfg->n_methods; i++)
		if (strcmp(cfg->methods[i].service, service) == 0)
			return true;
	return cfg->closed && cfg->closed(service, "");
}

static const struct gorpc_method *method_find(const struct gorpc_config *cfg,
					      const struct gorpc_id *id)
{
	for (size_t i = 0; i < cfg->n_methods; i++) {
		const struct gorpc_method *m = &cfg->methods[i];

		if (strcmp(m->service, id->service) == 0 && strcmp(m->name, id->method) == 0)
			return m;
	}
	return NULL;
}

/* Who may not call it hears so in the reference's words. */
static void choose(struct gorpc_call *c)
{
	const struct gorpc_config *cfg = c->g->cfg;
	const struct gorpc_method *m = method_find(cfg, &c->id);
	const struct gorpc_id *id = &c->id;
	char why[2 * GORPC_NAME_MAX + 64];

	if (m && cfg->allowed(cfg->arg, &c->peer, m)) {
		c->method = m;
		if (m->streaming)
			c->due = GORPC_NEVER;
		return;
	}
	if (m || (cfg->closed && cfg->closed(id->service, id->method))) {
		snprintf(why, sizeof(why), "client does not have permissions to call %s.%s",
			 id->service, id->method);
		refuse(c, GORPC_FORBIDDEN, why);
		return;
	}
	if (has_service(cfg, id->service))
		snprintf(why, sizeof(why), "rpc: can't find method %s", id->method);
	else
		snprintf(why, sizeof(why), "rpc: can't find service %s", id->service);
	refuse(c, GORPC_SERVER, why);
}

/* ---- what comes ---- */

static void take_id(struct gorpc_call *c, const uint8_t *p, size_t n)
{
	struct err e = { 0 };

	if (gorpc_id_read(p, n, &c->id, &e) < 0) {
		c->id = (struct gorpc_id){ 0 };
		refuse(c, GORPC_SERVER, e.msg);
	} else {
		choose(c);
	}
}

/* NULL: no more of them. */
static void take_argument(struct gorpc_call *c, const uint8_t *p, size_t n)
{
	c->begun = true;
	c->complete = !c->method->streaming || !p;
	c->due = GORPC_NEVER;
	c->method->argument(c->g->cfg->arg, c, p, n);
}

/* The caller says no more. A unary one that does so before it has its answer is gone. */
static void take_eof(struct gorpc_call *c)
{
	if (!c->method || !c->method->streaming)
		drop(c, YAMUX_RESET_NONE);
	else if (gorpc_frames_waiting(&c->frames) > 0)
		refuse(c, GORPC_SERVER, "an argument is cut");
	else if (!c->complete)
		take_argument(c, NULL, 0);
}

/* Of whoever has the most waiting here, the call with the most: @mine, or one that nobody is
 * looking at. */
static struct gorpc_call *largest(const struct gorpc *g, const struct gorpc_call *mine)
{
	struct gorpc_call *call = NULL;
	struct caller *most = NULL;
	struct list *it;

	list_each (it, &g->callers) {
		struct caller *k = container_of(it, struct caller, item);

		if (!most || k->waiting > most->waiting)
			most = k;
	}
	assert(most);
	list_each (it, &most->calls) {
		struct gorpc_call *c = container_of(it, struct gorpc_call, item);

		if ((c->busy == 0 || c == mine) && (!call || c->waiting > call->waiting))
			call = c;
	}
	return call;
}

/* What waits counts against the peer, and against all of them. */
static void account(struct gorpc_call *c)
{
	struct gorpc *g = c->g;
	struct caller *k = c->caller;
	size_t waiting = gorpc_frames_waiting(&c->frames);
	struct gorpc_call *large;

	k->waiting = k->waiting - c->waiting + waiting;
	g->waiting = g->waiting - c->waiting + waiting;
	c->waiting = waiting;
	if (k->waiting > GORPC_CALLER_BYTES_MAX)
		refuse(c, GORPC_SERVER, "too much of your calls waits here");
	while (g->waiting > GORPC_BYTES_MAX && (large = largest(g, c)))
		refuse(large, GORPC_SERVER, "too much of all calls waits here");
}

/* Whether an argument could be given to the method now. */
static bool wants_more(const struct gorpc_call *c)
{
	return c->stream && !c->held && !c->complete;
}

static void process(struct gorpc_call *c)
{
	enum gorpc_frame kind;
	const uint8_t *p;
	size_t n;
	int r = 1;

	enter(c);
	while (r > 0 && wants_more(c)) {
		r = gorpc_frames_next(&c->frames, &kind, &p, &n);
		if (r > 0 && kind == GORPC_FRAME_ID)
			take_id(c, p, n);
		else if (r > 0)
			take_argument(c, p, n);
	}
	if (c->stream && r < 0)
		refuse(c, GORPC_SERVER, r == -EFBIG ? "too large" : "no msgpack");
	if (c->complete) /* nothing of it is needed while the method works */
		gorpc_frames_clear(&c->frames);
	if (c->stream && c->eof && !c->held)
		take_eof(c);
	if (c->stream)
		account(c);
	leave(c);
}

static void on_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct gorpc_call *c = arg;
	int r;

	if (c->complete) /* of no meaning */
		return;
	r = gorpc_frames_feed(&c->frames, p, n);
	if (r < 0)
		refuse(c, GORPC_SERVER, r == -EFBIG ? "too large" : "out of memory");
	else
		process(c);
}

static void on_eof(void *arg, struct stream *s)
{
	struct gorpc_call *c = arg;

	c->eof = true;
	process(c);
}

static void on_drained(void *arg, struct stream *s)
{
	struct gorpc_call *c = arg;

	if (c->writable)
		c->writable(c->g->cfg->arg, c);
}

static void on_ended(void *arg, struct stream *s, int why)
{
	cancel(arg);
}

static const struct stream_ops ops = {
	.data = on_data, .eof = on_eof, .drained = on_drained, .ended = on_ended
};

/* ---- a new call ---- */

static struct gorpc_call *call_new(struct gorpc *g, struct caller *k, struct stream *s)
{
	struct gorpc_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->g = g;
	c->caller = k;
	c->peer = k->peer;
	c->stream = s;
	c->due = gorpc_now(g) + GORPC_ARGUMENT_MS;
	gorpc_frames_init(&c->frames, true);
	list_add_tail(&k->calls, &c->item);
	k->n_calls++;
	gorpc_wake(g, c->due);
	return c;
}

void serve_accepted(void *arg, struct stream *s)
{
	static const struct gorpc_id nothing;
	struct gorpc *g = arg;
	struct caller *k = g->closing ? NULL : caller_make(g, stream_peer(s));
	struct gorpc_call *c = NULL;

	if (k && k->n_calls == GORPC_CALLS_MAX) {
		send_error(s, &nothing, GORPC_SERVER, "too many calls of yours are under way");
		stream_close(s);
		return;
	}
	if (k)
		c = call_new(g, k, s);
	if (c) {
		stream_own(s, &ops, c);
		return;
	}
	if (k)
		caller_settle(k);
	stream_reset(s, g->closing ? YAMUX_RESET_SHUTDOWN : YAMUX_RESET_LIMIT);
}

/* ---- what methods do ---- */

const struct peerid *gorpc_call_peer(const struct gorpc_call *c)
{
	return &c->peer;
}

void gorpc_call_set_arg(struct gorpc_call *c, void *arg)
{
	c->arg = arg;
}

void *gorpc_call_arg(const struct gorpc_call *c)
{
	return c->arg;
}

int gorpc_reply(struct gorpc_call *c, const void *value, size_t n)
{
	struct buf out = BUF_INIT(0);
	int r;

	assert(c->stream && c->begun);
	assert(c->method->streaming || !c->replied);
	r = gorpc_header_write(&c->id, GORPC_METHOD, NULL, &out);
	if (r == 0)
		r = buf_append(&out, value, n);
	if (r == 0)
		r = stream_write(c->stream, out.data, out.len);
	buf_deinit(&out);
	c->replied = true;
	c->failed = r < 0;
	return r;
}

void gorpc_on_writable(struct gorpc_call *c, void (*fn)(void *arg, struct gorpc_call *c))
{
	c->writable = fn;
}

void gorpc_hold(struct gorpc_call *c)
{
	assert(c->stream);
	c->held = true;
	stream_hold(c->stream);
}

void gorpc_unhold(struct gorpc_call *c)
{
	assert(c->stream);
	if (!c->held)
		return;
	c->held = false;
	stream_unhold(c->stream);
	if (c->busy == 0)
		process(c);
}

void gorpc_finish(struct gorpc_call *c)
{
	assert(c->stream && c->begun);
	assert(c->method->streaming || c->replied);
	if (!c->method->streaming && c->failed)
		stream_reset(c->stream, YAMUX_RESET_LIMIT);
	else
		stream_close(c->stream);
	detach(c);
}

void gorpc_fail(struct gorpc_call *c, enum gorpc_error type, const char *text)
{
	char cut[GORPC_ERROR_TEXT_MAX + 1];

	assert(c->stream && c->begun);
	assert(c->method->streaming || !c->replied);
	if (*text == '\0')
		text = "unknown error";
	cut[utf8_clean(text, strlen(text), cut, GORPC_ERROR_TEXT_MAX)] = '\0';
	end_with_error(c, type, cut);
	detach(c);
}

/* ---- time, and the end ---- */

static struct gorpc_call *overdue(struct gorpc *g, uint64_t now_ms, uint64_t *ret_next)
{
	struct list *k, *it;

	*ret_next = GORPC_NEVER;
	list_each (k, &g->callers) {
		list_each (it, &container_of(k, struct caller, item)->calls) {
			struct gorpc_call *c = container_of(it, struct gorpc_call, item);

			if (c->due <= now_ms)
				return c;
			if (c->due < *ret_next)
				*ret_next = c->due;
		}
	}
	return NULL;
}

uint64_t serve_expire(struct gorpc *g, uint64_t now_ms)
{
	struct gorpc_call *c;
	uint64_t next;

	while ((c = overdue(g, now_ms, &next)))
		drop(c, YAMUX_RESET_NONE);
	return next;
}

void serve_end_all(struct gorpc *g)
{
	while (!list_empty(&g->callers)) {
		struct caller *k = container_of(g->callers.next, struct caller, item);

		drop(container_of(k->calls.next, struct gorpc_call, item), YAMUX_RESET_SHUTDOWN);
	}
}
