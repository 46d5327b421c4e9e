#include "types/msgpack_fields.h"

void mp_struct(struct mp_writer *w, mp_fields_fn fields, const void *value)
{
	struct mp_fields f = { .w = w, .counting = true };

	fields(&f, value);
	mp_map(w, f.n);
	f.counting = false;
	fields(&f, value);
}

int mp_struct_append(struct buf *out, mp_fields_fn fields, const void *value)
{
	const size_t before = out->len;
	struct mp_writer w;

	mp_writer_init(&w, out);
	mp_struct(&w, fields, value);
	if (w.error < 0)
		out->len = before;
	return w.error;
}

bool mp_put(struct mp_fields *f, const char *key, bool present)
{
	if (!present)
		return false;
	if (f->counting) {
		f->n++;
		return false;
	}
	mp_str(f->w, key);
	return true;
}

void mp_put_raw(struct mp_fields *f, const char *key, const void *p, size_t n)
{
	if (mp_put(f, key, p != NULL))
		mp_raw(f->w, p, n);
}

void mp_put_text(struct mp_fields *f, const char *key, const struct pin_text *text)
{
	mp_put_raw(f, key, text->p, text->n);
}

void mp_put_int(struct mp_fields *f, const char *key, int64_t v)
{
	if (mp_put(f, key, v != 0))
		mp_int(f->w, v);
}

void mp_put_uint(struct mp_fields *f, const char *key, uint64_t v)
{
	if (mp_put(f, key, v != 0))
		mp_uint(f->w, v);
}

void mp_put_bool(struct mp_fields *f, const char *key, bool v)
{
	if (mp_put(f, key, v))
		mp_bool(f->w, v);
}

void mp_put_cid(struct mp_fields *f, const char *key, const struct cid *c)
{
	if (mp_put(f, key, cid_defined(c)))
		mp_cid(f->w, c);
}

void mp_put_peerid(struct mp_fields *f, const char *key, const struct peerid *p)
{
	if (mp_put(f, key, p->len > 0))
		mp_peerid(f->w, p);
}

void mp_put_peerids(struct mp_fields *f, const char *key, const struct peerid *v, size_t n)
{
	if (!mp_put(f, key, v != NULL))
		return;
	mp_array(f->w, n);
	for (size_t i = 0; i < n; i++)
		mp_peerid(f->w, &v[i]);
}

void mp_put_multiaddrs(struct mp_fields *f, const char *key, const struct multiaddr *v, size_t n)
{
	if (!mp_put(f, key, v != NULL))
		return;
	mp_array(f->w, n);
	for (size_t i = 0; i < n; i++)
		mp_multiaddr(f->w, &v[i]);
}

void mp_put_map(struct mp_fields *f, const char *key, const struct pin_meta *v, size_t n)
{
	if (!mp_put(f, key, v != NULL))
		return;
	mp_map(f->w, n);
	for (size_t i = 0; i < n; i++) {
		mp_raw(f->w, v[i].key.p, v[i].key.n);
		mp_raw(f->w, v[i].value.p, v[i].value.n);
	}
}
