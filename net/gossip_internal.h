/*
 * What the parts of gossip share: gossip.c has topics and messages, gossip_peer.c the peers,
 * gossip_control.c what peers ask of each other, gossip_mesh.c the heartbeat. For them only.
 */
#pragma once

#include "net/gossip.h"
#include "net/gossip_cache.h"
#include "net/gossip_rpc.h"
#include "net/gossip_seen.h"

#define GOSSIP_ALL_TOPICS ((1u << GOSSIP_TOPICS_MAX) - 1)

struct gossip_unwanted {
	struct gossip_id id;
	uint64_t heartbeat; /* in which the peer said so */
};

/* A set of our topics is a word: bit 0 is the first one. */
struct gossip_peer {
	struct peerid id;
	bool used;                   /* this slot holds a peer */
	bool up;                     /* our stream to it is open */
	bool heard;                  /* its stream to us is open */
	bool told;                   /* it has said what it is subscribed to */
	bool outbound;               /* we dialled it */
	bool hello_due;              /* of our subscriptions it was not told all */
	enum gossip_version version; /* while up */
	uint32_t subscribed, mesh;
	uint64_t backoff_ms[GOSSIP_TOPICS_MAX]; /* until then neither side is to GRAFT */
	uint64_t *others; /* what else it is subscribed to: hashes of the topics */
	size_t n_others;
	struct gossip_unwanted *unwanted; /* a ring of GOSSIP_UNWANTED_MAX; NULL: none yet */
	size_t n_unwanted;                /* ever put in */
	/* Since the last heartbeat. */
	unsigned ihave_rpcs, idontwant_rpcs, bad_signatures, asked;
	unsigned idontwant_said; /* by us */
};

struct gossip {
	struct gossip_config cfg;
	unsigned d, d_low, d_high, d_out, d_lazy;
	struct gossip_topic topics[GOSSIP_TOPICS_MAX];
	char *names[GOSSIP_TOPICS_MAX]; /* theirs */
	unsigned n_topics;
	struct gossip_peer peers[GOSSIP_PEERS_MAX];
	struct gossip_seen seen;
	struct gossip_cache cache; /* its heartbeat is everybody's */
	struct gossip_counts counts;
	uint64_t seqno; /* of the next message */
	uint64_t deadline;
};

/* One frame of a peer while it is read, and what it is to be answered. */
struct gossip_turn {
	struct gossip *g;
	struct gossip_peer *peer;
	uint64_t now_ms;
	bool subscribed, ihave, idontwant; /* it bore some */
	unsigned n_idontwant;
	uint32_t graft, prune;    /* topics */
	struct buf iwant, answer; /* ids, frames of messages */
};

/* ---- gossip.c ---- */
struct gossip_bytes gossip_topic_name(const struct gossip *g, unsigned topic);
/* -1: not ours. */
int gossip_topic_find(const struct gossip *g, struct gossip_bytes name);
/* Counts what the peer's queue does not take. */
bool gossip_send(struct gossip *g, const struct gossip_peer *p, const struct buf *frame);

/* ---- gossip_peer.c ---- */
struct gossip_peer *gossip_peer_find(struct gossip *g, const struct peerid *id);
/* Takes a slot for it where it is new. NULL: too many. */
struct gossip_peer *gossip_peer_get(struct gossip *g, const struct peerid *id);
/* Whether it is too early for a GRAFT of ours. */
bool gossip_peer_backs_off(const struct gossip_peer *p, unsigned topic, uint64_t now_ms);
void gossip_peer_subscription(struct gossip *g, struct gossip_peer *p, struct gossip_bytes topic,
			      bool subscribe);
/* A topic became ours: those that had said so are subscribed to it. */
void gossip_peers_know_topic(struct gossip *g, unsigned topic);
bool gossip_peer_unwants(const struct gossip *g, const struct gossip_peer *p,
			 const struct gossip_id *id);
void gossip_peer_unwant(struct gossip *g, struct gossip_peer *p, const struct gossip_id *id);
/* Says all our subscriptions. */
bool gossip_peer_hello(struct gossip *g, struct gossip_peer *p);
/* A heartbeat: counters begin anew, slots of those that are gone become free. */
void gossip_peers_shift(struct gossip *g, uint64_t now_ms);
void gossip_peers_clear(struct gossip *g);

/* ---- gossip_control.c ---- */
void gossip_control_ihave(void *turn, struct gossip_bytes topic, const struct gossip_id *id);
void gossip_control_iwant(void *turn, const struct gossip_id *id);
void gossip_control_graft(void *turn, struct gossip_bytes topic);
void gossip_control_prune(void *turn, struct gossip_bytes topic, uint64_t backoff_s);
void gossip_control_idontwant(void *turn, const struct gossip_id *id);
/* Tells the other peers of the mesh, but @from, that @id need not be sent to us. */
void gossip_control_have_it(struct gossip *g, unsigned topic, const struct gossip_id *id,
			    const struct gossip_peer *from);
/* Sends what the frame is to be answered. */
void gossip_control_answer(struct gossip_turn *turn);

/* ---- gossip_mesh.c ---- */
size_t gossip_mesh_size(const struct gossip *g, unsigned topic);
/* Takes @p into the mesh of those of @topics that want for peers, where nothing forbids it.
 * Returns which: it is to be told. */
uint32_t gossip_mesh_join(struct gossip *g, struct gossip_peer *p, uint32_t topics,
			  uint64_t now_ms);
void gossip_mesh_leave(struct gossip_peer *p, unsigned topic, uint64_t until_ms);
/* Says GRAFT and PRUNE, with what else is in @c. A GRAFT that is not taken is undone. */
void gossip_mesh_say(struct gossip *g, struct gossip_peer *p, uint32_t graft, uint32_t prune,
		     struct gossip_rpc_control *c);
