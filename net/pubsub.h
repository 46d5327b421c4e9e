/*
 * Gossip over the host's streams: one of ours to each peer that speaks it, on which only we write,
 * and the peers' own, on which we never do. Loop's thread.
 * Source: "Gossip" in docs/network.md.
 */
#pragma once

#include "net/gossip.h"
#include "net/host.h"

/* Bytes waiting for one peer; more is dropped, as in the reference. */
#define PUBSUB_QUEUE_MAX (1u << 20)
/* Bytes of frames that have begun, of all peers: beyond it whoever has sent the most loses its
 * stream. */
#define PUBSUB_PARTIAL_MAX (48u << 20)
/* A peer whose frames were malformed so often within so long is not read while that holds. */
#define PUBSUB_STRIKES_MAX 4
#define PUBSUB_STRIKES_MS (10 * 60 * 1000)
/* A stream of ours that lasted so long breaks for the first time. */
#define PUBSUB_STEADY_MS 60000

struct pubsub;

/* send and arg of @cfg are set here. Registers its protocols with @h, so before it connects; where
 * that fails, @h is to be closed before the loop runs. */
int pubsub_new(struct host *h, uv_loop_t *loop, const struct gossip_config *cfg,
	       struct pubsub **ret, struct err *e);
/* After the host's end, in the course of which its streams end: until then the host knows of it.
 * @closed when the timer is gone and it is freed. */
void pubsub_close(struct pubsub *p, void (*closed)(void *arg), void *arg);
int pubsub_subscribe(struct pubsub *p, const struct gossip_topic *t);
void pubsub_leave(struct pubsub *p, const char *topic); /* see gossip_leave */
int pubsub_publish(struct pubsub *p, const char *topic, const void *data, size_t n,
		   size_t *ret_reached);
struct gossip *pubsub_gossip(struct pubsub *p); /* for counts */
