/* Arguments and replies that are a single value. */
#include <errno.h>

#include "types/msgpack_fields.h"
#include "types/rpc_memory.h"
#include "types/rpc_types.h"

/* What was appended stays only where all of it could be. */
static int finish(const struct mp_writer *w, size_t before)
{
	if (w->error < 0)
		w->out->len = before;
	return w->error;
}

int rpc_cid_encode(const struct cid *c, struct buf *out)
{
	const size_t before = out->len;
	struct mp_writer w;

	mp_writer_init(&w, out);
	mp_cid(&w, c);
	return finish(&w, before);
}

int rpc_cid_decode(const uint8_t *p, size_t n, struct cid *ret, struct err *e)
{
	struct mp_document d;
	int r = mp_decode(p, n, &d, e);

	return r < 0 ? r : rpc_end(&d, mp_get_cid(mp_root(&d), ret), "a CID", e);
}

int rpc_peerid_encode(const struct peerid *id, struct buf *out)
{
	const size_t before = out->len;
	struct mp_writer w;

	mp_writer_init(&w, out);
	mp_peerid(&w, id);
	return finish(&w, before);
}

int rpc_peerid_decode(const uint8_t *p, size_t n, struct peerid *ret, struct err *e)
{
	struct mp_document d;
	int r = mp_decode(p, n, &d, e);

	return r < 0 ? r : rpc_end(&d, mp_get_peerid(mp_root(&d), ret), "a peer ID", e);
}

int rpc_peerids_encode(const struct peerid *v, size_t n_ids, struct buf *out)
{
	const size_t before = out->len;
	struct mp_writer w;

	mp_writer_init(&w, out);
	mp_array(&w, n_ids);
	for (size_t i = 0; i < n_ids; i++)
		mp_peerid(&w, &v[i]);
	return finish(&w, before);
}

int rpc_peerids_decode(const uint8_t *p, size_t n, struct bump *b, const struct peerid **ret,
		       size_t *ret_n, struct err *e)
{
	struct mp_document d;
	int r = mp_decode(p, n, &d, e);

	return r < 0 ? r : rpc_end(&d, rpc_get_peerids(mp_root(&d), b, ret, ret_n), "peer IDs", e);
}

static void put_nothing(struct mp_fields *f, const void *value)
{
}

int rpc_empty_encode(struct buf *out)
{
	return mp_struct_append(out, put_nothing, NULL);
}

static void put_version(struct mp_fields *f, const void *value)
{
	if (mp_put(f, "v", true))
		mp_str(f->w, value);
}

int rpc_version_encode(const char *version, struct buf *out)
{
	return mp_struct_append(out, put_version, version);
}

int rpc_filter_encode(uint32_t bits, struct buf *out)
{
	const size_t before = out->len;
	struct mp_writer w;

	mp_writer_init(&w, out);
	mp_int(&w, bits);
	return finish(&w, before);
}

int rpc_filter_decode(const uint8_t *p, size_t n, uint32_t *ret, struct err *e)
{
	struct mp_document d;
	int64_t bits = 0;
	int r = mp_decode(p, n, &d, e);

	if (r < 0)
		return r;
	r = mp_get_int(mp_root(&d), &bits);
	if (r == 0 && (bits < 0 || bits > UINT32_MAX))
		r = -EBADMSG;
	*ret = (uint32_t)bits;
	return rpc_end(&d, r, "a filter", e);
}
