/*
 * What the decoders of RPC types share: parts of a msgpack object as values whose memory is an
 * arena's. What is missing or nil gives NULL and 0, what is empty gives another pointer and 0; see
 * types/msgpack_fields.h. -EBADMSG: of another kind; -EFBIG, -ENOMEM. Private to types. Pure.
 */
#pragma once

#include "types/msgpack_wire.h"
#include "types/pin.h"
#include "types/rpc_types.h"
#include "util/bump.h"

/* An array of at most RPC_LIST_MAX entries, and room for as many of @size bytes, zeroed. */
int rpc_get_list(const msgpack_object *o, struct bump *b, size_t size, const msgpack_object **ret,
		 size_t *ret_n, void **ret_room);
/* Bytes that are no UTF-8 become U+FFFD. */
int rpc_get_text(const msgpack_object *o, struct bump *b, struct pin_text *ret);
int rpc_get_peerids(const msgpack_object *o, struct bump *b, const struct peerid **ret,
		    size_t *ret_n);
/* Addresses of kinds that are not known here are left out. */
int rpc_get_multiaddrs(const msgpack_object *o, struct bump *b, const struct multiaddr **ret,
		       size_t *ret_n);
int rpc_get_map(const msgpack_object *o, struct bump *b, const struct pin_meta **ret,
		size_t *ret_n);
int rpc_get_time(const msgpack_object *o, struct rpc_time *ret);

/* A document whose root is a struct. */
int rpc_open(const uint8_t *p, size_t n, const char *what, struct mp_document *ret, struct err *e);
/* Ends the reading of it: clears @d and says what @r means. Returns @r. */
int rpc_end(struct mp_document *d, int r, const char *what, struct err *e);
