/*
 * A gossip router among peers that are played by the test: what it sends and what it delivers is
 * written down as text. The router is peer 0. Include after cmocka.h.
 */
#pragma once

#include "net/gossip_internal.h"
#include "tests/unit/net/gossip_text.h"

#define HEARTBEAT_MS 10000
#define OUR_SEQNO 1000

struct router {
	struct gossip *g;
	struct gossip_config cfg;
	uint64_t now;
	/* "2:graft topic;": a frame for peer 2. */
	struct buf sent;
	/* "1 via 2:data;" */
	struct buf delivered;
	struct buf last; /* the last frame sent, as it is */
	bool full;       /* no queue takes anything */
	unsigned reject; /* the validator of HEADS refuses this author; 0: nobody */
	size_t n_sent, n_delivered;
	bool quiet; /* only counted */
};

/* Not subscribed to anything yet. */
void router_start(struct router *r, unsigned d_factor);
void router_stop(struct router *r);
void router_subscribe(struct router *r, const char *topic);
/* Both, and peers 1 to @peers are up, subscribed to both and in both meshes. */
void router_start_among(struct router *r, unsigned d_factor, unsigned peers);

int router_up(struct router *r, unsigned peer, enum gossip_version v);
int router_feed(struct router *r, unsigned peer, const char *text);
int router_feed_bytes(struct router *r, unsigned peer, const void *p, size_t n);
int router_feed_message(struct router *r, unsigned peer, unsigned author, uint64_t seqno,
			const char *topic, const char *data);
/* Time passes up to the next heartbeat, which is held. */
void router_heartbeat(struct router *r);

/* What was sent, or delivered, since the last call. */
const char *router_sent(struct router *r);
const char *router_delivered(struct router *r);
struct gossip_counts router_counts(const struct router *r);
