/* The state of a pin on one peer: PinInfo. */
#include "types/msgpack_fields.h"
#include "types/rpc_memory.h"
#include "types/rpc_types.h"

/* ---- writing ---- */

static void put_time(struct mp_fields *f, const char *key, const struct rpc_time *t)
{
	if (mp_put(f, key, t->set))
		mp_time(f->w, t->s, t->ns);
}

static void put_info(struct mp_fields *f, const void *value)
{
	const struct rpc_pin_info *i = value;

	if (mp_put(f, "c", true)) /* also where it is undefined */
		mp_cid(f->w, &i->cid);
	mp_put_text(f, "m", &i->name);
	mp_put_peerid(f, "p", &i->peer);
	mp_put_peerids(f, "o", i->allocations, i->n_allocations);
	mp_put_multiaddrs(f, "g", i->origins, i->n_origins);
	put_time(f, "t", &i->created);
	mp_put_map(f, "md", i->metadata, i->n_metadata);
	mp_put_text(f, "pn", &i->peername);
	mp_put_peerid(f, "i", &i->ipfs_peer);
	mp_put_multiaddrs(f, "ia", i->ipfs_addresses, i->n_ipfs_addresses);
	mp_put_int(f, "st", status_bit(i->status));
	put_time(f, "ts", &i->since);
	mp_put_text(f, "e", &i->error);
	mp_put_int(f, "a", i->attempts);
	mp_put_bool(f, "y", i->priority);
}

int rpc_pin_info_encode(const struct rpc_pin_info *i, struct buf *out)
{
	return mp_struct_append(out, put_info, i);
}

/* ---- reading ---- */

/* Unions and bits that are not known here are no status that could be shown. */
static int get_status(const msgpack_object *o, enum status *ret)
{
	int64_t bits;
	int r = mp_get_int(o, &bits);

	*ret = STATUS_UNDEFINED;
	for (enum status s = STATUS_UNDEFINED; s < STATUS_NR; s++)
		if (bits == status_bit(s))
			*ret = s;
	return r;
}

static int get_attempts(const msgpack_object *o, uint32_t *ret)
{
	int64_t v;
	int r = mp_get_int(o, &v);

	*ret = v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
	return r;
}

/* The first half: what the pin is. */
static int get_pin(const msgpack_object *o, struct bump *b, struct rpc_pin_info *i)
{
	int r = mp_get_cid(mp_field(o, "c", 0), &i->cid);

	r = r < 0 ? r : rpc_get_text(mp_field(o, "m", 1), b, &i->name);
	r = r < 0 ? r : mp_get_peerid(mp_field(o, "p", 2), &i->peer);
	r = r < 0 ? r : rpc_get_peerids(mp_field(o, "o", 3), b, &i->allocations, &i->n_allocations);
	r = r < 0 ? r : rpc_get_multiaddrs(mp_field(o, "g", 4), b, &i->origins, &i->n_origins);
	r = r < 0 ? r : rpc_get_time(mp_field(o, "t", 5), &i->created);
	return r < 0 ? r : rpc_get_map(mp_field(o, "md", 6), b, &i->metadata, &i->n_metadata);
}

/* The second half: what the peer makes of it. */
static int get_state(const msgpack_object *o, struct bump *b, struct rpc_pin_info *i)
{
	int r = rpc_get_text(mp_field(o, "pn", 7), b, &i->peername);

	r = r < 0 ? r : mp_get_peerid(mp_field(o, "i", 8), &i->ipfs_peer);
	r = r < 0 ? r
		  : rpc_get_multiaddrs(mp_field(o, "ia", 9), b, &i->ipfs_addresses,
				       &i->n_ipfs_addresses);
	r = r < 0 ? r : get_status(mp_field(o, "st", 10), &i->status);
	r = r < 0 ? r : rpc_get_time(mp_field(o, "ts", 11), &i->since);
	r = r < 0 ? r : rpc_get_text(mp_field(o, "e", 12), b, &i->error);
	r = r < 0 ? r : get_attempts(mp_field(o, "a", 13), &i->attempts);
	return r < 0 ? r : mp_get_bool(mp_field(o, "y", 14), &i->priority);
}

int rpc_pin_info_decode(const uint8_t *p, size_t n, struct bump *b, struct rpc_pin_info *ret,
			struct err *e)
{
	struct mp_document d;
	int r = rpc_open(p, n, "the state of a pin", &d, e);

	if (r < 0)
		return r;
	*ret = (struct rpc_pin_info){ 0 };
	r = get_pin(mp_root(&d), b, ret);
	r = r < 0 ? r : get_state(mp_root(&d), b, ret);
	return rpc_end(&d, r, "the state of a pin", e);
}
