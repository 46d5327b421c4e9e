/*
 * What the files of bitswap share: bitswap.c (peers, messages, time), bitswap_wants.c (asking) and
 * bitswap_ledger.c (giving). Private to net/bitswap*.c and their tests.
 */
#pragma once

#include "net/bitswap.h"
#include "net/bitswap_message.h"
#include "util/list.h"

#define WANT_WORDS (BITSWAP_WANTS_MAX / 64)
#define WANT_BUCKETS 1024
#define DEMAND_BUCKETS 4096

/* Some of our wants, by their slots. */
struct want_set {
	uint64_t words[WANT_WORDS];
};

struct bpeer {
	struct list item; /* of bitswap */
	struct peerid id;
	uint64_t moved_ms; /* when its last bytes came */
	bool unsaid;       /* there may be something to send to it */
	bool blocked;      /* `send` refused */
	uint64_t retry_ms; /* while blocked */

	/* What we want of it. */
	struct want_set told;  /* it knows of */
	struct want_set owed;  /* it is to be told of, or told again */
	struct want_set tried; /* it was asked for the block in this round */
	struct want_set has;   /* it says that it has the block */
	struct buf cancels;    /* entries that it is to be told */
	bool stale;            /* it may know of wants that are none: the next list is a full one */

	/* What it wants of us. */
	struct list due;     /* to be answered: by priority, greatest first */
	struct list waiting; /* for blocks that are not here, oldest first */
	size_t n_demands;
	size_t n_answered; /* the first of those due are in the message being written */
};

struct want {
	struct list bucket; /* by CID */
	unsigned slot;
	struct cid cid;
	struct peerid hint; /* len 0: none */
	int32_t priority;
	struct bpeer *asked; /* for the block; NULL: nobody now */
	uint64_t asked_ms;
	bool spread; /* the others were asked whether they have it */
	uint64_t due_ms;
};

struct bitswap {
	struct bitswap_config cfg;
	uint64_t now_ms; /* of the call */
	uint64_t due_ms; /* nothing is due before; UINT64_MAX: nothing is */
	bool unsaid;     /* there may be something to send to a peer that is not blocked */
	struct list peers;
	size_t n_peers;

	struct want *wants[BITSWAP_WANTS_MAX]; /* by slot */
	struct list want_buckets[WANT_BUCKETS];
	size_t n_wants;
	int32_t priority;    /* of the next want: counts down */
	struct bpeer *giver; /* of the last block */

	struct list demand_buckets[DEMAND_BUCKETS];
	size_t n_demands;
	struct bitswap_counts counts;
};

/* bitswap.c */
void bpeer_stir(struct bitswap *b, struct bpeer *p); /* something is to be sent to it */
void bitswap_due(struct bitswap *b, uint64_t ms);

/* bitswap_wants.c */
void wants_init(struct bitswap *b);
void wants_free(struct bitswap *b);
void wants_peer_up(struct bitswap *b, struct bpeer *p);
void wants_peer_down(struct bitswap *b, struct bpeer *p); /* it is in no list any more */
void wants_peer_lost(struct bitswap *b, struct bpeer *p);
/* The block came: false when it was not wanted. */
bool wants_block(struct bitswap *b, struct bpeer *p, const struct cid *cid);
void wants_presence(struct bitswap *b, struct bpeer *p, const struct cid *cid, bool have);
void wants_tick(struct bitswap *b);
/* The wantlist of the next message to @p; wants_said when it was sent. */
int wants_write(const struct bitswap *b, const struct bpeer *p, struct buf *wantlist);
void wants_said(struct bitswap *b, struct bpeer *p);

/* bitswap_ledger.c */
void ledger_init(struct bitswap *b);
void ledger_entry(struct bitswap *b, struct bpeer *p, const struct bitswap_entry *en);
void ledger_forget(struct bitswap *b, struct bpeer *p); /* all that it wants */
void ledger_have(struct bitswap *b, const struct cid *cid);
/* Appends answers to a message, as many as fit; ledger_said when it was sent. */
int ledger_write(struct bitswap *b, struct bpeer *p, struct buf *message);
void ledger_said(struct bitswap *b, struct bpeer *p);
