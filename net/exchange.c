#include "net/exchange.h"

#include <errno.h>
#include <stdlib.h>

#include "net/frame.h"
#include "net/yamux.h"
#include "util/container.h"
#include "util/list.h"

#define LOG_AREA "bitswap"
#include "util/log.h"

static const char *const protocol[] = { "/ipfs/bitswap/1.2.0" };

/* Ours to a peer: only we write on it. */
struct outgoing {
	struct list item;
	struct exchange *x;
	struct peerid peer;
	struct stream *stream;
};

/* A peer's to us: only read. */
struct incoming {
	struct list item;
	struct exchange *x;
	struct stream *stream;
	struct peerid peer;
	struct frame_reader frames;
};

struct exchange {
	struct host *host;
	struct bitswap *bitswap;
	struct host_watch watch;
	struct list outgoing, incoming;
	uv_timer_t timer;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static uint64_t now_ms(const struct exchange *x)
{
	return uv_now(x->timer.loop);
}

static void on_timer(uv_timer_t *t);

static void set_timer(struct exchange *x)
{
	uint64_t due = bitswap_deadline(x->bitswap), now = now_ms(x);

	if (x->closing)
		return;
	if (due == UINT64_MAX)
		uv_timer_stop(&x->timer);
	else
		uv_timer_start(&x->timer, on_timer, due > now ? due - now : 0, 0);
}

static void on_timer(uv_timer_t *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);

	bitswap_tick(x->bitswap, now_ms(x));
	set_timer(x);
}

/* ---- ours ---- */

static struct outgoing *outgoing_find(const struct exchange *x, const struct peerid *peer)
{
	struct list *it;

	list_each (it, &x->outgoing) {
		struct outgoing *o = container_of(it, struct outgoing, item);

		if (peerid_equal(&o->peer, peer))
			return o;
	}
	return NULL;
}

static void outgoing_free(struct outgoing *o)
{
	list_del(&o->item);
	free(o);
}

static void out_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

static void out_drained(void *arg, struct stream *s)
{
	struct outgoing *o = arg;
	struct exchange *x = o->x;
	const struct peerid peer = o->peer;

	bitswap_writable(x->bitswap, &peer, now_ms(x));
	set_timer(x);
}

/* What was lost with it is asked for again in time; what the peer wants it says anew. */
static void out_ended(void *arg, struct stream *s, int why)
{
	outgoing_free(arg);
}

static const struct stream_ops out_ops = { .data = out_data,
					   .drained = out_drained,
					   .ended = out_ended };

static struct outgoing *outgoing_open(struct exchange *x, const struct peerid *peer)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->x = x;
	o->peer = *peer;
	if (host_open(x->host, peer, protocol, 1, &out_ops, o, &o->stream) < 0) {
		free(o);
		return NULL;
	}
	list_add_tail(&x->outgoing, &o->item);
	return o;
}

static bool queue(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	struct exchange *x = arg;
	struct outgoing *o = outgoing_find(x, to);
	struct buf frame = BUF_INIT(0);
	int r;

	if (!o)
		o = outgoing_open(x, to);
	if (!o)
		return false;
	r = frame_write(message, n, &frame);
	if (r == 0)
		r = stream_write(o->stream, frame.data, frame.len);
	buf_deinit(&frame);
	return r == 0;
}

/* ---- theirs ---- */

static void incoming_free(struct incoming *in)
{
	list_del(&in->item);
	frame_reader_clear(&in->frames);
	free(in);
}

static int take(void *arg, const uint8_t *frame, size_t n)
{
	struct incoming *in = arg;
	struct err e = { 0 };
	int r = bitswap_feed(in->x->bitswap, &in->peer, frame, n, now_ms(in->x), &e);

	if (r < 0)
		log_dbg("%s, resetting the stream", e.msg);
	return r;
}

static void in_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct incoming *in = arg;
	struct exchange *x = in->x;

	if (frame_feed(&in->frames, p, n, take, in, NULL) < 0) {
		stream_reset(s, YAMUX_RESET_PROTOCOL);
		incoming_free(in);
	}
	set_timer(x);
}

static void in_eof(void *arg, struct stream *s)
{
	stream_close(s);
	incoming_free(arg);
}

