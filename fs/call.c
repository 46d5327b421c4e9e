#include "fs/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/caller.h"
#include "fs/internal.h"

#define LOG_AREA "fs"
#include "util/log.h"

int call_view(struct call *c, struct store_txn **ret)
{
	int r = c->txn ? 0 : store_read(c->fs->store, &c->txn);

	if (r < 0) {
		c->txn = NULL;
		return call_refuse(c, r, "reading the state");
	}
	*ret = c->txn;
	return 0;
}

const struct store_info *call_info(struct call *c)
{
	struct store_txn *t;

	return call_view(c, &t) < 0 ? NULL : store_info(t);
}

void fs_record(struct fs *fs, const struct cluster_who *who, const char *path, int code,
	       const char *reason)
{
	why_add(fs->why, who->uid, who->program, path, code, reason);
	cluster_audit_refusal(fs->cluster, who, path, code, reason);
	log_dbg("%s %s: %s: %s", who->program, path, strerror(-code), reason);
}

static void who_of(struct fuse_req *req, struct cluster_who *who)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	who->uid = ctx->uid;
	who->pid = ctx->pid;
	caller_program(ctx->pid, who->program, sizeof(who->program));
}

int call_refuse(struct call *c, int code, const char *fmt, ...)
{
	struct cluster_who who;
	char reason[512];
	va_list ap;

	if (c->refused)
		return code;
	c->refused = true;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	who_of(c->req, &who);
	fs_record(c->fs, &who, c->path, code, reason);
	return code;
}

/* ---- requests that the peer answers ---- */

/* How the kernel's request is answered when the peer's is done. */
struct waiting {
	struct fs *fs;
	struct fuse_req *req;
	struct call_after after;
	char path[300];
};

static void answer_attr(struct waiting *w)
{
	struct call c = { .fs = w->fs, .req = w->req, .handle = w->after.handle };
	struct stat st;
	int r = node_ops(w->after.ino)->attr(&c, w->after.ino, &st);

	if (c.txn)
		store_read_end(c.txn);
	if (r < 0)
		fuse_reply_err(w->req, -r);
	else
		fuse_reply_attr(w->req, &st, 0);
}

static void answer(struct waiting *w, int status)
{
	if (status < 0) {
		fuse_reply_err(w->req, -status);
		return;
	}
	switch (w->after.reply) {
	case REPLY_NOTHING:
		fuse_reply_err(w->req, 0);
		break;
	case REPLY_WRITTEN:
		fuse_reply_write(w->req, w->after.written);
		break;
	case REPLY_ATTR:
		answer_attr(w);
		break;
	}
}

static void request_done(struct cluster_request *rq, int status) /* loop's thread */
{
	struct waiting *w = rq->arg;

	if (status < 0)
		fs_record(w->fs, &rq->who, w->path, status, rq->error.msg);
	if (w->after.then)
		w->after.then(w->after.handle, status);
	answer(w, status);
	handle_unref(w->after.handle);
	cluster_request_free(rq);
	free(w);
}

int call_post(struct call *c, struct cluster_request *rq, const struct call_after *after)
{
	struct waiting *w = rq ? calloc(1, sizeof(*w)) : NULL;

	if (!w || atomic_load(&c->fs->frozen) || c->fs->opt.read_only) {
		int code = w ? -EROFS : -ENOMEM;

		cluster_request_free(rq);
		free(w);
		return call_refuse(c, code, "%s",
				   code == -ENOMEM        ? "out of memory"
				   : c->fs->opt.read_only ? "mounted read-only"
							  : "the peer is shutting down");
	}
	w->fs = c->fs;
	w->req = c->req;
	w->after = *after;
	memcpy(w->path, c->path, sizeof(w->path));
	if (after->handle)
		handle_ref(after->handle);
	who_of(c->req, &rq->who);
	rq->arg = w;
	rq->done = request_done;
	cluster_post(c->fs->cluster, rq);
	return CALL_LATER;
}
