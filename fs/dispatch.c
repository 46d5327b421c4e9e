/*
 * From the kernel's requests to the functions of a node's kind, a few lines each. FUSE thread.
 * Every request gets one answer: here, or later from call_post.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/caller.h"
#include "fs/fixed.h"
#include "fs/internal.h"
#include "fs/ops/pins.h"
#include "util/clock.h"

#define CALL(r, node)                                                                              \
	struct call c = { .fs = fuse_req_userdata(r), .req = (r) };                                \
	const struct node_ops *ops = node_ops(node)

static void call_end(struct call *c)
{
	if (c->txn)
		store_read_end(c->txn);
	c->txn = NULL;
}

/* The answer of functions that give nothing but success. */
static void finish(struct call *c, int r)
{
	call_end(c);
	if (r != CALL_LATER)
		fuse_reply_err(c->req, r < 0 ? -r : 0);
}

static void set_path(struct call *c, uint64_t dir, const char *name)
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

/* Of an open file: what it was opened as, or for a pin its CID. */
static void set_handle_path(struct call *c, const struct handle *h)
{
	char name[256];

	if (cid_defined(&h->cid)) {
		pin_name_format(h->cid.bytes, h->cid.len, name);
		set_path(c, fixed_id(FIXED_PINS), name);
	} else {
		set_path(c, h->ino, "");
	}
}

/* Of a node that is about to be changed. */
static void set_node_path(struct call *c, uint64_t ino, const struct handle *h)
{
	struct store_txn *t;
	struct pin_row row;
	char name[256];

	if (h) {
		set_handle_path(c, h);
	} else if (node_kind(ino) == KIND_PIN && call_view(c, &t) == 0 &&
		   pinset_row(t, node_serial(ino), &row) == 0) {
		pin_name_format(row.cid, row.cid_len, name);
		set_path(c, fixed_id(FIXED_PINS), name);
	} else {
		set_path(c, ino, "");
	}
}

/* ---- names ---- */

static void reply_entry(struct call *c, const struct node_entry *en)
{
	struct fuse_entry_param e = { .ino = en->st.st_ino,
				      .generation = 1,
				      .attr = en->st,
				      .attr_timeout = en->timeout,
				      .entry_timeout = en->timeout };

	call_end(c);
	fuse_reply_entry(c->req, &e);
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	CALL(req, parent);
	struct node_entry en;
	int r;

	set_path(&c, parent, name);
	r = ops->lookup ? ops->lookup(&c, parent, name, &en) : -ENOTDIR;
	if (r < 0)
		finish(&c, r);
	else
		reply_entry(&c, &en);
}

static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	fuse_reply_none(req);
}

static void do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	fuse_reply_none(req);
}

static int refuse_change(struct call *c)
{
	if (c->fs->opt.read_only)
		return call_refuse(c, -EROFS, "mounted read-only");
	if (atomic_load(&c->fs->frozen))
		return call_refuse(c, -EROFS, "the peer is shutting down");
	return 0;
}

static void do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	CALL(req, parent);
	int r;

	c.holds_folder = true;
	set_path(&c, parent, name);
	r = refuse_change(&c);
	if (r == 0)
		r = ops->unlink ? ops->unlink(&c, parent, name)
				: call_refuse(&c, -EPERM, "nothing can be deleted here");
	finish(&c, r);
}

static void do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node_entry en;
	CALL(req, parent);
	int r;

	c.holds_folder = true;
	set_path(&c, parent, name);
	r = refuse_change(&c);
	if (r == 0)
		r = ops->lookup ? ops->lookup(&c, parent, name, &en) : -ENOTDIR;
	if (r == 0 && !S_ISDIR(en.st.st_mode))
		r = -ENOTDIR;
	if (r == 0) {
		ops = node_ops(en.st.st_ino);
		r = ops->rmdir
			? ops->rmdir(&c, en.st.st_ino, name)
			: call_refuse(&c, -EBUSY, "this folder is part of the tree and stays");
	}
	finish(&c, r);
}

static void do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		      const char *newname, unsigned flags)
{
	CALL(req, parent);
	int r;

	c.holds_folder = true;
	set_path(&c, parent, name);
	r = refuse_change(&c);
	if (r == 0 && (flags & ~(unsigned)RENAME_NOREPLACE))
		r = call_refuse(&c, -EINVAL, "names cannot be exchanged");
	else if (r == 0 && parent != newparent)
		r = call_refuse(&c, -EXDEV, "files stay in their folder: copy instead");
	else if (r == 0 && !ops->rename)
		r = call_refuse(&c, -EPERM, "names are fixed here");
	if (r == 0)
		r = ops->rename(&c, parent, name, newname);
	finish(&c, r);
}

