#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/conn_internal.h"

/* ---- life ---- */

static struct stream *stream_new(struct conn *c, struct yamux_stream *y)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->conn = c;
	s->y = y;
	yamux_stream_set_arg(y, s);
	list_add_tail(&c->streams, &s->all);
	list_init(&s->timed);
	list_init(&s->refused);
	return s;
}

/* No event comes any more, and no call does anything. */
static void detach(struct stream *s)
{
	yamux_stream_release(s->y);
	s->y = NULL;
	s->conn->n_opened -= s->opener;
	list_del(&s->all);
	list_del(&s->timed);
	list_del(&s->refused);
	dialogue_free(s);
	stream_unqueued(s->queue.len);
	sendq_clear(&s->tokens);
	sendq_clear(&s->queue);
}

void stream_enter(struct stream *s)
{
	s->busy++;
}

bool stream_leave(struct stream *s)
{
	bool alive = s->y != NULL;

	if (--s->busy == 0 && !alive)
		free(s);
	return alive;
}

void stream_drop(struct stream *s)
{
	stream_enter(s);
	detach(s);
	stream_leave(s);
}

/* It ended by itself. */
static void end(struct stream *s, int why)
{
	const struct stream_ops *ops = s->ops;

	stream_enter(s);
	detach(s);
	if (ops)
		ops->ended(s->arg, s, why);
	stream_leave(s);
}

void stream_fail(struct stream *s, uint32_t code, int why)
{
	yamux_reset(s->y, code);
	end(s, why);
}

void streams_end(struct conn *c, int why)
{
	while (!list_empty(&c->streams))
		end(container_of(c->streams.next, struct stream, all), why);
}

/* ---- deadlines ---- */

void stream_set_deadline(struct stream *s, uint64_t ms_from_now)
{
	struct list *timed = &s->conn->timed, *at;

	list_del(&s->timed);
	s->deadline = uv_now(s->conn->ctx->loop) + ms_from_now;
	at = timed->prev;
	while (at != timed && container_of(at, struct stream, timed)->deadline > s->deadline)
		at = at->prev;
	list_add(at, &s->timed);
}

void stream_no_deadline(struct stream *s)
{
	list_del(&s->timed);
}

uint64_t streams_deadline(const struct conn *c)
{
	if (list_empty(&c->timed))
		return UINT64_MAX;
	return container_of(c->timed.next, struct stream, timed)->deadline;
}

void streams_expire(struct conn *c, uint64_t now_ms)
{
	while (streams_deadline(c) <= now_ms) {
		struct stream *s = container_of(c->timed.next, struct stream, timed);

		stream_fail(s, s->dialogue ? YAMUX_RESET_NEGOTIATION : YAMUX_RESET_NONE,
			    -ETIMEDOUT);
	}
}

void stream_close(struct stream *s)
{
	if (!s->y)
		return;
	stream_unhold(s);
	list_del(&s->refused);
	s->ops = NULL;
	s->let_go = true;
	s->shut = true;
	conn_wake(s->conn);
	stream_pump(s);
}

void stream_reset(struct stream *s, uint32_t code)
{
	if (!s->y)
		return;
	conn_wake(s->conn);
	yamux_reset(s->y, code);
	stream_drop(s);
}

/* ---- receiving ---- */

static void consumed(struct stream *s, size_t n)
{
	if (s->held)
		s->n_held += n;
	else
		yamux_consumed(s->y, n);
}

void stream_hold(struct stream *s)
{
	s->held = true;
}

void stream_unhold(struct stream *s)
{
	if (!s->y || !s->held)
		return;
	s->held = false;
	yamux_consumed(s->y, s->n_held);
	s->n_held = 0;
	conn_wake(s->conn);
}

static void on_opened(void *arg, struct yamux_stream *y)
{
	struct conn *c = arg;
	struct stream *s = stream_new(c, y);

	if (!s) {
		yamux_reset(y, YAMUX_RESET_LIMIT);
		yamux_stream_release(y);
		return;
	}
	stream_enter(s);
	c->ctx->inbound(c->ctx->arg, c, s);
	if (s->y && !s->dialogue)
		stream_reset(s, YAMUX_RESET_NEGOTIATION);
	stream_leave(s);
}

static void on_data(void *arg, struct yamux_stream *y, const uint8_t *p, size_t n)
{
	struct stream *s = yamux_stream_arg(y);
	size_t used = 0;

	stream_enter(s);
	if (s->dialogue)
		used = dialogue_feed(s, p, n);
	if (s->ops && s->y && used < n)
		s->ops->data(s->arg, s, p + used, n - used);
	if (s->y)
		consumed(s, n);
	stream_leave(s);
}

static void on_eof(void *arg, struct yamux_stream *y)
{
	struct stream *s = yamux_stream_arg(y);

	s->got_eof = true;
	if (s->dialogue) {
		stream_fail(s, YAMUX_RESET_NEGOTIATION, -EPROTO);
		return;
	}
	stream_enter(s);
	if (s->ops && s->ops->eof)
		s->ops->eof(s->arg, s);
	if (stream_leave(s))
		stream_pump(s);
}

static void on_reset(void *arg, struct yamux_stream *y, uint32_t code)
{
	end(yamux_stream_arg(y), -ECONNRESET);
}

static void on_writable(void *arg, struct yamux_stream *y)
{
	stream_pump(yamux_stream_arg(y));
}

void stream_events(struct conn *c, struct yamux_events *ret)
{
	*ret = (struct yamux_events){ on_opened, on_data, on_eof, on_reset, on_writable, c };
}

/* ---- opening ---- */

int stream_open(struct conn *c, const char *const *protocols, size_t n, bool lazy,
		const struct stream_ops *ops, void *arg, struct stream **ret)
{
	struct yamux_stream *y;
	struct stream *s;
	int r;

	if (c->phase != CONN_OPEN)
		return -ENOTCONN;
	if (c->n_opened == STREAM_OPENED_MAX)
		return -EMFILE;
	r = yamux_open(c->yamux, &y);
	if (r < 0)
		return r;
	s = stream_new(c, y);
	if (!s) {
		yamux_stream_release(y);
		return -ENOMEM;
	}
	s->opener = true;
	c->n_opened++;
	s->lazy = lazy;
	s->ops = ops;
	s->arg = arg;
	conn_wake(c);
	r = dialogue_open(s, protocols, n);
	if (r < 0) {
		stream_drop(s);
		return r;
	}
	*ret = s;
	return 0;
}

int stream_accept(struct stream *s, const struct stream_protocol *offers, size_t n)
{
	conn_wake(s->conn);
	return dialogue_accept(s, offers, n);
}

void stream_own(struct stream *s, const struct stream_ops *ops, void *arg)
{
	assert(!s->ops);
	s->ops = ops;
	s->arg = arg;
}

struct conn *stream_conn(const struct stream *s)
{
	return s->conn;
}

const struct peerid *stream_peer(const struct stream *s)
{
	return conn_peer(s->conn);
}

const char *stream_protocol_name(const struct stream *s)
{
	return s->protocol;
}
