/*
 * state/import and state/check: a dump that is written here is parsed as it arrives. It counts when
 * the program that opened the file closes it, asks for a sync, or renames a finished file onto it;
 * a killed writer's never does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/ops/state.h"
#include "fs/waiting.h"

/* ---- reading: the last accepted dump ---- */

static int attr_import(struct call *c, uint64_t ino, struct stat *st)
{
	int fd = cluster_import_file(c->fs->cluster);
	struct stat disk;

	node_stat(c->fs, ino, CLASS_IMPORT, 0, c->fs->started_ns, st);
	if (fd >= 0 && fstat(fd, &disk) == 0) {
		st->st_size = disk.st_size;
		st->st_blocks = (disk.st_size + 511) / 512;
		st->st_mtim = st->st_ctim = st->st_atim = disk.st_mtim;
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static int open_import(struct call *c, uint64_t ino, struct handle *h)
{
	h->check = fixed_of(ino) == FIXED_CHECK;
	h->fresh = h->flags & O_TRUNC;
	if (!h->check)
		h->fd = cluster_import_file(c->fs->cluster);
	return 0;
}

static ssize_t read_import(struct call *c, struct handle *h, void *out, size_t n, uint64_t off)
{
	ssize_t r = h->fd < 0 ? 0 : pread(h->fd, out, n, (off_t)off);

	return r < 0 ? -errno : r;
}

/* ---- its time ---- */

/* What is open with bytes that are not committed; the kernel does not always say which it means. */
static struct import *receiving(struct fs *fs, uint64_t ino)
{
	struct list *it;

	list_each (it, &fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		if (h->ino == ino && h->import)
			return h->import;
	}
	return NULL;
}

/* A given time is kept, so that rsync finds the dump it brought unchanged the next time. */
static int set_time_import(struct call *c, uint64_t ino, struct handle *h, int64_t ns)
{
	struct import *im = h && h->import ? h->import : receiving(c->fs, ino);

	if (im)
		import_set_time(im, ns);
	else
		cluster_import_set_time(c->fs->cluster, ns); /* -ENOENT: there is none */
	return 0;
}

/* ---- writing ---- */

static int poison(struct handle *h, int code)
{
	import_free(h->import);
	h->import = NULL;
	h->poisoned = true;
	h->poison = code;
	h->dirty = false;
	return code;
}

int dump_write(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	struct err e = { 0 };
	int r = 0;

	if (h->poisoned)
		return call_refuse(c, h->poison, "what was written before was refused");
	if (!h->import)
		r = cluster_import_begin(c->fs->cluster, h->check, &h->import);
	if (r == -EBUSY && !h->check && spool_yield(c->fs))
		r = cluster_import_begin(c->fs->cluster, h->check, &h->import);
	if (r < 0) {
		h->import = NULL;
		return call_refuse(c, r,
				   r == -EBUSY ? "another import is open or running"
					       : "a place for the dump on disk");
	}
	if (off != import_received(h->import))
		return call_refuse(c, poison(h, -EINVAL),
				   "a dump must be written from its start to its end");
	h->written = h->dirty = true;
	r = import_feed(h->import, p, n, &e);
	return r < 0 ? call_refuse(c, poison(h, r), "%s", e.msg) : 0;
}

/* Hands the dump to the peer, which answers when it is the state, durably. */
static int commit(struct call *c, struct handle *h)
{
	struct call_after after = { .reply = REPLY_NOTHING };
	struct cluster_request *rq;
	struct err e = { 0 };
	int r = import_finish(h->import, &e);

	if (r < 0)
		return call_refuse(c, poison(h, r), "%s", e.msg);
	rq = cluster_request_new(CLUSTER_IMPORT, 0);
	if (!rq)
		return -ENOMEM;
	rq->import = h->import;
	h->import = NULL;
	h->dirty = false;
	return call_post(c, rq, &after);
}

int dump_flush(struct call *c, struct handle *h)
{
	if (h->poisoned)
		return h->poison;
	if (!h->dirty) /* opened and closed: an empty dump is no state */
		return h->fresh && !h->written && c->opener ? -EINVAL : 0;
	if (c->killed) {
		poison(h, -EINTR);
		return 0;
	}
	/* A copy of the descriptor is closed by another program: more may come. */
	return c->opener ? commit(c, h) : 0;
}

int dump_fsync(struct call *c, struct handle *h)
{
	if (h->poisoned)
		return h->poison;
	return h->dirty ? commit(c, h) : 0;
}

static int truncate_import(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	struct stat st;

	if (h && size == 0 && !h->written) {
		h->fresh = true;
		return 0;
	}
	if (h && h->import && size == import_received(h->import)) /* rsync --inplace, at the end */
		return 0;
	if (!h && attr_import(c, ino, &st) == 0 && (uint64_t)st.st_size == size)
		return 0;
	return call_refuse(c, -EINVAL, "a dump cannot be cut: write it from its start to its end");
}

/* A whole dump that no close could commit: the opener is gone, or its descriptor was handed on. */
static void commit_late(struct handle *h)
{
	struct cluster_request *rq;

	if (import_finish(h->import, NULL) < 0 || atomic_load(&h->fs->frozen))
		return;
	rq = cluster_request_new(CLUSTER_IMPORT, 0);
	if (!rq)
		return;
	rq->import = h->import;
	h->import = NULL;
	waiting_post_late(h, rq, h->check ? "state/check" : "state/import");
}

static void release_import(struct handle *h)
{
	if (h->fresh && !h->written && !h->poisoned)
		fs_record(h->fs, &h->who, h->check ? "state/check" : "state/import", -EINVAL,
			  "the dump was empty: to empty the pinset, rm -r state");
	if (h->import && h->dirty && !h->poisoned)
		commit_late(h);
	import_free(h->import);
	h->import = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

const struct node_ops ops_import = {
	.attr = attr_import,
	.open = open_import,
	.read = read_import,
	.write = dump_write,
	.truncate = truncate_import,
	.set_time = set_time_import,
	.flush = dump_flush,
	.fsync = dump_fsync,
	.release = release_import,
};

static int attr_check(struct call *c, uint64_t ino, struct stat *st)
{
	node_stat(c->fs, ino, CLASS_IMPORT, 0, c->fs->started_ns, st);
	return 0;
}

const struct node_ops ops_check = {
	.attr = attr_check,
	.open = open_import,
	.read = read_import,
	.write = dump_write,
	.truncate = truncate_import,
	.flush = dump_flush,
	.fsync = dump_fsync,
	.release = release_import,
};

/* ---- results ---- */

static int render_import_result(struct call *c, uint64_t ino, struct buf *out,
				int64_t *ret_mtime_ns)
{
	return cluster_import_result(c->fs->cluster, false, out);
}
TEXT_OPS(import_result, CLASS_READ_ONLY);

static int render_check_result(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return cluster_import_result(c->fs->cluster, true, out);
}
TEXT_OPS(check_result, CLASS_READ_ONLY);
