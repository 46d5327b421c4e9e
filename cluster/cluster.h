/*
 * The peer: what should happen. This header is all that fs/ sees of it.
 *
 * Requests are posted from any thread, carried out on the loop and the writer, and end with one
 * call of done on the loop's thread: 0 when what was asked for is durable, -errno with the reason
 * in words otherwise.
 */
#pragma once

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "cluster/backup.h"
#include "cluster/cluster_config.h"
#include "cluster/import.h"
#include "cluster/journal.h"
#include "cluster/others.h"
#include "cluster/tracker.h"
#include "consensus/consensus.h"
#include "store/store.h"
#include "types/pin_json.h"

struct cluster;

struct cluster_who {
	uid_t uid;
	pid_t pid;
	char program[32];   /* "" when not known */
	struct peerid peer; /* not none: another peer, in place of a user */
};

/* One pin or unpin asked for. */
struct cluster_item {
	bool unpin;
	bool touch;                /* pin with defaults; only recover what is pinned already */
	struct pin pin;            /* owned; its cid is always set */
	struct pin_json_keys keys; /* what the document gave */
	enum pin_mode mode;
};

enum cluster_verb {
	CLUSTER_CHANGE,        /* items: all or nothing */
	CLUSTER_RECOVER,       /* items[0].pin.cid: try again now */
	CLUSTER_IMPORT,        /* import: the pinset becomes what was parsed */
	CLUSTER_CLEAN,         /* empty, after a dump */
	CLUSTER_BACKUP,        /* a dump of now, with the name in text */
	CLUSTER_BACKUP_REMOVE, /* the dump with the name in text */
	CLUSTER_ALLOW,         /* number: so many removals pass within ten minutes */
	CLUSTER_GC,            /* start garbage collection in Kubo */
	CLUSTER_PEER_ADD,      /* the peer at the multiaddress in text: connected, and kept so */
	/* Questions, which change nothing: other members are asked, SURVEY_MS at most. */
	CLUSTER_STATUS, /* items[0].pin.cid, text: our own member of peer_map; answer: all of them
			 */
	CLUSTER_ERRORS, /* shown, total: our own; answer: lines of the others, and the last one */
};

enum change_kind {
	CHANGE_ASKED,
	CHANGE_LOGGED, /* by a trusted peer: stored as given, and nobody's mistake to be braked */
	CHANGE_EXPIRY, /* by the peer itself: pins whose time is over */
	CHANGE_REPIN,  /* by the peer itself: allocations of a peer that is gone */
};

/* Changes that are too many to be held. */
struct cluster_source {
	/* Fills @ret, whose pin was initialised: 1; 0: that was all; -errno. A CID comes once.
	 * Writer's thread. */
	int (*next)(void *arg, struct cluster_item *ret, struct err *e);
	void (*free)(void *arg);
	void *arg;
	uint64_t bytes; /* of their text */
};

struct cluster_request {
	enum cluster_verb verb;
	struct cluster_who who;
	struct cluster_item *items; /* owned by the request */
	size_t n_items;
	struct cluster_source source; /* in place of items where it has a function */
	struct import *import;        /* taken over */
	char *text;                   /* owned */
	uint64_t number;
	uint64_t shown, total;
	struct buf answer; /* owned */
	void (*done)(struct cluster_request *rq, int status);
	void *arg; /* for done */
	struct err error;

	/* private */
	struct cluster *cluster;
	struct mbox_msg msg;
	struct consensus_op op;
	struct store_batch batch;
	uv_work_t work;
	struct buf audit;                   /* lines of what was decided */
	struct store_txn *view;             /* what a dump is made of */
	struct candidates_view *candidates; /* who could pin when it was posted */
	uint64_t pinned, unpinned;          /* of a source */
	enum change_kind kind;
	struct repin *repin;     /* of CHANGE_REPIN: what it carries out */
	uint64_t reached;        /* serial of the last pin that it looked at */
	uint64_t too_few;        /* pins that there are too few peers for */
	uint64_t counted, spent; /* removals in the brake's burst; what it allowed for them */
	atomic_int claim;        /* whether it has begun, or never will */
	int status;
};

struct cluster_events {
	/* Loop's thread: what the kernel may have cached is old. */
	void (*pin_changed)(void *arg, const struct cid *cid, uint64_t serial, bool removed);
	void (*all_changed)(void *arg);
	void *arg;
};

