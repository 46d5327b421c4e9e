/*
 * The store: one LMDB environment per process that holds the pinset, its indexes, the blocks of the
 * CRDT and the state of the tracker. The only folder that knows LMDB.
 *
 * Threads. Reads: any thread, each with a store_txn of its own, which ends before the thread waits
 * for anything. Writes: only functions of batches and jobs, on the writer's thread. What is
 * decided from what is read (an order, a serial, a counter, a head) is decided inside one batch.
 *
 * Generations. The tables of a pinset carry a number in their names, and meta says which number is
 * current: an import fills a new generation and switches in one transaction; a cleanup switches to
 * an empty one. Readers that began before keep the old one until they end; then it is dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/status.h"
#include "util/err.h"
#include "util/mbox.h"

struct store;
struct store_txn; /* a read or write transaction with its generation */

struct store_options {
	const char *folder; /* made when absent */
	size_t map_size;    /* bytes of address space; more than the data will ever need */
	unsigned max_readers;
	/* Posted to the loop, once, when the store breaks (store_broken). NULL: nobody asks. Lives
	 * until the loop's mailbox was drained for the last time. */
	struct mbox_msg *broken;
};

/* Counters of the pinset, exact at every commit. */
struct store_info {
	uint64_t revision;  /* +1 with every committed change of the pinset */
	int64_t changed_ns; /* Unix time of that change, always growing */
	uint64_t pins;
	uint64_t export_bytes; /* length of the dump */
	uint64_t next_serial;  /* never reused, across generations */
	uint64_t next_block;
	uint64_t generation;
	uint64_t dirty;       /* blocks between heads and merged ones may be missing */
	uint64_t pending;     /* operations that wait for their delta (crdt.batching) */
	uint64_t names_after; /* pins of a higher serial may not be in by-name yet; 0: all are */
	uint64_t by_status[STATUS_NR];
	uint8_t lineage[16]; /* new with each cleanup of a raft folder */
};

/* -EBADMSG: damaged or of another schema; -EBUSY: open in another process. After any fork. A full
 * disk is no error where there is a store: it can be read, and changes are -ENOSPC until there is
 * space. */
int store_open(const struct store_options *opt, struct mbox *loop, struct store **ret,
	       struct err *e);
/* After the last transaction has ended. Runs what is queued, then stops the writer. */
void store_close(struct store *s);
/* True when the last stop was not an orderly store_close, and something was written before it. */
bool store_was_killed(const struct store *s);

/* NULL, or in words: LMDB could not write its meta page, so that everything fails with -EIO until
 * the store is opened again, which finds the last durable state. Any thread. */
const char *store_broken(const struct store *s);

/* A consistent view of now. Short: pages freed meanwhile cannot be reused. -EMFILE: all slots in
 * use. The caller ends it on any thread. */
int store_read(struct store *s, struct store_txn **ret);
void store_read_end(struct store_txn *t);
/* How many commits came after it, whose freed pages it keeps from being used again. */
uint64_t store_commits_since(const struct store_txn *t);

const struct store_info *store_info(const struct store_txn *t);
const char *store_folder(const struct store *s);
/* Free bytes of the file system under the data, and the size of the data file. */
int store_space(struct store *s, uint64_t *ret_free, uint64_t *ret_used);

/*
 * A batch: queued by any thread, run in order on the writer's thread, many in one transaction with
 * one sync. A failing batch is undone alone. Embed it; it lives until done has run.
 */
struct store_batch {
	int (*fn)(struct store_txn *t, struct store_batch *b); /* writer's thread */
	/* Loop's thread, when durable (status 0 or what fn returned >= 0) or failed (< 0). */
	void (*done)(struct store_batch *b, int status);

	/* private */
	struct store_batch *next;
	int status;
	bool job;
	struct mbox_msg msg;
};

void store_submit(struct store *s, struct store_batch *b);
/* The same for work of many transactions: fn gets no transaction (NULL) and opens its own. */
void store_submit_job(struct store *s, struct store_batch *b);

/* For jobs and tests, on the writer's thread only. */
int store_write(struct store *s, struct store_txn **ret);
int store_commit(struct store_txn *t); /* durable on 0; ends the transaction either way */
void store_abort(struct store_txn *t);
/* The counters, to be changed by code of this folder and by merges. */
struct store_info *store_info_edit(struct store_txn *t);
/* Counts one change of the pinset: revision and time. */
void store_touch(struct store_txn *t);

/* Jobs, on the writer's thread: the pinset, blocks, heads and the tracker's lists are empty from
 * now on; what there was is dropped when its last reader ends. */
int store_clean(struct store *s);
