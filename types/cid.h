/*
 * Content identifiers. A CID is kept in its binary form: v0 = the 34 bytes of a sha2-256
 * multihash, v1 = version, codec, multihash. Pure functions, fixed storage, any thread.
 * Source: multiformats/cid; vectors/cid.json holds what the reference accepts and refuses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

#define CID_BYTES_MAX 1024 /* longer ones (huge identity digests) are refused */
#define CID_TEXT_MAX (1 + (CID_BYTES_MAX * 8 + 4) / 5) /* canonical text, without terminator */

#define MULTIHASH_IDENTITY 0x00
#define MULTIHASH_SHA2_256 0x12
#define MULTIHASH_MD5 0xd5
#define CODEC_RAW 0x55
#define CODEC_DAG_PB 0x70
#define CODEC_LIBP2P_KEY 0x72

struct cid {
	uint16_t len; /* 0: no CID */
	uint8_t bytes[CID_BYTES_MAX];
};

static inline bool cid_defined(const struct cid *c)
{
	return c->len > 0;
}

/* Only the used bytes count: the rest of the storage may be uninitialised. */
bool cid_equal(const struct cid *a, const struct cid *b);
void cid_copy(struct cid *dst, const struct cid *src);

/* Binary form, all of the @n bytes. -EBADMSG. */
int cid_from_bytes(const uint8_t *p, size_t n, struct cid *ret, struct err *e);
/* The CID at the start of @p; returns its length. For streams in which a CID has no length. */
int cid_prefix_len(const uint8_t *p, size_t n, struct err *e);
/* Any text form (base58 v0, any multibase v1). No /ipfs/ prefix. -EINVAL. */
int cid_parse(const char *s, size_t n, struct cid *ret, struct err *e);

/* Canonical text: base58 for v0, base32 lower case for v1. Writes at most CID_TEXT_MAX bytes and a
 * terminating zero; returns the length. */
size_t cid_format(const struct cid *c, char out[CID_TEXT_MAX + 1]);

unsigned cid_version(const struct cid *c);
uint64_t cid_codec(const struct cid *c);
/* The multihash inside, not copied. */
const uint8_t *cid_multihash(const struct cid *c, size_t *ret_len);

/* CIDv1 of @data with @codec and sha2-256. Needs hash_init. */
void cid_of_block(uint64_t codec, const void *data, size_t n, struct cid *ret);