static void do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	CALL(req, parent);
	struct node_entry en;
	int r;

	set_path(&c, parent, name);
	r = refuse_change(&c);
	if (r == 0)
		r = ops->symlink ? ops->symlink(&c, parent, name, target, &en)
				 : call_refuse(&c, -EPERM, "links cannot be made here");
	if (r < 0)
		finish(&c, r);
	else
		reply_entry(&c, &en);
}

static void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	CALL(req, parent);

	(void)ops;
	set_path(&c, parent, name);
	finish(&c, call_refuse(&c, -EPERM, "folders cannot be made here"));
}

static void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	CALL(req, parent);

	(void)ops;
	set_path(&c, parent, name);
	finish(&c, call_refuse(&c, -EPERM, "special files cannot be made here"));
}

static void do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	CALL(req, newparent);

	(void)ops;
	set_path(&c, newparent, newname);
	finish(&c, call_refuse(&c, -EPERM, "hard links cannot be made here"));
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino)
{
	CALL(req, ino);
	struct buf target = BUF_INIT(4096);
	int r = ops->readlink ? ops->readlink(&c, ino, &target) : -EINVAL;

	if (r == 0)
		r = buf_terminate(&target);
	call_end(&c);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, (const char *)target.data);
	buf_deinit(&target);
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

	set_node_path(&c, ino, h);
	if (to_set & FUSE_SET_ATTR_SIZE) {
		r = refuse_change(&c);
		if (r == 0)
			r = ops->truncate ? ops->truncate(&c, ino, h, (uint64_t)attr->st_size)
					  : call_refuse(&c, -EPERM, "this cannot be truncated");
	}
	/* Both times set to now is `touch`; mode, owner and given times are accepted and change
	 * nothing (but for a dump's), or cp -a, tar and rsync would report failures. */
	if (r == 0 && (to_set & FUSE_SET_ATTR_MTIME_NOW) && ops->touch && refuse_change(&c) == 0)
		r = ops->touch(&c, ino, h);
	else if (r == 0 && (to_set & FUSE_SET_ATTR_MTIME) && ops->set_time &&
		 refuse_change(&c) == 0)
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

/* ---- folders ---- */

static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	CALL(req, ino);

	(void)c;
	if (!ops->next) {
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	fi->fh = 0;
	fuse_reply_open(req, fi);
}

static size_t add_entry(fuse_req_t req, char *buf, size_t room, const struct node_entry *en,
			off_t cookie, bool plus)
{
	struct fuse_entry_param e = { .ino = en->st.st_ino,
				      .generation = 1,
				      .attr = en->st,
				      .attr_timeout = en->timeout,
				      .entry_timeout = en->timeout };

	return plus ? fuse_add_direntry_plus(req, buf, room, en->name, &e, cookie)
		    : fuse_add_direntry(req, buf, room, en->name, &en->st, cookie);
}

/* Memory for the bytes of one answer. The same each time: a megabyte from malloc would be mapped
 * and faulted in anew for each read. */
static char *reply_room(struct fs *fs, size_t size)
{
	buf_reset(&fs->reply);
	return buf_reserve(&fs->reply, size) < 0 ? NULL : (char *)fs->reply.data;
}

/* "." and ".." come first, with cookies 1 and 2; what the folder has is shifted by 2. */
#define DOT_COOKIES 2

static size_t add_dots(fuse_req_t req, fuse_ino_t ino, char *buf, size_t size, off_t *off,
		       bool plus)
{
	static const char *const dots[DOT_COOKIES] = { ".", ".." };
	size_t used = 0;

	for (; *off < DOT_COOKIES; (*off)++) {
		struct node_entry en = { .st = { .st_ino = plus ? 0 : ino, .st_mode = S_IFDIR } };
		size_t n;

		snprintf(en.name, sizeof(en.name), "%s", dots[*off]);
		n = add_entry(req, buf + used, size - used, &en, *off + 1, plus);
		if (n > size - used)
			break;
		used += n;
	}
	return used;
}

static void list_folder(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	CALL(req, ino);
	struct node_list l = { 0 };
	struct node_entry en;
	char *buf = reply_room(c.fs, size);
	size_t used = 0, n;
	int r = buf ? 0 : -ENOMEM;

	if (r == 0)
		used = add_dots(req, ino, buf, size, &off, plus);
	if (r == 0 && off >= DOT_COOKIES)
		l.cookie = (uint64_t)off - DOT_COOKIES;
	while (r == 0 && off >= DOT_COOKIES) {
		r = ops->next ? ops->next(&c, ino, &l, &en) : -ENOTDIR;
		if (r < 0)
			break;
		n = add_entry(req, buf + used, size - used, &en, (off_t)(en.cookie + DOT_COOKIES),
			      plus);
		if (n > size - used)
			break;
		used += n;
		l.cookie = en.cookie;
	}
	if (l.iter_open)
		pinset_iter_end(&l.iter);
	call_end(&c);
	if (r < 0 && r != -ENOENT && used == 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, buf, used);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	list_folder(req, ino, size, off, false);
}

