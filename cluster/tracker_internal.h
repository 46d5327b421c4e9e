/* What the files of the tracker share. Not for others. Loop's thread, except where said. */
#pragma once

#include <pthread.h>

#include "cluster/tracker.h"
#include "store/pinset.h"
#include "util/list.h"

#define TRACKER_TICK_MS 1000
#define TRACKER_PAGE 500       /* states changed by one batch of a round */
#define TRACKER_SAVING_MAX 500 /* results that wait for their commit, before the queue pauses */
#define TRACKER_ORIGINS_MAX 10
#define TRACKER_RETRY_MIN_S 10
#define TRACKER_MISSING "the item should be pinned but it is not"

/* ---- what a pin wants of Kubo ---- */

enum want {
	WANT_NOTHING, /* no pin, or an unreadable one */
	WANT_REMOTE,  /* allocated to others */
	WANT_SHARDED,
	WANT_RECURSIVE,
	WANT_DIRECT
};

static inline bool want_is_here(enum want w)
{
	return w == WANT_RECURSIVE || w == WANT_DIRECT;
}

/* @p is decoded here and keeps what it needs; it was initialised. Any thread. */
enum want tracker_want(const struct pin_row *row, const struct peerid *self, struct pin *p);

/* ---- one pin or unpin ---- */

enum op_kind {
	OP_PIN,
	OP_CHECK,
	OP_UNPIN
};

/* From the choice out of the queue to the commit of its result. */
struct op {
	struct list link; /* tracker.calling, then .finished, then .saving */
	struct tracker *t;
	enum op_kind kind;
	uint64_t serial; /* OP_UNPIN: sequence in the list of unpins */
	struct cid cid;
	enum want want;
	struct cid update; /* pin_update, defined when it is to be tried */
	bool cancelled;    /* forgets its result */
	bool again;        /* OP_UNPIN for the sake of another mode: the pin is queued again */
	bool pins;         /* Kubo was told to pin it */
	struct kubo_call *call;
	int64_t started_ms; /* of the call, monotonic */

	/* the result, from here on read by the writer's thread */
	enum status result; /* STATUS_UNPINNED ends an OP_UNPIN; STATUS_UNDEFINED: no change */
	char error[STATUS_ERROR_MAX];
	bool saved; /* the state changed as the result says */
	enum status saved_status;
};

struct round;

struct tracker {
	struct tracker_options opt;
	struct pin pin; /* scratch of the loop's thread */

	/* calls and results */
	pthread_mutex_t lock; /* of the list calling, known, and gc_keys, gc_error */
	struct list calling, finished, saving;
	unsigned n_calling, n_waiting; /* n_waiting: finished and saving */
	struct store_batch save;
	bool save_busy;
	uv_timer_t soon; /* the rest of this loop iteration: save, then choose from the queue */
	uint64_t unpin_after; /* place in the list of unpins */

	/* how many calls at a time: see tracker_queue.c */
	unsigned limit;
	int64_t usual_ms; /* of Kubo's answers to pin/ls */
	int64_t halved_ms;

	/* Kubo */
	struct tracker_kubo known;
	uv_timer_t probe;
	int64_t backoff_ms;
	struct kubo_call *id_call, *stat_call;
	bool repo_due;          /* the next answer to it is told */
	struct list background; /* connects to origins */

	struct round *round;
	bool round_again; /* one more after this one */
	struct store_batch due;
	bool due_busy;
	uv_timer_t tick, recover;
	unsigned replaced; /* how often the pinset was */
	bool surveyed; /* a comparison with Kubo has ended since Kubo or the pinset was replaced */

	/* garbage collection */
	struct kubo_call *gc_call;
	struct tracker_gc_watch *gc_watch;
	struct buf gc_keys; /* JSON of the keys, without the brackets */
	struct err gc_error;

	/* closing */
	bool closing;
	unsigned users; /* calls, batches and handles that have yet to end */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Everything that ends later takes a reference and gives it back at its end. */
static inline void tracker_use(struct tracker *t)
{
	t->users++;
}
void tracker_unuse(struct tracker *t); /* may free @t when closing */

/* Has results saved and the queue looked at, once in this iteration of the loop. */
void tracker_soon(struct tracker *t);
/* What is due each second: retries, unpins. Tests call it instead of waiting. */
void tracker_tick(struct tracker *t);

/* tracker_op.c */
struct op *op_new(struct tracker *t, enum op_kind kind, uint64_t serial, const uint8_t *cid,
		  size_t n);
void op_start(struct op *op);
void op_free(struct op *op);
void op_finish(struct op *op, enum status result, const char *error);
void op_cancel(struct op *op);

/* Calls events.changed. */
void tracker_tell(struct tracker *t, const struct cid *cid, uint64_t serial, enum status status,
		  const char *error);
/* The same with the states of pins as they are now. */
void tracker_tell_now(struct tracker *t, const uint64_t *serials, unsigned n);
/* Calls events.worked. */
void tracker_tell_worked(struct tracker *t);

/* tracker_save.c */
void tracker_save(struct tracker *t);

/* tracker_queue.c */
void tracker_choose(struct tracker *t);
/* The operation on a pin or (@unpin) an entry of the list of unpins, up to its commit. */
struct op *tracker_op_of(struct tracker *t, bool unpin, uint64_t serial);
/* A pin was queued: decides what needs no call, and has the queue looked at. */
void tracker_look(struct tracker *t, uint64_t serial);
/* How an operation ended, and how long a pin/ls took: moves the limit. */
void tracker_limit_ended(struct tracker *t, int status);
void tracker_limit_answered(struct tracker *t, int64_t ms);

/* tracker_kubo.c */
int tracker_kubo_start(struct tracker *t);
void tracker_kubo_stop(struct tracker *t);
bool tracker_kubo_is_away(int status); /* an error of the connection, not of the call */
void tracker_kubo_lost(struct tracker *t, const struct err *e);
void tracker_connect_origins(struct tracker *t, const struct pin *pin);

/* tracker_round.c */
void tracker_round(struct tracker *t);
void tracker_round_stop(struct tracker *t);

/* tracker_due.c */
void tracker_due(struct tracker *t);
int64_t tracker_retry_delay_s(const struct tracker *t, uint32_t attempts);
/* Queues a pin again, whatever its state; @now: before all others, else as its age and attempts
 * say. Writer's thread. */
int tracker_requeue(struct store_txn *t, const struct tracker *tr, uint64_t serial, bool now);
