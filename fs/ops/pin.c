/* pins/<cid>.json: a pin that is there, and one that is being made. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/pins.h"

static int find_row(struct call *c, uint64_t ino, struct pin_row *row)
{
	struct store_txn *t;
	int r = call_view(c, &t);

	if (r == 0)
		r = pinset_row(t, node_serial(ino), row);
	return r == -ENOENT ? -ESTALE : r;
}

static int attr_pin(struct call *c, uint64_t ino, struct stat *st)
{
	struct pin_row row;
	int r = find_row(c, ino, &row);

	if (r == 0)
		pin_row_stat(c->fs, &row, st);
	return r;
}

static int render_row(const struct pin_row *row, struct buf *out)
{
	struct pin pin;
	int r;

	pin_init(&pin);
	r = pinset_decode(row, &pin, NULL);
	if (r == 0)
		r = pin_json_document(&pin, out);
	pin_deinit(&pin);
	return r;
}

static int open_pin(struct call *c, uint64_t ino, struct handle *h)
{
	struct pin_row row;
	int r = find_row(c, ino, &row);

	if (r == 0)
		r = cid_from_bytes(row.cid, row.cid_len, &h->cid, NULL);
	if (r < 0)
		return r;
	h->fresh = h->flags & O_TRUNC;
	return h->fresh ? 0 : render_row(&row, &h->text);
}

/* touch OLD: try again now what failed. */
static int recover(struct call *c, uint64_t ino, const struct cid *cid)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 1);
	struct call_after after = { .reply = REPLY_ATTR, .ino = ino };

	if (!rq)
		return -ENOMEM;
	rq->items[0].touch = true;
	cid_copy(&rq->items[0].pin.cid, cid);
	return call_post(c, rq, &after);
}

static int touch_pin(struct call *c, uint64_t ino, struct handle *h)
{
	struct pin_row row;
	struct cid cid;
	int r = find_row(c, ino, &row);

	if (r == 0)
		r = cid_from_bytes(row.cid, row.cid_len, &cid, NULL);
	return r < 0 ? r : recover(c, ino, &cid);
}

const struct node_ops ops_pin = {
	.attr = attr_pin,
	.open = open_pin,
	.read = text_read,
	.write = document_write,
	.truncate = document_truncate,
	.touch = touch_pin,
	.flush = document_flush,
	.fsync = document_fsync,
	.release = document_release,
};

/* ---- a pin that is being made ---- */

static struct handle *new_pin_handle(struct fs *fs, uint64_t ino)
{
	struct list *it;

	list_each (it, &fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		if (h->ino == ino)
			return h;
	}
	return NULL;
}

/* Until its handle is closed; then the name leads to the pin, or to nothing. Called on the loop
 * too, right after a touch, where only what the answer needs is read. */
static int attr_new_pin(struct call *c, uint64_t ino, struct stat *st)
{
	struct handle *h = c->handle ? c->handle : new_pin_handle(c->fs, ino);
	struct store_txn *t;
	struct pin_row row;
	int r;

	if (!h)
		return -ESTALE;
	node_stat(c->fs, ino, CLASS_WRITABLE, 0, c->fs->started_ns, st);
	if (!atomic_load(&h->committed))
		return 0;
	r = call_view(c, &t);
	if (r < 0 || pinset_find(t, &h->cid, &row) < 0)
		return r;
	pin_row_stat(c->fs, &row, st);
	st->st_ino = ino;
	return 0;
}

/* A second program opens the name before the first one has finished. */
static int open_new_pin(struct call *c, uint64_t ino, struct handle *h)
{
	struct handle *first = NULL;
	struct list *it;

	list_each (it, &c->fs->handles) {
		struct handle *o = container_of(it, struct handle, link);

		if (o->ino == ino && o->created)
			first = o;
	}
	if (!first)
		return -ESTALE;
	cid_copy(&h->cid, &first->cid);
	h->fresh = true;
	return 0;
}

static void touched_then(struct handle *h, struct cluster_request *rq,
			 int status) /* loop's thread */
{
	if (status == 0)
		atomic_store(&h->committed, true);
	atomic_store(&h->busy, false);
}

static int touch_new_pin(struct call *c, uint64_t ino, struct handle *h)
{
	struct call_after after = { .reply = REPLY_ATTR, .ino = ino, .then = touched_then };
	struct cluster_request *rq;

	if (!h)
		h = new_pin_handle(c->fs, ino);
	if (!h || h->poisoned || h->dirty || atomic_load(&h->committed))
		return 0;
	rq = cluster_request_new(CLUSTER_CHANGE, 1);
	if (!rq)
		return -ENOMEM;
	rq->items[0].touch = true;
	rq->items[0].mode = PIN_MODE_RECURSIVE;
	cid_copy(&rq->items[0].pin.cid, &h->cid);
	after.handle = h;
	atomic_store(&h->busy, true);
	return call_post(c, rq, &after);
}

const struct node_ops ops_new_pin = {
	.attr = attr_new_pin,
	.open = open_new_pin,
	.read = text_read,
	.write = document_write,
	.truncate = document_truncate,
	.touch = touch_new_pin,
	.flush = document_flush,
	.fsync = document_fsync,
	.release = document_release,
};
