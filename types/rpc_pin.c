/* A pin as an argument. Its mode is not read, since max_depth alone decides, as in the protobuf. */
#include <errno.h>
#include <string.h>

#include "types/msgpack_fields.h"
#include "types/rpc_memory.h"
#include "types/rpc_types.h"
#include "util/utf8.h"

#define TYPE_BITS 64

/* ---- writing ---- */

static void put_time(struct mp_fields *f, const char *key, int64_t s)
{
	if (mp_put(f, key, s != PIN_TIME_UNSET))
		mp_time(f->w, s, 0);
}

/* As the reference has a pin that it read from its state: origins and allocations are never nil. */
static void put_pin(struct mp_fields *f, const void *value)
{
	static const struct multiaddr no_address;
	static const struct peerid no_peer;
	const struct pin *p = value;
	const unsigned type = p->type;

	mp_put_int(f, "rn", p->replication_min);
	mp_put_int(f, "rx", p->replication_max);
	mp_put_raw(f, "n", p->name.n ? p->name.p : NULL, p->name.n);
	mp_put_int(f, "o", pin_mode(p) == PIN_MODE_DIRECT);
	mp_put_uint(f, "s", p->shard_size);
	mp_put_peerids(f, "ua", p->n_user_allocations ? p->user_allocations : NULL,
		       p->n_user_allocations);
	put_time(f, "e", p->expire_at);
	mp_put_map(f, "m", p->n_metadata ? p->metadata : NULL, p->n_metadata);
	mp_put_cid(f, "pu", &p->pin_update);
	mp_put_multiaddrs(f, "g", p->n_origins ? p->origins : &no_address, p->n_origins);
	if (mp_put(f, "c", true))
		mp_cid(f->w, &p->cid);
	mp_put_uint(f, "t", type < TYPE_BITS ? UINT64_C(1) << type : 0);
	mp_put_peerids(f, "a", p->n_allocations ? p->allocations : &no_peer, p->n_allocations);
	mp_put_int(f, "d", p->max_depth);
	mp_put_cid(f, "r", &p->reference);
	put_time(f, "i", p->timestamp);
}

int rpc_pin_encode(const struct pin *pin, struct buf *out)
{
	return mp_struct_append(out, put_pin, pin);
}

/* ---- reading ---- */

static int get_int32(const msgpack_object *o, int32_t *ret)
{
	int64_t v;
	int r = mp_get_int(o, &v);

	if (r < 0 || v < INT32_MIN || v > INT32_MAX)
		return -EBADMSG;
	*ret = (int32_t)v;
	return 0;
}

/* The highest bit counts, as where the reference turns a type into the protobuf's. */
static int get_type(const msgpack_object *o, enum pin_type *ret)
{
	uint64_t bits;
	unsigned type = 0;
	int r = mp_get_uint(o, &bits);

	while (bits >>= 1)
		type++;
	*ret = (enum pin_type)type;
	return r;
}

static int get_text(const msgpack_object *o, struct pin *p, struct pin_text *ret)
{
	const uint8_t *text;
	size_t n;
	char *copy;

	*ret = (struct pin_text){ 0 };
	if (mp_get_raw(o, &text, &n) < 0 || !utf8_valid(text, n))
		return -EBADMSG;
	if (n == 0)
		return 0;
	copy = pin_alloc(p, n);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, n);
	*ret = (struct pin_text){ copy, n };
	return 0;
}

static int get_seconds(const msgpack_object *o, int64_t *ret)
{
	uint32_t ns;
	bool set;

	return mp_get_time(o, &set, ret, &ns);
}

/* Room for the entries of a list. */
static int get_list(const msgpack_object *o, struct pin *p, size_t size, const msgpack_object **ret,
		    size_t *ret_n, void **ret_room)
{
	*ret_room = NULL;
	if (mp_get_array(o, ret, ret_n) < 0)
		return -EBADMSG;
	if (*ret_n > PIN_LIST_MAX)
		return -EFBIG;
	if (*ret_n == 0)
		return 0;
	*ret_room = pin_alloc(p, *ret_n * size);
	return *ret_room ? 0 : -ENOMEM;
}

