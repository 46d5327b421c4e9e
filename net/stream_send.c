/*
 * What a stream sends: its queue, the limit of all queues together, and their way into yamux.
 */
#include <errno.h>

#include "net/conn_internal.h"

/* Of all streams of the process: the loop's. Streams whose owner was refused a write are in the
 * list until they are relieved. */
static struct {
	size_t bytes;
	struct list refused;
} queues = { .refused = { &queues.refused, &queues.refused } };

/* A refused write can be tried again: its owner hears of it in the connection's next turn. */
static void try_relieve(struct stream *s)
{
	if (s->queue.len > STREAM_QUEUE_MAX / 2 ||
	    queues.bytes > STREAM_QUEUE_TOTAL_MAX - STREAM_QUEUE_MAX / 2)
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
		stream_enter(s);
		if (s->ops && s->ops->drained)
			s->ops->drained(s->arg, s);
		stream_leave(s);
	}
}

void stream_unqueued(size_t n)
{
	struct list *it, *next;

	queues.bytes -= n;
	if (n == 0)
		return;
	list_each_safe (it, next, &queues.refused) {
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
		stream_unqueued(n);
	if (s->shut && !s->sent_fin && is_sent(s) && (!s->dialogue || s->lazy)) {
		s->sent_fin = true;
		yamux_shut(s->y);
		n++;
	}
	if (!s->let_go || s->dialogue)
		return;
	if (s->sent_fin && s->got_eof)
		stream_drop(s);
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
	if (s->queue.len + n > STREAM_QUEUE_MAX || queues.bytes + n > STREAM_QUEUE_TOTAL_MAX) {
		list_del(&s->refused);
		list_add_tail(&queues.refused, &s->refused);
		return -EAGAIN;
	}
	r = sendq_append(&s->queue, p, n);
	if (r < 0)
		return r;
	queues.bytes += n;
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
