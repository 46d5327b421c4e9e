#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/yamux_internal.h"

static struct list *bucket_of(struct yamux *y, uint32_t id)
{
	/* Ids of one side are all even or all odd. */
	return &y->buckets[(id / 2) % YAMUX_BUCKETS];
}

static bool is_inbound(const struct yamux_stream *s)
{
	return (s->id % 2 == 1) != s->y->dialer;
}

struct yamux_stream *yamux_stream_find(struct yamux *y, uint32_t id)
{
	struct list *it, *bucket = bucket_of(y, id);

	list_each (it, bucket) {
		struct yamux_stream *s = container_of(it, struct yamux_stream, bucket);

		if (s->id == id)
			return s;
	}
	return NULL;
}

struct yamux_stream *yamux_stream_new(struct yamux *y, uint32_t id)
{
	struct yamux_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->y = y;
	s->id = id;
	s->send_credit = YAMUX_WINDOW;
	s->recv_credit = YAMUX_WINDOW;
	list_init(&s->waiting);
	list_add_tail(&y->streams, &s->all);
	list_add_tail(bucket_of(y, id), &s->bucket);
	y->n_streams++;
	y->n_inbound += is_inbound(s);
	return s;
}

/* Over in both directions. What the owner has not consumed stays counted until it does, or
 * releases the stream. */
static void forget(struct yamux_stream *s)
{
	s->gone = true;
	list_del(&s->bucket);
	list_del(&s->waiting);
	if (s->y->current == s)
		s->y->current = NULL;
}

static void drop_unconsumed(struct yamux_stream *s)
{
	s->y->buffered -= s->unconsumed;
	s->unconsumed = 0;
}

int yamux_open(struct yamux *y, struct yamux_stream **ret)
{
	struct yamux_stream *s;

	if (y->failed)
		return y->failed;
	if (y->next_id == 0)
		return -EMFILE;
	s = yamux_stream_new(y, y->next_id);
	if (!s)
		return -ENOMEM;
	y->next_id = y->next_id > UINT32_MAX - 2 ? 0 : y->next_id + 2;
	yamux_queue(y, YAMUX_WINDOW_UPDATE, YAMUX_SYN, s->id, 0);
	if (y->failed) {
		yamux_stream_release(s);
		return y->failed;
	}
	*ret = s;
	return 0;
}

void yamux_stream_set_arg(struct yamux_stream *s, void *arg)
{
	s->arg = arg;
}

void *yamux_stream_arg(const struct yamux_stream *s)
{
	return s->arg;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One data frame of what @n bytes credit and room allow; the payload written. */
static size_t write_frame(struct yamux_stream *s, const uint8_t *p, size_t n)
{
	struct yamux *y = s->y;
	struct yamux_frame f = { .type = YAMUX_DATA, .id = s->id };
	uint8_t head[YAMUX_HEADER];

	n = min_size(min_size(n, s->send_credit), min_size(yamux_room(y), YAMUX_FRAME_MAX));
	if (n == 0)
		return 0;
	f.length = (uint32_t)n;
	yamux_frame_put(&f, head);
	if (buf_reserve(&y->out, YAMUX_HEADER + n) < 0) {
		yamux_fail(y, -ENOMEM, "no memory for data to send", f.length);
		return 0;
	}
	buf_append(&y->out, head, YAMUX_HEADER);
	buf_append(&y->out, p, n);
	s->send_credit -= f.length;
	return n;
}

size_t yamux_write(struct yamux_stream *s, const void *p, size_t n)
{
	struct yamux *y = s->y;
	size_t done = 0, took = 1;

	if (s->gone || s->sent_fin)
		return 0;
	while (done < n && took > 0 && !y->failed) {
		took = write_frame(s, (const uint8_t *)p + done, n - done);
		done += took;
	}
	if (done < n && s->send_credit == 0)
		s->short_credit = true;
	else if (done < n && list_empty(&s->waiting))
		list_add_tail(&y->waiting, &s->waiting);
	return done;
}

void yamux_consumed(struct yamux_stream *s, size_t n)
{
	if (n > s->unconsumed) {
		/* A reset stream has dropped its count. */
		assert(s->gone);
		n = s->unconsumed;
	}
	s->unconsumed -= (uint32_t)n;
	s->y->buffered -= n;
	s->consumed += (uint32_t)n;
	if (s->consumed < YAMUX_CREDIT_AT || s->got_fin || s->gone)
		return;
	yamux_queue(s->y, YAMUX_WINDOW_UPDATE, 0, s->id, s->consumed);
	s->recv_credit += s->consumed;
	s->consumed = 0;
}

void yamux_shut(struct yamux_stream *s)
{
	if (s->gone || s->sent_fin)
		return;
	s->sent_fin = true;
	list_del(&s->waiting);
	yamux_queue(s->y, YAMUX_WINDOW_UPDATE, YAMUX_FIN, s->id, 0);
	if (s->got_fin)
		forget(s);
}

void yamux_reset(struct yamux_stream *s, uint32_t code)
{
	if (s->gone)
		return;
	yamux_queue(s->y, YAMUX_WINDOW_UPDATE, YAMUX_RST, s->id, code);
	forget(s);
	drop_unconsumed(s);
}

void yamux_stream_release(struct yamux_stream *s)
{
	yamux_reset(s, YAMUX_RESET_NONE);
	drop_unconsumed(s);
	s->y->n_streams--;
	s->y->n_inbound -= is_inbound(s);
	list_del(&s->all);
	free(s);
}

size_t yamux_streams(const struct yamux *y)
{
	return y->n_streams;
}

void yamux_stream_got_fin(struct yamux_stream *s)
{
	struct yamux *y = s->y;

	if (s->got_fin)
		return;
	s->got_fin = true;
	if (s->sent_fin)
		forget(s);
	y->ev.eof(y->ev.arg, s);
}

void yamux_stream_got_reset(struct yamux_stream *s, uint32_t code)
{
	struct yamux *y = s->y;

	forget(s);
	drop_unconsumed(s);
	y->ev.reset(y->ev.arg, s, code);
}

void yamux_stream_refuse(struct yamux_stream *s, uint32_t code)
{
	yamux_queue(s->y, YAMUX_WINDOW_UPDATE, YAMUX_RST, s->id, code);
	yamux_stream_got_reset(s, code);
}
