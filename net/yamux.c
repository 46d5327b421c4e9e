#include "net/yamux.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "net/yamux_internal.h"

#define GO_AWAY_PROTOCOL 1
#define OUT_KEEP (64u * 1024) /* memory that an empty queue keeps */

void yamux_frame_put(const struct yamux_frame *f, uint8_t out[YAMUX_HEADER])
{
	uint16_t flags = htobe16(f->flags);
	uint32_t id = htobe32(f->id), length = htobe32(f->length);

	out[0] = f->version;
	out[1] = f->type;
	memcpy(out + 2, &flags, 2);
	memcpy(out + 4, &id, 4);
	memcpy(out + 8, &length, 4);
}

void yamux_frame_get(const uint8_t in[YAMUX_HEADER], struct yamux_frame *ret)
{
	ret->version = in[0];
	ret->type = in[1];
	memcpy(&ret->flags, in + 2, 2);
	memcpy(&ret->id, in + 4, 4);
	memcpy(&ret->length, in + 8, 4);
	ret->flags = be16toh(ret->flags);
	ret->id = be32toh(ret->id);
	ret->length = be32toh(ret->length);
}

int yamux_new(bool dialer, const struct yamux_events *ev, uint64_t now_ms, struct yamux **ret)
{
	struct yamux *y = calloc(1, sizeof(*y));

	if (!y)
		return -ENOMEM;
	y->ev = *ev;
	y->dialer = dialer;
	y->next_id = dialer ? 1 : 2;
	y->deadline = now_ms + YAMUX_KEEPALIVE_MS;
	list_init(&y->streams);
	list_init(&y->waiting);
	for (size_t i = 0; i < YAMUX_BUCKETS; i++)
		list_init(&y->buckets[i]);
	buf_init(&y->urgent, (YAMUX_PINGS_MAX + 2) * YAMUX_HEADER);
	buf_init(&y->out, YAMUX_QUEUE_MAX + YAMUX_CONTROL_MAX);
	*ret = y;
	return 0;
}

void yamux_free(struct yamux *y)
{
	struct list *it, *next;

	if (!y)
		return;
	list_each_safe (it, next, &y->streams) {
		free(container_of(it, struct yamux_stream, all));
	}
	buf_deinit(&y->urgent);
	buf_deinit(&y->out);
	free(y);
}

int yamux_fail(struct yamux *y, int code, const char *why, uint32_t detail)
{
	if (y->failed)
		return y->failed;
	y->failed = code;
	y->why = why;
	y->detail = detail;
	y->current = NULL;
	return code;
}

static int queue_in(struct buf *b, enum yamux_type type, unsigned flags, uint32_t id,
		    uint32_t length)
{
	struct yamux_frame f = { .type = (uint8_t)type, .flags = (uint16_t)flags, .id = id };
	uint8_t head[YAMUX_HEADER];

	f.length = length;
	yamux_frame_put(&f, head);
	return buf_append(b, head, YAMUX_HEADER);
}

void yamux_queue(struct yamux *y, enum yamux_type type, unsigned flags, uint32_t id,
		 uint32_t length)
{
	int r;

	if (y->failed)
		return;
	r = queue_in(&y->out, type, flags, id, length);
	if (r == -EFBIG)
		yamux_fail(y, -EPROTO, "the peer asks for answers and does not take them", 0);
	else if (r < 0)
		yamux_fail(y, r, "no memory for a frame", 0);
}

size_t yamux_room(const struct yamux *y)
{
	size_t used = y->out.len + YAMUX_HEADER;

	return used < YAMUX_QUEUE_MAX ? YAMUX_QUEUE_MAX - used : 0;
}

/* The peer broke the protocol: a go-away is all that it still gets. */
static int violation(struct yamux *y, const char *why, uint32_t detail)
{
	if (y->failed)
		return y->failed;
	buf_reset(&y->urgent);
	buf_reset(&y->out);
	yamux_queue(y, YAMUX_GO_AWAY, 0, 0, GO_AWAY_PROTOCOL);
	return yamux_fail(y, -EPROTO, why, detail);
}

