#include "fs/call.h"

#include <stdarg.h>
#include <stdio.h>

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

void call_who(struct fuse_req *req, struct cluster_who *who)
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
	call_who(c->req, &who);
	fs_record(c->fs, &who, c->path, code, reason);
	return code;
}
