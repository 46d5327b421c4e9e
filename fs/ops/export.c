/*
 * state/export: the dump, generated while it is read. One open is one consistent state.
 *
 * What an open dump sees keeps LMDB from using the pages again that were freed since. One that lies
 * idle, or is read slowly, is therefore written to an unnamed file and read from there.
 */
#include "fs/ops/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/ops/state.h"
#include "store/export.h"
#include "util/clock.h"
#include "util/path.h"

#define LOG_AREA "fs"
#include "util/log.h"

#define EXPORTS_MAX 64 /* open at once */
#define LOOK_MS 1000
#define IDLE_MS 5000
#define RETRY_MS 60000      /* after a failure: the disk was full */
#define BEHIND_COMMITS 1000 /* so far behind the present, an open dump that is read too */
#define CHUNK_BYTES (1u << 20)
#define AHEAD_LEAST (128u << 10) /* reads of less are not gone on with */

/* The piece that a reader will probably ask for next. FUSE thread. */
struct ahead {
	uint64_t dump; /* the one read last, 0: none; its next piece begins at off */
	uint64_t off;
	size_t size;      /* of the last read, and of the next one */
	struct buf piece; /* empty: it is not there */
};

struct export_set {
	const char *folder; /* for the files */
	uint64_t dumps;     /* opened so far; FUSE thread */
	struct ahead ahead;
	uv_timer_t timer;
	uv_work_t work;
	bool timer_open;
	struct handle *moving; /* loop: what the work is at */
	int moving_status;
	int64_t retry_ms;
	atomic_bool stopping;
	pthread_mutex_t lock; /* of the list */
	struct list open;
};

/* ---- the file ---- */

/* What the kernel is told is the newest open dump of the asking program, else the present one: so
 * that a program which asks for the size after opening is never cut short. */
static int attr_export(struct call *c, uint64_t ino, struct stat *st)
{
	struct handle *h = handle_of_caller(c, ino);
	const struct store_info *info = h ? NULL : call_info(c);

	if (!h && !info)
		return -EMFILE;
	node_stat(c->fs, ino, CLASS_DUMP, h ? h->size : info->export_bytes,
		  h ? h->mtime_ns : info->changed_ns, st);
	return 0;
}

static unsigned open_exports(struct export_set *set)
{
	struct list *it;
	unsigned n = 0;

	pthread_mutex_lock(&set->lock);
	list_each (it, &set->open)
		n++;
	pthread_mutex_unlock(&set->lock);
	return n;
}

static int open_export(struct call *c, uint64_t ino, struct handle *h)
{
	struct export_set *set = c->fs->exports;
	int r;

	if (open_exports(set) >= EXPORTS_MAX)
		return call_refuse(c, -EBUSY, "%d dumps are open already", EXPORTS_MAX);
	r = store_read(c->fs->store, &h->view);
	if (r < 0) {
		h->view = NULL;
		return call_refuse(c, r, "reading the state");
	}
	r = export_new(h->view, &h->export);
	if (r < 0)
		return call_refuse(c, r, "reading the state");
	h->size = store_info(h->view)->export_bytes;
	h->mtime_ns = store_info(h->view)->changed_ns;
	h->read_ms = clock_mono_ms();
	h->dump = ++set->dumps;
	pthread_mutex_lock(&set->lock);
	list_add_tail(&set->open, &h->export_link);
	pthread_mutex_unlock(&set->lock);
	return 0;
}

static bool is_ahead(const struct ahead *a, const struct handle *h, size_t n, uint64_t off)
{
	return a->piece.len > 0 && a->size == n && a->dump == h->dump && a->off == off;
}

static ssize_t read_export(struct call *c, struct handle *h, void *out, size_t n, uint64_t off)
{
	struct ahead *a = &c->fs->exports->ahead;
	ssize_t r;

	pthread_mutex_lock(&h->lock);
	h->read_ms = clock_mono_ms();
	if (is_ahead(a, h, n, off)) {
		r = (ssize_t)a->piece.len;
		call_swap_room(c, &a->piece);
	} else if (h->export) {
		r = export_read(h->export, off, out, n);
	} else {
		r = pread(h->fd, out, n, (off_t)off);
		r = r < 0 ? -errno : r;
	}
	pthread_mutex_unlock(&h->lock);
	return r;
}

/* Renders while the reader writes down what it has got; for one that reads on, alone, in pieces
 * of one size. */
static void read_on_export(struct handle *h, size_t n, uint64_t off)
{
	struct ahead *a = &h->fs->exports->ahead;
	bool reads_on = a->dump == h->dump && a->off == off && a->size == n;
	ssize_t r = 0;

	a->dump = h->dump;
	a->off = off + n;
	a->size = n;
	buf_reset(&a->piece);
	if (!reads_on || n < AHEAD_LEAST || a->off >= h->size)
		return;
	if (buf_reserve(&a->piece, n) < 0)
		return;
	pthread_mutex_lock(&h->lock);
	if (h->export)
		r = export_read(h->export, a->off, a->piece.data, n);
	pthread_mutex_unlock(&h->lock);
	if (r > 0)
		a->piece.len = (size_t)r;
}

