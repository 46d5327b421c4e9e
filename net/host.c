#include "net/host.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "net/host_internal.h"

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

/* Now and then: what nobody tells us of. */
static void look(struct host *h, uint64_t now)
{
	if (now >= h->look_at) {
		h->look_at = now + HOST_LOOK_MS;
		if (announce_look(h))
			identify_push_all(h);
		links_trim(h);
	}
	host_wake(h, h->look_at);
}

static void on_timer(uv_timer_t *t)
{
	struct host *h = container_of(t, struct host, timer);
	uint64_t now = host_now(h);

	h->wake_at = UINT64_MAX;
	waiters_run(h);
	if (h->closing) {
		host_check_closed(h);
		return;
	}
	listen_tick(h, now);
	dial_tick(h, now);
	identify_tick(h, now);
	ping_tick(h, now);
	peers_tick(h, now);
	look(h, now);
}

/* ---- what others ask of it ---- */

int host_serve(struct host *h, const struct stream_protocol *p)
{
	if (h->n_offers == HOST_PROTOCOLS_MAX)
		return -ENOSPC;
	h->offers[h->n_offers++] = *p;
	return 0;
}

/* A stream that nobody takes is reset. */
static void nobody_takes(void *arg, struct stream *s)
{
}

void host_unserve(struct host *h, const char *name)
{
	for (size_t i = 0; i < h->n_offers; i++) {
		if (strcmp(h->offers[i].name, name) != 0)
			continue;
		h->offers[i].accepted = nobody_takes;
		h->offers[i].arg = NULL;
	}
}

void host_watch(struct host *h, struct host_watch *w)
{
	list_add_tail(&h->watches, &w->item);
}

void host_unwatch(struct host *h, struct host_watch *w)
{
	if (h->next_watch == &w->item)
		h->next_watch = w->item.next;
	list_del(&w->item);
}

const struct peerid *host_self(const struct host *h)
{
	return &h->opt.self->id;
}

static bool is_self(const struct host *h, const struct peerid *peer)
{
	return peerid_equal(peer, &h->opt.self->id);
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
		[HOST_TTL_CLAIMED] = ADDRBOOK_CLAIMED,
		[HOST_TTL_HOUR] = ADDRBOOK_HEARD,
		[HOST_TTL_PERMANENT] = ADDRBOOK_CONFIGURED,
	};
	int r;

	if (is_self(h, peer))
		return 0;
	r = addrbook_add(h->book, peer, a, sources[ttl], host_now(h));
	if (!peer_link(peer_find(h, peer)))
		addrbook_gone(h->book, peer, host_now(h));
	return r;
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
	struct peer *p;
	int r;

	if (is_self(h, peer))
		return -EINVAL;
	if (h->closing)
		return -ECANCELED;
	r = peer_make(h, peer, &p);
	if (r < 0)
		return r;
	if (done)
		r = peer_wait(h, p, done, arg);
	if (r == 0)
		peer_attend(h, p);
	peer_settle(h, p);
	return r;
}

static size_t count_kept(const struct host *h)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &h->peers)
		n += container_of(it, struct peer, item)->kept;
	return n;
}

/* Those that are known for longest stay: who comes in numbers, to be kept, takes no place of
 * theirs. */
static void drop_last_kept(struct host *h)
{
	for (struct list *it = h->peers.prev; it != &h->peers; it = it->prev) {
		struct peer *p = container_of(it, struct peer, item);

		if (!p->kept || peer_link(p))
			continue;
		p->kept = false;
		addrbook_keep(h->book, &p->id, false, host_now(h));
		peer_settle(h, p);
		return;
	}
}

void host_keep(struct host *h, const struct peerid *peer)
{
	struct peer *p;

	if (h->closing || is_self(h, peer) || peer_make(h, peer, &p) < 0)
		return;
	if (!p->kept && count_kept(h) == HOST_KEPT_MAX)
		drop_last_kept(h);
	addrbook_keep(h->book, peer, true, host_now(h));
	if (!p->kept) {
		p->kept = true;
		p->backoff = h->backoff_first_ms;
		p->next_dial = host_now(h);
	}
	host_wake(h, p->next_dial);
}

