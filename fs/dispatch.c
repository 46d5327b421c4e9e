/*
 * From the kernel's requests to the functions of a node's kind, a few lines each. FUSE thread.
 * Every request gets one answer: here, or later from call_post.
 */
#include "fs/dispatch.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "fs/fixed.h"
#include "util/clock.h"

static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	fuse_reply_none(req);
}

static void do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	fuse_reply_none(req);
}

/* ---- attributes ---- */

static int attr_of(struct call *c, const struct node_ops *ops, uint64_t ino, struct stat *st)
{
	if (!ops->attr)
		return -ESTALE;
	return ops->attr(c, ino, st);
}

static void reply_attr(struct call *c, int r, const struct stat *st, double timeout)
{
	call_end(c);
	if (r < 0)
		fuse_reply_err(c->req, -r);
	else
		fuse_reply_attr(c->req, st, timeout);
}

/* Folders too: the kernel asks for theirs before each change in them. */
static double attr_timeout(uint64_t ino, const struct stat *st)
{
	return node_kind(ino) == KIND_PIN || S_ISDIR(st->st_mode) ? 1.0 : 0.0;
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	CALL(req, ino);
	struct stat st;
	int r = attr_of(&c, ops, ino, &st);

	reply_attr(&c, r, &st, r < 0 ? 0.0 : attr_timeout(ino, &st));
}

static void do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct handle *h = fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
	CALL(req, ino);
	struct stat st;
	int r = 0;

	call_set_node_path(&c, ino, h);
	if (to_set & FUSE_SET_ATTR_SIZE) {
		r = call_may_change(&c);
		if (r == 0)
			r = ops->truncate ? ops->truncate(&c, ino, h, (uint64_t)attr->st_size)
					  : call_refuse(&c, -EPERM, "this cannot be truncated");
	}
	/* Both times set to now is `touch`; mode, owner and given times are accepted and change
	 * nothing (but for a dump's), or cp -a, tar and rsync would report failures. */
	if (r == 0 && (to_set & FUSE_SET_ATTR_MTIME_NOW) && ops->touch && call_may_change(&c) == 0)
		r = ops->touch(&c, ino, h);
	else if (r == 0 && (to_set & FUSE_SET_ATTR_MTIME) && ops->set_time &&
		 call_may_change(&c) == 0)
		r = ops->set_time(&c, ino, h,
				  attr->st_mtim.tv_sec * NS_PER_S + attr->st_mtim.tv_nsec);
	if (r == CALL_LATER) {
		call_end(&c);
		return;
	}
	if (r == 0)
		r = attr_of(&c, ops, ino, &st);
	reply_attr(&c, r, &st, 0);
}

/* ---- the mount ---- */

static void do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	CALL(req, ino);
	struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };
	const struct store_info *info = call_info(&c);
	uint64_t free_bytes = 0, used = 0;

	(void)ops;
	fs_space(c.fs, &free_bytes, &used);
	st.f_blocks = (free_bytes + used) / 4096 + 1;
	st.f_bfree = st.f_bavail = free_bytes / 4096;
	st.f_files = (info ? info->pins : 0) + FIXED_NR;
	call_end(&c);
	fuse_reply_statfs(req, &st);
}

static void do_init(void *userdata, struct fuse_conn_info *conn)
{
	/* Writing back later turns errors of WRITE into EIO at close. Never. */
	conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
}

const struct fuse_lowlevel_ops fs_lowlevel_ops = {
	.init = do_init,
	.lookup = do_lookup,
	.forget = do_forget,
	.forget_multi = do_forget_multi,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.readlink = do_readlink,
	.mknod = do_mknod,
	.mkdir = do_mkdir,
	.unlink = do_unlink,
	.rmdir = do_rmdir,
	.symlink = do_symlink,
	.rename = do_rename,
	.link = do_link,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.flush = do_flush,
	.release = do_release,
	.fsync = do_fsync,
	.opendir = do_opendir,
	.readdir = do_readdir,
	.readdirplus = do_readdirplus,
	.releasedir = do_releasedir,
	.statfs = do_statfs,
	.create = do_create,
};