/* The stream that a frame opens; NULL when it is refused. */
static struct yamux_stream *accept_stream(struct yamux *y, uint32_t id)
{
	struct yamux_stream *s = NULL;

	if (y->n_inbound < YAMUX_INBOUND_MAX)
		s = yamux_stream_new(y, id);
	if (!s) {
		yamux_queue(y, YAMUX_WINDOW_UPDATE, YAMUX_RST, id, YAMUX_RESET_LIMIT);
		return NULL;
	}
	yamux_queue(y, YAMUX_WINDOW_UPDATE, YAMUX_ACK, id, 0);
	y->current = s;
	y->ev.opened(y->ev.arg, s);
	return y->current;
}

/* Sets current to the stream of the frame: NULL when it is unknown, or did not survive. */
static int find_stream(struct yamux *y, const struct yamux_frame *f)
{
	y->current = yamux_stream_find(y, f->id);
	if (!(f->flags & YAMUX_SYN))
		return 0;
	if (f->id == 0 || (f->id % 2 == 1) == y->dialer)
		return violation(y, "the peer opens a stream with an id of ours", f->id);
	if (y->current)
		return violation(y, "the peer opens a stream again", f->id);
	y->current = accept_stream(y, f->id);
	return y->failed;
}

/* The FIN of a frame comes behind its payload. */
static void end_frame(struct yamux *y, bool fin)
{
	struct yamux_stream *s = y->current;

	y->current = NULL;
	if (s && fin)
		yamux_stream_got_fin(s);
}

static int take_data(struct yamux *y, const struct yamux_frame *f)
{
	struct yamux_stream *s;
	int r = find_stream(y, f);

	if (r < 0)
		return r;
	s = y->current;
	y->payload_left = f->length;
	y->payload_fin = f->flags & YAMUX_FIN;
	if (!s)
		return 0;
	if (f->length > s->recv_credit)
		return violation(y, "more data than credit on a stream", f->length);
	s->recv_credit -= f->length;
	if (f->flags & YAMUX_RST)
		yamux_stream_got_reset(s, YAMUX_RESET_NONE);
	else if (f->length > 0 && s->got_fin)
		yamux_stream_refuse(s, YAMUX_RESET_PROTOCOL);
	else if (f->length > YAMUX_BUFFERED_MAX - y->buffered)
		yamux_stream_refuse(s, YAMUX_RESET_LIMIT);
	else if (f->length == 0)
		end_frame(y, y->payload_fin);
	return y->failed;
}

static void take_credit(struct yamux_stream *s, uint32_t n)
{
	struct yamux *y = s->y;

	if (__builtin_add_overflow(s->send_credit, n, &s->send_credit)) {
		yamux_stream_refuse(s, YAMUX_RESET_PROTOCOL);
	} else if (n > 0 && s->short_credit && !s->sent_fin) {
		s->short_credit = false;
		y->ev.writable(y->ev.arg, s);
	}
}

static int take_window_update(struct yamux *y, const struct yamux_frame *f)
{
	int r = find_stream(y, f);

	if (r < 0 || !y->current)
		return r;
	if (f->flags & YAMUX_RST) {
		yamux_stream_got_reset(y->current, f->length);
		return y->failed;
	}
	take_credit(y->current, f->length);
	end_frame(y, f->flags & YAMUX_FIN);
	return y->failed;
}

static int take_ping(struct yamux *y, const struct yamux_frame *f, uint64_t now_ms)
{
	int r;

	if (f->flags & YAMUX_SYN) {
		if (y->pongs == YAMUX_PINGS_MAX)
			return 0;
		r = queue_in(&y->urgent, YAMUX_PING, YAMUX_ACK, 0, f->length);
		if (r < 0)
			return yamux_fail(y, r, "no memory for a frame", 0);
		y->pongs++;
	} else if (f->flags & YAMUX_ACK && y->awaiting_pong && f->length == y->ping_value) {
		y->awaiting_pong = false;
		y->rtt = now_ms - (y->deadline - YAMUX_PONG_MS);
		y->rtt = y->rtt > 0 ? y->rtt : 1; /* 0 is none */
		y->deadline = now_ms + YAMUX_KEEPALIVE_MS;
	}
	return 0;
}

