/* Reading: one whole object, and what its parts are. */
#include "types/msgpack_wire.h"

#include <errno.h>
#include <string.h>

#include "types/msgpack_scan.h"

#define EXT_TIME (-1)
#define NS_PER_S 1000000000
#define TIME_FIRST (-62135596800) /* 0001-01-01: Go's time that is unset */
#define TIME_LAST 253402300799    /* 9999-12-31T23:59:59 */

int mp_decode(const uint8_t *p, size_t n, struct mp_document *ret, struct err *e)
{
	struct mp_scan s = { 0 };
	size_t used = 0;
	int r = mp_scan(&s, p, n, n);

	if (r == 0 || r == -EFBIG)
		return err_set(e, -EBADMSG, "msgpack: cut, or a count that cannot be");
	if (r < 0)
		return err_set(e, -EBADMSG, "msgpack: malformed");
	if (s.at != n)
		return err_set(e, -EBADMSG, "msgpack: bytes behind the object");
	if (s.items > MSGPACK_ITEMS_SPARE + n / MSGPACK_ITEM_BYTES)
		return err_set(e, -EBADMSG, "msgpack: %zu objects in %zu bytes", s.items, n);
	msgpack_unpacked_init(&ret->unpacked);
	switch (msgpack_unpack_next(&ret->unpacked, (const char *)p, n, &used)) {
	case MSGPACK_UNPACK_SUCCESS:
	case MSGPACK_UNPACK_EXTRA_BYTES:
		return 0;
	case MSGPACK_UNPACK_NOMEM_ERROR:
		mp_document_clear(ret);
		return err_set(e, -ENOMEM, "out of memory");
	case MSGPACK_UNPACK_CONTINUE:
	case MSGPACK_UNPACK_PARSE_ERROR:
		break;
	}
	mp_document_clear(ret);
	return err_set(e, -EBADMSG, "msgpack: malformed");
}

void mp_document_clear(struct mp_document *d)
{
	msgpack_unpacked_destroy(&d->unpacked);
}

/* ---- structs ---- */

static bool is_nil(const msgpack_object *o)
{
	return !o || o->type == MSGPACK_OBJECT_NIL;
}

bool mp_is_struct(const msgpack_object *o)
{
	return is_nil(o) || o->type == MSGPACK_OBJECT_MAP || o->type == MSGPACK_OBJECT_ARRAY;
}

static bool is_key(const msgpack_object *o, const char *name, size_t n)
{
	const uint8_t *p;
	size_t len;

	return !is_nil(o) && mp_get_raw(o, &p, &len) == 0 && len == n && memcmp(p, name, n) == 0;
}

const msgpack_object *mp_field(const msgpack_object *o, const char *name, unsigned index)
{
	const msgpack_object *ret = NULL;
	size_t n = strlen(name);

	if (is_nil(o))
		return NULL;
	if (o->type == MSGPACK_OBJECT_ARRAY && index < o->via.array.size)
		ret = &o->via.array.ptr[index];
	/* Of equal keys the last counts. */
	if (o->type == MSGPACK_OBJECT_MAP)
		for (uint32_t i = o->via.map.size; i-- > 0 && !ret;)
			if (is_key(&o->via.map.ptr[i].key, name, n))
				ret = &o->via.map.ptr[i].val;
	return is_nil(ret) ? NULL : ret;
}

/* ---- values ---- */

int mp_get_raw(const msgpack_object *o, const uint8_t **ret, size_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	if (is_nil(o))
		return 0;
	if (o->type == MSGPACK_OBJECT_STR) {
		*ret = (const uint8_t *)o->via.str.ptr;
		*ret_n = o->via.str.size;
	} else if (o->type == MSGPACK_OBJECT_BIN) {
		*ret = (const uint8_t *)o->via.bin.ptr;
		*ret_n = o->via.bin.size;
	} else {
		return -EBADMSG;
	}
	return 0;
}

/* Whole floats within @from and below @to, both of which a double can tell. */
static bool is_float_within(const msgpack_object *o, double from, double to)
{
	return (o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64) &&
	       o->via.f64 >= from && o->via.f64 < to;
}

