/*
 * The members of the cluster as this peer sees them: who is alive by metrics, what each said of
 * itself when it was asked last, and the connections that are kept for it. Publishes our own
 * metrics. Loop's thread, except where said.
 * Source: ipfs-cluster 1.1.6 cluster.go, monitor/pubsubmon; "Members" in docs/network.md.
 */
#pragma once

#include "cluster/cluster_config.h"
#include "cluster/monitor.h"
#include "cluster/net_state.h"
#include "cluster/others.h"
#include "cluster/tracker.h"
#include "consensus/crdt/crdt_config.h"
#include "net/gorpc.h"
#include "net/host.h"
#include "net/pubsub.h"
#include "store/store.h"
#include "types/rpc_types.h"

#define MEMBERS_TOPIC "monitor.metrics"
#define MEMBERS_MAX 512               /* peers that something is remembered of */
#define MEMBERS_ASK_MS 30000          /* between two questions to a member */
#define MEMBERS_SEARCH_MS 2000        /* sooner, for where a member is; doubled up to the above */
#define MEMBERS_SAID_MAX (128u << 10) /* bytes of an answer that are kept to be passed on */
#define MEMBERS_ANSWER_MS 15000       /* for one answer, as in the reference */

struct members;

struct members_events {
	void (*alive)(void *arg, const struct peerid *peer, bool alive);
	void (*alert)(void *arg, const struct monitor_alert *a);
	/* What one answered; valid within the call. Then gone, once it is neither alive nor
	 * connected any more. */
	void (*said)(void *arg, const struct rpc_id *id);
	void (*gone)(void *arg, const struct peerid *peer);
	void *arg;
};

struct members_options {
	uv_loop_t *loop;
	const struct cluster_config *config;
	const struct informer_config *informer;
	const struct monitor_config *monitor;
	const struct crdt_config *crdt;
	struct peerid self;
	struct host *host;
	struct pubsub *pubsub;
	struct gorpc *rpc;
	struct tracker *tracker;
	struct store *store;
	struct members_events events;
};

/* Subscribes the topic; publishes from now on. */
int members_new(const struct members_options *opt, struct members **ret, struct err *e);
/* Before the host, the pubsub and the rpc are closed. */
void members_close(struct members *m, void (*closed)(void *arg), void *arg);

struct monitor *members_monitor(struct members *m);
/* Asks this member anew, and all of them; answers come in time. */
void members_ask(struct members *m, const struct peerid *peer);
void members_ask_all(struct members *m);

/* How full Kubo is is told now, and then by its period. */
void members_publish_disk(struct members *m);

/* As informer_trigger. */
void members_kubo_worked(struct members *m, int32_t interval);

/* Where a peer says that it is to be found; of others, only where it is trusted. */
void members_learn(struct members *m, const struct rpc_id *id);

/* ---- for the tree; any thread ---- */

/* As cluster_each_member and cluster_find_member. */
void members_each(struct members *m, bool (*fn)(void *arg, const struct member *member), void *arg);
bool members_find(struct members *m, const struct peerid *peer,
		  void (*fn)(void *arg, const struct member *member), void *arg);
/* The network around us. */
struct net_state *members_net(struct members *m);
