/* What this peer says of itself. Source: "RPC types" in docs/formats.md; ipfs-cluster 1.1.6
 * cluster.go (ID). */
#include <errno.h>
#include <stdlib.h>

#include "cluster/kubo_self.h"
#include "cluster/rpc_internal.h"
#include "util/clock.h"

#define KUBO_ADDRESSES_MAX 64

/* What the parts of the ID lie in. */
struct self {
	struct rpc_server *s;
	struct rpc_id id;
	struct tracker_kubo kubo;
	struct peerid *members;
	size_t n_members;
	struct multiaddr *own, *others, *ipfs;
	size_t n_own, n_others, n_ipfs;
	int failed;
};

static int add_own(struct self *x)
{
	const struct peerid *self = &x->s->c->opt.self;
	size_t n;
	const struct multiaddr *v = host_addresses(x->s->host, &n);

	x->own = calloc(n + 1, sizeof(*x->own));
	if (!x->own)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		x->own[x->n_own] = v[i];
		if (multiaddr_add_peerid(&x->own[x->n_own], self) == 0)
			x->n_own++;
	}
	return 0;
}

static int add_members(struct self *x)
{
	const struct cluster *c = x->s->c;

	if (c->members)
		return monitor_members(members_monitor(c->members), c->opt.crdt->peerset_metric,
				       &c->opt.self, clock_now_ns(), &x->members, &x->n_members);
	x->members = calloc(1, sizeof(*x->members));
	if (!x->members)
		return -ENOMEM;
	x->members[x->n_members++] = c->opt.self;
	return 0;
}

static bool is_member(const struct self *x, const struct peerid *peer)
{
	for (size_t i = 0; i < x->n_members; i++)
		if (peerid_equal(&x->members[i], peer))
			return true;
	return false;
}

static bool add_other(void *arg, const struct peerid *peer, const struct multiaddr *v, size_t n)
{
	struct self *x = arg;
	struct multiaddr *more;

	if (peerid_equal(peer, &x->s->c->opt.self) || !is_member(x, peer))
		return true;
	if (n > RPC_LIST_MAX - x->n_others)
		n = RPC_LIST_MAX - x->n_others;
	more = realloc(x->others, (x->n_others + n + 1) * sizeof(*more));
	if (!more) {
		x->failed = -ENOMEM;
		return false;
	}
	x->others = more;
	for (size_t i = 0; i < n; i++) {
		more[x->n_others] = v[i];
		multiaddr_cut_peerid(&more[x->n_others]);
		if (multiaddr_add_peerid(&more[x->n_others], peer) == 0)
			x->n_others++;
	}
	return x->n_others < RPC_LIST_MAX;
}

static int add_kubo(struct self *x)
{
	struct rpc_ipfs_id *ipfs = &x->id.ipfs;
	int r;

	if (x->s->c->tracker)
		tracker_kubo(x->s->c->tracker, &x->kubo);
	kubo_self_peer(&x->kubo, &ipfs->peer);
	r = kubo_self_addresses(&x->kubo, false, KUBO_ADDRESSES_MAX, &x->ipfs, &x->n_ipfs);
	if (r < 0)
		return r;
	ipfs->addresses = x->ipfs;
	ipfs->n_addresses = x->n_ipfs;
	if (!x->kubo.asked)
		ipfs->error = rpc_text("IPFS has not answered yet");
	else if (!x->kubo.up)
		ipfs->error = rpc_text(x->kubo.error);
	return 0;
}

static void fill(struct self *x)
{
	const struct cluster_config *config = x->s->c->opt.config;
	static const struct multiaddr nowhere;
	struct rpc_id *id = &x->id;

	id->peer = x->s->c->opt.self;
	id->addresses = x->own;
	id->n_addresses = x->n_own;
	id->cluster_peers = x->members;
	id->n_cluster_peers = x->n_members;
	id->cluster_peers_addresses = x->others ? x->others : &nowhere; /* empty is not missing */
	id->n_cluster_peers_addresses = x->n_others;
	id->version = rpc_text(PINFS_VERSION);
	id->rpc_protocol = rpc_text(GORPC_PROTOCOL);
	if (config->peername)
		id->peername = rpc_text(config->peername);
}

int rpc_self_id(struct rpc_server *s, struct buf *out)
{
	struct self x = { .s = s };
	int r = add_own(&x);

	if (r == 0)
		r = add_members(&x);
	if (r == 0) {
		host_each_known(s->host, add_other, &x);
		r = x.failed;
	}
	if (r == 0)
		r = add_kubo(&x);
	if (r == 0) {
		fill(&x);
		r = rpc_id_encode(&x.id, out);
	}
	free(x.own);
	free(x.members);
	free(x.others);
	free(x.ipfs);
	return r;
}
