/*
 * Informers: what this peer says of itself on the topic monitor.metrics, and when. Loop's thread.
 *
 * A ping every monitor_ping_interval, which lives twice as long; free space (or the repository's
 * size), the queue, the tags and, where its section is configured, the number of pins: each twice
 * in its metric_ttl. After a publish that failed it is tried again in half that time. What is not
 * known is not told.
 * Source: ipfs-cluster 1.1.6 informer/{disk,pinqueue,tags,numpin}, cluster.go; "Metrics" in
 * docs/formats.md.
 */
#pragma once

#include <uv.h>

#include "cluster/cluster_config.h"
#include "types/metric.h"

struct informer;

/* What it tells; the informer does not know where from. Loop's thread. */
struct informer_source {
	/* Bytes in use and allowed in Kubo, a moment ago. False: not known. */
	bool (*repo)(void *arg, uint64_t *ret_size, uint64_t *ret_max);
	/* Has Kubo say it anew; informer_publish_disk follows. */
	void (*ask_repo)(void *arg);
	uint64_t (*queued)(void *arg); /* pins waiting in the tracker */
	uint64_t (*pins)(void *arg);   /* pinned here */
	/* Appends the JSON of a ping: {"peer_name":..,"ipfs_id":..,"ipfs_addresses":[..]}. Where it
	 * fails, the last one is told again. */
	int (*ping)(void *arg, struct buf *out);
	/* To the topic, and to our own monitor. */
	int (*publish)(void *arg, const struct metric *m);
	void *arg;
};

/* @cfg and @icfg outlive it, @source is copied. -ENOMEM. */
int informer_new(uv_loop_t *loop, const struct cluster_config *cfg,
		 const struct informer_config *icfg, const struct peerid *self,
		 const struct informer_source *source, struct informer **ret, struct err *e);
/* Publishes everything once, then by their periods. */
void informer_start(struct informer *i);
void informer_publish_all(struct informer *i);
/* Free space, or the repository's size, alone: it has become known. */
void informer_publish_disk(struct informer *i);
/* Kubo begins or has ended to pin something, or has ended to collect garbage or to take blocks:
 * every @interval-th time (informer_trigger_interval; 0: never) all but the ping is published out
 * of turn, free space once Kubo has said it anew. Source: ipfshttp.go, updateInformerMetric. */
void informer_trigger(struct informer *i, int32_t interval);
/* When a ping of now runs out, whoever sends it: after two monitor_ping_intervals. Unix time. */
int64_t informer_ping_end_ns(const struct cluster_config *cfg);
void informer_close(struct informer *i, void (*closed)(void *arg), void *arg);
