/*
 * Which messages were seen in the last half hour: a ring of ids in the order they came, 20 bytes
 * each. Ids are kept as keyed hashes, so two that differ are never taken for one in practice, and
 * nobody can choose some that are. One thread at a time; needs hash_init.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/gossip_rpc.h"

struct gossip_seen_entry;
struct gossip_seen {
	struct gossip_seen_entry *ring;
	uint32_t *buckets; /* the newest entry of each, its index + 1 */
	size_t cap;        /* of both; a power of two */
	size_t oldest, n;
};

int gossip_seen_init(struct gossip_seen *s);
void gossip_seen_deinit(struct gossip_seen *s);
bool gossip_seen_has(struct gossip_seen *s, const struct gossip_id *id, uint64_t now_ms);
/* Of one that it has not. Where there is no memory for more, the oldest goes. */
void gossip_seen_add(struct gossip_seen *s, const struct gossip_id *id, uint64_t now_ms);
