/*
 * Written by hand: these bytes decide ties between concurrent pins, so every replica must write
 * exactly the same ones for a pin. No library promises that, and the field order and the options
 * that are written even when empty are part of the promise.
 */
#include "types/pin_pb.h"

#include <errno.h>
#include <string.h>

#include "types/pb_wire.h"
#include "util/rfc3339.h"
#include "util/utf8.h"
#include "util/varint.h"

/* Field numbers of Pin. */
enum {
	PIN_CID = 1,
	PIN_TYPE = 2,
	PIN_ALLOCATIONS = 3,
	PIN_MAX_DEPTH = 4,
	PIN_REFERENCE = 5,
	PIN_OPTIONS = 6,
	PIN_TIMESTAMP = 7,
};

/* Field numbers of PinOptions. */
enum {
	OPT_REPLICATION_MIN = 1,
	OPT_REPLICATION_MAX = 2,
	OPT_NAME = 3,
	OPT_SHARD_SIZE = 4,
	OPT_METADATA_MAP = 6, /* before the sorted form; read only */
	OPT_PIN_UPDATE = 7,
	OPT_EXPIRE_AT = 8,
	OPT_ORIGINS = 9,
	OPT_METADATA = 10,
};

/* Field numbers of a metadata entry, in both forms. */
enum {
	META_KEY = 1,
	META_VALUE = 2
};

#define TYPE_MAX 63 /* the reference keeps a type as one bit of 64 */

/*
 * Encoding: sizes first, then bytes into memory that is known to be large enough. All tags are one
 * byte.
 */

static size_t size_uint(uint64_t v)
{
	return v ? 1 + varint_len(v) : 0;
}

static size_t size_bytes(size_t n)
{
	return 1 + varint_len(n) + n;
}

static size_t size_opt_bytes(size_t n)
{
	return n ? size_bytes(n) : 0;
}

