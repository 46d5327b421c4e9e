/*
 * The writer of each store, one batch at a time and on this thread, at times that chance decides.
 * What a batch wrote is on disk when it ran; who asked for it hears of that some time later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "consensus/crdt/merge.h"
#include "store/internal.h"
#include "tests/sim/sim.h"
#include "util/path.h"

#define TURN_MS 30  /* at most, from one step of a writer to the next */
#define PART_MAX 40 /* entries of a part, at most */
#define NAMES_PERCENT 30

int64_t __wrap_names_wait(const struct store *s);
void __wrap_store_submit(struct store *s, struct store_batch *b);
void __wrap_store_submit_job(struct store *s, struct store_batch *b);
int __wrap_merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
		      struct merge **ret_culprit);
int __real_merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
		      struct merge **ret_culprit);
int __real_store_commit(struct store_txn *t);
int __wrap_store_commit(struct store_txn *t);

/* NULL: the store is being opened. */
static struct sim_disk *disk_find(const struct store *s)
{
	for (unsigned i = 0; i < sim.n; i++)
		if (sim.replicas[i].disk.store == s)
			return &sim.replicas[i].disk;
	return NULL;
}

static struct sim_disk *disk_of(const struct store *s)
{
	struct sim_disk *d = disk_find(s);

	if (d)
		return d;
	fail_msg("a batch for a store that is closed");
	abort(); /* the compiler does not know that it is over */
}

/* ---- a disk that need not be waited for: crashes are those of the process ---- */

int fdatasync(int fd)
{
	return 0;
}

int fsync(int fd)
{
	return 0;
}

/* Under the name that LMDB calls, which is another one where offsets have 64 bits. */
int plain_open(const char *path, int flags, ...) __asm__("open");

int plain_open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
	va_end(args);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags & ~O_DSYNC, mode);
}

/* ---- turns ---- */

static void plan(struct sim_disk *d);

static void turn(void *arg)
{
	struct sim_disk *d = arg;

	d->turning = false;
	sim_disk_step(d);
	if (d->imaged)
		d->crash(d->arg);
	plan(d);
}

static void plan(struct sim_disk *d)
{
	if (d->turning || (!d->queue && !d->ran))
		return;
	d->turning = true;
	sim_after(sim_roll(TURN_MS), turn, d);
}

static void submit(struct store *s, struct store_batch *b, bool job)
{
	struct sim_disk *d = disk_of(s);

	b->next = NULL;
	b->job = job;
	*d->tail = b;
	d->tail = &b->next;
	plan(d);
}

void __wrap_store_submit(struct store *s, struct store_batch *b)
{
	submit(s, b, false);
}

void __wrap_store_submit_job(struct store *s, struct store_batch *b)
{
	submit(s, b, true);
}

/* ---- a batch ---- */

/* Merges in parts of any size, so that small blocks have several too. */
int __wrap_merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
		      struct merge **ret_culprit)
{
	size_t part = sim_chance(sim.whole) ? *budget : 1 + sim_roll(PART_MAX), left;
	int r;

	if (part > *budget)
		part = *budget;
	left = part;
	r = __real_merge_step(set, n, t, &left, ret_culprit);
	*budget -= part - left;
	return r;
}

int __wrap_store_commit(struct store_txn *t)
{
	struct sim_disk *d = disk_find(t->store);
	int r = __real_store_commit(t);

	if (d && d->crash_after > 0 && --d->crash_after == 0)
		sim_disk_image(d);
	return r;
}

static int run(struct sim_disk *d, struct store_batch *b)
{
	struct store_txn *t;
	int r;

	if (b->job)
		return b->fn(NULL, b);
	assert_int_equal(0, store_write(d->store, &t));
	r = b->fn(t, b);
	if (r >= 0 && sim_chance(d->fail_percent))
		r = -ENOSPC;
	if (r < 0) {
		store_abort(t);
		return r;
	}
	assert_int_equal(0, store_commit(t));
	return r;
}

/* The thread of the writer does nothing here. */
int64_t __wrap_names_wait(const struct store *s)
{
	return -1;
}

/* As the writer does between batches. */
static void tidy(struct store *s)
{
	generation_sweep(s);
	if (atomic_load(&s->names_behind) > 0 && sim_chance(NAMES_PERCENT))
		names_step(s);
}

bool sim_disk_step(struct sim_disk *d)
{
	struct store_batch *b = d->ran;

	if (b) {
		d->ran = NULL;
		b->done(b, b->status);
		return true;
	}
	b = d->queue;
	if (!b)
		return false;
	d->queue = b->next;
	if (!d->queue)
		d->tail = &d->queue;
	b->status = run(d, b);
	tidy(d->store);
	d->ran = b;
	return true;
}

/* ---- files ---- */

static void copy_file(const char *from, const char *to)
{
	char piece[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, piece, sizeof(piece))) > 0)
		assert_int_equal(n, write(out, piece, (size_t)n));
	assert_int_equal(0, n);
	close(in);
	close(out);
}

static void each_file(const char *folder, void (*fn)(const char *path, const char *to),
		      const char *to)
{
	DIR *dir = opendir(folder);
	struct dirent *en;

	while (dir && (en = readdir(dir))) {
		char *path = path_join(folder, en->d_name), *copy = path_join(to, en->d_name);

		if (en->d_name[0] != '.')
			fn(path, copy);
		free(path);
		free(copy);
	}
	if (dir)
		closedir(dir);
}

static void copy(const char *path, const char *to)
{
	if (!strstr(path, "/lock.mdb")) /* of the process that crashes */
		copy_file(path, to);
}

static void remove_file(const char *path, const char *to)
{
	unlink(path);
}

static void remove_folder(const char *folder)
{
	each_file(folder, remove_file, "");
	rmdir(folder);
}

static void make_folder(char name[SIM_FOLDER])
{
	strcpy(name, "sim-XXXXXX");
	assert_non_null(mkdtemp(name));
}

void sim_disk_image(struct sim_disk *d)
{
	if (d->imaged)
		return;
	d->imaged = true;
	make_folder(d->image);
	each_file(d->folder, copy, d->image);
}

void sim_disk_use_image(struct sim_disk *d)
{
	assert_true(d->imaged);
	remove_folder(d->folder);
	strcpy(d->folder, d->image);
	d->imaged = false;
}

/* ---- life ---- */

void sim_disk_init(struct sim_disk *d)
{
	make_folder(d->folder);
	d->tail = &d->queue;
}

void sim_disk_open(struct sim_disk *d)
{
	static struct mbox nobody; /* ends are told by turns */
	struct store_options opt = { .folder = d->folder, .map_size = 1u << 28, .max_readers = 16 };
	struct err e = { 0 };

	if (store_open(&opt, &nobody, &d->store, &e) < 0)
		fail_msg("%s", e.msg);
}

void sim_disk_close(struct sim_disk *d)
{
	while (sim_disk_step(d))
		;
	d->crash_after = 0;
	store_close(d->store);
	d->store = NULL;
}

void sim_disk_remove(struct sim_disk *d)
{
	remove_folder(d->folder);
}
