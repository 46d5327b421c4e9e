/*
 * The file batch: one operation, all or nothing. Committed when the program that opened it closes
 * it, or asks for a sync; a killed writer's lines are forgotten.
 */
#include "fs/ops/batch.h"

#include <errno.h>

#include "fs/text.h"

static int attr_batch(struct call *c, uint64_t ino, struct stat *st)
{
	node_stat(c->fs, ino, CLASS_WRITE_ONLY, 0, c->fs->started_ns, st);
	return 0;
}

static int open_batch(struct call *c, uint64_t ino, struct handle *h)
{
	h->batch = batch_new(cluster_options(c->fs->cluster)->data_folder);
	return h->batch ? 0 : -ENOMEM;
}

static int poison(struct handle *h, int code)
{
	h->poisoned = true;
	h->poison = code;
	h->dirty = false;
	return code;
}

/* @h->base counts the bytes that came. */
static int write_batch(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	struct err e = { 0 };
	int r;

	if (h->poisoned)
		return call_refuse(c, h->poison, "what was written before was refused");
	if (atomic_load(&h->busy))
		return call_refuse(c, -EBUSY, "the lines before are being committed");
	if (!(h->flags & O_APPEND) && off != h->base)
		return call_refuse(c, poison(h, -EINVAL),
				   "a batch must be written from its start to its end");
	h->base += n;
	h->dirty = true;
	r = batch_feed(h->batch, p, n, &e);
	return r < 0 ? call_refuse(c, poison(h, r), "%s", e.msg) : 0;
}

static int truncate_batch(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	return 0;
}

static void committed(struct handle *h, struct cluster_request *rq, int status) /* loop's thread */
{
	atomic_store(&h->busy, false);
}

static int commit(struct call *c, struct handle *h)
{
	struct call_after after = { .reply = REPLY_NOTHING, .handle = h, .then = committed };
	struct cluster_request *rq;
	struct err e = { 0 };
	int r;

	if (h->poisoned)
		return h->poison;
	if (!h->dirty)
		return 0;
	r = batch_finish(h->batch, &e);
	if (r < 0)
		return call_refuse(c, poison(h, r), "%s", e.msg);
	h->dirty = false;
	if (batch_changes(h->batch) == 0)
		return 0;
	rq = batch_take(h->batch);
	if (!rq)
		return poison(h, -ENOMEM);
	atomic_store(&h->busy, true);
	r = call_post(c, rq, &after);
	if (r < 0)
		atomic_store(&h->busy, false);
	return r;
}

static int flush_batch(struct call *c, struct handle *h)
{
	struct err e = { 0 };
	int r;

	if (h->poisoned || !h->dirty)
		return 0;
	if (c->killed) {
		poison(h, -EINTR);
		return 0;
	}
	if (c->opener)
		return commit(c, h);
	r = batch_check(h->batch, &e); /* somebody else closes a copy: more may come */
	return r < 0 ? call_refuse(c, poison(h, r), "%s", e.msg) : 0;
}

static int fsync_batch(struct call *c, struct handle *h)
{
	return commit(c, h);
}

static void release_batch(struct handle *h)
{
	batch_free(h->batch);
	h->batch = NULL;
}

const struct node_ops ops_batch = {
	.attr = attr_batch,
	.open = open_batch,
	.write = write_batch,
	.truncate = truncate_batch,
	.flush = flush_batch,
	.fsync = fsync_batch,
	.release = release_batch,
};
