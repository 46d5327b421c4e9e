#include "net/pubsub.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/conn.h"
#include "net/frame.h"
#include "net/yamux.h"
#include "types/hash.h"
#include "util/container.h"
#include "util/rate.h"

#define LOG_AREA "pubsub"
#include "util/log.h"

#define BUCKETS 64
#define STRIKES_KEPT 256 /* of all peers; the oldest go first */
#define REFUSAL_LINES 20 /* at once; then one in a time, the others at debug */
#define REFUSAL_LINE_MS 10000

/* What we speak, the best first. */
static const struct {
	const char *name;
	enum gossip_version version;
} protocols[] = {
	{ "/meshsub/1.2.0", GOSSIP_1_2 },
	{ "/meshsub/1.1.0", GOSSIP_1_1 },
	{ "/meshsub/1.0.0", GOSSIP_1_0 },
	{ "/floodsub/1.0.0", GOSSIP_FLOOD },
};

/* From the first break in a row on. */
static const uint64_t reopen_after_ms[] = { 100, 1000, 5000 };

struct peer {
	struct list bucket;
	struct pubsub *p;
	struct peerid id;
	bool connected;
	struct stream *out; /* ours */
	uint64_t opened_ms;
	unsigned breaks;   /* of ours in a row */
	uint64_t retry_ms; /* 0: no time set */
	struct stream *in; /* its own */
	struct frame_reader frames;
	size_t partial; /* memory of a frame that has begun */
	bool reading;   /* of it: it must not go away now */
};

struct strike {
	struct peerid id;
	uint64_t at_ms;
};

struct pubsub {
	struct host *host;
	uv_loop_t *loop;
	struct gossip *gossip;
	struct host_watch watch;
	struct stream_protocol offers[ARRAY_LEN(protocols)];
	struct list peers[BUCKETS];
	struct strike strikes[STRIKES_KEPT]; /* a ring */
	size_t n_strikes;                    /* ever */
	struct rate refusal_lines;
	size_t partial;   /* of all peers */
	struct buf frame; /* being sent */
	uv_timer_t timer;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- peers ---- */

static struct list *bucket_of(struct pubsub *p, const struct peerid *id)
{
	return &p->peers[hash_short(id->bytes, id->len) % BUCKETS];
}

static struct peer *find(struct pubsub *p, const struct peerid *id)
{
	struct list *bucket = bucket_of(p, id), *it;

	list_each (it, bucket) {
		struct peer *peer = container_of(it, struct peer, bucket);

		if (peerid_equal(&peer->id, id))
			return peer;
	}
	return NULL;
}

static struct peer *get(struct pubsub *p, const struct peerid *id)
{
	struct peer *peer = find(p, id);

