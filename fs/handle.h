/*
 * One open file. The FUSE thread owns it; a request that waits for the peer holds a reference, and
 * the loop may touch only what is marked so, under the lock.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "fs/node.h"
#include "store/export.h"
#include "util/list.h"

struct handle {
	struct fs *fs;
	const struct node_ops *ops;
	uint64_t ino;
	int flags;              /* of open */
	pid_t opener;           /* thread group; 0 unknown */
	struct cluster_who who; /* opened it to write; only the uid of who reads */
	struct list link;       /* in fs->handles */
	atomic_int refs;

	struct buf text;       /* what is read, or what was written and is not committed */
	bool fresh;            /* text is new content, from offset 0 (created or truncated) */
	bool cut;              /* emptied through the open file, nothing written since */
	bool dirty;            /* bytes came since the last commit */
	bool written;          /* bytes came at all */
	bool poisoned;         /* nothing of it is ever committed: killed writer, or bad input */
	int poison;            /* the -errno every further write gets */
	bool created;          /* by CREATE, no pin yet */
	bool touched;          /* pinned by its times */
	atomic_bool busy;      /* a commit is under way */
	atomic_bool opening;   /* the loop still fills text */
	atomic_bool abandoned; /* set by the loop: its opener went away before it was open */
	atomic_bool committed; /* set by the loop */

	struct cid cid;         /* of a pin */
	int64_t mtime_ns;       /* of text */
	struct import *import;  /* bytes on their way in */
	bool check;             /* for state/check */
	struct batch *batch;    /* lines of an open batch, ops/batch.h */
	struct store_txn *view; /* of an open export */
	struct export *export;
	struct export *copying;  /* of the same view, while it is moved to a file */
	struct list export_link; /* in the set of open dumps */
	uint64_t dump;           /* number of an open dump, never used twice */
	uint64_t size;           /* of an open dump */
	int64_t read_ms;         /* when it was read last */
	int fd;                  /* of a file on disk, -1 */
	uint64_t base;           /* journals: number of the first byte that was there at open */
	pthread_mutex_t lock;    /* of an open dump: view, export, copying, fd, read_ms */
};

struct handle *handle_new(struct fs *fs, uint64_t ino, int flags);
struct handle *handle_ref(struct handle *h);
void handle_unref(struct handle *h);
/* The newest open handle of this node in the caller's thread group, or NULL. */
struct handle *handle_of_caller(struct call *c, uint64_t ino);
/* Another handle of this node with bytes that are not committed. */
bool handle_conflicts(struct fs *fs, uint64_t ino, const struct handle *but);
