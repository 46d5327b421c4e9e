/*
 * Structs as the reference writes them: maps in which unset fields are left out. A function names
 * the fields in order and is called twice, since their number stands before them: first they are
 * counted, then written. Pure; any thread.
 *
 * As with Go's slices and strings, what is NULL is left out, and what is there but empty is written
 * as empty.
 */
#pragma once

#include "types/msgpack_wire.h"
#include "types/pin.h"

struct mp_fields {
	struct mp_writer *w;
	bool counting;
	size_t n;
};

typedef void (*mp_fields_fn)(struct mp_fields *f, const void *value);

void mp_struct(struct mp_writer *w, mp_fields_fn fields, const void *value);
/* A buffer with that struct appended; on an error it is as it was. */
int mp_struct_append(struct buf *out, mp_fields_fn fields, const void *value);

/* Whether the caller writes the value of @key now, which is a field where it is @present. */
bool mp_put(struct mp_fields *f, const char *key, bool present);
void mp_put_raw(struct mp_fields *f, const char *key, const void *p, size_t n);
void mp_put_text(struct mp_fields *f, const char *key, const struct pin_text *text);
void mp_put_int(struct mp_fields *f, const char *key, int64_t v);
void mp_put_uint(struct mp_fields *f, const char *key, uint64_t v);
void mp_put_bool(struct mp_fields *f, const char *key, bool v);
void mp_put_cid(struct mp_fields *f, const char *key, const struct cid *c);
void mp_put_peerid(struct mp_fields *f, const char *key, const struct peerid *p);
void mp_put_peerids(struct mp_fields *f, const char *key, const struct peerid *v, size_t n);
void mp_put_multiaddrs(struct mp_fields *f, const char *key, const struct multiaddr *v, size_t n);
void mp_put_map(struct mp_fields *f, const char *key, const struct pin_meta *v, size_t n);
