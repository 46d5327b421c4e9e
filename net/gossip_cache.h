/*
 * Messages of the last heartbeats, for peers that ask for them: as the frames they are sent in.
 * Bounded in bytes; the oldest go first. One thread at a time; needs hash_init.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/gossip_rpc.h"
#include "util/list.h"

#define GOSSIP_CACHE_BUCKETS 1024 /* a power of two */

struct gossip_cached {
	struct list item, bucket;
	struct gossip_id id;
	unsigned topic;
	uint64_t heartbeat; /* in which it came */
	/* How often each peer was given it, by the peer's slot: two bits. */
	uint8_t asked[GOSSIP_PEERS_MAX / 4];
	size_t n;
	uint8_t frame[];
};

struct gossip_cache {
	struct list all; /* the oldest first */
	struct list buckets[GOSSIP_CACHE_BUCKETS];
	uint64_t heartbeat;
	size_t bytes, n;
};

void gossip_cache_init(struct gossip_cache *c);
void gossip_cache_deinit(struct gossip_cache *c);
/* Takes a copy. What cannot be kept is left out. */
void gossip_cache_add(struct gossip_cache *c, const struct gossip_id *id, unsigned topic,
		      const uint8_t *frame, size_t n);
struct gossip_cached *gossip_cache_find(struct gossip_cache *c, const struct gossip_id *id);
/* Counts one more request of the peer in @slot; false: it has had it often enough. */
bool gossip_cache_ask(struct gossip_cached *m, size_t slot);
/* Another peer is in @slot now. */
void gossip_cache_forget(struct gossip_cache *c, size_t slot);
/* Appends the ids of @topic that came in the last @heartbeats, with the present one: newest first,
 * and as many as there is memory for. */
void gossip_cache_ids(struct gossip_cache *c, unsigned topic, unsigned heartbeats, struct buf *out);
/* A heartbeat: what came @length of them ago goes. */
void gossip_cache_shift(struct gossip_cache *c, unsigned length);
