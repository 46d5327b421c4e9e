/*
 * The messages of bitswap 1.2: written field by field, read entry by entry without building a tree,
 * so that a message costs its own bytes and no more. Pure.
 * Source: libp2p specs, bitswap; vectors/bitswap.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"
#include "util/buf.h"
#include "util/err.h"

#define BITSWAP_DIGEST 32         /* bytes: sha2-256 is the only hash that blocks are taken under */
#define BITSWAP_BLOCK_HEAD_MAX 64 /* of a block in a message, before its bytes */

struct bitswap_entry { /* of a wantlist */
	struct cid cid;
	int32_t priority;
	bool cancel, want_have, send_dont_have;
};

/* ---- writing ---- */

/* Appends to a wantlist that is being collected. */
int bitswap_put_entry(struct buf *wantlist, const struct bitswap_entry *en);
/* A message: this wantlist (may be empty), then answers appended by the functions below. */
int bitswap_put_wantlist(struct buf *message, const struct buf *wantlist, bool full);
/* A block but for its @n bytes, which the caller appends. -EINVAL: not under a hash. */
int bitswap_put_block_head(struct buf *message, const struct cid *cid, size_t n);
int bitswap_put_presence(struct buf *message, const struct cid *cid, bool have);

/* ---- reading ---- */

struct bitswap_visitor {         /* each may be NULL; in the order of the message */
	void (*full)(void *arg); /* the wantlist replaces the former one; before its entries */
	void (*entry)(void *arg, const struct bitswap_entry *en);
	void (*block)(void *arg, const struct cid *cid, const uint8_t *p, size_t n);
	void (*presence)(void *arg, const struct cid *cid, bool have);
	void *arg;
};

/* Looks at all of it first: nothing is visited of a message that is malformed (-EBADMSG: not
 * protobuf, an entry without CID, a prefix that is none). CIDs over BITSWAP_CID_MAX and identity
 * CIDs are passed over, as are blocks under a hash that we do not have. */
int bitswap_read(const uint8_t *p, size_t n, const struct bitswap_visitor *v, struct err *e);
