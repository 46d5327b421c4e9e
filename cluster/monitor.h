/*
 * The monitor: the latest metric of each name and peer, who is alive by them, and alerts when one
 * runs out. Written on the loop's thread, read from any.
 *
 * A metric is valid when it says so and has not run out, by its own absolute time and our clock. It
 * is the last one that came that counts, even where it runs out sooner or is not valid.
 * Source: ipfs-cluster 1.1.6 monitor/pubsubmon, monitor/metrics; "Metrics" in docs/formats.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/metric.h"
#include "types/peerid.h"
#include "util/err.h"

#define MONITOR_METRICS_MAX 65536      /* latest ones kept; a new one beyond is dropped */
#define MONITOR_VALUES_MAX (16u << 20) /* bytes of all values; likewise */
#define MONITOR_NAMES_MAX 256          /* a peer can name tags as it likes */
#define MONITOR_ALERTS_MAX 1000        /* then the oldest go */
#define MONITOR_SKEW_WARN_NS (5LL * 1000000000)
#define MONITOR_TTL_MAX_NS (24LL * 3600 * 1000000000) /* nothing is valid for longer */
#define MONITOR_PING "ping"                           /* who has a valid one is alive */

struct monitor;

struct monitor_alert {
	struct peerid peer;
	char name[METRIC_NAME_MAX + 1];
	int64_t expire_ns, triggered_ns;
};

/* @alert: on the loop's thread, from monitor_check, without the lock; may be NULL. */
int monitor_new(void (*alert)(void *arg, const struct monitor_alert *a), void *arg,
		struct monitor **ret);
void monitor_free(struct monitor *m);

/* Takes one over (copies), stamped with @now_ns. *ret_was_alive (may be NULL): whether its peer
 * was, before. -ENOSPC over a limit; -EINVAL without a peer, or with a name that is empty or has a
 * zero byte; -EFBIG. */
int monitor_put(struct monitor *m, const struct metric *metric, int64_t now_ns,
		bool *ret_was_alive);
/* As a Go peer does for one it has just connected to: a ping without value, which runs out at
 * @expire_ns. Of a peer that is alive the value that is known stays, and the later end. */
void monitor_saw(struct monitor *m, const struct peerid *peer, int64_t now_ns, int64_t expire_ns);
void monitor_forget(struct monitor *m, const struct peerid *peer);
/* Each check_interval: alerts for metrics that ran out, once each until a valid one came. The
 * reference says it again after 300 checks. */
void monitor_check(struct monitor *m, int64_t now_ns);

/* Another number whenever something was put or forgotten. */
uint64_t monitor_version(struct monitor *m);

/* Valid metrics of a name, one per peer, in the order of the peers' ID bytes. Stops when @fn
 * returns false. The lock is held: short work only, and none of this module. */
void monitor_each(struct monitor *m, const char *name, int64_t now_ns,
		  bool (*fn)(void *arg, const struct metric *metric), void *arg);
/* All latest ones, valid or not. */
void monitor_each_any(struct monitor *m, const char *name,
		      bool (*fn)(void *arg, const struct metric *metric), void *arg);
/* The latest one of a name and peer, valid or not. False: there is none. The lock is held, as
 * above.
 */
bool monitor_find(struct monitor *m, const char *name, const struct peerid *peer,
		  void (*fn)(void *arg, const struct metric *metric), void *arg);
/* Names seen, in order of bytes; stops when @fn returns false. */
void monitor_names(struct monitor *m, bool (*fn)(void *arg, const char *name), void *arg);
/* Peers with a valid metric @name (crdt.peerset_metric), and @self, sorted by ID bytes. On 0 the
 * caller frees *ret. */
int monitor_members(struct monitor *m, const char *name, const struct peerid *self, int64_t now_ns,
		    struct peerid **ret, size_t *ret_n);
bool monitor_is_alive(struct monitor *m, const struct peerid *peer, int64_t now_ns);
/* Newest first; stops when @fn returns false. */
void monitor_alerts(struct monitor *m, bool (*fn)(void *arg, const struct monitor_alert *a),
		    void *arg);
