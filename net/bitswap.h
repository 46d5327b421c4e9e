/*
 * Bitswap 1.2: blocks by CID, asked of and given to connected peers. A state machine without I/O:
 * messages of peers come in, messages for peers go out through `send`, the time is passed in. It
 * knows nothing of what blocks hold. One thread at a time.
 *
 * Nothing is sent from within a call that asks for something: what is to be said is collected, the
 * deadline is 0 ("at once") while there is some, and it goes out in bitswap_tick, at the end of
 * bitswap_feed and in bitswap_writable, as much as possible in one message to each peer.
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
#define BITSWAP_DEMANDS_MAX 65536   /* wants of all peers together */
#define BITSWAP_WANTS_MAX 4096      /* of ours at a time; more: -EAGAIN */
#define BITSWAP_INLINE_MAX 1024     /* a want-have of a smaller block is answered with it */
#define BITSWAP_REPLY_TARGET 16384  /* bytes of answers in a message; a larger block goes alone */
#define BITSWAP_CANCELS_MAX 65536   /* bytes of them that wait for a peer; then it is told anew */
#define BITSWAP_ASK_MS 5000         /* without a byte from who was asked: the others are asked */
#define BITSWAP_ASK_MAX_MS 60000    /* and after this in any case */
#define BITSWAP_AGAIN_MS 30000      /* all were asked: from the beginning after this */
#define BITSWAP_RETRY_MS 1000       /* after `send` refused, if nobody calls bitswap_writable */

struct bitswap;

struct bitswap_config {
	/* Blocks of ours. 1 and the bytes appended to @out (NULL: only whether it is here), its
	 * size in *ret_size; 0: not here; -errno counts as not here. Must not block for long. */
	int (*get)(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size);
	/* A block that was wanted, and is no more; its bytes match @cid. May call everything here
	 * but bitswap_feed and bitswap_free. */
	void (*block)(void *arg, const struct cid *cid, const struct peerid *from, const uint8_t *p,
		      size_t n);
	/* Queues one message (without its length) for a peer. False: it cannot be queued now, and
	 * is written anew when bitswap_writable says so. Calls nothing here. */
	bool (*send)(void *arg, const struct peerid *to, const uint8_t *message, size_t n);
	void *arg;      /* of get and block */
	void *send_arg; /* of send */
};

struct bitswap_counts {
	uint64_t wanted;    /* blocks that we asked for */
	uint64_t received;  /* of those */
	uint64_t unwanted;  /* blocks that came and were not wanted, or not any more */
	uint64_t malformed; /* messages */
	uint64_t served, served_bytes;
};

int bitswap_new(const struct bitswap_config *cfg, struct bitswap **ret);
void bitswap_free(struct bitswap *b); /* sends nothing */

/* A peer that speaks it is there: it is asked for what nobody else is being asked for. Harmless
 * when it is known. -ENOSPC: too many. */
int bitswap_peer_up(struct bitswap *b, const struct peerid *peer, uint64_t now_ms);
void bitswap_peer_down(struct bitswap *b, const struct peerid *peer, uint64_t now_ms);
/* -EBADMSG: malformed (an entry without CID, a bad prefix), nothing of it counts, reset that
 * stream. Messages of peers that are not up are passed over. */
int bitswap_feed(struct bitswap *b, const struct peerid *from, const uint8_t *message, size_t n,
		 uint64_t now_ms, struct err *e);
/* Part of a message of this peer has come: who is asked is given time while it sends. */
void bitswap_progress(struct bitswap *b, const struct peerid *from, uint64_t now_ms);
/* The queue to a peer has room again. */
void bitswap_writable(struct bitswap *b, const struct peerid *peer, uint64_t now_ms);
/* What was sent to a peer may not have reached it: it is told again what we want. */
void bitswap_lost(struct bitswap *b, const struct peerid *peer, uint64_t now_ms);

/* Asks until the block comes or the want is cancelled: first @hint (may be NULL), then the others.
 * Wanting twice is wanting once. -EAGAIN: too many wants; -EINVAL: no CID by sha2-256. */
int bitswap_want(struct bitswap *b, const struct cid *cid, const struct peerid *hint,
		 uint64_t now_ms);
void bitswap_cancel(struct bitswap *b, const struct cid *cid);
/* A block is ours now: whoever waits for it gets it. */
void bitswap_have(struct bitswap *b, const struct cid *cid, uint64_t now_ms);
size_t bitswap_wants(const struct bitswap *b);

uint64_t bitswap_deadline(const struct bitswap *b); /* ms; 0: at once; UINT64_MAX: none */
void bitswap_tick(struct bitswap *b, uint64_t now_ms);
void bitswap_counts(const struct bitswap *b, struct bitswap_counts *ret);
