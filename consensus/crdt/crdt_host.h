/*
 * The engine on the real network: its topic by gossip, its blocks by bitswap. Loop's thread.
 * Source: "The crdt engine on the network" in docs/network.md.
 */
#pragma once

#include "consensus/crdt/crdt_net.h"
#include "net/exchange.h"
#include "net/host.h"
#include "net/pubsub.h"

struct crdt_host;

/* Attaches @engine (of crdt_new) to the network: before the host connects to anybody. All of them
 * live longer. */
int crdt_host_new(struct consensus *engine, const struct crdt_config *cfg, struct host *host,
		  struct pubsub *pubsub, uv_loop_t *loop, struct crdt_host **ret, struct err *e);
/* The engine is about to end: nothing reaches it any more, what it still publishes goes out. */
void crdt_host_quiesce(struct crdt_host *c);
/* After the engine is closed, before the host is. */
void crdt_host_close(struct crdt_host *c, void (*closed)(void *arg), void *arg);
struct bitswap *crdt_host_bitswap(struct crdt_host *c); /* for counts */
const char *crdt_host_topic(const struct crdt_host *c);
