#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/conn_internal.h"

/* What is queued in all streams of the process, and those whose owner was refused a write. */
static struct {
	size_t queued;
	struct list refused;
} all = { .refused = { &all.refused, &all.refused } };

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

static void unqueue(size_t n);

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
	unqueue(s->queue.len);
	sendq_clear(&s->tokens);
	sendq_clear(&s->queue);
}

static void enter(struct stream *s)
{
	s->busy++;
}

/* Whether it is alive still. */
static bool leave(struct stream *s)
{
	bool alive = s->y != NULL;

	if (--s->busy == 0 && !alive)
		free(s);
	return alive;
}

/* Its owner, if any, has let go. */
static void drop(struct stream *s)
{
	enter(s);
	detach(s);
	leave(s);
}

/* It ended by itself. */
static void end(struct stream *s, int why)
{
	const struct stream_ops *ops = s->ops;

	enter(s);
	detach(s);
	if (ops)
		ops->ended(s->arg, s, why);
	leave(s);
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

/* ---- sending ---- */

/* A refused write can be tried again: its owner hears of it in the connection's next turn. */
static void try_relieve(struct stream *s)
{
	if (s->queue.len > STREAM_QUEUE_MAX / 2 ||
	    all.queued > STREAM_QUEUE_TOTAL_MAX - STREAM_QUEUE_MAX / 2)
		return;
	list_del(&s->refused);
	list_add_tail(&s->conn->relieved, &s->refused);
	conn_wake(s->conn);
}

void streams_relieve(struct conn *c)
{
	while (!list_empty(&c->relieved)) {
		struct stream *s = container_of(c->relieved.next, struct stream, refused);

		list_del(&s->refused);
		enter(s);
		if (s->ops && s->ops->drained)
			s->ops->drained(s->arg, s);
		leave(s);
	}
}

/* @n bytes fewer wait. */
static void unqueue(size_t n)
{
	struct list *it, *next;

	all.queued -= n;
	if (n == 0)
		return;
	list_each_safe (it, next, &all.refused) {
		try_relieve(container_of(it, struct stream, refused));
	}
}

/* As much of @q as yamux takes; the bytes taken. */
static size_t send_some(struct stream *s, struct sendq *q)
{
	size_t n, took, sum = 0;
	const uint8_t *p;

	do {
		p = sendq_front(q, &n);
		took = n > 0 ? yamux_write(s->y, p, n) : 0;
		sendq_sent(q, took);
		sum += took;
	} while (took > 0 && took == n);
	return sum;
}

static bool is_sent(const struct stream *s)
{
	return s->tokens.len == 0 && s->queue.len == 0;
}

void stream_pump(struct stream *s)
{
	size_t n = 0;

	send_some(s, &s->tokens);
	if (s->tokens.len == 0 && (!s->dialogue || s->lazy))
		n = send_some(s, &s->queue);
	s->spoke = s->spoke || n > 0;
	if (n > 0)
		unqueue(n);
	if (s->shut && !s->sent_fin && is_sent(s) && (!s->dialogue || s->lazy)) {
		s->sent_fin = true;
		yamux_shut(s->y);
		n++;
	}
	if (!s->let_go || s->dialogue)
		return;
	if (s->sent_fin && s->got_eof)
		drop(s);
	else if (n > 0 || list_empty(&s->timed))
		stream_set_deadline(s, STREAM_LINGER_MS);
}

int stream_write(struct stream *s, const void *p, size_t n)
{
	int r;

	if (!s->y || s->shut)
		return -EPIPE;
	if (n > STREAM_QUEUE_MAX)
		return -EFBIG;
	if (s->queue.len + n > STREAM_QUEUE_MAX || all.queued + n > STREAM_QUEUE_TOTAL_MAX) {
		list_del(&s->refused);
		list_add_tail(&all.refused, &s->refused);
		return -EAGAIN;
	}
	r = sendq_append(&s->queue, p, n);
	if (r < 0)
		return r;
	all.queued += n;
	stream_pump(s);
	conn_wake(s->conn);
	return 0;
}

size_t stream_queued(const struct stream *s)
{
	return s->queue.len;
}

void stream_shut(struct stream *s)
{
	if (!s->y || s->shut)
		return;
	s->shut = true;
	stream_pump(s);
	conn_wake(s->conn);
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
	drop(s);
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
	enter(s);
	c->ctx->inbound(c->ctx->arg, c, s);
	if (s->y && !s->dialogue)
		stream_reset(s, YAMUX_RESET_NEGOTIATION);
	leave(s);
}

static void on_data(void *arg, struct yamux_stream *y, const uint8_t *p, size_t n)
{
	struct stream *s = yamux_stream_arg(y);
	size_t used = 0;

	enter(s);
	if (s->dialogue)
		used = dialogue_feed(s, p, n);
	if (s->ops && s->y && used < n)
		s->ops->data(s->arg, s, p + used, n - used);
	if (s->y)
		consumed(s, n);
	leave(s);
}

static void on_eof(void *arg, struct yamux_stream *y)
{
	struct stream *s = yamux_stream_arg(y);

	s->got_eof = true;
	if (s->dialogue) {
		stream_fail(s, YAMUX_RESET_NEGOTIATION, -EPROTO);
		return;
	}
	enter(s);
	if (s->ops && s->ops->eof)
		s->ops->eof(s->arg, s);
	if (leave(s))
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
		drop(s);
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
