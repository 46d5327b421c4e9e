/* Requests about names and folders. FUSE thread. */
#include <errno.h>
#include <stdio.h>

#include "fs/dispatch.h"

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

void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	CALL(req, parent);
	struct node_entry en;
	int r;

	call_set_path(&c, parent, name);
	r = ops->lookup ? ops->lookup(&c, parent, name, &en) : -ENOTDIR;
	if (r < 0)
		call_finish(&c, r);
	else
		reply_entry(&c, &en);
}

void do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	CALL(req, parent);
	int r;

	c.holds_folder = true;
	call_set_path(&c, parent, name);
	r = call_may_change(&c);
	if (r == 0)
		r = ops->unlink ? ops->unlink(&c, parent, name)
				: call_refuse(&c, -EPERM, "nothing can be deleted here");
	call_finish(&c, r);
}

void do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node_entry en;
	CALL(req, parent);
	int r;

	c.holds_folder = true;
	call_set_path(&c, parent, name);
	r = call_may_change(&c);
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
	call_finish(&c, r);
}

void do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	       const char *newname, unsigned flags)
{
	CALL(req, parent);
	int r;

	c.holds_folder = true;
	call_set_path(&c, parent, name);
	r = call_may_change(&c);
	if (r == 0 && (flags & ~(unsigned)RENAME_NOREPLACE))
		r = call_refuse(&c, -EINVAL, "names cannot be exchanged");
	else if (r == 0 && parent != newparent)
		r = call_refuse(&c, -EXDEV, "files stay in their folder: copy instead");
	else if (r == 0 && !ops->rename)
		r = call_refuse(&c, -EPERM, "names are fixed here");
	if (r == 0)
		r = ops->rename(&c, parent, name, newname);
	call_finish(&c, r);
}

void do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	CALL(req, parent);
	struct node_entry en;
	int r;

	call_set_path(&c, parent, name);
	r = call_may_change(&c);
	if (r == 0)
		r = ops->symlink ? ops->symlink(&c, parent, name, target, &en)
				 : call_refuse(&c, -EPERM, "links cannot be made here");
	if (r < 0)
		call_finish(&c, r);
	else
		reply_entry(&c, &en);
}

void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	CALL(req, parent);

	(void)ops;
	call_set_path(&c, parent, name);
	call_finish(&c, call_refuse(&c, -EPERM, "folders cannot be made here"));
}

void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	CALL(req, parent);

	(void)ops;
	call_set_path(&c, parent, name);
	call_finish(&c, call_refuse(&c, -EPERM, "special files cannot be made here"));
}

void do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	CALL(req, newparent);

	(void)ops;
	call_set_path(&c, newparent, newname);
	call_finish(&c, call_refuse(&c, -EPERM, "hard links cannot be made here"));
}

void do_readlink(fuse_req_t req, fuse_ino_t ino)
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

/* ---- folders ---- */

void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
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
	char *buf = call_room(&c, size);
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

void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	list_folder(req, ino, size, off, false);
}

void do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	list_folder(req, ino, size, off, true);
}

void do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}
