/*
 * Deltas and the blocks that carry them: one dag-pb node per change, linking to all heads of its
 * time, with the protobuf of a delta as data. Bytes in, bytes out; any thread.
 * Source: "Merkle-CRDT" in docs/formats.md; vectors/cluster-deltas.json.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"
#include "util/buf.h"
#include "util/err.h"

#define DELTA_BATCH_MAX (1u << 20) /* the reference cuts a batch whose delta passes this, bytes */
#define BLOCK_BYTES_MAX (2u << 20) /* larger blocks cannot travel by bitswap */
#define BLOCK_LINKS_MAX 16384

struct delta_entry {
	const char *key; /* "/" + base32 of a CID, or whatever a peer wrote; not terminated */
	size_t key_len;
	const char *id; /* of a tombstone: "/" + base32 of a block's multihash; NULL in elements */
	size_t id_len;
	const uint8_t *value; /* of an element: protobuf of the pin; NULL in tombstones */
	size_t value_len;
};

struct delta {
	struct delta_entry *elements;
	size_t n_elements;
	struct delta_entry *tombstones;
	size_t n_tombstones;
	uint64_t priority; /* the block's height */
};

/* Encoded bytes of one entry within a delta, tag and length included; their sum is what the
 * reference compares with DELTA_BATCH_MAX. */
size_t delta_entry_size(const struct delta_entry *en);

/* Appends the block: links in ascending order of their CID bytes (@links is sorted in place), then
 * the delta. -EFBIG over BLOCK_BYTES_MAX. */
int block_encode(const struct delta *d, struct cid *links, size_t n_links, struct buf *out);

/* CID of a block's bytes (v1, dag-pb, sha2-256). */
void block_cid(const uint8_t *p, size_t n, struct cid *ret);

struct block {
	struct delta delta; /* entries point into memory of this block, not into the input */
	struct cid *links;
	size_t n_links;
	size_t memory_bytes; /* that it takes */
	void *memory;        /* private */
};

/* -EBADMSG with a reason for every malformed node or delta (a key or id that is not UTF-8
 * included), -EFBIG over a limit. On 0 the caller owns @ret (block_clear). Memory is bounded by a
 * small multiple of @n. */
int block_decode(const uint8_t *p, size_t n, struct block *ret, struct err *e);
void block_clear(struct block *b);

/* The links alone, one by one, without memory. The same errors for a malformed node, after some of
 * its links perhaps; the delta is not looked at. */
typedef void (*block_link_fn)(void *arg, const struct cid *link);
int block_links(const uint8_t *p, size_t n, block_link_fn fn, void *arg, struct err *e);

/* The values that a block, which was decoded before, has for a key: in order, without memory. Stops
 * where @fn fails. */
typedef int (*block_value_fn)(void *arg, const uint8_t *value, size_t len);
int block_values(const uint8_t *p, size_t n, const char *key, size_t key_len, block_value_fn fn,
		 void *arg);

/* The id of a block's elements: "/" + upper-case base32 of its multihash. Appends to @out. */
int block_element_id(const struct cid *block, struct buf *out);
/* The key of a pin: "/" + upper-case base32 of the CID's bytes. Appends to @out. */
int delta_pin_key(const struct cid *pin, struct buf *out);