/* Under the handle's lock. */
static void end_view(struct handle *h)
{
	export_free(h->export);
	export_free(h->copying);
	if (h->view)
		store_read_end(h->view);
	h->export = h->copying = NULL;
	h->view = NULL;
}

static void release_export(struct handle *h)
{
	struct export_set *set = h->fs->exports;

	pthread_mutex_lock(&set->lock);
	list_del(&h->export_link);
	pthread_mutex_unlock(&set->lock);
	pthread_mutex_lock(&h->lock);
	end_view(h);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	pthread_mutex_unlock(&h->lock);
}

const struct node_ops ops_export = {
	.attr = attr_export,
	.open = open_export,
	.read = read_export,
	.read_on = read_on_export,
	.release = release_export,
};

/* ---- out of the store's way: the pool's thread ---- */

/* The next piece; readers come in between. -ECANCELED: it was closed. */
static ssize_t copy_piece(struct handle *h, uint64_t off, void *out)
{
	ssize_t n = -ECANCELED;

	pthread_mutex_lock(&h->lock);
	if (h->copying)
		n = export_read(h->copying, off, out, CHUNK_BYTES);
	pthread_mutex_unlock(&h->lock);
	return n;
}

static int copy_all(struct export_set *set, struct handle *h, int fd)
{
	char *piece = malloc(CHUNK_BYTES);
	ssize_t n = piece ? 1 : -ENOMEM;
	uint64_t off = 0;
	int r = 0;

	while (n > 0 && r == 0) {
		n = atomic_load(&set->stopping) ? -ECANCELED : copy_piece(h, off, piece);
		if (n > 0)
			r = path_write_all(fd, piece, (size_t)n);
		if (n > 0)
			off += (uint64_t)n;
	}
	free(piece);
	return r < 0 ? r : (int)n;
}

static void move_work(uv_work_t *w)
{
	struct export_set *set = container_of(w, struct export_set, work);
	struct handle *h = set->moving;
	int fd = path_unnamed(set->folder), r = 0;

	pthread_mutex_lock(&h->lock);
	if (fd < 0)
		r = fd;
	else if (h->view)
		r = export_new(h->view, &h->copying);
	pthread_mutex_unlock(&h->lock);
	if (r == 0)
		r = copy_all(set, h, fd);
	pthread_mutex_lock(&h->lock);
	if (r == 0 && h->copying) {
		end_view(h);
		h->fd = fd;
		fd = -1;
	}
	export_free(h->copying);
	h->copying = NULL;
	pthread_mutex_unlock(&h->lock);
	if (fd >= 0)
		close(fd);
	set->moving_status = r;
}

/* ---- loop's thread ---- */

static void move_after(uv_work_t *w, int cancelled)
{
	struct export_set *set = container_of(w, struct export_set, work);
	int r = cancelled ? -ECANCELED : set->moving_status;

	if (r < 0 && r != -ECANCELED) {
		log_warn("an open dump holds on to old pages of the store, and could not be moved "
			 "to a file: %s",
			 strerror(-r));
		set->retry_ms = clock_mono_ms() + RETRY_MS;
	}
	handle_unref(set->moving);
	set->moving = NULL;
}

static bool in_the_way(struct handle *h, int64_t now)
{
	uint64_t behind = 0;
	bool idle;

	pthread_mutex_lock(&h->lock);
	if (h->view)
		behind = store_commits_since(h->view);
	idle = now - h->read_ms >= IDLE_MS;
	pthread_mutex_unlock(&h->lock);
	return behind >= (idle ? 1 : BEHIND_COMMITS);
}

static struct handle *find_in_the_way(struct export_set *set)
{
	int64_t now = clock_mono_ms();
	struct handle *found = NULL;
	struct list *it;

	if (now < set->retry_ms)
		return NULL;
	pthread_mutex_lock(&set->lock);
	list_each (it, &set->open) {
		struct handle *h = container_of(it, struct handle, export_link);

		if (in_the_way(h, now)) {
			found = handle_ref(h);
			break;
		}
	}
	pthread_mutex_unlock(&set->lock);
	return found;
}

static void look(uv_timer_t *timer)
{
	struct export_set *set = container_of(timer, struct export_set, timer);

	if (set->moving)
		return;
	set->moving = find_in_the_way(set);
	if (set->moving && uv_queue_work(timer->loop, &set->work, move_work, move_after) < 0)
		move_after(&set->work, -ECANCELED);
}

struct export_set *export_set_new(const char *folder)
{
	struct export_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->folder = folder;
	list_init(&set->open);
	pthread_mutex_init(&set->lock, NULL);
	return set;
}

void export_set_start(struct export_set *set, uv_loop_t *loop)
{
	uv_timer_init(loop, &set->timer);
	set->timer_open = true;
	uv_timer_start(&set->timer, look, LOOK_MS, LOOK_MS);
}

void export_set_stop(struct export_set *set)
{
	atomic_store(&set->stopping, true);
	if (set->timer_open)
		uv_close((uv_handle_t *)&set->timer, NULL);
	set->timer_open = false;
}

void export_set_free(struct export_set *set)
{
	if (!set)
		return;
	pthread_mutex_destroy(&set->lock);
	buf_deinit(&set->ahead.piece);
	free(set);
}