struct cluster_options {
	const struct cluster_config *config;
	const struct tracker_config *tracker;
	const struct monitor_config *monitor;
	const struct crdt_config *crdt;
	const struct informer_config *informer;
	const struct allocator_config *allocator;
	const struct kubo_config *kubo_config;
	int64_t max_unpins; /* of a burst: 0 the rule of the manual, -1 no brake */
	unsigned backups_rotate, audit_days;
	const char *data_folder; /* backups, audit, events and spools lie in it */
	struct peerid self;
	struct store *store;
	struct mbox *mbox;
	uv_loop_t *loop;
	struct kubo *kubo; /* NULL: offline */
	bool offline;
};

/* Loop's thread. @consensus comes with cluster_start, since it needs cluster_consensus_events
 * first. */
int cluster_new(const struct cluster_options *opt, struct cluster **ret, struct err *e);
const struct consensus_events *cluster_consensus_events(struct cluster *c);
int cluster_start(struct cluster *c, struct consensus *consensus, struct err *e);
/* Before the mount; loop's thread or before the loop runs. */
void cluster_set_events(struct cluster *c, const struct cluster_events *ev);
/* The peer becomes a member of the cluster: publishes its metrics, answers and asks other peers.
 * The network lives longer; before it connects to anybody. Offline peers never join. */
struct host;
struct pubsub;
int cluster_join(struct cluster *c, struct host *host, struct pubsub *pubsub, struct err *e);
/* New requests are refused with -EROFS. When those under way have ended, @drained is called (after
 * it nobody posts any more), then everything is taken down and freed, then @closed is called. */
void cluster_close(struct cluster *c, void (*drained)(void *arg), void (*closed)(void *arg),
		   void *arg);

struct cluster_request *cluster_request_new(enum cluster_verb verb, size_t n_items);
void cluster_request_free(struct cluster_request *rq);
/* Any thread. */
void cluster_post(struct cluster *c, struct cluster_request *rq);

/* Nobody waits for it any more. True: it had not begun and never will, it ends with -EINTR. False:
 * it goes on; an import gives up where it still can. Any thread, until done is called. */
bool cluster_request_cancel(struct cluster_request *rq);

/* ---- for the tree; any thread ---- */

struct store *cluster_store(const struct cluster *c);
struct backups *cluster_backups(const struct cluster *c);
struct journal *cluster_audit(const struct cluster *c);
struct journal *cluster_events_log(const struct cluster *c);
struct tracker *cluster_tracker(const struct cluster *c); /* NULL offline */
const struct cluster_options *cluster_options(const struct cluster *c);
bool cluster_importing(const struct cluster *c);
uint64_t cluster_allowance(const struct cluster *c); /* removals that pass the brake */
bool cluster_braked(const struct cluster *c);        /* a burst of removals is being refused */
const char *cluster_consensus_name(const struct cluster *c); /* "crdt"; "" before the start */
/* A new spool for a dump written to state/import (or checked only). -EBUSY: one is open or running.
 */
int cluster_import_begin(struct cluster *c, bool check, struct import **ret);
/* The last accepted dump: a descriptor, or -ENOENT. */
int cluster_import_file(struct cluster *c);
/* Gives it a time, as rsync does after the import, to find it unchanged the next time. */
int cluster_import_set_time(struct cluster *c, int64_t ns);
/* Appends the report of the last or running import (or check), as JSON. */
int cluster_import_result(struct cluster *c, bool check, struct buf *out);

/* The state of one pin on this peer, with what is under way. @row's error points into @t. */
int cluster_pin_status(const struct cluster *c, const struct store_txn *t, uint64_t serial,
		       struct status_row *row);
/* Whether a pin in this state waits for Kubo alone, and then why. */
bool cluster_pin_waits(const struct cluster *c, enum status status, char out[STATUS_ERROR_MAX]);
/* The state of a CID in the list of unpins. *ret_error is not NULL, and lives as long as @row. */
enum status cluster_unpin_status(const struct cluster *c, const struct unpin_row *row,
				 const char **ret_error);

/* A refusal or failure of an operation, for audit. */
void cluster_audit_refusal(struct cluster *c, const struct cluster_who *who, const char *path,
			   int code, const char *reason);
