/* Peers and their connections; what the other files of the host do hangs on them. */
#include "net/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"
#include "util/container.h"

#define LOG_AREA "host"
#include "util/log.h"

#define BACKOFF_FIRST_MS 5000
#define BACKOFF_MOST_MS (5 * 60 * 1000)

/* ---- time ---- */

uint64_t host_now(const struct host *h)
{
	return uv_now(h->opt.loop);
}

static void on_timer(uv_timer_t *t);

void host_wake(struct host *h, uint64_t ms)
{
	uint64_t now = host_now(h);

	if (h->timer_closing || ms >= h->wake_at)
		return;
	h->wake_at = ms;
	uv_timer_start(&h->timer, on_timer, ms > now ? ms - now : 0, 0);
}

/* ---- peers ---- */

struct peer *peer_find(const struct host *h, const struct peerid *id)
{
	struct list *it;

	list_each (it, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		if (peerid_equal(&p->id, id))
			return p;
	}
	return NULL;
}

int peer_make(struct host *h, const struct peerid *id, struct peer **ret)
{
	struct peer *p = peer_find(h, id);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->id = *id;
		p->protocols.max = HOST_SPOKEN_BYTES_MAX;
		list_init(&p->links);
		list_init(&p->waiters);
		list_add_tail(&h->peers, &p->item);
	}
	*ret = p;
	return 0;
}

void peer_settle(struct host *h, struct peer *p)
{
	if (p->n_links > 0 || p->kept || p->dial || !list_empty(&p->waiters))
		return;
	list_del(&p->item);
	buf_deinit(&p->protocols);
	free(p);
}

bool peer_speaks(const struct peer *p, const char *protocol)
{
	const char *name = (const char *)p->protocols.data;
	const char *end = name + p->protocols.len;

	for (; name < end; name += strlen(name) + 1)
		if (strcmp(name, protocol) == 0)
			return true;
	return false;
}

/* A watch may take itself off while it is told. */
static void tell(struct host *h, const struct peer *p,
		 void (*fn)(struct host_watch *w, const struct peerid *peer, int what), int what)
{
	const struct peerid id = p->id;
	struct list *it, *next;

	list_each_safe (it, next, &h->watches)
		fn(container_of(it, struct host_watch, item), &id, what);
}

enum {
	WATCH_UP,
	WATCH_CHANGED,
	WATCH_DOWN
};

static void tell_one(struct host_watch *w, const struct peerid *peer, int what)
{
	if (what == WATCH_UP)
		w->up(w, peer);
	else if (what == WATCH_DOWN)
		w->down(w, peer);
	else if (w->changed)
		w->changed(w, peer);
}

void peer_identified(struct host *h, struct peer *p, bool changed)
{
	if (!p->up) {
		p->up = true;
		tell(h, p, tell_one, WATCH_UP);
		waiters_tell(p, 0, NULL);
	} else if (changed) {
		tell(h, p, tell_one, WATCH_CHANGED);
	}
}

static uint64_t jitter(uint64_t ms)
{
	uint16_t r;

	uv_random(NULL, NULL, &r, sizeof(r), 0, NULL);
	return ms * 3 / 4 + ms / 2 * r / UINT16_MAX;
}

/* Not connected, or not any more: when to dial it again, if it is kept. */
void peer_plan(struct host *h, struct peer *p)
{
	if (!p->kept || p->n_links > 0 || p->dial || h->closing)
		return;
	p->next_dial = host_now(h) + jitter(p->backoff);
	p->backoff = p->backoff * 2 < h->backoff.most_ms ? p->backoff * 2 : h->backoff.most_ms;
	host_wake(h, p->next_dial);
}

static void peer_lost(struct host *h, struct peer *p)
{
	if (p->n_links > 0)
		return;
	addrbook_gone(h->book, &p->id, host_now(h));
	buf_reset(&p->protocols);
	p->agent[0] = '\0';
	p->push = false;
	if (p->up) {
		p->up = false;
		tell(h, p, tell_one, WATCH_DOWN);
	}
	peer_plan(h, p);
	peer_settle(h, p);
}