static uint32_t zigzag(int32_t v)
{
	return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static int32_t unzigzag(uint64_t wide)
{
	uint32_t v = (uint32_t)wide;

	return (int32_t)(v >> 1 ^ -(v & 1));
}

static uint64_t time_value(int64_t t)
{
	return t == RFC3339_UNSET ? 0 : (uint64_t)t;
}

static size_t size_meta(const struct pin_meta *m)
{
	return size_opt_bytes(m->key.n) + size_opt_bytes(m->value.n);
}

static size_t size_options(const struct pin *p)
{
	size_t n = size_uint(zigzag(p->replication_min)) + size_uint(zigzag(p->replication_max)) +
		   size_opt_bytes(p->name.n) + size_uint(p->shard_size) +
		   size_opt_bytes(p->pin_update.len) + size_uint(time_value(p->expire_at));

	for (size_t i = 0; i < p->n_origins; i++)
		n += size_bytes(p->origins[i].len);
	for (size_t i = 0; i < p->n_metadata; i++)
		n += size_bytes(size_meta(&p->metadata[i]));
	return n;
}

static size_t size_pin(const struct pin *p, size_t options)
{
	size_t n = size_opt_bytes(p->cid.len) + size_uint(p->type) +
		   size_uint(zigzag(p->max_depth)) + size_opt_bytes(p->reference.len) +
		   size_bytes(options) + size_uint(time_value(p->timestamp));

	for (size_t i = 0; i < p->n_allocations; i++)
		n += size_bytes(p->allocations[i].len);
	return n;
}

static uint8_t *put_varint(uint8_t *to, uint64_t v)
{
	while (v >= 0x80) {
		*to++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*to++ = (uint8_t)v;
	return to;
}

static uint8_t *put_uint(uint8_t *to, unsigned field, uint64_t v)
{
	if (v == 0)
		return to;
	*to++ = (uint8_t)(field << 3 | PB_VARINT);
	return put_varint(to, v);
}

static uint8_t *put_header(uint8_t *to, unsigned field, size_t n)
{
	*to++ = (uint8_t)(field << 3 | PB_BYTES);
	return put_varint(to, n);
}

static uint8_t *put_bytes(uint8_t *to, unsigned field, const void *p, size_t n)
{
	to = put_header(to, field, n);
	if (n)
		memcpy(to, p, n);
	return to + n;
}

static uint8_t *put_opt_bytes(uint8_t *to, unsigned field, const void *p, size_t n)
{
	return n ? put_bytes(to, field, p, n) : to;
}

static uint8_t *put_options(uint8_t *to, const struct pin *p)
{
	to = put_uint(to, OPT_REPLICATION_MIN, zigzag(p->replication_min));
	to = put_uint(to, OPT_REPLICATION_MAX, zigzag(p->replication_max));
	to = put_opt_bytes(to, OPT_NAME, p->name.p, p->name.n);
	to = put_uint(to, OPT_SHARD_SIZE, p->shard_size);
	to = put_opt_bytes(to, OPT_PIN_UPDATE, p->pin_update.bytes, p->pin_update.len);
	to = put_uint(to, OPT_EXPIRE_AT, time_value(p->expire_at));
	for (size_t i = 0; i < p->n_origins; i++)
		to = put_bytes(to, OPT_ORIGINS, p->origins[i].bytes, p->origins[i].len);
	for (size_t i = 0; i < p->n_metadata; i++) {
		const struct pin_meta *m = &p->metadata[i];

		to = put_header(to, OPT_METADATA, size_meta(m));
		to = put_opt_bytes(to, META_KEY, m->key.p, m->key.n);
		to = put_opt_bytes(to, META_VALUE, m->value.p, m->value.n);
	}
	return to;
}

int pin_pb_encode(const struct pin *p, struct buf *out)
{
	size_t options = size_options(p), total = size_pin(p, options);
	uint8_t *to;
	int r;

	if (total > PIN_BYTES_MAX)
		return -EFBIG;
	r = buf_reserve(out, total);
	if (r < 0)
		return r;
	to = out->data + out->len;
	to = put_opt_bytes(to, PIN_CID, p->cid.bytes, p->cid.len);
	to = put_uint(to, PIN_TYPE, p->type);
	for (size_t i = 0; i < p->n_allocations; i++)
		to = put_bytes(to, PIN_ALLOCATIONS, p->allocations[i].bytes, p->allocations[i].len);
	to = put_uint(to, PIN_MAX_DEPTH, zigzag(p->max_depth));
	to = put_opt_bytes(to, PIN_REFERENCE, p->reference.bytes, p->reference.len);
	to = put_header(to, PIN_OPTIONS, options);
	to = put_options(to, p);
	put_uint(to, PIN_TIMESTAMP, time_value(p->timestamp));
	out->len += total;
	return 0;
}

/*
 * Decoding: fields come in any order, and options in several parts are merged, as protobuf demands.
 */

struct decoder {
	struct pin *pin;
	struct pin_meta *map, *sorted; /* metadata in its two forms; the sorted one overrides */
	size_t n_map, n_sorted;
	struct err *e;
};

static int bad(struct err *e, const char *what)
{
	return err_set(e, -EBADMSG, "pin protobuf: %s", what);
}

static int no_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

/* Before a list of @n entries gets another. */
static int check_list(size_t n, struct err *e)
{
	if (n < PIN_LIST_MAX)
		return 0;
	return err_set(e, -EFBIG, "pin protobuf: a list of over %d entries", PIN_LIST_MAX);
}

static int decode_text(const struct pb_field *f, struct pin_text *ret, struct err *e)
{
	if (!utf8_valid(f->p, f->n))
		return bad(e, "a text is not UTF-8");
	ret->p = (const char *)f->p;
	ret->n = f->n;
	return 0;
}

static int decode_meta(const struct pb_field *entry, struct pin_meta *ret, struct err *e)
{
	struct pb_reader r = { entry->p, entry->p + entry->n };
	struct pb_field f;
	int more, err = 0;

	while ((more = pb_next(&r, &f)) > 0) {
		if (f.wire != PB_BYTES)
			continue;
		if (f.number == META_KEY)
			err = decode_text(&f, &ret->key, e);
		else if (f.number == META_VALUE)
			err = decode_text(&f, &ret->value, e);
		if (err < 0)
			return err;
	}
	return more < 0 ? bad(e, "cut or malformed metadata") : 0;
}

/* One more entry of either form. */
static int add_meta(struct decoder *d, const struct pb_field *f, struct pin_meta **list, size_t *n)
{
	int r = check_list(d->n_map + d->n_sorted, d->e);

	if (r < 0)
		return r;
	*list = pin_grow(d->pin, *list, *n, sizeof(**list));
	if (!*list)
		return no_memory(d->e);
	return decode_meta(f, &(*list)[(*n)++], d->e);
}

static int set_metadata(struct decoder *d)
{
	struct pin_meta *all = d->sorted;
	size_t n = d->n_map + d->n_sorted;

	if (d->n_map > 0) {
		all = pin_alloc(d->pin, n * sizeof(*all));
		if (!all)
			return no_memory(d->e);
		memcpy(all, d->map, d->n_map * sizeof(*all));
		if (d->n_sorted > 0)
			memcpy(all + d->n_map, d->sorted, d->n_sorted * sizeof(*all));
	}
	return pin_set_metadata(d->pin, all, n) < 0 ? no_memory(d->e) : 0;
}

static int add_origin(struct decoder *d, const struct pb_field *f)
{
	struct pin *p = d->pin;
	int r = check_list(p->n_origins, d->e);

	if (r < 0)
		return r;
	p->origins = pin_grow(p, p->origins, p->n_origins, sizeof(*p->origins));
	if (!p->origins)
		return no_memory(d->e);
	if (multiaddr_from_bytes(f->p, f->n, &p->origins[p->n_origins++], NULL) < 0)
		return bad(d->e, "an origin is not a multiaddress");
	return 0;
}

static int add_allocation(struct decoder *d, const struct pb_field *f)
{
	struct pin *p = d->pin;
	int r = check_list(p->n_allocations, d->e);

	if (r < 0)
		return r;
	p->allocations = pin_grow(p, p->allocations, p->n_allocations, sizeof(*p->allocations));
	if (!p->allocations)
		return no_memory(d->e);
	if (peerid_from_bytes(f->p, f->n, &p->allocations[p->n_allocations++], NULL) < 0)
		return bad(d->e, "an allocation is not a peer ID");
	return 0;
}

/* The reference keeps a pin whose CIDs it cannot read, without them. */
static void decode_cid(const struct pb_field *f, struct cid *ret)
{
	if (cid_from_bytes(f->p, f->n, ret, NULL) < 0)
		ret->len = 0;
}

static int64_t decode_time(uint64_t v)
{
	return (int64_t)v == RFC3339_UNSET ? PIN_TIME_UNSET : (int64_t)v;
}

static int decode_option_bytes(struct decoder *d, const struct pb_field *f)
{
	switch (f->number) {
	case OPT_NAME:
		return decode_text(f, &d->pin->name, d->e);
	case OPT_PIN_UPDATE:
		decode_cid(f, &d->pin->pin_update);
		return 0;
	case OPT_ORIGINS:
		return add_origin(d, f);
	case OPT_METADATA_MAP:
		return add_meta(d, f, &d->map, &d->n_map);
	case OPT_METADATA:
		return add_meta(d, f, &d->sorted, &d->n_sorted);
	default:
		return 0;
	}
}

static void decode_option_uint(const struct pb_field *f, struct pin *p)
{
	switch (f->number) {
	case OPT_REPLICATION_MIN:
		p->replication_min = unzigzag(f->value);
		break;
	case OPT_REPLICATION_MAX:
		p->replication_max = unzigzag(f->value);
		break;
	case OPT_SHARD_SIZE:
		p->shard_size = f->value;
		break;
	case OPT_EXPIRE_AT:
		p->expire_at = decode_time(f->value);
		break;
	}
}

static int decode_options(struct decoder *d, const struct pb_field *options)
{
	struct pb_reader r = { options->p, options->p + options->n };
	struct pb_field f;
	int more, err = 0;

	while (err == 0 && (more = pb_next(&r, &f)) != 0) {
		if (more < 0)
			err = bad(d->e, "cut or malformed options");
		else if (f.wire == PB_VARINT)
			decode_option_uint(&f, d->pin);
		else if (f.wire == PB_BYTES)
			err = decode_option_bytes(d, &f);
	}
	return err;
}

static int decode_pin_bytes(struct decoder *d, const struct pb_field *f)
{
	switch (f->number) {
	case PIN_CID:
		decode_cid(f, &d->pin->cid);
		return 0;
	case PIN_ALLOCATIONS:
		return add_allocation(d, f);
	case PIN_REFERENCE:
		decode_cid(f, &d->pin->reference);
		return 0;
	case PIN_OPTIONS:
		return decode_options(d, f);
	default:
		return 0;
	}
}

static void decode_pin_uint(const struct pb_field *f, struct pin *p)
{
	switch (f->number) {
	case PIN_TYPE:
		/* A type that only a newer peer knows is kept, so that the bytes stay the same. */
		p->type = (uint32_t)f->value <= TYPE_MAX ? (enum pin_type)(uint32_t)f->value
							 : PIN_TYPE_BAD;
		break;
	case PIN_MAX_DEPTH:
		p->max_depth = unzigzag(f->value);
		break;
	case PIN_TIMESTAMP:
		p->timestamp = decode_time(f->value);
		break;
	}
}

int pin_pb_decode(const uint8_t *data, size_t n, struct pin *p, struct err *e)
{
	struct decoder d = { .pin = p, .e = e };
	struct pb_reader r = pb_reader_of(data, n);
	struct pb_field f;
	int more, err = 0;

	pin_reset(p);
	if (n > PIN_BYTES_MAX)
		return err_set(e, -EFBIG, "pin protobuf: over %u bytes", PIN_BYTES_MAX);
	while (err == 0 && (more = pb_next(&r, &f)) != 0) {
		if (more < 0)
			err = bad(e, "cut or malformed");
		else if (f.wire == PB_VARINT)
			decode_pin_uint(&f, p);
		else if (f.wire == PB_BYTES)
			err = decode_pin_bytes(&d, &f);
	}
	return err < 0 ? err : set_metadata(&d);
}
