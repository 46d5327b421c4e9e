#include "cluster/net_state.h"

#include "util/clock.h"

/* What is being put together. */
struct look {
	struct net_state *ns;
	struct cluster_network net;
	struct buf own, others;
};

void net_state_init(struct net_state *ns)
{
	pthread_mutex_init(&ns->lock, NULL);
	buf_init(&ns->own, 0);
	buf_init(&ns->others, 0);
}

void net_state_deinit(struct net_state *ns)
{
	buf_deinit(&ns->own);
	buf_deinit(&ns->others);
	pthread_mutex_destroy(&ns->lock);
}

/* One that does not fit is left out as a whole. */
static void add_line(struct buf *out, const struct peerid *peer, const struct multiaddr *a)
{
	struct multiaddr with_peer = *a;
	struct peerid named;
	size_t before = out->len;
	int r = 0;

	if (multiaddr_peerid(a, &named) < 0)
		r = multiaddr_add_peerid(&with_peer, peer);
	if (r == 0)
		r = multiaddr_format(&with_peer, out);
	if (r == 0)
		r = buf_byte(out, '\n');
	if (r < 0)
		out->len = before;
}

static bool look_at_known(void *arg, const struct peerid *peer, const struct multiaddr *v, size_t n)
{
	struct look *l = arg;
	struct net_state *ns = l->ns;

	if (peerid_equal(peer, &ns->self))
		return true;
	l->net.trusted_known += ns->crdt && crdt_trusts(ns->crdt, &ns->self, peer);
	for (size_t i = 0; ns->is_member(ns->arg, peer) && i < n; i++)
		add_line(&l->others, peer, &v[i]);
	return true;
}

static bool look_at_connected(void *arg, const struct peerid *peer)
{
	struct look *l = arg;

	l->net.connected++;
	l->net.trusted_connected += l->ns->crdt && crdt_trusts(l->ns->crdt, &l->ns->self, peer);
	return true;
}

/* Those that are trusted by name and of whom no address is known count as well. */
static size_t trusted_by_name(const struct net_state *ns)
{
	size_t n = 0;

	for (size_t i = 0; ns->crdt && i < ns->crdt->trusted_peers.n; i++)
		n += !peerid_equal(&ns->crdt->trusted_peers.v[i], &ns->self);
	return n;
}

void net_state_take(struct net_state *ns)
{
	struct look l = { .ns = ns, .others = BUF_INIT(NET_STATE_TEXT_MAX) };
	size_t n, named = trusted_by_name(ns);
	const struct multiaddr *own = host_addresses(ns->host, &n);

	l.net.announced = n;
	for (size_t i = 0; i < n; i++)
		add_line(&l.own, &ns->self, &own[i]);
	host_each_known(ns->host, look_at_known, &l);
	host_each(ns->host, look_at_connected, &l);
	if (l.net.trusted_known < named)
		l.net.trusted_known = named;
	host_counts(ns->host, &l.net.host);
	gossip_counts(pubsub_gossip(ns->pubsub), &l.net.gossip);

	pthread_mutex_lock(&ns->lock);
	l.net.other_secret_ns = l.net.host.bad_first_token > ns->now.host.bad_first_token
				    ? clock_now_ns()
				    : ns->now.other_secret_ns;
	buf_deinit(&ns->own);
	buf_deinit(&ns->others);
	ns->now = l.net;
	ns->own = l.own;
	ns->others = l.others;
	pthread_mutex_unlock(&ns->lock);
}

void net_state_get(struct net_state *ns, struct cluster_network *ret)
{
	pthread_mutex_lock(&ns->lock);
	*ret = ns->now;
	pthread_mutex_unlock(&ns->lock);
}

int net_state_addresses(struct net_state *ns, struct buf *own, struct buf *others)
{
	int r;

	pthread_mutex_lock(&ns->lock);
	r = buf_append(own, ns->own.data, ns->own.len);
	if (r == 0)
		r = buf_append(others, ns->others.data, ns->others.len);
	pthread_mutex_unlock(&ns->lock);
	return r;
}
