#include "net/gossip_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "types/hash.h"

static_assert(GOSSIP_IWANT_TIMES_MAX <= 3, "two bits count the requests of a peer");

static size_t size_of(size_t n)
{
	return sizeof(struct gossip_cached) + n;
}

static void drop(struct gossip_cache *c, struct gossip_cached *m)
{
	c->bytes -= size_of(m->n);
	c->n--;
	list_del(&m->item);
	list_del(&m->bucket);
	free(m);
}

static struct gossip_cached *oldest(struct gossip_cache *c)
{
	return container_of(c->all.next, struct gossip_cached, item);
}

static struct list *bucket_of(struct gossip_cache *c, const struct gossip_id *id)
{
	return &c->buckets[hash_short(id->bytes, sizeof(id->bytes)) & (GOSSIP_CACHE_BUCKETS - 1)];
}

void gossip_cache_init(struct gossip_cache *c)
{
	list_init(&c->all);
	for (size_t i = 0; i < GOSSIP_CACHE_BUCKETS; i++)
		list_init(&c->buckets[i]);
	c->heartbeat = 0;
	c->bytes = 0;
	c->n = 0;
}

void gossip_cache_deinit(struct gossip_cache *c)
{
	while (!list_empty(&c->all))
		drop(c, oldest(c));
}

void gossip_cache_add(struct gossip_cache *c, const struct gossip_id *id, unsigned topic,
		      const uint8_t *frame, size_t n)
{
	struct gossip_cached *m = malloc(size_of(n));

	if (!m)
		return;
	while (!list_empty(&c->all) && c->bytes + size_of(n) > GOSSIP_CACHE_BYTES_MAX)
		drop(c, oldest(c));
	m->id = *id;
	m->topic = topic;
	m->heartbeat = c->heartbeat;
	memset(m->asked, 0, sizeof(m->asked));
	m->n = n;
	memcpy(m->frame, frame, n);
	list_add_tail(&c->all, &m->item);
	list_add(bucket_of(c, id), &m->bucket);
	c->bytes += size_of(n);
	c->n++;
}

struct gossip_cached *gossip_cache_find(struct gossip_cache *c, const struct gossip_id *id)
{
	struct list *bucket = bucket_of(c, id), *it;

	list_each (it, bucket) {
		struct gossip_cached *m = container_of(it, struct gossip_cached, bucket);

		if (memcmp(&m->id, id, sizeof(*id)) == 0)
			return m;
	}
	return NULL;
}

bool gossip_cache_ask(struct gossip_cached *m, size_t slot)
{
	unsigned shift = slot % 4 * 2;
	unsigned times = m->asked[slot / 4] >> shift & 3;

	if (times == GOSSIP_IWANT_TIMES_MAX)
		return false;
	m->asked[slot / 4] = (uint8_t)(m->asked[slot / 4] + (1u << shift));
	return true;
}

void gossip_cache_forget(struct gossip_cache *c, size_t slot)
{
	struct list *it;

	list_each (it, &c->all) {
		struct gossip_cached *m = container_of(it, struct gossip_cached, item);

		m->asked[slot / 4] &= (uint8_t) ~(3u << slot % 4 * 2);
	}
}

void gossip_cache_ids(struct gossip_cache *c, unsigned topic, unsigned heartbeats, struct buf *out)
{
	for (struct list *it = c->all.prev; it != &c->all; it = it->prev) {
		struct gossip_cached *m = container_of(it, struct gossip_cached, item);

		if (c->heartbeat - m->heartbeat >= heartbeats)
			break;
		if (m->topic == topic && buf_append(out, &m->id, sizeof(m->id)) < 0)
			break;
	}
}

void gossip_cache_shift(struct gossip_cache *c, unsigned length)
{
	c->heartbeat++;
	while (!list_empty(&c->all) && c->heartbeat - oldest(c)->heartbeat >= length)
		drop(c, oldest(c));
}