void host_disconnect(struct host *h, const struct peerid *peer)
{
	struct peer *p = peer_find(h, peer);
	struct err why = { 0 };
	struct list *it;

	addrbook_keep(h->book, peer, false, host_now(h));
	if (!p)
		return;
	p->kept = false;
	if (p->dial)
		dial_cancel(p->dial, "disconnected");
	err_set(&why, -ECANCELED, "disconnected");
	peer_answer(h, p, why.code, &why);
	list_each (it, &p->links)
		conn_close(container_of(it, struct link, of_peer)->conn);
	peer_settle(h, p);
}

bool host_is_connected(const struct host *h, const struct peerid *peer)
{
	return peer_link(peer_find(h, peer)) != NULL;
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
		n += peer_link(container_of(it, struct peer, item)) != NULL;
	return n;
}

void host_each(struct host *h, bool (*fn)(void *arg, const struct peerid *peer), void *arg)
{
	struct list *it;

	list_each (it, &h->peers) {
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
	const struct link *l = peer_link(peer_find(h, peer));

	return l ? conn_rtt_ms(l->conn) : 0;
}

int host_open(struct host *h, const struct peerid *peer, const char *const *protocols, size_t n,
	      const struct stream_ops *ops, void *arg, struct stream **ret)
{
	const struct peer *p = peer_find(h, peer);
	const struct link *l = peer_link(p);
	bool lazy = p && p->up && peer_speaks(p, protocols[0]);

	return l ? stream_open(l->conn, protocols, n, lazy, ops, arg, ret) : -ENOTCONN;
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

static void host_free(struct host *h)
{
	while (!list_empty(&h->peers))
		peer_settle(h, container_of(h->peers.next, struct peer, item));
	addrbook_free(h->book);
	free(h);
}

static void on_timer_closed(uv_handle_t *t)
{
	struct host *h = container_of((uv_timer_t *)t, struct host, timer);
	void (*closed)(void *) = h->closed;
	void *arg = h->closed_arg;

	host_free(h);
	if (closed)
		closed(arg);
}

void host_check_closed(struct host *h)
{
	if (!h->closing || h->timer_closing || h->n_conns > 0 || h->n_handles > 0 ||
	    h->n_dials > 0 || !list_empty(&h->told))
		return;
	h->timer_closing = true;
	uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

static void let_go_of_peers(struct host *h)
{
	struct err why = { 0 };
	struct list *it, *next;

	err_set(&why, -ECANCELED, "stopping");
	list_each_safe (it, next, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		p->kept = false;
		if (p->dial)
			dial_cancel(p->dial, why.msg);
		peer_answer(h, p, why.code, &why);
		peer_settle(h, p);
	}
}

void host_close(struct host *h, void (*closed)(void *arg), void *arg)
{
	struct list *it;

	assert(!h->closing);
	h->closing = true;
	h->closed = closed;
	h->closed_arg = arg;
	listen_close(h);
	let_go_of_peers(h);
	list_each (it, &h->links)
		conn_close(container_of(it, struct link, item)->conn);
	host_check_closed(h);
}

static int make(const struct host_options *opt, struct host **ret)
{
	struct host *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	r = addrbook_new(&h->book);
	if (r < 0) {
		free(h);
		return r;
	}
	h->opt = *opt;
	h->backoff_first_ms = BACKOFF_FIRST_MS;
	h->backoff_most_ms = BACKOFF_MOST_MS;
	h->wake_at = UINT64_MAX;
	links_init(h);
	list_init(&h->peers);
	list_init(&h->watches);
	h->next_watch = &h->watches;
	list_init(&h->told);
	list_init(&h->dials);
	list_init(&h->lookups);
	list_init(&h->queries);
	list_init(&h->pings);
	uv_timer_init(opt->loop, &h->timer);
	*ret = h;
	return 0;
}

int host_new(const struct host_options *opt, struct host **ret, struct err *e)
{
	struct host *h;
	int r = make(opt, &h);

	if (r < 0)
		return err_sys(e, r, "starting the network");
	r = identify_serve(h);
	if (r == 0)
		r = ping_serve(h);
	assert(r == 0);
	r = listen_start(h, e);
	if (r < 0) {
		host_close(h, NULL, NULL);
		return r;
	}
	announce_look(h);
	h->look_at = host_now(h) + HOST_LOOK_MS;
	host_wake(h, h->look_at);
	*ret = h;
	return 0;
}
