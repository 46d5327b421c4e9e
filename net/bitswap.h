/*
 * Bitswap 1.2: blocks by CID, asked of and given to connected peers. A state machine without I/O:
 * messages of peers come in, messages for peers go out through `send`, the time is passed in. It
 * knows nothing of what blocks hold. One thread at a time.
 * Source: libp2p specs, bitswap; boxo 0.39 as ipfs-cluster 1.1.6 runs it; "Bitswap" in
 * docs/network.md, vectors/bitswap.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define BITSWAP_MESSAGE_MAX (4u << 20) /* bytes of one frame */
#define BITSWAP_BLOCK_MAX (2u << 20)
#define BITSWAP_CID_MAX 168
#define BITSWAP_PEERS_MAX 512
#define BITSWAP_PEER_WANTS_MAX 1024 /* of one peer, kept until the block comes or it cancels */
#define BITSWAP_WANTS_MAX 4096      /* of ours at a time; more: -EAGAIN */
#define BITSWAP_INLINE_MAX 1024     /* a want-have of a smaller block is answered with it */
#define BITSWAP_REPLY_TARGET 16384  /* bytes of blocks in one answer; a larger one goes alone */
#define BITSWAP_ASK_MS 5000         /* one peer's time to answer before the next is asked */
#define BITSWAP_AGAIN_MS 30000      /* then all are asked again */

struct bitswap;

struct bitswap_config {
	/* Blocks of ours. 1 and the bytes appended to @out (NULL: only whether it is here, with
	 * its size in *ret_size), 0: not here, -errno. Must not block for long. */
	int (*get)(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size);
	/* A block that was wanted; its bytes match @cid. */
	void (*block)(void *arg, const struct cid *cid, const struct peerid *from, const uint8_t *p,
		      size_t n);
	/* Queues one message (without its length) for a peer. False: its queue is full; asked
	 * again later, or (answers) when bitswap_writable says so. */
	bool (*send)(void *arg, const struct peerid *to, const uint8_t *message, size_t n);
	void *arg;      /* of get and block */
	void *send_arg; /* of send */
};

struct bitswap_counts {
	uint64_t wanted, received, duplicates, bad_blocks, unwanted, served, served_bytes;
};

int bitswap_new(const struct bitswap_config *cfg, struct bitswap **ret);
void bitswap_free(struct bitswap *b);

/* A peer that speaks it is there. It is asked for all that is wanted. */
int bitswap_peer_up(struct bitswap *b, const struct peerid *peer, uint64_t now_ms);
void bitswap_peer_down(struct bitswap *b, const struct peerid *peer, uint64_t now_ms);
/* -EBADMSG: malformed (an entry without CID, a bad prefix), reset that stream. */
int bitswap_feed(struct bitswap *b, const struct peerid *from, const uint8_t *message, size_t n,
		 uint64_t now_ms, struct err *e);
/* The queue to a peer has room again. */
void bitswap_writable(struct bitswap *b, const struct peerid *peer, uint64_t now_ms);

/* Asks until the block comes or the want is cancelled: first @hint (may be NULL), then the others.
 * Wanting twice is wanting once. -EAGAIN: too many wants. */
int bitswap_want(struct bitswap *b, const struct cid *cid, const struct peerid *hint,
		 uint64_t now_ms);
void bitswap_cancel(struct bitswap *b, const struct cid *cid);
/* A block is ours now: whoever waits for it gets it. */
void bitswap_have(struct bitswap *b, const struct cid *cid, uint64_t now_ms);
size_t bitswap_wants(const struct bitswap *b);

uint64_t bitswap_deadline(const struct bitswap *b); /* UINT64_MAX: none */
void bitswap_tick(struct bitswap *b, uint64_t now_ms);
void bitswap_counts(const struct bitswap *b, struct bitswap_counts *ret);
