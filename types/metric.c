#include "types/metric.h"

#include <errno.h>
#include <string.h>

#include "types/msgpack_fields.h"

/* What peers before 0.13.3 put in front: the name of the codec, with its length. */
static const char old_prefix[] = "\x09/msgpack\n";

/* ---- writing ---- */

static void put_fields(struct mp_fields *f, const void *value)
{
	const struct metric *m = value;

	mp_put_raw(f, "n", m->name_len ? m->name : NULL, m->name_len);
	mp_put_peerid(f, "p", &m->peer);
	mp_put_raw(f, "v", m->value_len ? m->value : NULL, m->value_len);
	mp_put_int(f, "e", m->expire_ns);
	mp_put_bool(f, "d", m->valid);
	mp_put_int(f, "w", m->weight);
	mp_put_bool(f, "o", m->partitionable);
	mp_put_int(f, "t", m->received_ns);
}

int metric_encode(const struct metric *m, struct buf *out)
{
	return mp_struct_append(out, put_fields, m);
}

/* ---- reading ---- */

static int get_text(const msgpack_object *o, const char **ret, size_t *ret_n)
{
	const uint8_t *p;
	int r = mp_get_raw(o, &p, ret_n);

	*ret = (const char *)p;
	return r;
}

/* The numbers are the places in the form of an array. */
static int get_fields(const msgpack_object *o, struct metric *m)
{
	int r = mp_is_struct(o) ? 0 : -EBADMSG;

	r = r < 0 ? r : get_text(mp_field(o, "n", 0), &m->name, &m->name_len);
	r = r < 0 ? r : mp_get_peerid(mp_field(o, "p", 1), &m->peer);
	r = r < 0 ? r : get_text(mp_field(o, "v", 2), &m->value, &m->value_len);
	r = r < 0 ? r : mp_get_int(mp_field(o, "e", 3), &m->expire_ns);
	r = r < 0 ? r : mp_get_bool(mp_field(o, "d", 4), &m->valid);
	r = r < 0 ? r : mp_get_int(mp_field(o, "w", 5), &m->weight);
	r = r < 0 ? r : mp_get_bool(mp_field(o, "o", 6), &m->partitionable);
	return r < 0 ? r : mp_get_int(mp_field(o, "t", 7), &m->received_ns);
}

int metric_decode(const uint8_t *p, size_t n, struct metric *ret, struct err *e)
{
	const size_t prefix = sizeof(old_prefix) - 1;
	struct mp_document d;
	int r;

	if (n > METRIC_BYTES_MAX)
		return err_set(e, -EFBIG, "a metric of %zu bytes", n);
	if (n >= prefix && memcmp(p, old_prefix, prefix) == 0) {
		p += prefix;
		n -= prefix;
	}
	r = mp_decode(p, n, &d, e);
	if (r < 0)
		return err_wrap(e, r, "a metric");
	r = get_fields(mp_root(&d), ret);
	mp_document_clear(&d);
	if (r < 0)
		return err_set(e, r, "a metric: a field of another kind");
	if (ret->name_len > METRIC_NAME_MAX || ret->value_len > METRIC_VALUE_MAX)
		return err_set(e, -EFBIG, "a metric: its name or value is too long");
	return 0;
}