static void redial(struct host *h, uint64_t now)
{
	struct list *it, *next;

	list_each_safe (it, next, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		if (!p->kept || p->n_links > 0 || p->dial)
			continue;
		if (p->next_dial <= now)
			dial_start(h, p);
		else
			host_wake(h, p->next_dial);
	}
}

/* ---- connections ---- */

int link_make(struct host *h, struct conn *c, struct link **ret)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->host = h;
	l->conn = c;
	list_init(&l->of_peer);
	list_add_tail(&h->links, &l->item);
	h->n_links++;
	conn_set_arg(c, l);
	*ret = l;
	return 0;
}

/* The oldest one that is open. */
static struct link *link_of(const struct peer *p)
{
	return p && p->n_links > 0 ? container_of(p->links.next, struct link, of_peer) : NULL;
}

static void trim(struct host *h);

static void on_open(void *arg, struct conn *c)
{
	struct host *h = arg;
	struct link *l = conn_arg(c);
	struct peer *p;

	if (!l)
		return;
	if (!conn_is_dialer(c))
		h->n_upgrading--;
	if (h->closing || peerid_equal(conn_peer(c), &h->opt.self->id) ||
	    peer_make(h, conn_peer(c), &p) < 0) {
		conn_close(c);
		return;
	}
	if (p->n_links >= HOST_PER_PEER_MAX) {
		h->counts.refused++;
		conn_close(c);
		return;
	}
	l->peer = p;
	list_add_tail(&p->links, &l->of_peer);
	p->n_links++;
	p->backoff = h->backoff.first_ms;
	if (l->dial)
		dial_won(l->dial, l);
	identify_ask(l);
	trim(h);
}

static void count_failure(struct host *h, const struct err *why, bool dialled)
{
	if (dialled)
		h->counts.dial_failures++;
	if (why->code == -ENONET)
		h->counts.bad_first_token++;
	else if (why->code == -EPROTO || why->code == -EACCES)
		h->counts.bad_handshake++;
}

static void on_closed(void *arg, struct conn *c, const struct err *why)
{
	struct host *h = arg;
	struct link *l = conn_arg(c);
	struct peer *p;

	h->counts.bytes_in += conn_bytes_in(c);
	h->counts.bytes_out += conn_bytes_out(c);
	if (!l)
		return;
	p = l->peer;
	if (conn_opened_ms(c) == 0) {
		count_failure(h, why, conn_is_dialer(c));
		if (!conn_is_dialer(c))
			h->n_upgrading--;
	}
	identify_forget(l);
	list_del(&l->item);
	h->n_links--;
	if (l->dial)
		dial_lost(l->dial, l, why);
	if (p) {
		log_dbg("a connection ended: %s", why->msg);
		list_del(&l->of_peer);
		p->n_links--;
		peer_lost(h, p);
	}
	free(l);
	host_check_closed(h);
}

static void on_inbound(void *arg, struct conn *c, struct stream *s)
{
	struct host *h = arg;

	stream_accept(s, h->offers, h->n_offers); /* one that is not accepted is reset */
}

/* ---- too many of them ---- */

static bool may_trim(const struct host *h, const struct link *l, uint64_t now)
{
	return l->peer && !l->peer->kept && conn_is_open(l->conn) &&
	       now - conn_opened_ms(l->conn) >= h->opt.grace_ms;
}

/* Above the high water mark the ones with the fewest streams go, until the low one. */
static void trim(struct host *h)
{
	uint64_t now = host_now(h);

	if (h->opt.high_water == 0 || h->n_links <= h->opt.high_water)
		return;
	for (size_t n = h->n_links; n > h->opt.low_water; n--) {
		struct link *least = NULL;
		struct list *it;

		list_each (it, &h->links) {
			struct link *l = container_of(it, struct link, item);

			if (may_trim(h, l, now) &&
			    (!least || conn_streams(l->conn) < conn_streams(least->conn)))
				least = l;
		}
		if (!least)
			return;
		conn_close(least->conn);
	}
}

/* ---- what others ask of it ---- */

int host_serve(struct host *h, const struct stream_protocol *p)
{
	if (h->n_offers == HOST_PROTOCOLS_MAX)
		return -ENOSPC;
	h->offers[h->n_offers++] = *p;
	return 0;
}