static int take_header(struct yamux *y, uint64_t now_ms)
{
	struct yamux_frame f;

	yamux_frame_get(y->head, &f);
	y->n_head = 0;
	if (f.version != 0)
		return violation(y, "a frame of an unknown version", f.version);
	switch (f.type) {
	case YAMUX_DATA:
		return take_data(y, &f);
	case YAMUX_WINDOW_UPDATE:
		return take_window_update(y, &f);
	case YAMUX_PING:
		return take_ping(y, &f, now_ms);
	case YAMUX_GO_AWAY:
		return yamux_fail(y, -ECONNRESET, "the peer ended the connection", f.length);
	default:
		return violation(y, "a frame of an unknown type", f.type);
	}
}

/* Takes @n bytes of the payload that is due. */
static int take_payload(struct yamux *y, const uint8_t *p, uint32_t n)
{
	struct yamux_stream *s = y->current;

	y->payload_left -= n;
	if (s) {
		s->unconsumed += n;
		y->buffered += n;
		y->ev.data(y->ev.arg, s, p, n);
	}
	if (y->payload_left == 0)
		end_frame(y, y->payload_fin);
	return y->failed;
}

/* The next piece of input: 1 to @n bytes. */
static int take_piece(struct yamux *y, const uint8_t *p, size_t n, uint64_t now_ms, size_t *ret)
{
	if (y->payload_left > 0) {
		*ret = n < y->payload_left ? n : y->payload_left;
		return take_payload(y, p, (uint32_t)*ret);
	}
	*ret = YAMUX_HEADER - y->n_head;
	if (*ret > n)
		*ret = n;
	memcpy(y->head + y->n_head, p, *ret);
	y->n_head += *ret;
	return y->n_head == YAMUX_HEADER ? take_header(y, now_ms) : 0;
}

int yamux_feed(struct yamux *y, const uint8_t *p, size_t n, uint64_t now_ms, struct err *e)
{
	int r = y->failed;

	for (size_t used; n > 0 && r == 0; p += used, n -= used)
		r = take_piece(y, p, n, now_ms, &used);
	return r < 0 ? err_set(e, r, "yamux: %s (%#x)", y->why, y->detail) : 0;
}

/* Tells those whose writes were cut for want of room, first come first served. */
static void tell_waiting(struct yamux *y)
{
	while (!list_empty(&y->waiting) && yamux_room(y) > 0 && !y->failed) {
		struct yamux_stream *s =
		    container_of(y->waiting.next, struct yamux_stream, waiting);

		list_del(&s->waiting);
		y->ev.writable(y->ev.arg, s);
	}
}

int yamux_drain(struct yamux *y, struct buf *out)
{
	int r = buf_reserve(out, y->urgent.len + y->out.len);

	if (r < 0)
		return r;
	buf_append(out, y->urgent.data, y->urgent.len);
	buf_append(out, y->out.data, y->out.len);
	buf_reset(&y->urgent);
	buf_reset(&y->out);
	y->pongs = 0;
	if (y->out.cap > OUT_KEEP)
		buf_deinit(&y->out);
	tell_waiting(y);
	return 0;
}

uint64_t yamux_deadline(const struct yamux *y)
{
	return y->failed ? UINT64_MAX : y->deadline;
}

int yamux_tick(struct yamux *y, uint64_t now_ms)
{
	int r;

	if (y->failed || now_ms < y->deadline)
		return y->failed;
	if (y->awaiting_pong)
		return yamux_fail(y, -ETIMEDOUT, "the peer does not answer", y->ping_value);
	r = queue_in(&y->urgent, YAMUX_PING, YAMUX_SYN, 0, ++y->ping_value);
	if (r < 0)
		return yamux_fail(y, r, "no memory for a frame", 0);
	y->awaiting_pong = true;
	y->deadline = now_ms + YAMUX_PONG_MS;
	return 0;
}

void yamux_end(struct yamux *y, uint32_t code)
{
	yamux_queue(y, YAMUX_GO_AWAY, 0, 0, code);
	yamux_fail(y, -ECANCELED, "we ended the connection", code);
}

uint64_t yamux_rtt_ms(const struct yamux *y)
{
	return y->rtt;
}