static void in_ended(void *arg, struct stream *s, int why)
{
	incoming_free(arg);
}

static const struct stream_ops in_ops = { .data = in_data, .eof = in_eof, .ended = in_ended };

static void accepted(void *arg, struct stream *s)
{
	struct exchange *x = arg;
	struct incoming *in = x->closing ? NULL : calloc(1, sizeof(*in));

	if (!in) {
		stream_reset(s, YAMUX_RESET_LIMIT);
		return;
	}
	in->x = x;
	in->stream = s;
	in->peer = *stream_peer(s);
	frame_reader_init(&in->frames, BITSWAP_MESSAGE_MAX);
	list_add_tail(&x->incoming, &in->item);
	stream_own(s, &in_ops, in);
}

/* ---- peers ---- */

static void consider(struct host_watch *w, const struct peerid *peer)
{
	struct exchange *x = container_of(w, struct exchange, watch);

	if (host_speaks(x->host, peer, protocol[0]))
		bitswap_peer_up(x->bitswap, peer, now_ms(x));
	else
		bitswap_peer_down(x->bitswap, peer, now_ms(x));
	set_timer(x);
}

static void gone(struct host_watch *w, const struct peerid *peer)
{
	struct exchange *x = container_of(w, struct exchange, watch);

	bitswap_peer_down(x->bitswap, peer, now_ms(x));
	set_timer(x);
}

/* ---- what others ask of it ---- */

int exchange_want(struct exchange *x, const struct cid *cid, const struct peerid *hint)
{
	int r = bitswap_want(x->bitswap, cid, hint, now_ms(x));

	set_timer(x);
	return r;
}

void exchange_cancel(struct exchange *x, const struct cid *cid)
{
	bitswap_cancel(x->bitswap, cid);
	set_timer(x);
}

void exchange_have(struct exchange *x, const struct cid *cid)
{
	bitswap_have(x->bitswap, cid, now_ms(x));
}

struct bitswap *exchange_bitswap(struct exchange *x)
{
	return x->bitswap;
}

/* ---- life ---- */

int exchange_new(struct host *h, uv_loop_t *loop, const struct bitswap_config *cfg, void *arg,
		 struct exchange **ret, struct err *e)
{
	struct exchange *x = calloc(1, sizeof(*x));
	struct bitswap_config bc = *cfg;
	const struct stream_protocol p = { .name = protocol[0], .accepted = accepted, .arg = x };
	int r;

	if (!x)
		return err_sys(e, -ENOMEM, "starting bitswap");
	x->host = h;
	list_init(&x->outgoing);
	list_init(&x->incoming);
	bc.send = queue;
	bc.arg = arg;
	bc.send_arg = x;
	r = bitswap_new(&bc, &x->bitswap);
	if (r == 0)
		r = host_serve(h, &p);
	if (r < 0) {
		bitswap_free(x->bitswap);
		free(x);
		return err_sys(e, r, "starting bitswap");
	}
	uv_timer_init(loop, &x->timer);
	x->watch = (struct host_watch){ .up = consider, .changed = consider, .down = gone };
	host_watch(h, &x->watch);
	*ret = x;
	return 0;
}

static void on_timer_closed(uv_handle_t *t)
{
	struct exchange *x = container_of((uv_timer_t *)t, struct exchange, timer);
	void (*closed)(void *) = x->closed;
	void *arg = x->closed_arg;

	free(x);
	closed(arg);
}

void exchange_close(struct exchange *x, void (*closed)(void *arg), void *arg)
{
	x->closing = true;
	x->closed = closed;
	x->closed_arg = arg;
	host_unwatch(x->host, &x->watch);
	while (!list_empty(&x->outgoing)) {
		struct outgoing *o = container_of(x->outgoing.next, struct outgoing, item);

		stream_reset(o->stream, YAMUX_RESET_SHUTDOWN);
		outgoing_free(o);
	}
	while (!list_empty(&x->incoming)) {
		struct incoming *in = container_of(x->incoming.next, struct incoming, item);

		stream_reset(in->stream, YAMUX_RESET_SHUTDOWN);
		incoming_free(in);
	}
	bitswap_free(x->bitswap);
	uv_close((uv_handle_t *)&x->timer, on_timer_closed);
}
