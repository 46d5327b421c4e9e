/* The methods put together, and what all of them need: answers, and callers that go away. */
#include "cluster/rpc_server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/rpc_internal.h"
#include "cluster/rpc_policy.h"
#include "consensus/crdt/crdt_net.h"

#define UNARY(service, name, fn)                                                                   \
	{                                                                                          \
		service, name, false, fn, rpc_cancelled                                            \
	}
#define STREAM(service, name, fn)                                                                  \
	{                                                                                          \
		service, name, true, fn, rpc_cancelled                                             \
	}

static const struct gorpc_method methods[] = {
	UNARY("Cluster", "ID", rpc_cluster_id),
	STREAM("Cluster", "IDStream", rpc_cluster_id_stream),
	UNARY("Cluster", "PeerAdd", rpc_cluster_peer_add),
	UNARY("Cluster", "PeerRemove", rpc_cluster_peer_remove),
	STREAM("Cluster", "Peers", rpc_cluster_peers),
	STREAM("Cluster", "RecoverAllLocal", rpc_cluster_recover_all_local),
	UNARY("Cluster", "RecoverLocal", rpc_cluster_recover_local),
	UNARY("Cluster", "RepoGCLocal", rpc_cluster_repo_gc_local),
	UNARY("Cluster", "Version", rpc_cluster_version),
	UNARY("Consensus", "AddPeer", rpc_consensus_add_peer),
	UNARY("Consensus", "LogPin", rpc_consensus_log_pin),
	UNARY("Consensus", "LogUnpin", rpc_consensus_log_unpin),
	UNARY("Consensus", "RmPeer", rpc_consensus_rm_peer),
	STREAM("IPFSConnector", "BlockStream", rpc_ipfs_block_stream),
	UNARY("IPFSConnector", "RepoStat", rpc_ipfs_repo_stat),
	UNARY("IPFSConnector", "SwarmPeers", rpc_ipfs_swarm_peers),
	UNARY("PinTracker", "Recover", rpc_tracker_recover),
	UNARY("PinTracker", "Status", rpc_tracker_status),
	STREAM("PinTracker", "StatusAll", rpc_tracker_status_all),
};

const struct gorpc_method *rpc_methods(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(methods);
	return methods;
}

/* ---- answers ---- */

void rpc_fail(struct gorpc_call *call, const char *fmt, ...)
{
	char text[GORPC_ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gorpc_fail(call, GORPC_METHOD, text);
}

void rpc_bad_argument(struct gorpc_call *call, const struct err *e)
{
	gorpc_fail(call, GORPC_SERVER, e->msg);
}

void rpc_answer(struct gorpc_call *call, int r, struct buf *out)
{
	if (r < 0) {
		rpc_fail(call, "the answer cannot be given: %s", strerror(-r));
	} else {
		gorpc_reply(call, out->data, out->len); /* where that fails, the end is a reset */
		gorpc_finish(call);
	}
	buf_deinit(out);
}

void rpc_answer_empty(struct gorpc_call *call)
{
	struct buf out = BUF_INIT(0);

	rpc_answer(call, rpc_empty_encode(&out), &out);
}

void rpc_wait_begin(struct rpc_wait *w, struct gorpc_call *call, void (*gone)(struct rpc_wait *w))
{
	w->call = call;
	w->gone = gone;
	gorpc_call_set_arg(call, w);
}

void rpc_cancelled(void *arg, struct gorpc_call *call)
{
	struct rpc_wait *w = gorpc_call_arg(call);

	if (!w) /* it has not come as far as to wait */
		return;
	w->call = NULL;
	if (w->gone)
		w->gone(w);
}

/* ---- life ---- */

static bool allowed(void *arg, const struct peerid *peer, const struct gorpc_method *m)
{
	const struct rpc_server *s = arg;
	const struct cluster_options *opt = &s->c->opt;

	switch (rpc_policy_of(m->service, m->name)) {
	case RPC_OPEN:
		return true;
	case RPC_TRUSTED:
		return crdt_trusts(opt->crdt, &opt->self, peer);
	case RPC_UNKNOWN:
	case RPC_CLOSED:
		break;
	}
	return false;
}

int rpc_server_new(struct cluster *c, struct host *host, struct rpc_server **ret, struct err *e)
{
	struct rpc_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_sys(e, -ENOMEM, "serving other peers");
	s->c = c;
	s->host = host;
	s->config = (struct gorpc_config){ .methods = methods,
					   .n_methods = ARRAY_LEN(methods),
					   .closed = rpc_policy_is_closed,
					   .allowed = allowed,
					   .arg = s };
	list_init(&s->going);
	r = gorpc_new(host, c->opt.loop, &s->config, &s->gorpc, e);
	if (r < 0) {
		free(s);
		return r;
	}
	uv_idle_init(c->opt.loop, &s->idle);
	*ret = s;
	return 0;
}

struct gorpc *rpc_server_gorpc(struct rpc_server *s)
{
	return s->gorpc;
}

static void idle_closed(uv_handle_t *h)
{
	struct rpc_server *s = container_of((uv_idle_t *)h, struct rpc_server, idle);
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;

	free(s);
	closed(arg);
}

static void gorpc_closed(void *arg)
{
	struct rpc_server *s = arg;

	uv_close((uv_handle_t *)&s->idle, idle_closed);
}

void rpc_server_close(struct rpc_server *s, void (*closed)(void *arg), void *arg)
{
	s->closed = closed;
	s->closed_arg = arg;
	gorpc_close(s->gorpc, gorpc_closed, s);
}
