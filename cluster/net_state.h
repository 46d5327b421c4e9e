/*
 * The network as the tree shows it: addresses and counters, taken every few seconds on the loop's
 * thread, which alone may ask the host, and read from any.
 */
#pragma once

#include <pthread.h>

#include "cluster/others.h"
#include "net/pubsub.h"

#define NET_STATE_MS 2000               /* between two looks */
#define NET_STATE_TEXT_MAX (512u << 10) /* of the others' addresses; more is left out */

struct net_state {
	struct peerid self;
	struct host *host;
	struct pubsub *pubsub;
	const struct crdt_config *crdt;
	/* Whose addresses are wanted. */
	bool (*is_member)(void *arg, const struct peerid *peer);
	void *arg;

	pthread_mutex_t lock; /* what follows */
	struct cluster_network now;
	struct buf own, others;
};

/* After the members above were set. */
void net_state_init(struct net_state *ns);
void net_state_deinit(struct net_state *ns);
/* Loop's thread. */
void net_state_take(struct net_state *ns);
void net_state_get(struct net_state *ns, struct cluster_network *ret);
int net_state_addresses(struct net_state *ns, struct buf *own, struct buf *others);
