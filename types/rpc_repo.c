/* Kubo's repository: what a collection removed, how large it is, and blocks for it. */
#include <errno.h>

#include "types/msgpack_fields.h"
#include "types/rpc_memory.h"
#include "types/rpc_types.h"

/* ---- RepoGC ---- */

static void put_key(struct mp_fields *f, const void *value)
{
	const struct rpc_gc_key *k = value;

	mp_put_cid(f, "k", &k->cid);
	mp_put_text(f, "e", &k->error);
}

static void put_gc(struct mp_fields *f, const void *value)
{
	const struct rpc_repo_gc *g = value;

	mp_put_peerid(f, "p", &g->peer);
	mp_put_text(f, "pn", &g->peername);
	if (mp_put(f, "k", g->keys || g->encoded)) {
		mp_array(f->w, g->n_keys);
		if (g->encoded)
			mp_encoded(f->w, g->encoded);
		for (size_t i = 0; !g->encoded && i < g->n_keys; i++)
			mp_struct(f->w, put_key, &g->keys[i]);
	}
	mp_put_text(f, "e", &g->error);
}

int rpc_gc_key_encode(const struct rpc_gc_key *k, struct buf *out)
{
	return mp_struct_append(out, put_key, k);
}

int rpc_repo_gc_encode(const struct rpc_repo_gc *g, struct buf *out)
{
	return mp_struct_append(out, put_gc, g);
}

static int get_key(const msgpack_object *o, struct bump *b, struct rpc_gc_key *ret)
{
	int r = mp_is_struct(o) ? 0 : -EBADMSG;

	r = r < 0 ? r : mp_get_cid(mp_field(o, "k", 0), &ret->cid);
	return r < 0 ? r : rpc_get_text(mp_field(o, "e", 1), b, &ret->error);
}

/* A collection may remove more than a list can have: the surplus is only counted. */
static int get_keys(const msgpack_object *o, struct bump *b, struct rpc_repo_gc *g)
{
	msgpack_object first;
	const msgpack_object *v;
	struct rpc_gc_key *keys;
	void *room;
	int r;

	if (o && o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size > RPC_LIST_MAX) {
		g->n_left_out = o->via.array.size - RPC_LIST_MAX;
		first = *o;
		first.via.array.size = RPC_LIST_MAX;
		o = &first;
	}
	r = rpc_get_list(o, b, sizeof(*keys), &v, &g->n_keys, &room);
	g->keys = keys = room;
	for (size_t i = 0; r == 0 && i < g->n_keys; i++)
		r = get_key(&v[i], b, &keys[i]);
	return r;
}

int rpc_repo_gc_decode(const uint8_t *p, size_t n, struct bump *b, struct rpc_repo_gc *ret,
		       struct err *e)
{
	struct mp_document d;
	const msgpack_object *o;
	int r = rpc_open(p, n, "a collection", &d, e);

	if (r < 0)
		return r;
	o = mp_root(&d);
	*ret = (struct rpc_repo_gc){ 0 };
	r = mp_get_peerid(mp_field(o, "p", 0), &ret->peer);
	r = r < 0 ? r : rpc_get_text(mp_field(o, "pn", 1), b, &ret->peername);
	r = r < 0 ? r : get_keys(mp_field(o, "k", 2), b, ret);
	r = r < 0 ? r : rpc_get_text(mp_field(o, "e", 3), b, &ret->error);
	return rpc_end(&d, r, "a collection", e);
}

/* ---- RepoStat ---- */

static void put_stat(struct mp_fields *f, const void *value)
{
	const struct rpc_repo_stat *s = value;

	mp_put_uint(f, "r", s->repo_size);
	mp_put_uint(f, "s", s->storage_max);
}

int rpc_repo_stat_encode(const struct rpc_repo_stat *s, struct buf *out)
{
	return mp_struct_append(out, put_stat, s);
}

int rpc_repo_stat_decode(const uint8_t *p, size_t n, struct rpc_repo_stat *ret, struct err *e)
{
	struct mp_document d;
	int r = rpc_open(p, n, "a repository's size", &d, e);

	if (r < 0)
		return r;
	r = mp_get_uint(mp_field(mp_root(&d), "r", 0), &ret->repo_size);
	r = r < 0 ? r : mp_get_uint(mp_field(mp_root(&d), "s", 1), &ret->storage_max);
	return rpc_end(&d, r, "a repository's size", e);
}

/* ---- NodeWithMeta ---- */

static void put_node(struct mp_fields *f, const void *value)
{
	const struct rpc_node *node = value;

	mp_put_raw(f, "d", node->data, node->len);
	mp_put_cid(f, "c", &node->cid);
	mp_put_uint(f, "s", node->cumulative_size);
}

int rpc_node_encode(const struct rpc_node *node, struct buf *out)
{
	return mp_struct_append(out, put_node, node);
}

int rpc_node_decode(const uint8_t *p, size_t n, struct rpc_node *ret, struct err *e)
{
	struct mp_document d;
	int r = rpc_open(p, n, "a block", &d, e);

	if (r < 0)
		return r;
	r = mp_get_raw(mp_field(mp_root(&d), "d", 0), &ret->data, &ret->len);
	r = r < 0 ? r : mp_get_cid(mp_field(mp_root(&d), "c", 1), &ret->cid);
	r = r < 0 ? r : mp_get_uint(mp_field(mp_root(&d), "s", 2), &ret->cumulative_size);
	return rpc_end(&d, r, "a block", e);
}
