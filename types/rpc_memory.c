#include "types/rpc_memory.h"

#include <errno.h>
#include <string.h>

#include "util/utf8.h"

static void *zeroed(struct bump *b, size_t n)
{
	void *p = bump_alloc(b, n > 0 ? n : 1);

	if (p)
		memset(p, 0, n > 0 ? n : 1);
	return p;
}

int rpc_get_list(const msgpack_object *o, struct bump *b, size_t size, const msgpack_object **ret,
		 size_t *ret_n, void **ret_room)
{
	*ret_room = NULL;
	if (mp_get_array(o, ret, ret_n) < 0)
		return -EBADMSG;
	if (!o || o->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (*ret_n > RPC_LIST_MAX)
		return -EFBIG;
	*ret_room = zeroed(b, *ret_n * size);
	return *ret_room ? 0 : b->err;
}

/* ---- text ---- */

int rpc_get_text(const msgpack_object *o, struct bump *b, struct pin_text *ret)
{
	const uint8_t *p;
	size_t n;
	char *copy;

	*ret = (struct pin_text){ 0 };
	if (!o || o->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (mp_get_raw(o, &p, &n) < 0)
		return -EBADMSG;
	ret->n = utf8_clean(p, n, NULL, SIZE_MAX);
	copy = zeroed(b, ret->n);
	if (!copy)
		return b->err;
	utf8_clean(p, n, copy, ret->n);
	ret->p = copy;
	return 0;
}

/* ---- lists ---- */

int rpc_get_peerids(const msgpack_object *o, struct bump *b, const struct peerid **ret,
		    size_t *ret_n)
{
	const msgpack_object *v;
	struct peerid *ids;
	void *room;
	int r = rpc_get_list(o, b, sizeof(*ids), &v, ret_n, &room);

	*ret = ids = room;
	for (size_t i = 0; r == 0 && i < *ret_n; i++)
		r = mp_get_peerid(&v[i], &ids[i]);
	return r;
}

int rpc_get_multiaddrs(const msgpack_object *o, struct bump *b, const struct multiaddr **ret,
		       size_t *ret_n)
{
	const msgpack_object *v;
	struct multiaddr *addresses;
	const uint8_t *p;
	size_t n, len, known = 0;
	void *room;
	int r = rpc_get_list(o, b, sizeof(*addresses), &v, &n, &room);

	*ret = addresses = room;
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = mp_get_raw(&v[i], &p, &len);
		if (r == 0 && len > 0 && multiaddr_from_bytes(p, len, &addresses[known], NULL) == 0)
			known++;
	}
	*ret_n = known;
	return r;
}

static int pair(const msgpack_object_kv *kv, struct bump *b, struct pin_meta *ret)
{
	int r = rpc_get_text(&kv->key, b, &ret->key);

	return r < 0 ? r : rpc_get_text(&kv->val, b, &ret->value);
}

int rpc_get_map(const msgpack_object *o, struct bump *b, const struct pin_meta **ret, size_t *ret_n)
{
	struct pin_meta *pairs;
	int r = 0;

	*ret = NULL;
	*ret_n = 0;
	if (!o || o->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (o->type != MSGPACK_OBJECT_MAP)
		return -EBADMSG;
	if (o->via.map.size > RPC_LIST_MAX)
		return -EFBIG;
	*ret_n = o->via.map.size;
	*ret = pairs = zeroed(b, *ret_n * sizeof(*pairs));
	if (!pairs)
		return b->err;
	for (size_t i = 0; r == 0 && i < *ret_n; i++)
		r = pair(&o->via.map.ptr[i], b, &pairs[i]);
	return r;
}

int rpc_get_time(const msgpack_object *o, struct rpc_time *ret)
{
	return mp_get_time(o, &ret->set, &ret->s, &ret->ns);
}

/* ---- documents ---- */

int rpc_open(const uint8_t *p, size_t n, const char *what, struct mp_document *ret, struct err *e)
{
	int r = mp_decode(p, n, ret, e);

	if (r < 0)
		return err_wrap(e, r, "%s", what);
	if (!mp_is_struct(mp_root(ret))) {
		mp_document_clear(ret);
		return err_set(e, -EBADMSG, "%s: neither a map nor an array", what);
	}
	return 0;
}

int rpc_end(struct mp_document *d, int r, const char *what, struct err *e)
{
	mp_document_clear(d);
	if (r == -EBADMSG)
		return err_set(e, r, "%s: a malformed field", what);
	if (r == -EFBIG)
		return err_set(e, r, "%s: a list of it is too long, or all of it too large", what);
	if (r < 0)
		return err_set(e, r, "%s: out of memory", what);
	return 0;
}
