#include "net/exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/frame.h"
#include "net/yamux.h"
#include "types/hash.h"
#include "util/container.h"
#include "util/list.h"

#define LOG_AREA "bitswap"
#include "util/log.h"

#define BUCKETS 64

static const char *const protocol[] = { EXCHANGE_PROTOCOL };

/* A peer that takes part. */
struct partner {
	struct list bucket;
	struct exchange *x;
	struct peerid id;
	bool speaks;         /* it says so */
	struct list streams; /* its own */
	size_t partial;      /* bytes of messages on them that have begun */
	struct stream *out;  /* ours; nothing that comes on it means anything */
	uint64_t opened_ms;
	unsigned breaks;   /* of ours in a row */
	uint64_t retry_ms; /* when ours may be opened again; 0: no time set */
};

/* A stream of a peer: only read. */
struct inbound {
	struct list item;
	struct partner *partner;
	struct stream *stream; /* NULL: it has ended */
	struct frame_reader frames;
	size_t partial;
	bool reading; /* it must not go away now */
};

struct exchange {
	struct host *host;
	uv_loop_t *loop;
	struct bitswap *bitswap;
	struct host_watch watch;
	struct list partners[BUCKETS];
	size_t partial;
	uv_timer_t timer;
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static uint64_t now_ms(const struct exchange *x)
{
	return uv_now(x->loop);
}

/* ---- partners ---- */

static struct list *bucket_of(struct exchange *x, const struct peerid *id)
{
	return &x->partners[hash_short(id->bytes, id->len) % BUCKETS];
}

static struct partner *find(struct exchange *x, const struct peerid *id)
{
	struct list *bucket = bucket_of(x, id), *it;

	list_each (it, bucket) {
		struct partner *p = container_of(it, struct partner, bucket);

		if (peerid_equal(&p->id, id))
			return p;
	}
	return NULL;
}

static struct partner *get(struct exchange *x, const struct peerid *id)
{
	struct partner *p = find(x, id);

	if (p)
		return p;
	if (bitswap_peer_up(x->bitswap, id, now_ms(x)) < 0)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p) {
		bitswap_peer_down(x->bitswap, id, now_ms(x));
		return NULL;
	}
	p->x = x;
	p->id = *id;
	list_init(&p->streams);
	list_add_tail(bucket_of(x, id), &p->bucket);
	return p;
}

static void partner_free(struct partner *p)
{
	if (p->out)
		stream_reset(p->out, YAMUX_RESET_NONE);
	list_del(&p->bucket);
	free(p);
}

/* It may take part no more. */
static void let_go(struct partner *p)
{
	const struct peerid id = p->id;
	struct exchange *x = p->x;

	if (p->speaks || !list_empty(&p->streams))
		return;
	partner_free(p);
	bitswap_peer_down(x->bitswap, &id, now_ms(x));
}

static void each_partner(struct exchange *x, void (*fn)(struct partner *p, void *arg), void *arg)
{
	struct list *it, *next;

	for (size_t i = 0; i < BUCKETS; i++)
		list_each_safe (it, next, &x->partners[i])
			fn(container_of(it, struct partner, bucket), arg);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *t);

static void sooner(struct partner *p, void *next_ms)
{
	if (p->retry_ms > 0 && p->retry_ms < *(uint64_t *)next_ms)
		*(uint64_t *)next_ms = p->retry_ms;
}

/* Sets the timer for what is due next: after everything that may have changed it. */
static void schedule(struct exchange *x)
{
	uint64_t now = now_ms(x), next = bitswap_deadline(x->bitswap);

	each_partner(x, sooner, &next);
	if (next == UINT64_MAX)
		uv_timer_stop(&x->timer);
	else
		uv_timer_start(&x->timer, on_timer, next > now ? next - now : 0, 0);
}

static void retry(struct partner *p, void *now)
{
	if (p->retry_ms == 0 || p->retry_ms > *(uint64_t *)now)
		return;
	p->retry_ms = 0;
	bitswap_writable(p->x->bitswap, &p->id, *(uint64_t *)now);
}

