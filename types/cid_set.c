#include "types/cid_set.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CAP_FIRST 64
#define TAG_BITS 2

void cid_set_init(struct cid_set *s)
{
	*s = (struct cid_set){ 0 };
	randombytes_buf(s->key, sizeof(s->key));
}

void cid_set_deinit(struct cid_set *s)
{
	free(s->slots);
	s->slots = NULL;
	s->n = s->cap = 0;
}

/* The slot with this hash, or the free one for it. */
static uint64_t *slot_of(uint64_t *slots, size_t cap, uint64_t hash)
{
	for (size_t i = hash & (cap - 1);; i = (i + 1) & (cap - 1))
		if (slots[i] == 0 || slots[i] >> TAG_BITS == hash)
			return &slots[i];
}

static int grow(struct cid_set *s)
{
	size_t cap = s->cap ? 2 * s->cap : CAP_FIRST;
	uint64_t *slots;

	if (s->n < s->cap / 2)
		return 0;
	slots = calloc(cap, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i])
			*slot_of(slots, cap, s->slots[i] >> TAG_BITS) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->cap = cap;
	return 0;
}

static uint64_t hash_of(const struct cid_set *s, const struct cid *cid)
{
	uint8_t bytes[crypto_shorthash_BYTES];
	uint64_t hash;

	crypto_shorthash(bytes, cid->bytes, cid->len, s->key);
	memcpy(&hash, bytes, sizeof(hash));
	return hash >> TAG_BITS;
}

static unsigned tag_of(uint64_t slot)
{
	return slot & ((1U << TAG_BITS) - 1);
}

unsigned cid_set_has(const struct cid_set *s, const struct cid *cid)
{
	return s->cap ? tag_of(*slot_of(s->slots, s->cap, hash_of(s, cid))) : 0;
}

int cid_set_add(struct cid_set *s, const struct cid *cid, unsigned tag)
{
	uint64_t hash, *slot;

	if (grow(s) < 0)
		return -ENOMEM;
	hash = hash_of(s, cid);
	slot = slot_of(s->slots, s->cap, hash);
	if (*slot)
		return (int)tag_of(*slot);
	*slot = hash << TAG_BITS | tag;
	s->n++;
	return 0;
}