	if (peer)
		return peer;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->p = p;
	peer->id = *id;
	frame_reader_init(&peer->frames, GOSSIP_RPC_MAX);
	list_add_tail(bucket_of(p, id), &peer->bucket);
	return peer;
}

static void count_partial(struct peer *peer)
{
	size_t was = peer->partial;

	peer->partial = peer->frames.body.cap;
	peer->p->partial += peer->partial - was;
}

/* What has come of a frame means nothing any more. */
static void clear_frames(struct peer *peer)
{
	frame_reader_clear(&peer->frames);
	count_partial(peer);
}

/* Frees it when nothing is left of it. */
static void let_go(struct peer *peer)
{
	if (peer->connected || peer->out || peer->in || peer->reading)
		return;
	clear_frames(peer);
	list_del(&peer->bucket);
	free(peer);
}

static void each_peer(struct pubsub *p, void (*fn)(struct peer *peer, void *arg), void *arg)
{
	struct list *it, *next;

	for (size_t i = 0; i < BUCKETS; i++)
		list_each_safe (it, next, &p->peers[i])
			fn(container_of(it, struct peer, bucket), arg);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

static void sooner(struct peer *peer, void *next_ms)
{
	if (peer->retry_ms > 0 && peer->retry_ms < *(uint64_t *)next_ms)
		*(uint64_t *)next_ms = peer->retry_ms;
}

/* Sets the timer for what is due next. */
static void schedule(struct pubsub *p)
{
	uint64_t now = uv_now(p->loop), next = gossip_deadline(p->gossip);

	each_peer(p, sooner, &next);
	uv_timer_start(&p->timer, on_timer, next > now ? next - now : 0, 0);
}

/* ---- our streams ---- */

static void broke(struct peer *peer)
{
	size_t last = ARRAY_LEN(reopen_after_ms) - 1;
	uint64_t now = uv_now(peer->p->loop);

	peer->out = NULL;
	gossip_peer_down(peer->p->gossip, &peer->id);
	if (!peer->connected)
		return;
	if (now - peer->opened_ms >= PUBSUB_STEADY_MS)
		peer->breaks = 0;
	peer->retry_ms = now + reopen_after_ms[peer->breaks < last ? peer->breaks : last];
	peer->breaks++;
	schedule(peer->p);
}

/* Nothing is to come on it. Our end of it is not read, but must be taken in. */
static void on_out_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

static void on_out_eof(void *arg, struct stream *s)
{
	stream_reset(s, YAMUX_RESET_NONE);
	broke(arg);
}

static void on_out_ended(void *arg, struct stream *s, int why)
{
	struct peer *peer = arg;

	broke(peer);
	let_go(peer);
}

/* A stream by the best protocol that the peer speaks; its first frames follow at once. */
static void open_stream(struct peer *peer)
{
	static const struct stream_ops ops = {
		.data = on_out_data,
		.eof = on_out_eof,
		.ended = on_out_ended,
	};
	struct pubsub *p = peer->p;
	size_t i = 0;

	peer->retry_ms = 0;
	while (i < ARRAY_LEN(protocols) && !host_speaks(p->host, &peer->id, protocols[i].name))
		i++;
	if (i == ARRAY_LEN(protocols))
		return;
	peer->opened_ms = uv_now(p->loop);
	if (host_open(p->host, &peer->id, &protocols[i].name, 1, &ops, peer, &peer->out) < 0) {
		broke(peer);
		return;
	}
	if (gossip_peer_up(p->gossip, &peer->id, protocols[i].version,
			   conn_is_dialer(stream_conn(peer->out)), peer->opened_ms) < 0) {
		stream_reset(peer->out, YAMUX_RESET_LIMIT);
		broke(peer);
	}
}

static bool on_send(void *arg, const struct peerid *to, const uint8_t *frame, size_t n)
{
	struct pubsub *p = arg;
	struct peer *peer = find(p, to);
	size_t queued;

	if (!peer || !peer->out)
		return false;
	buf_reset(&p->frame);
	if (frame_write(frame, n, &p->frame) < 0)
		return false;
	queued = stream_queued(peer->out);
	if (queued > 0 && queued + p->frame.len > PUBSUB_QUEUE_MAX)
		return false;
	return stream_write(peer->out, p->frame.data, p->frame.len) == 0;
}

/* ---- the peers' streams ---- */

static bool is_ignored(const struct pubsub *p, const struct peerid *id)
{
	size_t n = p->n_strikes < STRIKES_KEPT ? p->n_strikes : STRIKES_KEPT;
	uint64_t now = uv_now(p->loop);
	unsigned strikes = 0;

	for (size_t i = 0; i < n; i++)
		strikes += now - p->strikes[i].at_ms < PUBSUB_STRIKES_MS &&
			   peerid_equal(&p->strikes[i].id, id);
	return strikes >= PUBSUB_STRIKES_MAX;
}

/* Its stream is gone, or goes. */
static void end_in(struct peer *peer)
{
	peer->in = NULL;
	if (!peer->reading)
		clear_frames(peer);
	gossip_peer_silent(peer->p->gossip, &peer->id);
}

/* Its stream cannot be read on: what came was malformed, or there is no memory for it. */
static void refuse(struct peer *peer, int err, const struct err *why)
{
	struct pubsub *p = peer->p;
	char id[PEERID_TEXT_MAX];

	peerid_format(&peer->id, id);
	if (err != -ENOMEM)
		p->strikes[p->n_strikes++ % STRIKES_KEPT] =
		    (struct strike){ peer->id, uv_now(p->loop) };
	if (!rate_take(&p->refusal_lines, REFUSAL_LINES, REFUSAL_LINE_MS, uv_now(p->loop)))
		log_dbg("%s: %s", id, why->msg);
	else if (is_ignored(p, &peer->id))
		log_warn("%s: %s, not reading it for a while", id, why->msg);
	else
		log_info("%s: %s, resetting its stream", id, why->msg);
	stream_reset(peer->in, YAMUX_RESET_PROTOCOL);
	end_in(peer);
}

static void greedier(struct peer *peer, void *arg)
{
	struct peer **most = arg;

	if (!*most || peer->partial > (*most)->partial)
		*most = peer;
}

/* What has begun takes too much memory. Where it was an honest peer, it opens its stream anew. */
static void relieve(struct pubsub *p)
{
	struct peer *most = NULL;

	each_peer(p, greedier, &most);
	assert(most && most->in && !most->reading);
	stream_reset(most->in, YAMUX_RESET_LIMIT);
	end_in(most);
	let_go(most);
}

struct reading {
	struct peer *peer;
	struct stream *in;
	struct err *e;
};

static int on_frame(void *arg, const uint8_t *frame, size_t n)
{
	struct reading *r = arg;
	struct pubsub *p = r->peer->p;
	int err = gossip_feed(p->gossip, &r->peer->id, frame, n, uv_now(p->loop), r->e);

	if (r->peer->in != r->in)
		return -ECANCELED; /* whoever got a message has ended the stream */
	return err == -EBADMSG ? err : 0;
}

static void on_in_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct peer *peer = arg;
	struct pubsub *pubsub = peer->p;
	struct err e = { 0 };
	struct reading r = { peer, s, &e };
	int err;

	peer->reading = true;
	err = frame_feed(&peer->frames, p, n, on_frame, &r, &e);
	peer->reading = false;
	if (peer->in != s)
		clear_frames(peer);
	else if (err < 0)
		refuse(peer, err, &e);
	else
		count_partial(peer);
	let_go(peer);
	while (pubsub->partial > PUBSUB_PARTIAL_MAX)
		relieve(pubsub);
}

static void on_in_eof(void *arg, struct stream *s)
{
	struct peer *peer = arg;

	stream_close(s);
	end_in(peer);
	let_go(peer);
}

static void on_in_ended(void *arg, struct stream *s, int why)
{
	struct peer *peer = arg;

	end_in(peer);
	let_go(peer);
}

/* A later stream of a peer takes the place of the one before. */
static void on_accepted(void *arg, struct stream *s)
{
	static const struct stream_ops ops = {
		.data = on_in_data,
		.eof = on_in_eof,
		.ended = on_in_ended,
	};
	struct pubsub *p = arg;
	struct peer *peer = is_ignored(p, stream_peer(s)) ? NULL : get(p, stream_peer(s));

	if (!peer) {
		stream_reset(s, YAMUX_RESET_LIMIT);
		return;
	}
	if (peer->in) {
		stream_reset(peer->in, YAMUX_RESET_NONE);
		end_in(peer);
	}
	peer->in = s;
	stream_own(s, &ops, peer);
}

/* ---- the host ---- */

static void on_up(struct host_watch *w, const struct peerid *id)
{
	struct pubsub *p = container_of(w, struct pubsub, watch);
	struct peer *peer = get(p, id);

	if (!peer)
		return;
	peer->connected = true;
	peer->breaks = 0;
	if (!peer->out)
		open_stream(peer);
}

/* It may speak gossip now, or again. */
static void on_changed(struct host_watch *w, const struct peerid *id)
{
	on_up(w, id);
}

static void on_down(struct host_watch *w, const struct peerid *id)
{
	struct pubsub *p = container_of(w, struct pubsub, watch);
	struct peer *peer = find(p, id);

	if (!peer)
		return;
	peer->connected = false;
	peer->retry_ms = 0;
	let_go(peer);
}

static void retry(struct peer *peer, void *now_ms)
{
	if (peer->retry_ms > 0 && peer->retry_ms <= *(uint64_t *)now_ms)
		open_stream(peer);
}

static void on_timer(uv_timer_t *timer)
{
	struct pubsub *p = timer->data;
	uint64_t now = uv_now(p->loop);

	gossip_tick(p->gossip, now);
	each_peer(p, retry, &now);
	schedule(p);
}

/* ---- outside ---- */

int pubsub_new(struct host *h, uv_loop_t *loop, const struct gossip_config *cfg,
	       struct pubsub **ret, struct err *e)
{
	struct pubsub *p = calloc(1, sizeof(*p));
	struct gossip_config ours = *cfg;
	int r;