void host_watch(struct host *h, struct host_watch *w)
{
	list_add_tail(&h->watches, &w->item);
}

void host_unwatch(struct host *h, struct host_watch *w)
{
	list_del(&w->item);
}

const struct peerid *host_self(const struct host *h)
{
	return &h->opt.self->id;
}

const struct multiaddr *host_addresses(const struct host *h, size_t *ret_n)
{
	*ret_n = h->n_addresses;
	return h->addresses;
}

int host_learn(struct host *h, const struct peerid *peer, const struct multiaddr *a,
	       enum host_address_ttl ttl)
{
	static const enum addrbook_source sources[] = {
		[HOST_TTL_CONNECTED] = ADDRBOOK_SAID,
		[HOST_TTL_HOUR] = ADDRBOOK_HEARD,
		[HOST_TTL_PERMANENT] = ADDRBOOK_CONFIGURED,
	};

	if (peerid_equal(peer, &h->opt.self->id))
		return 0;
	return addrbook_add(h->book, peer, a, sources[ttl], host_now(h));
}

void host_each_known(struct host *h,
		     bool (*fn)(void *arg, const struct peerid *peer, const struct multiaddr *v,
				size_t n),
		     void *arg)
{
	addrbook_each(h->book, host_now(h), fn, arg);
}

int host_connect(struct host *h, const struct peerid *peer, host_connect_done done, void *arg)
{
	struct waiter *w = NULL;
	struct peer *p;
	int r;

	if (peerid_equal(peer, &h->opt.self->id))
		return -EINVAL;
	if (h->closing)
		return -ECANCELED;
	r = peer_make(h, peer, &p);
	if (r < 0)
		return r;
	if (done) {
		w = calloc(1, sizeof(*w));
		if (!w) {
			peer_settle(h, p);
			return -ENOMEM;
		}
		w->done = done;
		w->arg = arg;
		list_add_tail(&p->waiters, &w->item);
	}
	if (p->n_links == 0 && !p->dial)
		dial_start(h, p);
	else if (p->up)
		host_wake(h, host_now(h));
	return 0;
}

/* Who asked to be connected with a peer that already was. */
static void tell_connected(struct host *h)
{
	struct list *it, *next;

	list_each_safe (it, next, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		if (p->up && !list_empty(&p->waiters))
			waiters_tell(p, 0, NULL);
	}
}

void host_keep(struct host *h, const struct peerid *peer)
{
	struct peer *p;

	if (peerid_equal(peer, &h->opt.self->id) || peer_make(h, peer, &p) < 0)
		return;
	if (!p->kept) {
		p->kept = true;
		p->backoff = h->backoff.first_ms;
		p->next_dial = host_now(h);
	}
	host_wake(h, p->next_dial);
}

void host_disconnect(struct host *h, const struct peerid *peer)
{
	struct peer *p = peer_find(h, peer);
	struct list *it;

	if (!p)
		return;
	p->kept = false;
	if (p->dial)
		dial_cancel(p->dial, -ECANCELED, "disconnected");
	list_each (it, &p->links)
		conn_close(container_of(it, struct link, of_peer)->conn);
	peer_settle(h, p);
}

bool host_is_connected(const struct host *h, const struct peerid *peer)
{
	return link_of(peer_find(h, peer)) != NULL;
}

bool host_speaks(const struct host *h, const struct peerid *peer, const char *protocol)
{
	const struct peer *p = peer_find(h, peer);

	return p && p->up && peer_speaks(p, protocol);
}

size_t host_count(const struct host *h)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &h->peers)
		n += container_of(it, struct peer, item)->n_links > 0;
	return n;
}

void host_each(struct host *h, bool (*fn)(void *arg, const struct peerid *peer), void *arg)
{
	struct list *it, *next;

	list_each_safe (it, next, &h->peers) {
		const struct peer *p = container_of(it, struct peer, item);

		if (p->up && !fn(arg, &p->id))
			return;
	}
}

const char *host_agent(const struct host *h, const struct peerid *peer)
{
	const struct peer *p = peer_find(h, peer);

	return p ? p->agent : "";
}