static void on_timer(uv_timer_t *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	uint64_t now = now_ms(x);

	each_partner(x, retry, &now);
	bitswap_tick(x->bitswap, now);
	schedule(x);
}

/* ---- our streams ---- */

static void set_retry(struct partner *p)
{
	p->retry_ms = now_ms(p->x) +
		      (p->breaks < EXCHANGE_REOPEN_TRIES ? EXCHANGE_REOPEN_MS : EXCHANGE_PAUSE_MS);
	p->breaks++;
}

static void on_out_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

static void on_out_drained(void *arg, struct stream *s)
{
	struct partner *p = arg;

	bitswap_writable(p->x->bitswap, &p->id, now_ms(p->x));
	schedule(p->x);
}

/* What we want is told anew; answers are lost, and whoever misses them asks again. */
static void on_out_ended(void *arg, struct stream *s, int why)
{
	struct partner *p = arg;
	struct exchange *x = p->x;

	p->out = NULL;
	if (now_ms(x) - p->opened_ms >= EXCHANGE_PAUSE_MS)
		p->breaks = 0;
	set_retry(p);
	bitswap_lost(x->bitswap, &p->id, now_ms(x));
	schedule(x);
}

static const struct stream_ops out_ops = { .data = on_out_data,
					   .drained = on_out_drained,
					   .ended = on_out_ended };

static int open_stream(struct partner *p)
{
	int r = host_open(p->x->host, &p->id, protocol, 1, &out_ops, p, &p->out);

	p->opened_ms = now_ms(p->x);
	if (r < 0)
		set_retry(p);
	return r;
}

static bool on_send(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	struct exchange *x = arg;
	struct partner *p = find(x, to);
	struct buf frame = BUF_INIT(0);
	int r;

	if (!p || p->retry_ms > 0 || (!p->out && open_stream(p) < 0))
		return false;
	r = frame_write(message, n, &frame);
	if (r == 0)
		r = stream_write(p->out, frame.data, frame.len);
	buf_deinit(&frame);
	return r == 0;
}

/* ---- the peers' streams ---- */

static void inbound_free(struct inbound *in)
{
	in->stream = NULL;
	in->partner->partial -= in->partial;
	in->partner->x->partial -= in->partial;
	in->partial = 0;
	if (in->reading)
		return; /* on_in_data does the rest */
	list_del(&in->item);
	let_go(in->partner);
	frame_reader_clear(&in->frames);
	free(in);
}

static void inbound_reset(struct inbound *in, uint32_t code)
{
	stream_reset(in->stream, code);
	inbound_free(in);
}

static void count_partial(struct inbound *in)
{
	size_t was = in->partial;

	in->partial = in->frames.body.cap;
	in->partner->partial += in->partial - was;
	in->partner->x->partial += in->partial - was;
}

static void greedier(struct partner *p, void *arg)
{
	struct partner **most = arg;

	if (!*most || p->partial > (*most)->partial)
		*most = p;
}

/* What has begun takes too much memory: the largest of who has sent the most goes. */
static void relieve(struct exchange *x)
{
	struct partner *most = NULL;
	struct inbound *largest = NULL;
	struct list *it;

	each_partner(x, greedier, &most);
	assert(most);
	list_each (it, &most->streams) {
		struct inbound *in = container_of(it, struct inbound, item);

		if (!largest || in->partial > largest->partial)
			largest = in;
	}
	assert(largest);
	inbound_reset(largest, YAMUX_RESET_LIMIT);
}

static int on_frame(void *arg, const uint8_t *frame, size_t n)
{
	struct inbound *in = arg;
	const struct partner *p = in->partner;
	struct err e = { 0 };
	int r = bitswap_feed(p->x->bitswap, &p->id, frame, n, now_ms(p->x), &e);

	if (r < 0)
		log_dbg("%s, resetting the stream", e.msg);
	return in->stream ? r : -ECANCELED;
}

static void on_in_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct inbound *in = arg;
	struct exchange *x = in->partner->x;
	int r;

	bitswap_progress(x->bitswap, &in->partner->id, now_ms(x));
	in->reading = true;
	r = frame_feed(&in->frames, p, n, on_frame, in, NULL);
	in->reading = false;
	if (!in->stream)
		inbound_free(in);
	else if (r < 0)
		inbound_reset(in, YAMUX_RESET_PROTOCOL);
	else
		count_partial(in);
	while (x->partial > EXCHANGE_PARTIAL_MAX)
		relieve(x);
	schedule(x);
}

