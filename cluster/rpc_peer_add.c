/* Cluster.PeerAdd: a peer introduces itself, or another one, to this peer, which asks that one for
 * its ID, over the connection that is there, and answers with it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/rpc_internal.h"
#include "consensus/crdt/crdt_net.h"

#define ID_MEMORY_MAX (1u << 20) /* for decoding it */

struct peer_add {
	struct rpc_wait wait;
	struct rpc_server *s;
	struct peerid peer;
	struct gorpc_request *request;
	struct buf out; /* the answer, once there is one */
	struct err error;
};

static void peer_add_free(struct peer_add *x)
{
	buf_deinit(&x->out);
	free(x);
}

static void on_gone(struct rpc_wait *w)
{
	struct peer_add *x = container_of(w, struct peer_add, wait);

	gorpc_cancel(x->request);
	peer_add_free(x);
}

/* The ID as it came, with this peer among the ones it knows. */
static int encode(const struct rpc_server *s, struct rpc_id *id, struct bump *bump, struct buf *out)
{
	const struct peerid *self = &s->c->opt.self;
	struct peerid *v = bump_alloc(bump, (id->n_cluster_peers + 1) * sizeof(*v));

	if (!v)
		return bump->err;
	for (size_t i = 0; i < id->n_cluster_peers; i++) {
		v[i] = id->cluster_peers[i];
		if (peerid_equal(&v[i], self))
			return rpc_id_encode(id, out);
	}
	v[id->n_cluster_peers] = *self;
	id->cluster_peers = v;
	id->n_cluster_peers++;
	return rpc_id_encode(id, out);
}

static void on_id(void *arg, const uint8_t *p, size_t n)
{
	struct peer_add *x = arg;
	struct rpc_server *s = x->s;
	struct bump bump = { .left = ID_MEMORY_MAX };
	struct rpc_id id;
	int r = rpc_id_decode(p, n, &bump, &id, &x->error);

	if (r == 0 && !peerid_equal(&id.peer, &x->peer))
		r = err_set(&x->error, -EBADMSG, "it answers with the ID of another peer");
	if (r == 0) {
		if (s->c->members)
			members_learn(s->c->members, &id);
		if (crdt_trusts(s->c->opt.crdt, &s->c->opt.self, &x->peer))
			host_keep(s->host, &x->peer);
		r = encode(s, &id, &bump, &x->out);
		if (r < 0)
			err_sys(&x->error, r, "its ID cannot be passed on");
	}
	bump_free_all(bump.chunks);
}

static void on_done(void *arg, const struct gorpc_result *result)
{
	struct peer_add *x = arg;
	const char *why = x->error.code ? x->error.msg : result->text;

	if (x->out.len > 0)
		rpc_answer(x->wait.call, 0, &x->out);
	else
		rpc_fail(x->wait.call, "asking the peer for its ID: %s", why);
	peer_add_free(x);
}

static void ask(struct peer_add *x)
{
	const struct gorpc_handler h = { .value = on_id, .done = on_done, .arg = x };
	struct buf nothing = BUF_INIT(0);
	int r = rpc_empty_encode(&nothing);

	if (r == 0)
		r = gorpc_call(x->s->gorpc, &x->peer, "Cluster", "ID", false, nothing.data,
			       nothing.len, MEMBERS_ANSWER_MS, &h, &x->request);
	buf_deinit(&nothing);
	if (r == 0)
		return;
	rpc_fail(x->wait.call, "asking the peer for its ID: %s",
		 r == -ENOTCONN ? "there is no connection to it" : strerror(-r));
	peer_add_free(x);
}

void rpc_cluster_peer_add(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	struct rpc_server *s = arg;
	struct peerid peer;
	struct err e = { 0 };
	struct peer_add *x;
	int r = rpc_peerid_decode(p, n, &peer, &e);

	if (r == 0 && peer.len == 0)
		r = err_set(&e, -EBADMSG, "no peer is named");
	if (r < 0) {
		rpc_bad_argument(call, &e);
		return;
	}
	if (peerid_equal(&peer, &s->c->opt.self)) {
		rpc_cluster_id(s, call, p, n);
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!x) {
		rpc_fail(call, "out of memory");
		return;
	}
	x->s = s;
	x->peer = peer;
	rpc_wait_begin(&x->wait, call, on_gone);
	ask(x);
}
