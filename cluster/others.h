/*
 * What the tree shows of the other peers: members, metrics, alerts, the network, how far this peer
 * is behind them. Part of cluster/cluster.h. Any thread; offline there is nothing to show.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cluster/monitor.h"
#include "consensus/crdt/crdt_net.h"
#include "net/gossip.h"
#include "net/host.h"
#include "types/peerid.h"
#include "util/buf.h"

struct cluster;

struct member { /* valid within the call */
	struct peerid peer;
	bool alive, connected, trusted;
	uint64_t rtt_ms;   /* 0: unknown */
	const char *agent; /* "" while unknown */
	const json_t *id;  /* its answer, as the reference's `id` shows it; NULL: none yet */
	const void *said;  /* the same, as it came; none where it was too long to be kept */
	size_t said_len;
	int64_t asked_ns;  /* Unix time of that answer */
	const char *error; /* why the last question failed; "" */
};

/* In order of the IDs' bytes; those that are alive or connected, without ourselves. Stops when @fn
 * returns false. A lock is held: short work only, and nothing of this header. */
void cluster_each_member(const struct cluster *c,
			 bool (*fn)(void *arg, const struct member *member), void *arg);
/* One of them. False: not known. */
bool cluster_find_member(const struct cluster *c, const struct peerid *peer,
			 void (*fn)(void *arg, const struct member *member), void *arg);

/* A moment ago. */
struct cluster_network {
	size_t announced;         /* addresses of ours that others can dial */
	size_t trusted_known;     /* other trusted peers, by name or address */
	size_t trusted_connected; /* of them */
	size_t connected;
	int64_t other_secret_ns; /* when a connection of another secret was last seen; 0: never */
	struct host_counts host;
	struct gossip_counts gossip;
};
/* False: offline. */
bool cluster_network(const struct cluster *c, struct cluster_network *ret);
/* Appends addresses with /p2p, one per line: where we are, and where the living members are. */
int cluster_addresses(const struct cluster *c, struct buf *own, struct buf *others);

/* Valid metrics of a name, one per peer in order of the IDs' bytes, as monitor_each; with @any
 * those that have run out, too. */
void cluster_each_metric(const struct cluster *c, const char *name, bool any,
			 bool (*fn)(void *arg, const struct metric *metric), void *arg);
/* The latest one of a name and peer, valid or not. False: there is none. */
bool cluster_find_metric(const struct cluster *c, const char *name, const struct peerid *peer,
			 void (*fn)(void *arg, const struct metric *metric), void *arg);
void cluster_each_metric_name(const struct cluster *c, bool (*fn)(void *arg, const char *name),
			      void *arg);
/* Newest first. */
void cluster_each_alert(const struct cluster *c,
			bool (*fn)(void *arg, const struct monitor_alert *a), void *arg);

/* What a peer announced last, and whether it is in our history. False: nothing was heard of it. */
bool cluster_heads_of(const struct cluster *c, const struct peerid *peer, struct crdt_heads *ret,
		      bool *ret_in_step);
/* False: there is no crdt to be in step with. */
bool cluster_sync(const struct cluster *c, struct crdt_sync *ret);
