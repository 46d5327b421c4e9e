/*
 * Gossipsub 1.1 and 1.2, a well-behaved member of a small cluster: which messages are new, valid
 * and for whom. A state machine without I/O: frames of peers come in, frames for peers go out
 * through `send`, the time is passed in. Messages are signed, and verified before anything else is
 * done with them. One thread at a time.
 * Source: libp2p specs, pubsub; go-libp2p-pubsub 0.16 as ipfs-cluster 1.1.6 configures it;
 * "Gossip" in docs/network.md, vectors/gossipsub.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/identity.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define GOSSIP_RPC_MAX (1u << 20)    /* bytes of one frame */
#define GOSSIP_RPC_MEMORY (8u << 20) /* for decoding one */
#define GOSSIP_PEERS_MAX 512
#define GOSSIP_TOPICS_MAX 16         /* of ours */
#define GOSSIP_SUBSCRIPTIONS_MAX 100 /* of one peer to topics not ours; more are ignored */
#define GOSSIP_TOPIC_TEXT_MAX 256
#define GOSSIP_FROM_MIN 38 /* a shorter author kills reference peers: never passed on */
#define GOSSIP_SEQNO_BYTES 8
#define GOSSIP_ID_BYTES 24 /* first 16 of the author, seqno */
#define GOSSIP_SEEN_MS (30 * 60 * 1000)
#define GOSSIP_SEEN_MAX 200000     /* ids remembered; the oldest go first */
#define GOSSIP_IHAVE_IDS_MAX 10000 /* of one peer between two heartbeats */
#define GOSSIP_IHAVE_RPCS_MAX 10
#define GOSSIP_IWANT_TIMES_MAX 3 /* per id and peer */
#define GOSSIP_CACHE_BYTES_MAX (16u << 20)
#define GOSSIP_BAD_SIGNATURES_MAX 128  /* of one peer between two heartbeats, then unread */
#define GOSSIP_IDONTWANT_AT 1024       /* bytes of data from which it is said */
#define GOSSIP_IDONTWANT_IDS_MAX 10    /* of one RPC */
#define GOSSIP_IDONTWANT_RPCS_MAX 1000 /* of one peer between two heartbeats */
#define GOSSIP_IDONTWANT_HEARTBEATS 3  /* for so long it holds */
#define GOSSIP_IDONTWANT_SAID_MAX 4    /* to a peer that needs our IHAVE, between two heartbeats */
#define GOSSIP_UNWANTED_MAX 256        /* ids remembered of one peer; the oldest go first */
#define GOSSIP_FIRST_HEARTBEAT_MS 100
#define GOSSIP_PRUNE_BACKOFF_MS 60000
#define GOSSIP_BACKOFF_MAX_MS (60 * 60 * 1000) /* a peer may ask for no more */
#define GOSSIP_BACKOFF_SLACK_MS 2000           /* added before we GRAFT again ourselves */

struct gossip;

enum gossip_version {
	GOSSIP_FLOOD,
	GOSSIP_1_0,
	GOSSIP_1_1,
	GOSSIP_1_2
};

enum gossip_verdict {
	GOSSIP_ACCEPT, /* deliver, and pass on */
	GOSSIP_REJECT, /* neither */
};

struct gossip_config {
	const struct identity *self; /* signs; lives as long */
	uint64_t seqno;              /* above any that was ever used by this peer */
	uint64_t heartbeat_ms;
	/* Peers in the mesh of a topic: D 6 x this, at least Dlo 5 x, less than Dhi 12 x, of them
	 * dialled by us Dout 2 x; told ids at a heartbeat Dlazy 6 x. 4: 24, 20, 48, 8, 24. */
	unsigned d_factor;
	unsigned history_length, history_gossip;
	bool flood_publish;
	/* Queues a frame (without its length) for a peer. False: its queue is full, dropped. */
	bool (*send)(void *arg, const struct peerid *to, const uint8_t *frame, size_t n);
	void *arg;
};

struct gossip_topic {
	const char *name; /* copied */
	/* NULL: everybody's. @author has signed it. */
	enum gossip_verdict (*validate)(void *arg, const struct peerid *author, const uint8_t *p,
					size_t n);
	/* New and valid; our own are not delivered. @from: the neighbour it came by. */
	void (*message)(void *arg, const struct peerid *author, const struct peerid *from,
			const uint8_t *p, size_t n);
	void *arg;
};

struct gossip_counts {
	uint64_t delivered, published;
	uint64_t duplicates;
	uint64_t rejected;      /* of no topic of ours, of ourselves, or refused by the topic */
	uint64_t bad_signature; /* not signed, or not by the author */
	uint64_t malformed;     /* frames, and messages without what makes an id */
	uint64_t dropped;       /* ours for a peer whose queue is full; a peer's that is too much */
};

/* -EINVAL: a number of the configuration is out of range. -ENOMEM. */
int gossip_new(const struct gossip_config *cfg, uint64_t now_ms, struct gossip **ret);
void gossip_free(struct gossip *g);
/* -EEXIST, -ENOSPC, -EINVAL (no name, or a long one). */
int gossip_subscribe(struct gossip *g, const struct gossip_topic *t);
/* Whoever listens to it ends: its messages are neither delivered nor passed on any more. Peers are
 * not told, since that is done when we stop. */
void gossip_leave(struct gossip *g, const char *topic);
/* Signs and sends to the mesh. -EFBIG, -ENOENT (not subscribed), -ENOMEM. *ret_reached (may be
 * NULL): how many peers it was queued for. The functions of a topic may call it. */
int gossip_publish(struct gossip *g, const char *topic, const void *p, size_t n, uint64_t now_ms,
		   size_t *ret_reached);

/* Our stream to the peer is open, and empty: says hello (subscriptions, then GRAFT). A second call
 * begins anew. @outbound: we dialled it. -ENOSPC: too many peers, -ENOMEM, -EAGAIN: the hello was
 * not taken; the peer is not up then. */
int gossip_peer_up(struct gossip *g, const struct peerid *peer, enum gossip_version v,
		   bool outbound, uint64_t now_ms);
/* Our stream to it is gone: nothing is sent to it, and it is in no mesh. */
void gossip_peer_down(struct gossip *g, const struct peerid *peer);
/* Its stream to us is gone: it will say anew what it is subscribed to. */
void gossip_peer_silent(struct gossip *g, const struct peerid *peer);
/* One frame of a peer's stream to us, which may be there before ours. -EBADMSG: malformed, reset
 * that stream. -ENOMEM: dropped. */
int gossip_feed(struct gossip *g, const struct peerid *from, const uint8_t *frame, size_t n,
		uint64_t now_ms, struct err *e);
uint64_t gossip_deadline(const struct gossip *g);    /* ms: the next heartbeat */
void gossip_tick(struct gossip *g, uint64_t now_ms); /* nothing before that */

/* ---- what health shows ---- */
/* 0 for a topic that is not ours. */
size_t gossip_mesh(const struct gossip *g, const char *topic);        /* peers in it */
size_t gossip_subscribers(const struct gossip *g, const char *topic); /* known ones */
void gossip_counts(const struct gossip *g, struct gossip_counts *ret);
uint64_t gossip_seqno(const struct gossip *g); /* the last one used, to be kept over a restart */
