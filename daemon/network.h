/*
 * The peer's place in the network: host, gossip, the crdt topic; which peers to dial, and what is
 * remembered of them (peerstore, the last sequence number). Loop's thread.
 * Source: ipfs-cluster 1.1.6 cmdutils, pstoremgr; "Host" in docs/network.md.
 */
#pragma once

#include <uv.h>

#include "cluster/cluster.h"
#include "consensus/consensus.h"
#include "daemon/config.h"
#include "net/host.h"
#include "net/pubsub.h"

struct network;

struct network_options {
	uv_loop_t *loop;
	const struct config *config;
	const char *data_folder;
	const char *const *bootstrap; /* multiaddresses with /p2p, for this run */
	size_t n_bootstrap;
	struct consensus *engine; /* crdt */
	struct cluster *cluster;  /* joins here */
};

/* Whether the configuration, the peerstore or the command line name another peer that is trusted.
 */
bool network_knows_others(const struct config *c, const char *const *bootstrap, size_t n);

/* Listens, joins the topics, serves calls; dials nobody yet. */
int network_new(const struct network_options *opt, struct network **ret, struct err *e);
struct host *network_host(struct network *n);
struct pubsub *network_pubsub(struct network *n);
/* When every protocol is registered: dials whom it knows, and keeps doing so. */
void network_start(struct network *n);
/* The engine is about to end: nothing that comes in reaches it any more. */
void network_quiesce(struct network *n);
/* Writes the peerstore, ends everything, then calls @closed. After the cluster's end. */
void network_close(struct network *n, void (*closed)(void *arg), void *arg);
