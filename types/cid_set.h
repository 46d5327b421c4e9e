/*
 * Which CIDs were there already, each with a tag: eight bytes and a half per CID, whatever its
 * length. Kept as keyed hashes of 62 bits, so two CIDs that differ are never taken for one in
 * practice, and nobody can choose some that are.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"

struct cid_set {
	uint64_t *slots; /* hash << 2 | tag; 0: free. Open addressing */
	size_t n, cap;   /* cap: a power of two */
	uint8_t key[16];
};

void cid_set_init(struct cid_set *s);
void cid_set_deinit(struct cid_set *s);
/* @tag is 1, 2 or 3. Returns 0 when the CID is new, the tag it has otherwise, -ENOMEM. */
int cid_set_add(struct cid_set *s, const struct cid *cid, unsigned tag);
/* Its tag, or 0. */
unsigned cid_set_has(const struct cid_set *s, const struct cid *cid);
