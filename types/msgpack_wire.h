/*
 * msgpack as the reference writes it (old raw spec: fixstr, raw16, raw32 for text and bytes alike;
 * no bin, no ext) and as it reads it (all widths, bin, ext timestamps, nil for anything). On
 * msgpack-c, which is given whole objects only: it allocates what a container claims to hold, so
 * sizes, counts and depth are checked before. Pure; any thread.
 * Source: "msgpack" in docs/formats.md; vectors/cluster-rpc-streams.json, cluster-metrics.json.
 */
#pragma once

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"
#include "types/multiaddr.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define MSGPACK_DEPTH_MAX 16
/* What is decoded has at most so many objects, plus one for each ITEM_BYTES bytes: msgpack-c uses
 * some 24 bytes for each. */
#define MSGPACK_ITEMS_SPARE 16384
#define MSGPACK_ITEM_BYTES 4

/* ---- writing: a failed append sticks in the buffer's writer ---- */
struct mp_writer {
	struct buf *out;
	msgpack_packer packer;
	int error; /* the first -errno */
};

void mp_writer_init(struct mp_writer *w, struct buf *out);
void mp_map(struct mp_writer *w, size_t n);
void mp_array(struct mp_writer *w, size_t n);
void mp_nil(struct mp_writer *w);
void mp_bool(struct mp_writer *w, bool v);
void mp_int(struct mp_writer *w, int64_t v);   /* a Go signed integer: fixint, else d0..d3 */
void mp_uint(struct mp_writer *w, uint64_t v); /* a Go unsigned one: fixint, else cc..cf */
void mp_raw(struct mp_writer *w, const void *p, size_t n);
void mp_str(struct mp_writer *w, const char *s);
void mp_time(struct mp_writer *w, int64_t s, uint32_t ns);   /* 4, 8 or 12 bytes, raw */
void mp_cid(struct mp_writer *w, const struct cid *c);       /* undefined: nil */
void mp_peerid(struct mp_writer *w, const struct peerid *p); /* none: nil */
void mp_multiaddr(struct mp_writer *w, const struct multiaddr *a);
void mp_encoded(struct mp_writer *w, const struct buf *objects); /* whole ones, as they are */

/* ---- reading ---- */
/* The length of the whole object at the start of @p: 1 and *ret_n; 0: cut, more bytes are needed;
 * -EBADMSG: no msgpack, or deeper than MSGPACK_DEPTH_MAX; -EFBIG: over @max bytes. */
int mp_object_size(const uint8_t *p, size_t n, size_t max, size_t *ret_n);

struct mp_document {
	msgpack_unpacked unpacked; /* its object, and the memory behind it */
};
/* Exactly one object of @n bytes, which outlive the document. -EBADMSG, -ENOMEM. */
int mp_decode(const uint8_t *p, size_t n, struct mp_document *ret, struct err *e);
void mp_document_clear(struct mp_document *d);
static inline const msgpack_object *mp_root(const struct mp_document *d)
{
	return &d->unpacked.data;
}

/* The field @name of a struct (a map; or an array, in which it has the place @index). NULL where
 * it is missing or nil. -EBADMSG only for what is neither is told by mp_is_struct. */
bool mp_is_struct(const msgpack_object *o); /* or nil */
const msgpack_object *mp_field(const msgpack_object *o, const char *name, unsigned index);
/* For all of them @o may be NULL: zero value, 0. -EBADMSG: another kind, or out of range. */
int mp_get_raw(const msgpack_object *o, const uint8_t **ret, size_t *ret_n);
int mp_get_int(const msgpack_object *o, int64_t *ret); /* any width; floats without fraction */
int mp_get_uint(const msgpack_object *o, uint64_t *ret);
int mp_get_bool(const msgpack_object *o, bool *ret);
int mp_get_time(const msgpack_object *o, bool *ret_set, int64_t *ret_s, uint32_t *ret_ns);
int mp_get_cid(const msgpack_object *o, struct cid *ret);
int mp_get_peerid(const msgpack_object *o, struct peerid *ret);
int mp_get_multiaddr(const msgpack_object *o, struct multiaddr *ret);
int mp_get_array(const msgpack_object *o, const msgpack_object **ret, size_t *ret_n);