int mp_get_int(const msgpack_object *o, int64_t *ret)
{
	*ret = 0;
	if (is_nil(o))
		return 0;
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
		*ret = (int64_t)o->via.u64;
	else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		*ret = o->via.i64;
	else if (is_float_within(o, -0x1p63, 0x1p63) && (double)(int64_t)o->via.f64 == o->via.f64)
		*ret = (int64_t)o->via.f64;
	else
		return -EBADMSG;
	return 0;
}

int mp_get_uint(const msgpack_object *o, uint64_t *ret)
{
	*ret = 0;
	if (is_nil(o))
		return 0;
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		*ret = o->via.u64;
	else if (is_float_within(o, 0, 0x1p64) && (double)(uint64_t)o->via.f64 == o->via.f64)
		*ret = (uint64_t)o->via.f64;
	else
		return -EBADMSG;
	return 0;
}

int mp_get_bool(const msgpack_object *o, bool *ret)
{
	*ret = false;
	if (is_nil(o))
		return 0;
	if (o->type == MSGPACK_OBJECT_BOOLEAN)
		*ret = o->via.boolean;
	else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= 1)
		*ret = o->via.u64 == 1;
	else
		return -EBADMSG;
	return 0;
}

static uint64_t number(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int time_bytes(const msgpack_object *o, const uint8_t **ret, size_t *ret_n)
{
	if (is_nil(o) || o->type != MSGPACK_OBJECT_EXT)
		return mp_get_raw(o, ret, ret_n);
	*ret = (const uint8_t *)o->via.ext.ptr;
	*ret_n = o->via.ext.size;
	return o->via.ext.type == EXT_TIME ? 0 : -EBADMSG;
}

int mp_get_time(const msgpack_object *o, bool *ret_set, int64_t *ret_s, uint32_t *ret_ns)
{
	int64_t s = TIME_FIRST;
	uint64_t ns = 0;
	const uint8_t *p;
	size_t n;

	*ret_set = false;
	*ret_s = 0;
	*ret_ns = 0;
	if (time_bytes(o, &p, &n) < 0)
		return -EBADMSG;
	if (n == 4) {
		s = (int64_t)number(p, 4);
	} else if (n == 8) {
		ns = number(p, 8) >> 34;
		s = (int64_t)(number(p, 8) & ((UINT64_C(1) << 34) - 1));
	} else if (n == 12) {
		ns = number(p, 4);
		s = (int64_t)number(p + 4, 8);
	} else if (!is_nil(o)) {
		return -EBADMSG;
	}
	if (s < TIME_FIRST || s > TIME_LAST)
		return -EBADMSG;
	s += (int64_t)(ns / NS_PER_S);
	ns %= NS_PER_S;
	if (s == TIME_FIRST && ns == 0)
		return 0;
	*ret_set = true;
	*ret_s = s;
	*ret_ns = (uint32_t)ns;
	return 0;
}

int mp_get_cid(const msgpack_object *o, struct cid *ret)
{
	const uint8_t *p;
	size_t n;

	ret->len = 0;
	if (is_nil(o))
		return 0;
	if (mp_get_raw(o, &p, &n) < 0)
		return -EBADMSG;
	return cid_from_bytes(p, n, ret, NULL) < 0 ? -EBADMSG : 0;
}

int mp_get_peerid(const msgpack_object *o, struct peerid *ret)
{
	const uint8_t *p;
	size_t n;

	ret->len = 0;
	if (is_nil(o))
		return 0;
	if (mp_get_raw(o, &p, &n) < 0)
		return -EBADMSG;
	return peerid_from_bytes(p, n, ret, NULL) < 0 ? -EBADMSG : 0;
}

int mp_get_multiaddr(const msgpack_object *o, struct multiaddr *ret)
{
	const uint8_t *p;
	size_t n;

	ret->len = 0;
	if (is_nil(o))
		return 0;
	if (mp_get_raw(o, &p, &n) < 0)
		return -EBADMSG;
	return multiaddr_from_bytes(p, n, ret, NULL) < 0 ? -EBADMSG : 0;
}

int mp_get_array(const msgpack_object *o, const msgpack_object **ret, size_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	if (is_nil(o))
		return 0;
	if (o->type != MSGPACK_OBJECT_ARRAY)
		return -EBADMSG;
	*ret = o->via.array.ptr;
	*ret_n = o->via.array.size;
	return 0;
}