static void do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	list_folder(req, ino, size, off, true);
}

static void do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

/* ---- files ---- */

static bool writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

static void handle_close(struct handle *h)
{
	list_del(&h->link);
	if (h->ops->release)
		h->ops->release(h);
	handle_unref(h);
}

static void set_opener(struct handle *h, fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	h->opener = caller_thread_group(ctx->pid);
	if (writes(h->flags))
		call_who(req, &h->who);
	h->who.uid = ctx->uid;
}

/* How the kernel treats the pages of this kind: small pins are cached, all else is asked each time.
 */
static void set_caching(struct fuse_file_info *fi, const struct handle *h)
{
	fi->direct_io = !(node_kind(h->ino) == KIND_PIN && !writes(h->flags));
	fi->noflush = !writes(h->flags);
	fi->fh = (uint64_t)(uintptr_t)h;
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	CALL(req, ino);
	struct handle *h;
	int r = 0;

	if (writes(fi->flags)) {
		set_node_path(&c, ino, NULL);
		r = refuse_change(&c);
	} else {
		set_path(&c, ino, "");
	}
	if (r == 0 && !ops->open)
		r = ops->next ? -EISDIR : -ESTALE;
	if (r == 0 && writes(fi->flags) && !ops->write)
		r = call_refuse(&c, -EACCES, "this file is read-only");
	if (r < 0) {
		finish(&c, r);
		return;
	}
	h = handle_new(c.fs, ino, fi->flags);
	if (!h) {
		finish(&c, -ENOMEM);
		return;
	}
	set_opener(h, req);
	r = ops->open(&c, ino, h);
	call_end(&c);
	set_caching(fi, h);
	if (r < 0) {
		handle_close(h);
		fuse_reply_err(req, -r);
	} else if (fuse_reply_open(req, fi) < 0) {
		handle_close(h); /* the opener is gone */
	}
}

static void do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	CALL(req, parent);
	struct fuse_entry_param e = { .generation = 1 };
	struct node_entry en;
	struct handle *h;
	int r;

	set_path(&c, parent, name);
	r = refuse_change(&c);
	if (r == 0 && !ops->create)
		r = call_refuse(&c, -EPERM, "files cannot be made here");
	if (r < 0) {
		finish(&c, r);
		return;
	}
	h = handle_new(c.fs, 0, fi->flags);
	if (!h) {
		finish(&c, -ENOMEM);
		return;
	}
	set_opener(h, req);
	r = ops->create(&c, parent, name, h, &en);
	call_end(&c);
	h->ops = node_ops(h->ino);
	set_caching(fi, h);
	e.ino = en.st.st_ino;
	e.attr = en.st;
	/* Spares a question before the first WRITE; the name itself is looked up again each time.
	 */
	e.attr_timeout = 1.0;
	if (r < 0) {
		handle_close(h);
		fuse_reply_err(req, -r);
	} else if (fuse_reply_create(req, &e, fi) < 0) {
		handle_close(h);
	}
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	CALL(req, ino);
	ssize_t n;
	char *buf;

	(void)ops;
	if (!h->ops->read) {
		finish(&c, -EBADF);
		return;
	}
	buf = reply_room(c.fs, size);
	n = buf ? h->ops->read(&c, h, buf, size, (uint64_t)off) : -ENOMEM;
	call_end(&c);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	CALL(req, ino);
	int r;

	(void)ops;
	set_handle_path(&c, h);
	r = refuse_change(&c);
	if (r == 0)
		r = h->ops->write ? h->ops->write(&c, h, buf, size, (uint64_t)off) : -EBADF;
	call_end(&c);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (r == 0)
		fuse_reply_write(req, size);
}

/* The file of a pin whose document was committed by the write that completed it: who closes it does
 * not matter. */
static bool is_settled(const struct handle *h)
{
	return cid_defined(&h->cid) && !h->dirty && !h->cut;
}

static void do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	pid_t pid = fuse_req_ctx(req)->pid;
	CALL(req, ino);
	int r = 0;

	(void)ops;
	set_handle_path(&c, h);
	if (h->ops->flush && writes(h->flags) && !is_settled(h)) {
		pid_t group = caller_thread_group(pid);

		c.opener = group != 0 && group == h->opener;
		c.killed = caller_is_killed(pid);
		r = h->ops->flush(&c, h);
	}
	finish(&c, r);
}

static void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	CALL(req, ino);
	int r = 0;

	(void)ops;
	set_handle_path(&c, h);
	if (h->ops->fsync && writes(h->flags))
		r = h->ops->fsync(&c, h);
	finish(&c, r);
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	handle_close((struct handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

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
