/* Writing: the formats that Go's codec chooses, which are not those that msgpack-c would. */
#include <errno.h>
#include <string.h>

#include "types/msgpack_wire.h"

static int append(void *arg, const char *p, size_t n)
{
	struct mp_writer *w = arg;
	int r = w->error < 0 ? w->error : buf_append(w->out, p, n);

	w->error = r;
	return r < 0 ? -1 : 0;
}

void mp_writer_init(struct mp_writer *w, struct buf *out)
{
	w->out = out;
	w->error = 0;
	msgpack_packer_init(&w->packer, w, append);
}

void mp_map(struct mp_writer *w, size_t n)
{
	msgpack_pack_map(&w->packer, n);
}

void mp_array(struct mp_writer *w, size_t n)
{
	msgpack_pack_array(&w->packer, n);
}

void mp_nil(struct mp_writer *w)
{
	msgpack_pack_nil(&w->packer);
}

void mp_bool(struct mp_writer *w, bool v)
{
	if (v)
		msgpack_pack_true(&w->packer);
	else
		msgpack_pack_false(&w->packer);
}

void mp_int(struct mp_writer *w, int64_t v)
{
	msgpack_packer *p = &w->packer;

	if (v >= -32 && v <= INT8_MAX)
		msgpack_pack_int64(p, v); /* one byte */
	else if (v >= INT8_MIN && v < 0)
		msgpack_pack_fix_int8(p, (int8_t)v);
	else if (v >= INT16_MIN && v <= INT16_MAX)
		msgpack_pack_fix_int16(p, (int16_t)v);
	else if (v >= INT32_MIN && v <= INT32_MAX)
		msgpack_pack_fix_int32(p, (int32_t)v);
	else
		msgpack_pack_fix_int64(p, v);
}

void mp_uint(struct mp_writer *w, uint64_t v)
{
	msgpack_pack_uint64(&w->packer, v);
}

void mp_raw(struct mp_writer *w, const void *p, size_t n)
{
	if (n > UINT32_MAX) {
		w->error = w->error < 0 ? w->error : -EFBIG;
		return;
	}
	msgpack_pack_v4raw(&w->packer, n);
	if (n > 0)
		msgpack_pack_v4raw_body(&w->packer, p, n);
}

void mp_str(struct mp_writer *w, const char *s)
{
	mp_raw(w, s, strlen(s));
}

static void put(uint8_t *p, size_t n, uint64_t v)
{
	for (size_t i = n; i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

void mp_time(struct mp_writer *w, int64_t s, uint32_t ns)
{
	uint8_t raw[12];

	if (s < 0 || s >> 34 != 0) {
		put(raw, 4, ns);
		put(raw + 4, 8, (uint64_t)s);
		mp_raw(w, raw, 12);
	} else if (ns > 0 || s >> 32 != 0) {
		put(raw, 8, (uint64_t)ns << 34 | (uint64_t)s);
		mp_raw(w, raw, 8);
	} else {
		put(raw, 4, (uint64_t)s);
		mp_raw(w, raw, 4);
	}
}

static void raw_or_nil(struct mp_writer *w, const void *p, size_t n)
{
	if (n == 0)
		mp_nil(w);
	else
		mp_raw(w, p, n);
}

void mp_cid(struct mp_writer *w, const struct cid *c)
{
	raw_or_nil(w, c->bytes, c->len);
}

void mp_peerid(struct mp_writer *w, const struct peerid *p)
{
	raw_or_nil(w, p->bytes, p->len);
}

void mp_multiaddr(struct mp_writer *w, const struct multiaddr *a)
{
	raw_or_nil(w, a->bytes, a->len);
}

void mp_encoded(struct mp_writer *w, const struct buf *objects)
{
	append(w, (const char *)objects->data, objects->len);
}
