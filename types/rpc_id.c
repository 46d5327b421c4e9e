/* What a peer says of itself: ID. */
#include <errno.h>

#include "types/msgpack_fields.h"
#include "types/rpc_memory.h"
#include "types/rpc_types.h"

/* ---- writing ---- */

static void put_ipfs(struct mp_fields *f, const void *value)
{
	const struct rpc_ipfs_id *i = value;

	mp_put_peerid(f, "i", &i->peer);
	mp_put_multiaddrs(f, "a", i->addresses, i->n_addresses);
	mp_put_text(f, "e", &i->error);
}

static void put_id(struct mp_fields *f, const void *value)
{
	const struct rpc_id *id = value;
	const struct rpc_ipfs_id *ipfs = &id->ipfs;

	mp_put_peerid(f, "i", &id->peer);
	mp_put_multiaddrs(f, "a", id->addresses, id->n_addresses);
	mp_put_peerids(f, "cp", id->cluster_peers, id->n_cluster_peers);
	mp_put_multiaddrs(f, "cpa", id->cluster_peers_addresses, id->n_cluster_peers_addresses);
	mp_put_text(f, "v", &id->version);
	mp_put_text(f, "c", &id->commit);
	mp_put_text(f, "rv", &id->rpc_protocol);
	mp_put_text(f, "e", &id->error);
	if (mp_put(f, "ip", ipfs->peer.len > 0 || ipfs->addresses || ipfs->error.p))
		mp_struct(f->w, put_ipfs, ipfs);
	mp_put_text(f, "pn", &id->peername);
}

int rpc_id_encode(const struct rpc_id *id, struct buf *out)
{
	return mp_struct_append(out, put_id, id);
}

/* ---- reading ---- */

static int get_ipfs(const msgpack_object *o, struct bump *b, struct rpc_ipfs_id *ret)
{
	int r = mp_is_struct(o) ? 0 : -EBADMSG;

	r = r < 0 ? r : mp_get_peerid(mp_field(o, "i", 0), &ret->peer);
	r = r < 0 ? r
		  : rpc_get_multiaddrs(mp_field(o, "a", 1), b, &ret->addresses, &ret->n_addresses);
	return r < 0 ? r : rpc_get_text(mp_field(o, "e", 2), b, &ret->error);
}

static int get_id(const msgpack_object *o, struct bump *b, struct rpc_id *id)
{
	int r = mp_get_peerid(mp_field(o, "i", 0), &id->peer);

	r = r < 0 ? r
		  : rpc_get_multiaddrs(mp_field(o, "a", 1), b, &id->addresses, &id->n_addresses);
	r = r < 0 ? r
		  : rpc_get_peerids(mp_field(o, "cp", 2), b, &id->cluster_peers,
				    &id->n_cluster_peers);
	r = r < 0 ? r
		  : rpc_get_multiaddrs(mp_field(o, "cpa", 3), b, &id->cluster_peers_addresses,
				       &id->n_cluster_peers_addresses);
	r = r < 0 ? r : rpc_get_text(mp_field(o, "v", 4), b, &id->version);
	r = r < 0 ? r : rpc_get_text(mp_field(o, "c", 5), b, &id->commit);
	r = r < 0 ? r : rpc_get_text(mp_field(o, "rv", 6), b, &id->rpc_protocol);
	r = r < 0 ? r : rpc_get_text(mp_field(o, "e", 7), b, &id->error);
	r = r < 0 ? r : get_ipfs(mp_field(o, "ip", 8), b, &id->ipfs);
	return r < 0 ? r : rpc_get_text(mp_field(o, "pn", 9), b, &id->peername);
}

int rpc_id_decode(const uint8_t *p, size_t n, struct bump *b, struct rpc_id *ret, struct err *e)
{
	struct mp_document d;
	int r = rpc_open(p, n, "an ID", &d, e);

	if (r < 0)
		return r;
	*ret = (struct rpc_id){ 0 };
	return rpc_end(&d, get_id(mp_root(&d), b, ret), "an ID", e);
}