/* In a pin there is none without value: the protobuf could not be read again. */
static int get_peerids(const msgpack_object *o, struct pin *p, struct peerid **ret, size_t *ret_n)
{
	const msgpack_object *v;
	void *room;
	int r = get_list(o, p, sizeof(**ret), &v, ret_n, &room);

	*ret = room;
	for (size_t i = 0; r == 0 && i < *ret_n; i++) {
		r = mp_get_peerid(&v[i], &(*ret)[i]);
		if (r == 0 && (*ret)[i].len == 0)
			r = -EBADMSG;
	}
	return r;
}

static int get_origins(const msgpack_object *o, struct pin *p)
{
	const msgpack_object *v;
	void *room;
	int r = get_list(o, p, sizeof(*p->origins), &v, &p->n_origins, &room);

	p->origins = room;
	for (size_t i = 0; r == 0 && i < p->n_origins; i++) {
		r = mp_get_multiaddr(&v[i], &p->origins[i]);
		if (r == 0 && p->origins[i].len == 0)
			r = -EBADMSG;
	}
	return r;
}

static int get_metadata(const msgpack_object *o, struct pin *p)
{
	struct pin_meta *all = NULL;
	size_t n;
	int r = 0;

	if (!o || o->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (o->type != MSGPACK_OBJECT_MAP)
		return -EBADMSG;
	n = o->via.map.size;
	if (n > PIN_LIST_MAX)
		return -EFBIG;
	if (n == 0)
		return 0;
	all = pin_alloc(p, n * sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = get_text(&o->via.map.ptr[i].key, p, &all[i].key);
		r = r < 0 ? r : get_text(&o->via.map.ptr[i].val, p, &all[i].value);
	}
	return r < 0 ? r : pin_set_metadata(p, all, n);
}

static int get_options(const msgpack_object *o, struct pin *p)
{
	int r = get_int32(mp_field(o, "rn", 0), &p->replication_min);

	r = r < 0 ? r : get_int32(mp_field(o, "rx", 1), &p->replication_max);
	r = r < 0 ? r : get_text(mp_field(o, "n", 2), p, &p->name);
	r = r < 0 ? r : mp_get_uint(mp_field(o, "s", 4), &p->shard_size);
	r = r < 0 ? r
		  : get_peerids(mp_field(o, "ua", 5), p, &p->user_allocations,
				&p->n_user_allocations);
	r = r < 0 ? r : get_seconds(mp_field(o, "e", 6), &p->expire_at);
	r = r < 0 ? r : get_metadata(mp_field(o, "m", 7), p);
	r = r < 0 ? r : mp_get_cid(mp_field(o, "pu", 8), &p->pin_update);
	return r < 0 ? r : get_origins(mp_field(o, "g", 9), p);
}

static int get_pin(const msgpack_object *o, struct pin *p)
{
	int r = get_options(o, p);

	r = r < 0 ? r : mp_get_cid(mp_field(o, "c", 10), &p->cid);
	r = r < 0 ? r : get_type(mp_field(o, "t", 11), &p->type);
	r = r < 0 ? r : get_peerids(mp_field(o, "a", 12), p, &p->allocations, &p->n_allocations);
	r = r < 0 ? r : get_int32(mp_field(o, "d", 13), &p->max_depth);
	r = r < 0 ? r : mp_get_cid(mp_field(o, "r", 14), &p->reference);
	return r < 0 ? r : get_seconds(mp_field(o, "i", 15), &p->timestamp);
}

int rpc_pin_decode(const uint8_t *p, size_t n, struct pin *ret, struct err *e)
{
	struct mp_document d;
	int r;

	pin_reset(ret);
	if (n > PIN_BYTES_MAX)
		return err_set(e, -EFBIG, "a pin of over %u bytes", PIN_BYTES_MAX);
	r = rpc_open(p, n, "a pin", &d, e);
	if (r < 0)
		return r;
	return rpc_end(&d, get_pin(mp_root(&d), ret), "a pin", e);
}