	if (!p)
		return err_sys(e, -ENOMEM, "gossip");
	p->host = h;
	p->loop = loop;
	buf_init(&p->frame, 0);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&p->peers[i]);
	ours.send = on_send;
	ours.arg = p;
	r = gossip_new(&ours, uv_now(loop), &p->gossip);
	if (r < 0) {
		err_sys(e, r, "gossip");
		goto out_free;
	}
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		p->offers[i] = (struct stream_protocol){ protocols[i].name, on_accepted, p };
		r = host_serve(h, &p->offers[i]);
		if (r < 0) {
			err_sys(e, r, "gossip: %s", protocols[i].name);
			goto out_gossip;
		}
	}
	uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	p->watch = (struct host_watch){ .up = on_up, .changed = on_changed, .down = on_down };
	host_watch(h, &p->watch);
	schedule(p);
	*ret = p;
	return 0;
out_gossip:
	gossip_free(p->gossip);
out_free:
	free(p);
	return r;
}

static void on_closed(uv_handle_t *timer)
{
	struct pubsub *p = timer->data;
	void (*closed)(void *arg) = p->closed;
	void *arg = p->closed_arg;

	gossip_free(p->gossip);
	buf_deinit(&p->frame);
	free(p);
	if (closed)
		closed(arg);
}

void pubsub_close(struct pubsub *p, void (*closed)(void *arg), void *arg)
{
	p->closed = closed;
	p->closed_arg = arg;
	uv_close((uv_handle_t *)&p->timer, on_closed);
}

int pubsub_subscribe(struct pubsub *p, const struct gossip_topic *t)
{
	return gossip_subscribe(p->gossip, t);
}

void pubsub_leave(struct pubsub *p, const char *topic)
{
	gossip_leave(p->gossip, topic);
}

int pubsub_publish(struct pubsub *p, const char *topic, const void *data, size_t n,
		   size_t *ret_reached)
{
	return gossip_publish(p->gossip, topic, data, n, uv_now(p->loop), ret_reached);
}

struct gossip *pubsub_gossip(struct pubsub *p)
{
	return p->gossip;
}
