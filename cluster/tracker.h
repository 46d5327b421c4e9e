/*
 * The pin tracker: makes Kubo hold what the pinset says, and remembers how far it got. Its queue is
 * the store's list of states (pin_queued) and of unpins, so it survives a crash and takes no heap
 * that grows with the pinset. Loop's thread, except where said.
 *
 * Rules: a pin allocated elsewhere is remote, a meta pin is sharded; what is allocated here is
 * compared with Kubo (pin/ls) and pinned (origins first, pin/update where asked, then pin/add). At
 * most concurrent_pins calls at a time, fewer when Kubo slows. Rank 0 (asked for just now) goes
 * before rank 1. Errors are tried again with growing delays, at recover and every
 * pin_recover_interval. Only what is in the list of unpins is ever unpinned, not before its time,
 * and never what is in the pinset again.
 * Source: "Local tracker" in docs/formats.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "cluster/cluster_config.h"
#include "ipfs/kubo.h"
#include "store/status.h"
#include "store/store.h"
#include "types/peerid.h"

struct tracker;

struct tracker_events {
	/* The state of a pin (or of a CID being unpinned, @serial 0) changed. */
	void (*changed)(void *arg, const struct cid *cid, uint64_t serial, enum status status,
			const char *error);
	/* Kubo came or went; @error says why it is away. */
	void (*kubo)(void *arg, bool up, const char *error);
	/* How full Kubo is is known: for the first time since it came, or asked for. */
	void (*repo)(void *arg);
	/* Kubo begins or has ended to pin something, or has ended a garbage collection. */
	void (*worked)(void *arg);
	void *arg;
};

struct tracker_options {
	struct store *store;
	uv_loop_t *loop;
	struct kubo *kubo;
	const struct kubo_config *kubo_config;
	const struct tracker_config *config;
	int64_t pin_recover_interval_ms;
	struct peerid self;
	struct tracker_events events;
};

int tracker_new(const struct tracker_options *opt, struct tracker **ret, struct err *e);
/* Cancels what is under way (it stays queued), then calls @closed. */
void tracker_close(struct tracker *t, void (*closed)(void *arg), void *arg);

/* The pinset changed, after the commit. */
void tracker_pin_put(struct tracker *t, const struct cid *cid, uint64_t serial);
void tracker_pin_del(struct tracker *t, const struct cid *cid, uint64_t serial);
void tracker_replaced(struct tracker *t); /* anything may have changed: look at the lists again */

/* Queues a pin again, with rank 0, whatever its state, unless it is pinned or under way: then it is
 * compared with Kubo again. */
void tracker_recover(struct tracker *t, uint64_t serial);
void tracker_recover_all(struct tracker *t);

#define TRACKER_RECOVERY_MAX 500

/* What failed, queued again for somebody who wants to know what that was. Embedded by who asks and
 * zeroed at first; lives until done. Kubo need not be there. */
struct tracker_recovery {
	/* Loop's thread, when it is durable. 1: there may be more; 0: that was all; -errno. */
	void (*done)(struct tracker_recovery *r, int status);
	uint64_t serials[TRACKER_RECOVERY_MAX]; /* the pins that were queued */
	unsigned n;

	/* private */
	struct tracker *t;
	struct store_batch batch;
	unsigned list; /* the place of the pass over all of them */
	struct status_place place;
	uint64_t serial;
	struct cid cid;
};

/* Pins in error, and those that Kubo has lost: at most TRACKER_RECOVERY_MAX of them. Asked again,
 * it goes on behind them; in one pass, so that what fails once more is not met again. done is never
 * called from within. -ECANCELED: closing. */
int tracker_recover_failed(struct tracker *t, struct tracker_recovery *r);
/* The same for one pin, with rank 0, and for one entry of the list of unpins; what has not failed
 * is left alone. */
int tracker_recover_pin(struct tracker *t, uint64_t serial, struct tracker_recovery *r);
int tracker_recover_unpin(struct tracker *t, uint64_t sequence, struct tracker_recovery *r);

/* What is known of Kubo. Any thread; a copy. */
struct tracker_kubo {
	bool asked, up;
	int64_t since_ns; /* of this state */
	char error[STATUS_ERROR_MAX];
	char id[PEERID_TEXT_MAX];
	char agent[128];
	bool repo_known;       /* since it came; what follows may be older */
	struct kubo_repo repo; /* refreshed every metric_ttl / 2 while up */
	int64_t repo_ns;       /* when */
	char addresses[4096];  /* one per line */
};
void tracker_kubo(struct tracker *t, struct tracker_kubo *ret);
/* Has Kubo say how full it is, out of turn; events.repo follows, but for when it is away. */
void tracker_ask_repo(struct tracker *t);

/* Why this peer never unpins in Kubo (unpin_disable): the state of every unpin is unpin_error with
 * this text. NULL: it does. Any thread. */
const char *tracker_unpin_refusal(const struct tracker *t);

/* True while a call to Kubo pins (or unpins) this: state pinning (or unpinning). Any thread. */
bool tracker_pinning(struct tracker *t, uint64_t serial);
bool tracker_unpinning(struct tracker *t, const struct cid *cid);
/* The pin under way with the lowest serial above @after. -ENOENT: none. Any thread. */
int tracker_next_pinning(struct tracker *t, uint64_t after, uint64_t *ret_serial);

/* Whoever waits for a garbage collection. Embedded; lives until done. */
struct tracker_gc_watch {
	void (*each)(struct tracker_gc_watch *w, const char *key, const char *error);
	void (*done)(struct tracker_gc_watch *w, int status, const struct err *e);
};

/* Garbage collection in Kubo, whose result is kept for tracker_gc_result. One at a time: -EBUSY.
 * @watch may be NULL; it is not called from within. */
int tracker_gc(struct tracker *t, struct tracker_gc_watch *watch);
/* The last result, or what the running one has so far. Any thread. Appends. */
int tracker_gc_result(struct tracker *t, struct buf *out);
