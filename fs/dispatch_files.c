/* Requests about open files. FUSE thread. */
#include <errno.h>

#include "fs/caller.h"
#include "fs/dispatch.h"

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

/* Those that were never open. */
static void close_abandoned(struct fs *fs)
{
	struct list *it, *next;

	list_each_safe (it, next, &fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		if (atomic_load(&h->abandoned))
			handle_close(h);
	}
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

int fs_reply_open(struct fuse_req *req, struct handle *h)
{
	struct fuse_file_info fi = { 0 };

	set_caching(&fi, h);
	return fuse_reply_open(req, &fi);
}

void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	CALL(req, ino);
	struct handle *h;
	int r = 0;

	if (writes(fi->flags)) {
		call_set_node_path(&c, ino, NULL);
		r = call_may_change(&c);
	} else {
		call_set_path(&c, ino, "");
	}
	if (r == 0 && !ops->open)
		r = ops->next ? -EISDIR : -ESTALE;
	if (r == 0 && writes(fi->flags) && !ops->write)
		r = call_refuse(&c, -EACCES, "this file is read-only");
	if (r < 0) {
		call_finish(&c, r);
		return;
	}
	close_abandoned(c.fs);
	h = handle_new(c.fs, ino, fi->flags);
	if (!h) {
		call_finish(&c, -ENOMEM);
		return;
	}
	set_opener(h, req);
	r = ops->open(&c, ino, h);
	call_end(&c);
	if (r == CALL_LATER)
		return;
	if (r < 0) {
		handle_close(h);
		fuse_reply_err(req, -r);
	} else if (fs_reply_open(req, h) < 0) {
		handle_close(h); /* the opener is gone */
	}
}

void do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	CALL(req, parent);
	struct fuse_entry_param e = { .generation = 1 };
	struct node_entry en;
	struct handle *h;
	int r;

	call_set_path(&c, parent, name);
	r = call_may_change(&c);
	if (r == 0 && !ops->create)
		r = call_refuse(&c, -EPERM, "files cannot be made here");
	if (r < 0) {
		call_finish(&c, r);
		return;
	}
	h = handle_new(c.fs, 0, fi->flags);
	if (!h) {
		call_finish(&c, -ENOMEM);
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

void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	CALL(req, ino);
	ssize_t n;
	char *room;

	(void)ops;
	if (!h->ops->read) {
		call_finish(&c, -EBADF);
		return;
	}
	room = call_room(&c, size);
	n = room ? h->ops->read(&c, h, room, size, (uint64_t)off) : -ENOMEM;
	call_end(&c);
	if (n < 0) {
		fuse_reply_err(req, (int)-n);
		return;
	}
	fuse_reply_buf(req, (const char *)c.fs->reply.data, (size_t)n);
	if (h->ops->read_on)
		h->ops->read_on(h, size, (uint64_t)off);
}

void do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	      struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	CALL(req, ino);
	int r;

	(void)ops;
	call_set_handle_path(&c, h);
	r = call_may_change(&c);
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

void do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	CALL(req, ino);
	int r = 0;

	(void)ops;
	call_set_handle_path(&c, h);
	if (h->ops->flush && writes(h->flags) && !is_settled(h)) {
		c.opener = h->opener != 0 && h->opener == call_group(&c);
		c.killed = caller_is_killed(fuse_req_ctx(req)->pid);
		r = h->ops->flush(&c, h);
	}
	call_finish(&c, r);
}

void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;
	CALL(req, ino);
	int r = 0;

	(void)ops;
	call_set_handle_path(&c, h);
	if (h->ops->fsync && writes(h->flags))
		r = h->ops->fsync(&c, h);
	call_finish(&c, r);
}

void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	handle_close((struct handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
