/*
 * Consensus: how a change of the pinset becomes one that all peers agree on. The only interface to
 * it; crdt/ is behind it now, raft/ will be.
 *
 * All functions on the loop's thread, unless said otherwise. An operation is decided inside the
 * transaction that applies it, by a function of the cluster layer, so that no decision is taken on
 * what is no longer true.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/bulk.h"
#include "store/store.h"
#include "types/cid.h"
#include "types/pin.h"
#include "util/buf.h"
#include "util/err.h"

/* One pin or unpin within an operation. */
struct consensus_change {
	struct cid cid;
	bool unpin;
	/* what the cluster decided, for a pin: canonical protobuf */
	struct buf value;
	/* set by the engine when it applied the change */
	uint64_t serial; /* of the pin; of the former one after an unpin */
	bool applied;
};

struct consensus_op {
	/*
	 * Writer's thread, in the transaction. Looks at the present state and fills op->changes
	 * (memory of the op). Returns 1 to apply them, 0 when there is nothing to do, -errno to
	 * refuse the operation. Must not write.
	 */
	int (*decide)(struct store_txn *t, struct consensus_op *op);
	/* Loop's thread, once, when durable (or refused, with op->error). */
	void (*done)(struct consensus_op *op, int status);

	struct consensus_change *changes;
	size_t n_changes;
	struct err error;

	/* private to the engine */
	struct consensus_op *next;
	int status;
};

struct consensus_events {
	/* Loop's thread, after the commit, for each change in order. */
	void (*pin_put)(void *arg, const struct cid *cid, uint64_t serial);
	void (*pin_del)(void *arg, const struct cid *cid, uint64_t serial);
	/* The whole pinset was replaced: by an import or a cleanup. */
	void (*replaced)(void *arg);
	void *arg;
};

struct consensus; /* an engine */

struct consensus_head {
	struct cid cid;
	uint64_t height;
};

/* ---- a whole pinset at once ---- */

enum consensus_method {
	CONSENSUS_DEFAULT, /* what the engine thinks right now */
	CONSENSUS_REPLACE, /* a new history, of this pinset alone */
	CONSENSUS_UPDATE,  /* the differences, as operations on the present history */
	CONSENSUS_MERGE,   /* the same, but nothing is removed */
};

/* Memory of the caller, until the function returns. */
struct consensus_pin {
	const struct cid *cid;
	const uint8_t *value; /* canonical protobuf */
	size_t value_len;
	const char *name;
	size_t name_len;
	int64_t timestamp, expire_at;
	uint32_t document_len, line_len;
};

struct consensus_load {
	enum consensus_method method;
	/* Before anything changes: may refuse. Writer's thread. */
	int (*allow)(void *arg, const struct bulk_counts *c, struct err *e);
	void *arg;
	const atomic_bool *abort; /* set: give up, if nothing has changed yet */
	/* results */
	enum consensus_method used;
	struct bulk_counts counts;
	struct cid head; /* undefined where there is none */
	uint64_t height;
};

struct consensus_loader; /* a pinset that is being spooled */

struct consensus_loader_ops {
	/* Any one thread, in the order of the dump. An error may be that of an earlier pin. */
	int (*add)(struct consensus_loader *l, const struct consensus_pin *p);
	/* The same thread: no more comes. */
	int (*seal)(struct consensus_loader *l);
	/* Any thread that may block: what a commit would do, by a view of now; no allow is asked.
	 * Changes nothing and writes nothing. */
	int (*compare)(struct consensus_loader *l, struct consensus_load *ld, struct err *e);
	/* Writer's thread, as a job: the pinset becomes what was added, all or nothing.
	 * -EINPROGRESS: it is certain to, but not finished; see go_on. */
	int (*commit)(struct consensus_loader *l, struct consensus_load *ld, struct err *e);
	/* Any thread, at any time; what was not committed never happened. */
	void (*free)(struct consensus_loader *l);
};

struct consensus_loader {
	const struct consensus_loader_ops *ops;
};

/* Many changes as one, all or nothing, made up one after the other. */
struct consensus_many {
	/* Writer's thread: fills @ch (its value is empty before) by the present state. 1; 0: that
	 * was all; -errno. A CID comes once. */
	int (*next)(void *arg, const struct store_txn *t, struct consensus_change *ch,
		    struct err *e);
	/* After the last one, before anything changes: may refuse. */
	int (*allow)(void *arg, const struct store_txn *t, struct err *e);
	void *arg;
};

struct consensus_ops {
	const char *name; /* "crdt", "raft" */
	/* Queues the operation; done comes later, never from inside. */
	void (*submit)(struct consensus *c, struct consensus_op *op);
	/* Any thread. Begins to spool a pinset into files beside the data. */
	int (*load)(struct consensus *c, struct consensus_loader **ret);
	/* Writer's thread, as a job. Readers may see it in part; a crash is followed by the rest.
	 * -EINPROGRESS: it is certain, but not finished; see go_on. */
	int (*apply_many)(struct consensus *c, const struct consensus_many *m, struct err *e);
	/* What ended with -EINPROGRESS is tried again until it is finished; then the event
	 * `replaced` is called. Meanwhile operations are refused with -EBUSY, since what is left
	 * would undo them.
	 */
	void (*go_on)(struct consensus *c);
	/* The pinset is another one as a whole: a load, apply_many or a cleanup has been committed.
	 */
	void (*replaced)(struct consensus *c);
	/* Ends: waits for what is queued, then calls @closed. */
	void (*close)(struct consensus *c, void (*closed)(void *arg), void *arg);
};

struct consensus {
	const struct consensus_ops *ops;
};
