/* Imports as operations on the present history. The plan of it is in load.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "consensus/crdt/load.h"
#include "consensus/crdt/local.h"
#include "consensus/crdt/pending.h"
#include "store/blocks.h"
#include "util/path.h"

#define LOG_AREA "crdt"
#include "util/log.h"

#define OPS_FILE "import.ops"
#define OPS_AT_ONCE 512 /* of one transaction, so that its dirty pages stay few */
#define WRITE_BYTES (256u << 10)

/* In front of the CID and the value in the file of operations. */
struct op_head {
	uint32_t value_len;
	uint16_t cid_len;
	uint8_t unpin;
	uint8_t zero;
};

/* ---- the list ---- */

struct writing {
	int fd;
	bool merge; /* nothing is removed */
	struct buf tail;
	uint64_t size;
};

static int flush(struct writing *w)
{
	int r = path_write_all(w->fd, w->tail.data, w->tail.len);

	buf_reset(&w->tail);
	return r;
}

static int put_op(struct writing *w, const struct cid *cid, bool unpin, const void *value,
		  size_t len)
{
	struct op_head h = { .value_len = (uint32_t)len, .cid_len = cid->len, .unpin = unpin };
	int r = buf_append(&w->tail, &h, sizeof(h));

	if (r == 0)
		r = buf_append(&w->tail, cid->bytes, cid->len);
	if (r == 0 && len > 0)
		r = buf_append(&w->tail, value, len);
	w->size += sizeof(h) + cid->len + len;
	return r == 0 && w->tail.len >= WRITE_BYTES ? flush(w) : r;
}

static int write_op(void *arg, const struct bulk_change *ch)
{
	struct writing *w = arg;

	if (ch->gone && w->merge)
		return 0;
	return put_op(w, &ch->cid, ch->gone, ch->value, ch->value_len);
}

static int open_ops(struct writing *w, const char *path)
{
	w->fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	return w->fd < 0 ? -errno : 0;
}

/* Makes what was written durable where @r says that all of it was. */
static int close_ops(struct writing *w, struct store *s, int r)
{
	if (r == 0)
		r = flush(w);
	if (r == 0 && fsync(w->fd) < 0)
		r = -errno;
	buf_deinit(&w->tail);
	close(w->fd);
	return r == 0 ? path_fsync_dir(store_folder(s)) : r;
}

/* A merge leaves what is not in it. */
static void count_what_stays(struct consensus_load *ld)
{
	if (ld->used != CONSENSUS_MERGE)
		return;
	ld->counts.pins += ld->counts.removed;
	ld->counts.removed = 0;
}

/* Writes the differences durably. @ret_size: bytes. */
static int write_ops(struct store *s, struct bulk *bulk, const char *path,
		     struct consensus_load *ld, uint64_t *ret_size)
{
	struct writing w = { .merge = ld->used == CONSENSUS_MERGE };
	int r = open_ops(&w, path);

	if (r < 0)
		return r;
	r = bulk_diff(s, bulk, ld->abort, write_op, &w, &ld->counts);
	r = close_ops(&w, s, r);
	count_what_stays(ld);
	*ret_size = w.size;
	return r;
}

int crdt_load_compare(struct store *s, struct bulk *bulk, struct consensus_load *ld)
{
	int r = bulk_diff(s, bulk, ld->abort, NULL, NULL, &ld->counts);

	count_what_stays(ld);
	return r;
}

static int write_changes(const struct store_txn *t, const struct consensus_many *m,
			 struct writing *w, struct err *e)
{
	struct consensus_change ch = { 0 };
	int r;

	for (;;) {
		buf_reset(&ch.value);
		r = m->next(m->arg, t, &ch, e);
		if (r <= 0)
			break;
		r = put_op(w, &ch.cid, ch.unpin, ch.value.data, ch.value.len);
		if (r < 0) {
			err_sys(e, r, "writing the list of changes");
			break;
		}
	}
	buf_deinit(&ch.value);
	return r < 0 ? r : m->allow(m->arg, t, e);
}

/* Asks for the changes and writes them durably. @ret_size: bytes. */
static int write_many(struct store *s, const struct consensus_many *m, const char *path,
		      uint64_t *ret_size, struct err *e)
{
	struct writing w = { 0 };
	struct store_txn *t;
	int r = store_read(s, &t);

	if (r < 0)
		return err_sys(e, r, "reading the state");
	r = open_ops(&w, path);
	if (r == 0)
		r = close_ops(&w, s, write_changes(t, m, &w, e));
	if (r < 0 && e->code == 0)
		err_sys(e, r, "writing the list of changes");
	store_read_end(t);
	*ret_size = w.size;
	return r;
}

/* ---- applying it ---- */

/* One operation at @p of at most @n bytes; returns its bytes. */
static int apply_op(struct local_delta *d, const uint8_t *p, size_t n)
{
	struct op_head h;
	uint64_t serial;
	struct cid cid;
	size_t len;
	int r;

	if (n < sizeof(h))
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	len = sizeof(h) + h.cid_len + (size_t)h.value_len;
	if (len > n || len > INT32_MAX)
		return -EBADMSG;
	r = cid_from_bytes(p + sizeof(h), h.cid_len, &cid, NULL);
	if (r == 0)
		r = h.unpin
			? local_del(d, &cid, &serial)
			: local_put(d, &cid, p + sizeof(h) + h.cid_len, h.value_len, 1, &serial);
	return r < 0 ? r : (int)len;
}

