#include "net/gossip_seen.h"

#include <errno.h>
#include <stdlib.h>

#include "types/hash.h"

#define CAP_MIN 1024
#define SEEN_S (GOSSIP_SEEN_MS / 1000)

struct gossip_seen_entry {
	uint64_t key;
	uint32_t at_s;
	uint32_t next; /* in its bucket, index + 1 */
};

static int allocate(struct gossip_seen *s, size_t cap)
{
	s->ring = malloc(cap * sizeof(*s->ring));
	s->buckets = calloc(cap, sizeof(*s->buckets));
	s->cap = cap;
	s->oldest = 0;
	s->n = 0;
	if (s->ring && s->buckets)
		return 0;
	gossip_seen_deinit(s);
	return -ENOMEM;
}

int gossip_seen_init(struct gossip_seen *s)
{
	return allocate(s, CAP_MIN);
}

void gossip_seen_deinit(struct gossip_seen *s)
{
	free(s->ring);
	free(s->buckets);
	s->ring = NULL;
	s->buckets = NULL;
}

static uint32_t *bucket_of(const struct gossip_seen *s, uint64_t key)
{
	return &s->buckets[key & (s->cap - 1)];
}

static void append(struct gossip_seen *s, uint64_t key, uint32_t at_s)
{
	size_t i = (s->oldest + s->n++) & (s->cap - 1);
	uint32_t *bucket = bucket_of(s, key);

	s->ring[i] = (struct gossip_seen_entry){ key, at_s, *bucket };
	*bucket = (uint32_t)i + 1;
}

static void drop_oldest(struct gossip_seen *s)
{
	uint32_t *link = bucket_of(s, s->ring[s->oldest].key);

	while (*link != s->oldest + 1)
		link = &s->ring[*link - 1].next;
	*link = s->ring[s->oldest].next;
	s->oldest = (s->oldest + 1) & (s->cap - 1);
	s->n--;
}

static void expire(struct gossip_seen *s, uint32_t now_s)
{
	while (s->n > 0 && now_s - s->ring[s->oldest].at_s >= SEEN_S)
		drop_oldest(s);
}

/* Twice as much room, where there is memory. */
static void grow(struct gossip_seen *s)
{
	struct gossip_seen more;

	if (allocate(&more, 2 * s->cap) < 0)
		return;
	for (size_t i = 0; i < s->n; i++) {
		const struct gossip_seen_entry *old = &s->ring[(s->oldest + i) & (s->cap - 1)];

		append(&more, old->key, old->at_s);
	}
	gossip_seen_deinit(s);
	*s = more;
}

bool gossip_seen_has(struct gossip_seen *s, const struct gossip_id *id, uint64_t now_ms)
{
	uint64_t key = hash_short(id->bytes, sizeof(id->bytes));
	uint32_t i;

	expire(s, (uint32_t)(now_ms / 1000));
	for (i = *bucket_of(s, key); i > 0; i = s->ring[i - 1].next)
		if (s->ring[i - 1].key == key)
			return true;
	return false;
}

void gossip_seen_add(struct gossip_seen *s, const struct gossip_id *id, uint64_t now_ms)
{
	if (s->n == s->cap && s->cap < GOSSIP_SEEN_MAX)
		grow(s);
	if (s->n == s->cap || s->n == GOSSIP_SEEN_MAX)
		drop_oldest(s);
	append(s, hash_short(id->bytes, sizeof(id->bytes)), (uint32_t)(now_ms / 1000));
}