static void on_in_eof(void *arg, struct stream *s)
{
	struct inbound *in = arg;
	struct exchange *x = in->partner->x;

	stream_close(s);
	inbound_free(in);
	schedule(x);
}

static void on_in_ended(void *arg, struct stream *s, int why)
{
	struct inbound *in = arg;
	struct exchange *x = in->partner->x;

	inbound_free(in);
	schedule(x);
}

static const struct stream_ops in_ops = { .data = on_in_data,
					  .eof = on_in_eof,
					  .ended = on_in_ended };

static void on_accepted(void *arg, struct stream *s)
{
	struct exchange *x = arg;
	struct inbound *in = x->closing ? NULL : calloc(1, sizeof(*in));
	struct partner *p = in ? get(x, stream_peer(s)) : NULL;

	if (!p) {
		free(in);
		stream_reset(s, YAMUX_RESET_LIMIT);
		return;
	}
	in->partner = p;
	in->stream = s;
	frame_reader_init(&in->frames, BITSWAP_MESSAGE_MAX);
	list_add_tail(&p->streams, &in->item);
	stream_own(s, &in_ops, in);
	schedule(x);
}

/* ---- the host ---- */

static void set_speaks(struct exchange *x, const struct peerid *peer, bool speaks)
{
	struct partner *p = speaks ? get(x, peer) : find(x, peer);

	if (p) {
		p->speaks = speaks;
		let_go(p);
	}
	schedule(x);
}

static void on_up(struct host_watch *w, const struct peerid *peer)
{
	struct exchange *x = container_of(w, struct exchange, watch);

	set_speaks(x, peer, host_speaks(x->host, peer, protocol[0]));
}

static void on_down(struct host_watch *w, const struct peerid *peer)
{
	set_speaks(container_of(w, struct exchange, watch), peer, false);
}

/* ---- what others ask of it ---- */

int exchange_want(struct exchange *x, const struct cid *cid, const struct peerid *hint)
{
	int r = bitswap_want(x->bitswap, cid, hint, now_ms(x));

	schedule(x);
	return r;
}

void exchange_cancel(struct exchange *x, const struct cid *cid)
{
	bitswap_cancel(x->bitswap, cid);
	schedule(x);
}

void exchange_have(struct exchange *x, const struct cid *cid)
{
	bitswap_have(x->bitswap, cid, now_ms(x));
	schedule(x);
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
	const struct stream_protocol p = { .name = protocol[0], .accepted = on_accepted, .arg = x };
	struct bitswap_config bc = *cfg;
	int r;

	if (!x)
		return err_sys(e, -ENOMEM, "starting bitswap");
	x->host = h;
	x->loop = loop;
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&x->partners[i]);
	bc.arg = arg;
	bc.send = on_send;
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
	x->watch = (struct host_watch){ .up = on_up, .changed = on_up, .down = on_down };
	host_watch(h, &x->watch);
	*ret = x;
	return 0;
}

static void on_timer_closed(uv_handle_t *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	void (*closed)(void *) = x->closed;
	void *arg = x->closed_arg;

	free(x);
	closed(arg);
}

static void end(struct partner *p, void *arg)
{
	while (!list_empty(&p->streams)) {
		struct inbound *in = container_of(p->streams.next, struct inbound, item);

		list_del(&in->item);
		stream_reset(in->stream, YAMUX_RESET_SHUTDOWN);
		frame_reader_clear(&in->frames);
		free(in);
	}
	partner_free(p);
}

void exchange_close(struct exchange *x, void (*closed)(void *arg), void *arg)
{
	x->closing = true;
	x->closed = closed;
	x->closed_arg = arg;
	host_unwatch(x->host, &x->watch);
	each_partner(x, end, NULL);
	bitswap_free(x->bitswap);
	uv_close((uv_handle_t *)&x->timer, on_timer_closed);
}
