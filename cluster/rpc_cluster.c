/* The service Cluster: who this peer and its members are, and collecting garbage. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/rpc_internal.h"

#define LOG_AREA "rpc"
#include "util/log.h"

/* ---- ID, Version ---- */

void rpc_cluster_id(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);

	rpc_answer(call, rpc_self_id(arg, &out), &out);
}

void rpc_cluster_id_stream(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	if (!p) /* the caller has said that it says nothing */
		rpc_cluster_id(arg, call, p, n);
}

void rpc_cluster_version(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	struct buf out = BUF_INIT(0);

	rpc_answer(call, rpc_version_encode(PINFS_VERSION, &out), &out);
}

/* ---- Peers: this peer, and each member as it has described itself ---- */

struct peers {
	struct rpc_feed feed;
	bool begun;
	struct peerid last; /* members are in the order of their IDs */
	struct buf *out;    /* of the value that is being made */
	int r;
};

static int encode_silent(const struct member *m, struct buf *out)
{
	const char *error = m->error[0] ? m->error : "it has not answered yet";
	const struct rpc_id id = { .peer = m->peer, .error = rpc_text(error) };

	return rpc_id_encode(&id, out);
}

/* The first one behind the last. */
static bool take_member(void *arg, const struct member *m)
{
	struct peers *x = arg;

	if (!m->alive || peerid_compare(&m->peer, &x->last) <= 0)
		return true;
	x->last = m->peer;
	x->r = m->said_len ? buf_append(x->out, m->said, m->said_len) : encode_silent(m, x->out);
	x->r = x->r < 0 ? x->r : 1;
	return false;
}

static int next_peer(struct rpc_feed *f, const struct store_txn *t, struct buf *out, struct err *e)
{
	struct peers *x = container_of(f, struct peers, feed);
	struct cluster *c = f->s->c;
	int r;

	if (!x->begun) {
		x->begun = true;
		r = rpc_self_id(f->s, out);
		return r < 0 ? r : 1;
	}
	x->out = out;
	x->r = -ENOENT;
	if (c->members)
		members_each(c->members, take_member, x);
	return x->r;
}

static void free_peers(struct rpc_feed *f)
{
	free(container_of(f, struct peers, feed));
}

void rpc_cluster_peers(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	static const struct rpc_feed_ops ops = { .next = next_peer, .free = free_peers };
	struct peers *x;

	if (p)
		return;
	x = calloc(1, sizeof(*x));
	if (!x)
		rpc_fail(call, "out of memory");
	else
		rpc_feed_begin(&x->feed, arg, call, &ops);
}

/* ---- PeerRemove ---- */

void rpc_cluster_peer_remove(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	const struct rpc_server *s = arg;

	rpc_fail(call, "%s consensus component cannot remove peers", cluster_consensus_name(s->c));
}

/* ---- RepoGCLocal ---- */

struct gc {
	struct rpc_wait wait;
	struct tracker_gc_watch watch;
	struct rpc_server *s;
	struct buf keys;
	size_t n_keys, left_out;
};

static void on_key(struct tracker_gc_watch *w, const char *key, const char *error)
{
	struct gc *x = container_of(w, struct gc, watch);
	struct rpc_gc_key k = { 0 };

	if (!x->wait.call)
		return;
	if (key && cid_parse(key, strlen(key), &k.cid, NULL) < 0)
		k.cid.len = 0;
	if (error)
		k.error = rpc_text(error);
	if (rpc_gc_key_encode(&k, &x->keys) == 0)
		x->n_keys++;
	else
		x->left_out++;
}

static void answer_gc(const struct gc *x, const struct err *e)
{
	const struct cluster_options *opt = &x->s->c->opt;
	const char *name = opt->config->peername ? opt->config->peername : "";
	struct rpc_repo_gc gc = { .peer = opt->self,
				  .peername = rpc_text(name),
				  .n_keys = x->n_keys,
				  .encoded = &x->keys };
	struct buf out = BUF_INIT(GORPC_VALUE_MAX);

	if (x->left_out > 0)
		log_info("%zu of %zu collected blocks are too many to be told of", x->left_out,
			 x->n_keys + x->left_out);
	if (e)
		gc.error = rpc_text(e->msg);
	rpc_answer(x->wait.call, rpc_repo_gc_encode(&gc, &out), &out);
}

static void on_collected(struct tracker_gc_watch *w, int status, const struct err *e)
{
	struct gc *x = container_of(w, struct gc, watch);

	if (x->wait.call)
		answer_gc(x, e);
	buf_deinit(&x->keys);
	free(x);
}

void rpc_cluster_repo_gc_local(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	struct rpc_server *s = arg;
	struct gc *x = calloc(1, sizeof(*x));
	int r;

	if (!x) {
		rpc_fail(call, "out of memory");
		return;
	}
	x->s = s;
	x->watch = (struct tracker_gc_watch){ .each = on_key, .done = on_collected };
	buf_init(&x->keys, RPC_REPLY_MAX);
	rpc_wait_begin(&x->wait, call, NULL);
	r = s->c->tracker ? tracker_gc(s->c->tracker, &x->watch) : -EROFS;
	if (r == 0)
		return;
	free(x);
	if (r == -EBUSY)
		rpc_fail(call, "a garbage collection is running");
	else
		rpc_fail(call, "garbage collection: %s", strerror(-r));
}
