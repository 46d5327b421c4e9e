/* IPFSConnector.RepoStat and SwarmPeers: what this peer's Kubo has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/rpc_internal.h"

/* ---- RepoStat: as it was a moment ago ---- */

void rpc_ipfs_repo_stat(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	const struct rpc_server *s = arg;
	struct tracker_kubo kubo = { 0 };
	struct buf out = BUF_INIT(0);
	struct rpc_repo_stat stat;

	if (s->c->tracker)
		tracker_kubo(s->c->tracker, &kubo);
	if (!kubo.up || kubo.repo_ns == 0) {
		rpc_fail(call, "%s", kubo.error[0] ? kubo.error : "IPFS has not answered yet");
		return;
	}
	stat = (struct rpc_repo_stat){ kubo.repo.repo_size, kubo.repo.storage_max };
	rpc_answer(call, rpc_repo_stat_encode(&stat, &out), &out);
}

/* ---- SwarmPeers ---- */

struct swarm {
	struct rpc_wait wait;
	struct kubo_call *asking;
};

static void swarm_gone(struct rpc_wait *w)
{
	kubo_cancel(container_of(w, struct swarm, wait)->asking);
}

static void on_peers(void *arg, int status, const struct peerid *peers, size_t n,
		     const struct err *e)
{
	struct swarm *x = arg;
	struct buf out = BUF_INIT(0);

	if (x->wait.call && status < 0)
		rpc_fail(x->wait.call, "%s", e->msg);
	else if (x->wait.call)
		rpc_answer(x->wait.call, rpc_peerids_encode(peers, n, &out), &out);
	free(x);
}

void rpc_ipfs_swarm_peers(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	const struct rpc_server *s = arg;
	struct swarm *x = calloc(1, sizeof(*x));
	int r = x ? 0 : -ENOMEM;

	if (r == 0) {
		rpc_wait_begin(&x->wait, call, swarm_gone);
		r = kubo_swarm_peers(s->c->opt.kubo, on_peers, x, &x->asking);
	}
	if (r < 0) {
		free(x);
		rpc_fail(call, "asking IPFS for its peers: %s", strerror(-r));
	}
}
