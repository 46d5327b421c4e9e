/*
 * One request of the kernel while it is being answered: who asks, a view of the store, the reason
 * of a refusal. Lives on the FUSE thread's stack; what has to wait takes its fuse_req with it.
 */
#pragma once

#include "fs/node.h"

struct fuse_req;

#define CALL_LATER 1 /* the function keeps the request and will answer it */

struct call {
	struct fs *fs;
	struct fuse_req *req;
	struct store_txn *txn; /* begun by call_view, ended with the call */
	pid_t group;           /* found by call_group */
	bool grouped;
	char path[300];        /* for reasons: "pins/bafy….json" */
	struct handle *handle; /* on the loop, in place of the list of open files; else NULL */
	bool refused;          /* a reason was recorded */
	bool killed;           /* flush: the task that closes is being killed */
	bool opener;           /* flush: it is of the process that opened the file */
	bool holds_folder;     /* the kernel holds a folder's lock until the answer */
};

/* The view of the store of this call, begun on first use. */
int call_view(struct call *c, struct store_txn **ret);
const struct store_info *call_info(struct call *c); /* NULL when there is no view */

/* Records why (for the file `why`, and audit where it is a refused change) and returns @code. */
int call_refuse(struct call *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Before a change: -EROFS where none is taken, with the reason. */
int call_may_change(struct call *c);

/* The path of a reason: of @name in the folder @dir; of an open file, by what it was opened as, or
 * for a pin by its CID; of a node that is about to be changed. */
void call_set_path(struct call *c, uint64_t dir, const char *name);
void call_set_handle_path(struct call *c, const struct handle *h);
void call_set_node_path(struct call *c, uint64_t ino, const struct handle *h);

/* Ends the view; before the answer. */
void call_end(struct call *c);
/* The answer of functions that give nothing but success. */
void call_finish(struct call *c, int r);
/* Memory for the bytes of one answer. The same each time: a megabyte from malloc would be mapped
 * and faulted in anew for each read. */
char *call_room(struct call *c, size_t size);
/* Takes @b for it instead, and @b gets the memory there was. */
void call_swap_room(struct call *c, struct buf *b);

/* The thread group that asks; 0: not known. Looked up on first use. */
pid_t call_group(struct call *c);

/* Who asks. */
void call_who(struct fuse_req *req, struct cluster_who *who);

/* Hands a request of the tree to the peer; the answer to the kernel comes from there: an error, or
 * what @reply says. Returns CALL_LATER, or -errno when it was refused at once (for a question,
 * nobody is told why). Takes @rq over. */
enum call_reply {
	REPLY_NOTHING,
	REPLY_WRITTEN,
	REPLY_ATTR,
	REPLY_OPEN /* of a file whose text was asked for */
};
struct call_after {
	enum call_reply reply;
	size_t written;        /* REPLY_WRITTEN */
	uint64_t ino;          /* REPLY_ATTR: answers with these attributes */
	struct handle *handle; /* referenced until answered */
	/* Loop's thread, before the answer; may be NULL. */
	void (*then)(struct handle *h, struct cluster_request *rq, int status);
};
int call_post(struct call *c, struct cluster_request *rq, const struct call_after *after);
