#include "cluster/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/path.h"

#define DAY_NS (24 * 3600 * NS_PER_S)
#define TAIL_BYTES 4096 /* read at once when looking for the last whole line */

struct file {
	char *path;
	int fd; /* -1: there is none */
	uint64_t len;
	int64_t mtime_ns;
};

struct journal {
	pthread_mutex_t lock;
	struct file old, now;
	uint64_t start; /* number of the first byte of old */
	size_t half;
	int64_t keep_ns; /* 0: for ever */
};

static int64_t mtime_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
}

static void file_close(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->len = 0;
	f->mtime_ns = 0;
}

/* Cuts the piece of a line that a crash left at the end. */
static int cut_torn_line(struct file *f)
{
	char tail[TAIL_BYTES];
	uint64_t end = f->len;

	while (end > 0) {
		size_t n = end < sizeof(tail) ? (size_t)end : sizeof(tail);
		const char *newline;

		if (pread(f->fd, tail, n, (off_t)(end - n)) != (ssize_t)n)
			return -EIO;
		newline = memrchr(tail, '\n', n);
		if (newline) {
			end = end - n + (uint64_t)(newline - tail) + 1;
			break;
		}
		end -= n;
	}
	if (end < f->len && ftruncate(f->fd, (off_t)end) < 0)
		return -errno;
	f->len = end;
	return 0;
}

static int file_open(struct file *f, int flags)
{
	struct stat st;
	int r;

	f->fd = open(f->path, O_RDWR | O_APPEND | O_CLOEXEC | flags, 0600);
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st) < 0) {
		r = -errno;
		file_close(f);
		return r;
	}
	f->len = (uint64_t)st.st_size;
	f->mtime_ns = mtime_of(&st);
	r = cut_torn_line(f);
	if (r < 0)
		file_close(f);
	return r;
}

static bool is_outdated(const struct journal *j, const struct file *f)
{
	return j->keep_ns && f->fd >= 0 && clock_now_ns() - f->mtime_ns > j->keep_ns;
}

static void drop_old(struct journal *j)
{
	j->start += j->old.len;
	file_close(&j->old);
	unlink(j->old.path);
}

/* The present file becomes the old one. */
static int rotate(struct journal *j)
{
	struct file full = j->now;

	if (rename(j->now.path, j->old.path) < 0)
		return -errno;
	j->start += j->old.len;
	file_close(&j->old);
	j->old.fd = full.fd;
	j->old.len = full.len;
	j->old.mtime_ns = full.mtime_ns;
	j->now.fd = -1;
	j->now.len = 0;
	return file_open(&j->now, O_CREAT);
}

static int set_paths(struct journal *j, const char *folder, const char *name)
{
	struct buf old = BUF_INIT(0);

	j->now.path = path_join(folder, name);
	if (!j->now.path || buf_printf(&old, "%s.old", j->now.path) < 0 ||
	    buf_terminate(&old) < 0) {
		buf_deinit(&old);
		return -ENOMEM;
	}
	j->old.path = (char *)old.data;
	return 0;
}

static int open_files(struct journal *j)
{
	int r = file_open(&j->old, 0);

	if (r < 0 && r != -ENOENT)
		return r;
	r = file_open(&j->now, O_CREAT);
	if (r < 0)
		return r;
	if (is_outdated(j, &j->old))
		drop_old(j);
	if (j->now.len == 0 || !is_outdated(j, &j->now))
		return 0;
	if (ftruncate(j->now.fd, 0) < 0)
		return -errno;
	j->now.len = 0;
	return 0;
}

int journal_open(const char *folder, const char *name, size_t half, unsigned days,
		 struct journal **ret, struct err *e)
{
	struct journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return err_sys(e, -ENOMEM, "opening %s/%s", folder, name);
	pthread_mutex_init(&j->lock, NULL);
	j->old.fd = j->now.fd = -1;
	j->half = half;
	j->keep_ns = days * DAY_NS;
	r = path_mkdirs(folder, 0700, e);
	if (r == 0) {
		r = set_paths(j, folder, name);
		if (r == 0)
			r = open_files(j);
		if (r < 0)
			err_sys(e, r, "opening %s/%s", folder, name);
	}
	if (r < 0) {
		journal_close(j);
		return r;
	}
	*ret = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	file_close(&j->old);
	file_close(&j->now);
	free(j->old.path);
	free(j->now.path);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

/* All of the line or nothing. */
static int write_line(struct file *f, const char *line, size_t n)
{
	char newline = '\n';
	union {
		const void *in;
		void *out;
	} text = { line };
	struct iovec parts[2] = { { text.out, n }, { &newline, 1 } };
	ssize_t k = writev(f->fd, parts, 2);

	if (k == (ssize_t)n + 1) {
		f->len += n + 1;
		f->mtime_ns = clock_now_ns();
		return 0;
	}
	if (k < 0)
		return -errno;
	return ftruncate(f->fd, (off_t)f->len) < 0 ? -errno : -ENOSPC;
}

static int append(struct journal *j, const char *line, size_t n)
{
	int r = 0;

	if (is_outdated(j, &j->old))
		drop_old(j);
	if (j->now.fd < 0) /* a rotation could not make it */
		r = file_open(&j->now, O_CREAT);
	else if (j->now.len + n + 1 > j->half)
		r = rotate(j);
	return r < 0 ? r : write_line(&j->now, line, n);
}

int journal_append(struct journal *j, const char *line, size_t n)
{
	int r;

	if (n == 0 || memchr(line, '\n', n))
		return -EINVAL;
	if (n + 1 > j->half)
		return -EFBIG;
	pthread_mutex_lock(&j->lock);
	r = append(j, line, n);
	pthread_mutex_unlock(&j->lock);
	return r;
}

void journal_range(struct journal *j, uint64_t *ret_start, uint64_t *ret_end, int64_t *ret_mtime_ns)
{
	pthread_mutex_lock(&j->lock);
	*ret_start = j->start;
	*ret_end = j->start + j->old.len + j->now.len;
	*ret_mtime_ns = j->now.len || j->old.fd < 0 ? j->now.mtime_ns : j->old.mtime_ns;
	pthread_mutex_unlock(&j->lock);
}

/* From one file, as far as it goes. */
static ssize_t read_part(const struct file *f, uint64_t at, void *out, size_t n)
{
	uint64_t left = f->len - at;
	ssize_t k = pread(f->fd, out, left < n ? (size_t)left : n, (off_t)at);

	return k < 0 ? -errno : k;
}

static ssize_t read_locked(struct journal *j, uint64_t offset, void *out, size_t n)
{
	uint64_t at;

	if (offset < j->start)
		return -ESTALE;
	at = offset - j->start;
	if (at < j->old.len)
		return read_part(&j->old, at, out, n);
	at -= j->old.len;
	return at < j->now.len ? read_part(&j->now, at, out, n) : 0;
}

ssize_t journal_read(struct journal *j, uint64_t offset, void *out, size_t n)
{
	size_t have = 0;
	ssize_t k;

	pthread_mutex_lock(&j->lock);
	do {
		k = read_locked(j, offset + have, (char *)out + have, n - have);
		have += k > 0 ? (size_t)k : 0;
	} while (k > 0 && have < n);
	pthread_mutex_unlock(&j->lock);
	return have > 0 || k >= 0 ? (ssize_t)have : k;
}