uint64_t host_rtt_ms(const struct host *h, const struct peerid *peer)
{
	const struct link *l = link_of(peer_find(h, peer));

	return l ? conn_rtt_ms(l->conn) : 0;
}

int host_open(struct host *h, const struct peerid *peer, const char *const *protocols, size_t n,
	      const struct stream_ops *ops, void *arg, struct stream **ret)
{
	const struct peer *p = peer_find(h, peer);
	struct link *l = link_of(p);

	if (!l || h->closing || !conn_is_open(l->conn))
		return -ENOTCONN;
	return stream_open(l->conn, protocols, n, p->up && peer_speaks(p, protocols[0]), ops, arg,
			   ret);
}

void host_counts(const struct host *h, struct host_counts *ret)
{
	struct list *it;

	*ret = h->counts;
	list_each (it, &h->links) {
		const struct conn *c = container_of(it, struct link, item)->conn;

		ret->bytes_in += conn_bytes_in(c);
		ret->bytes_out += conn_bytes_out(c);
	}
}

/* ---- life ---- */

static void on_timer(uv_timer_t *t)
{
	struct host *h = container_of(t, struct host, timer);
	uint64_t now = host_now(h);

	h->wake_at = UINT64_MAX;
	if (h->closing)
		return;
	listen_tick(h, now);
	dial_tick(h, now);
	identify_tick(h, now);
	tell_connected(h);
	redial(h, now);
	if (now >= h->look_at) {
		h->look_at = now + HOST_PUSH_LOOK_MS;
		if (listen_look(h))
			identify_push_all(h);
	}
	host_wake(h, h->look_at);
}

static void host_free(struct host *h)
{
	struct list *it, *next;

	list_each_safe (it, next, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		p->kept = false;
		peer_settle(h, p);
	}
	addrbook_free(h->book);
	free(h->addresses);
	free(h);
}

static void on_timer_closed(uv_handle_t *t)
{
	struct host *h = container_of(t, struct host, timer);
	void (*closed)(void *) = h->closed;
	void *arg = h->closed_arg;

	host_free(h);
	if (closed)
		closed(arg);
}

void host_check_closed(struct host *h)
{
	if (!h->closing || h->timer_closing || h->n_links > 0 || h->open_handles > 0 ||
	    h->n_dials > 0)
		return;
	h->timer_closing = true;
	uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

void host_close(struct host *h, void (*closed)(void *arg), void *arg)
{
	struct list *it, *next;

	h->closing = true;
	h->closed = closed;
	h->closed_arg = arg;
	listen_close(h);
	list_each_safe (it, next, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		p->kept = false;
		if (p->dial)
			dial_cancel(p->dial, -ECANCELED, "stopping");
		else
			waiters_tell(p, -ECANCELED, NULL);
	}
	list_each (it, &h->links)
		conn_close(container_of(it, struct link, item)->conn);
	host_check_closed(h);
}

int host_new(const struct host_options *opt, struct host **ret, struct err *e)
{
	struct host *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return err_sys(e, -ENOMEM, "starting the network");
	r = addrbook_new(&h->book);
	if (r < 0) {
		free(h);
		return err_sys(e, r, "starting the network");
	}
	h->opt = *opt;
	h->ctx = (struct conn_context){ .loop = opt->loop,
					.self = opt->self,
					.psk = opt->psk,
					.open = on_open,
					.inbound = on_inbound,
					.closed = on_closed,
					.arg = h };
	h->backoff = (struct host_backoff){ BACKOFF_FIRST_MS, BACKOFF_MOST_MS };
	h->wake_at = UINT64_MAX;
	list_init(&h->links);
	list_init(&h->peers);
	list_init(&h->watches);
	list_init(&h->dials);
	list_init(&h->queries);
	list_init(&h->pings);
	uv_timer_init(opt->loop, &h->timer);
	*ret = h;
	r = identify_serve(h);
	if (r == 0)
		r = listen_start(h, e);
	if (r < 0)
		return r;
	listen_look(h);
	h->look_at = host_now(h) + HOST_PUSH_LOOK_MS;
	host_wake(h, h->look_at);
	return 0;
}
