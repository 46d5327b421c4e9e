/* What the files of this folder share about the peer. Private. */
#pragma once

#include "cluster/brake.h"
#include "cluster/candidates.h"
#include "cluster/cluster.h"
#include "cluster/survey.h"
#include "util/list.h"
#include "util/rate.h"

struct expiry {
	int64_t second; /* of the last pin that was looked at */
	uint64_t serial;
	uint64_t again_ms; /* when all that are due are looked at */
	bool removing;
};

struct swarms;

struct cluster {
	struct cluster_options opt;
	struct consensus *consensus;
	struct consensus_events consensus_events;
	struct cluster_events events;
	struct backups *backups;
	struct journal *audit, *events_log;
	struct tracker *tracker; /* NULL offline */
	struct rpc_server *rpc;  /* both NULL offline */
	struct members *members;
	struct swarms *swarms; /* NULL: offline, or connect_swarms_delay is 0 */
	struct brake *brake;
	struct candidates *candidates;
	struct monitor *monitor; /* of the members; NULL offline */
	struct host *host;       /* once joined */
	struct surveys surveys;  /* of members */
	struct status_cache *status_cache;
	struct list peer_adds; /* under way */
	uv_timer_t tick;       /* each second */
	bool tick_open;
	struct expiry expiry;
	struct list repins; /* the first is under way */
	struct rate stranger_lines;
	bool keep_failed;   /* the dump of before a burst, since the last tick */
	unsigned under_way; /* requests that have not ended; loop's thread */
	bool closing;
	void (*left)(void *arg);
	void *left_arg;
	void (*drained)(void *arg);
	void (*closed)(void *arg);
	void *closed_arg;

	pthread_mutex_t lock;
	/* What follows is under lock; [1] is of checks. */
	bool import_open[2];                    /* a spool exists */
	struct import_result import_results[2]; /* the last one, or that of the open spool */
	struct import *import_running;          /* being committed */
	struct import *check_running;           /* being compared, which stands in nobody's way */
	bool many_running;                      /* changes of a source are */
};

/* cluster.c: ends a request with its reason, on the loop. */
void request_end(struct cluster_request *rq, int status);

/* cluster.c: allocations are decided by what @monitor knows; NULL: this peer is alone. */
int cluster_set_candidates(struct cluster *c, struct monitor *monitor);

/* cluster.c: Kubo begins or has ended something that changes what others are told of it. Loop's
 * thread. */
void kubo_worked(struct cluster *c);

/* cluster.c: a load, a list of changes or a cleanup has been committed. Loop's thread. */
void pinset_replaced(struct cluster *c);

/* A change of many pins that is in place, or (@status -EINPROGRESS) will be: logs, events, and what
 * is cached of the pins. Returns the status to end the request with. */
int made_certain(struct cluster_request *rq, const char *what, const char *more, int status);

/* join.c: takes down what cluster_join made, then calls @left. */
void cluster_leave(struct cluster *c, void (*left)(void *arg), void *arg);

/* peer_add.c: each second; at the end, which none of them survives. */
void peer_add_start(struct cluster_request *rq);
void peer_add_tick(struct cluster *c);
void peer_add_abort(struct cluster *c);

/* From here on it cannot be taken back. -EINTR: it was. The thread that carries it out. */
int request_begin(struct cluster_request *rq, struct err *e);

/* change.c */
#define CHANGE_FOLLOWER "this peer is a follower: pins are changed on the trusted peers"
void change_start(struct cluster_request *rq);
/* Fills one change by the state in @t. 1: it is one, 0: nothing to do. */
int change_decide_item(const struct store_txn *t, struct cluster_request *rq,
		       const struct cluster_item *item, struct consensus_change *ch, struct err *e);
/* The removals that passed the brake count in its burst, until they fail. */
void change_count(struct cluster_request *rq, uint64_t removals);
void change_uncount(struct cluster_request *rq);

/* closest.c: who of the trusted members does what only one needs to do for a pin. */
struct closest {
	struct peerid self, *others;
	size_t n;
};

/* The members as they are now, but for @without (may be NULL). Loop's thread. closest_clear in any
 * case. */
int closest_take(struct cluster *c, const struct peerid *without, struct closest *ret);
bool closest_is_self(const struct closest *cl, const struct cid *cid); /* any thread */
void closest_clear(struct closest *cl);

/* expiry.c: each second. */
void expiry_tick(struct cluster *c);

/* repin.c: a member has fallen silent; each second; at the end. */
void repin_from(struct cluster *c, const struct peerid *gone);
void repin_tick(struct cluster *c);
void repin_abort(struct cluster *c);
/* Writer's thread: whose allocations; fills the request's items. */
const struct peerid *repin_gone(const struct repin *p);
int repin_collect(const struct store_txn *t, struct cluster_request *rq);

/* change_many.c */
void many_start(struct cluster_request *rq);

/* keep.c: dumps, cleanup, the brake's allowance. */
void clean_start(struct cluster_request *rq);
void backup_start(struct cluster_request *rq);
void backup_remove_start(struct cluster_request *rq);
void allow_start(struct cluster_request *rq);
/* Dumps what there was before the burst where the brake wants it, behind the scenes. */
void keep_before_burst(struct cluster *c);

/* import_run.c */
void import_start(struct cluster_request *rq);
/* Writer's thread: the present pins go to backups/. */
int dump_before(struct cluster *c, const char *what, struct err *e);
bool cluster_receiving(struct cluster *c); /* a dump is on its way in */
void import_cancel(struct import *im);     /* any thread: gives up, where it has not switched yet */
/* The peer stops: an import that has not switched yet gives up. Loop's thread. */
void import_abort(struct cluster *c);

/* log_events.c; @who NULL: the peer itself. */
void audit_line(struct cluster *c, const struct cluster_who *who, const char *what,
		const char *more, int status, const char *reason);
void event_line(struct cluster *c, const char *event, const char *more);