/* One transaction's worth, with the mark behind it. */
static int apply_some(struct store_txn *t, const uint8_t *ops, struct bulk_mark *m)
{
	struct bulk_mark next = *m;
	struct local_delta d;
	struct cid head;
	int r = local_begin(&d, t);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < OPS_AT_ONCE && next.offset < next.end && !local_full(&d); i++) {
		r = apply_op(&d, ops + next.offset, next.end - next.offset);
		if (r < 0)
			goto out_clear;
		next.offset += (uint64_t)r;
	}
	r = local_finish(&d, &head);
	if (r == 0)
		r = next.offset < next.end ? bulk_mark_set(t, &next) : bulk_mark_clear(t);
	if (r == 0)
		*m = next;
out_clear:
	local_clear(&d);
	return r;
}

static int apply_all(struct store *s, const uint8_t *ops, struct bulk_mark *m)
{
	int r = 0;

	while (r == 0 && m->offset < m->end) {
		struct store_txn *t;

		r = store_write(s, &t);
		if (r < 0)
			return r;
		r = apply_some(t, ops, m);
		if (r == 0)
			r = store_commit(t);
		else
			store_abort(t);
	}
	return r;
}

/* The list is gone, or is not whole: nothing else would ever be let through. */
static int forget_mark(struct store *s, const struct bulk_mark *m)
{
	struct store_txn *t;
	int r = store_write(s, &t);

	if (r < 0)
		return r;
	log_err("the list of an import or a large batch is lost (%s/" OPS_FILE "): it stays as far "
		"as it got, %llu of %llu bytes; what there was before is in backups/",
		store_folder(s), (unsigned long long)m->offset, (unsigned long long)m->end);
	r = bulk_mark_clear(t);
	if (r == 0)
		return store_commit(t);
	store_abort(t);
	return r;
}

static int apply_file(struct store *s, const char *path, struct bulk_mark *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	off_t size;
	void *p;

	if (fd < 0)
		return errno == ENOENT ? forget_mark(s, m) : -errno;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0 || (uint64_t)size < m->end) {
		close(fd);
		return forget_mark(s, m);
	}
	p = mmap(NULL, m->end, PROT_READ, MAP_PRIVATE, fd, 0);
	r = p == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r < 0)
		return r;
	r = apply_all(s, p, m);
	munmap(p, m->end);
	return r;
}

int crdt_load_resume(struct store *s)
{
	char *path = path_join(store_folder(s), OPS_FILE);
	struct bulk_mark m;
	struct store_txn *t;
	int r;

	if (!path)
		return -ENOMEM;
	r = store_read(s, &t);
	if (r == 0) {
		r = bulk_mark_get(t, &m);
		store_read_end(t);
	}
	if (r == 0)
		r = apply_file(s, path, &m);
	else if (r == -ENOENT)
		r = 0;
	if (r == 0)
		unlink(path);
	free(path);
	return r;
}

/* Behind the mark: a failure is only a delay. */
static int finish(struct store *s, const char *what, struct err *e)
{
	int r = crdt_load_resume(s);

	return r == 0 ? 0
		      : err_set(e, -EINPROGRESS,
				"%s: %s; it is written down, and is finished as soon as that works",
				what, strerror(-r));
}

static int set_mark(struct store *s, uint64_t size)
{
	struct bulk_mark m = { .end = size };
	struct store_txn *t;
	int r = store_write(s, &t);

	if (r < 0)
		return r;
	if (store_info(t)->pending > 0) /* acknowledged before the import */
		r = pending_cut(t);
	if (r == 0)
		r = bulk_mark_set(t, &m);
	if (r == 0)
		return store_commit(t);
	store_abort(t);
	return r;
}

/* Head and height after it. */
static int report(struct store *s, struct consensus_load *ld)
{
	uint64_t number = 0, height, best = 0;
	struct block_row row;
	struct store_txn *t;
	int r = store_read(s, &t);

	if (r < 0)
		return r;
	while ((r = heads_next(t, &number, &height)) == 0) {
		if (height <= best)
			continue;
		best = height;
		if (blocks_row(t, number, &row) == 0)
			cid_copy(&ld->head, &row.cid);
	}
	ld->height = best;
	ld->counts.revision_after = store_info(t)->revision;
	store_read_end(t);
	return 0;
}

int crdt_load_update(struct store *s, struct bulk *bulk, struct consensus_load *ld, struct err *e)
{
	char *path = path_join(store_folder(s), OPS_FILE);
	uint64_t size = 0;
	int r = path ? crdt_load_resume(s) : -ENOMEM;

	if (r < 0) {
		err_sys(e, r, "finishing the import before");
		goto out_free;
	}
	r = write_ops(s, bulk, path, ld, &size);
	if (r < 0)
		err_sys(e, r, "comparing with the pinset");
	else if (ld->allow)
		r = ld->allow(ld->arg, &ld->counts, e);
	if (r == 0 && size > 0) {
		r = set_mark(s, size);
		if (r < 0)
			err_sys(e, r, "writing the new pinset");
	}
	if (r < 0) {
		unlink(path);
		goto out_free;
	}
	r = finish(s, "applying the import", e);
	if (r == 0)
		report(s, ld);
out_free:
	free(path);
	return r;
}

int crdt_load_many(struct store *s, const struct consensus_many *m, struct err *e)
{
	char *path = path_join(store_folder(s), OPS_FILE);
	uint64_t size = 0;
	int r = path ? crdt_load_resume(s) : -ENOMEM;

	if (r < 0) {
		err_sys(e, r, "finishing the import before");
		goto out_free;
	}
	r = write_many(s, m, path, &size, e);
	if (r == 0 && size > 0) {
		r = set_mark(s, size);
		if (r < 0)
			err_sys(e, r, "writing the changes");
	}
	if (r < 0 || size == 0) {
		unlink(path);
		goto out_free;
	}
	r = finish(s, "applying the changes", e);
out_free:
	free(path);
	return r;
}
