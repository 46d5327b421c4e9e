/* What the two halves of bitswap share: asking (bitswap.c) and giving (bitswap_serve.c). Private.
 */
#pragma once

#include "net/bitswap.h"
#include "net/bitswap_message.h"
#include "util/list.h"

/* What a peer wants of us. */
struct demand {
	struct list item; /* of the peer, by priority, greatest first */
	int32_t priority;
	bool want_have, send_dont_have;
	bool ready; /* the block is here: to be answered */
	uint16_t len;
	uint8_t cid[];
};

struct bpeer {
	struct list item;
	struct peerid id;
	unsigned slot;
	struct buf wantlist; /* entries for it that are not sent yet */
	struct list demands;
	size_t n_demands, n_ready;
	struct buf presences; /* answers without a block, not sent yet */
	bool blocked;         /* its queue was full, or its stream is gone */
	uint64_t retry_at;    /* ms; when nobody says that it is writable */
};

struct bitswap {
	struct bitswap_config cfg;
	struct list peers;
	size_t n_peers;
	uint8_t slots[BITSWAP_PEERS_MAX / 8];
	unsigned first;  /* who is asked first, in turns */
	uint64_t now_ms; /* of the call */
	struct list wants;
	size_t n_wants, n_demands;
	struct bitswap_counts counts;
};

struct bpeer *bpeer_find(const struct bitswap *b, const struct peerid *id);

/* Sends what is collected for the peer, then the blocks it waits for, as far as its queue goes. */
void serve_flush(struct bitswap *b, struct bpeer *p);
void serve_demand(struct bitswap *b, struct bpeer *p, const struct bitswap_entry *en);
void serve_forget_all(struct bitswap *b, struct bpeer *p);
void serve_have(struct bitswap *b, const struct cid *cid);
