#include "fs/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "fs/caller.h"
#include "fs/fixed.h"
#include "fs/internal.h"
#include "fs/ops/pins.h"

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

pid_t call_group(struct call *c)
{
	if (!c->grouped)
		c->group = caller_thread_group(fuse_req_ctx(c->req)->pid);
	c->grouped = true;
	return c->group;
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

	*who = (struct cluster_who){ .uid = ctx->uid, .pid = ctx->pid };
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

void call_end(struct call *c)
{
	if (c->txn)
		store_read_end(c->txn);
	c->txn = NULL;
}

void call_finish(struct call *c, int r)
{
	call_end(c);
	if (r != CALL_LATER)
		fuse_reply_err(c->req, r < 0 ? -r : 0);
}

int call_may_change(struct call *c)
{
	if (c->fs->opt.read_only)
		return call_refuse(c, -EROFS, "mounted read-only");
	if (atomic_load(&c->fs->frozen))
		return call_refuse(c, -EROFS, "the peer is shutting down");
	return 0;
}

char *call_room(struct call *c, size_t size)
{
	struct buf *room = &c->fs->reply;

	buf_reset(room);
	return buf_reserve(room, size) < 0 ? NULL : (char *)room->data;
}

void call_swap_room(struct call *c, struct buf *b)
{
	struct buf room = c->fs->reply;

	c->fs->reply = *b;
	*b = room;
}

/* ---- paths ---- */

void call_set_path(struct call *c, uint64_t dir, const char *name)
{
	enum fixed f = fixed_of(dir);
	const char *parent = "", *folder = "";

	if (f != FIXED_NONE) {
		folder = fixed_files[f].name;
		if (fixed_files[f].parent != FIXED_NONE)
			parent = fixed_files[fixed_files[f].parent].name;
	}
	snprintf(c->path, sizeof(c->path), "%s%s%s%s%.200s", parent, *parent ? "/" : "", folder,
		 *folder && *name ? "/" : "", name);
}

void call_set_handle_path(struct call *c, const struct handle *h)
{
	char name[256];

	if (cid_defined(&h->cid)) {
		pin_name_format(h->cid.bytes, h->cid.len, name);
		call_set_path(c, fixed_id(FIXED_PINS), name);
	} else {
		call_set_path(c, h->ino, "");
	}
}

void call_set_node_path(struct call *c, uint64_t ino, const struct handle *h)
{
	struct store_txn *t;
	struct pin_row row;
	char name[256];

	if (h) {
		call_set_handle_path(c, h);
	} else if (node_kind(ino) == KIND_PIN && call_view(c, &t) == 0 &&
		   pinset_row(t, node_serial(ino), &row) == 0) {
		pin_name_format(row.cid, row.cid_len, name);
		call_set_path(c, fixed_id(FIXED_PINS), name);
	} else {
		call_set_path(c, ino, "");
	}
}
