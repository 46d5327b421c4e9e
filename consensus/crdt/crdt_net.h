/*
 * The engine among other peers: what it needs of the network, and what the network tells it. The
 * network is the daemon's (consensus/crdt/crdt_host.c) or a virtual one (tests/sim). Loop's thread.
 */
#pragma once

#include "consensus/consensus.h"
#include "consensus/crdt/crdt_config.h"

struct crdt_net {
	/* To every peer that listens to the topic. */
	int (*publish)(void *arg, const void *p, size_t n);
	/* Asks for a block until it comes (crdt_block) or is cancelled. @hint may be NULL.
	 * -EAGAIN: too many. */
	int (*want)(void *arg, const struct cid *cid, const struct peerid *hint);
	void (*cancel)(void *arg, const struct cid *cid);
	/* A block is ours now: whoever asked for it gets it. */
	void (*have)(void *arg, const struct cid *cid);
	void *arg;
};

/* Before anything else is called; @net lives as long as the engine. Goes on with what was still to
 * be fetched at the last stop. */
int crdt_attach(struct consensus *c, const struct crdt_net *net);

/* Other trusted peers are known, from the configuration or from earlier: what is imported is an
 * update by default, since their history would undo a replacement. Any thread. */
void crdt_note_others(struct consensus *c);

/* @self may be NULL. */
bool crdt_trusts(const struct crdt_config *cfg, const struct peerid *self,
		 const struct peerid *peer);

/* A message of the topic whose author is trusted; @from: the neighbour it came by. */
void crdt_heard(struct consensus *c, const struct peerid *author, const struct peerid *from,
		const uint8_t *p, size_t n);
/* A block that was wanted; its bytes match the CID. */
void crdt_block(struct consensus *c, const struct cid *cid, const struct peerid *from,
		const uint8_t *p, size_t n);
/* A peer that listens to the topic has come: our heads are published soon. */
void crdt_peer_up(struct consensus *c, const struct peerid *peer);
/* A block of ours, for serving it: 1 and its bytes appended (@out NULL: its size only), 0: not
 * here, -errno. */
int crdt_block_get(struct consensus *c, const struct cid *cid, struct buf *out, size_t *ret_size);

#define CRDT_HEADS_KEPT 8
#define CRDT_HEAD_BYTES 36 /* a CID of version 1, dag-pb, sha2-256 */

struct crdt_heads {                                  /* what a peer announced last */
	int64_t heard_s;                             /* Unix */
	size_t total;                                /* heads that it named */
	uint8_t v[CRDT_HEADS_KEPT][CRDT_HEAD_BYTES]; /* CIDs */
	size_t n;                                    /* of them, as many as are kept */
};
/* False: nothing was heard of it since the start. Any thread. */
bool crdt_heads_of(struct consensus *c, const struct peerid *peer, struct crdt_heads *ret);
/* Whether all that are kept of them are in our history: 1, 0, -errno. Any thread. */
int crdt_has_heads(struct consensus *c, const struct crdt_heads *heads);

struct crdt_sync {            /* for health and state/info.json; any thread, a moment ago */
	uint64_t wanted;      /* blocks known of and not here */
	uint64_t merged;      /* blocks of others since the start */
	uint64_t failed;      /* blocks refused: malformed, or not to be had */
	int64_t last_heard_s; /* Unix: the last valid broadcast of another; 0 never */
	int64_t last_merge_s;
	bool dirty; /* something is missing: the repair will ask again */
};
void crdt_sync_state(struct consensus *c, struct crdt_sync *ret);
