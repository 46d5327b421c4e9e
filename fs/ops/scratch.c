/* Scratch files: kept in memory within limits, never a pin, gone after ten idle minutes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/pins.h"
#include "util/clock.h"

#define SCRATCH_FILE_MAX (1u << 20)
#define SCRATCH_ALL_MAX (64u << 20)
#define SCRATCH_COUNT_MAX 4096
#define SCRATCH_IDLE_MS (10 * 60 * 1000)

struct scratch_set {
	struct list list; /* by serial */
	uint64_t next_serial;
	unsigned count;
};

struct scratch_set *scratch_set_new(void)
{
	struct scratch_set *s = calloc(1, sizeof(*s));

	if (s)
		list_init(&s->list);
	return s;
}

static void scratch_free(struct scratch_set *set, struct scratch *s)
{
	list_del(&s->link);
	set->count--;
	handle_unref(s->watch);
	buf_deinit(&s->data);
	free(s);
}

void scratch_set_free(struct scratch_set *set)
{
	struct list *it, *n;

	if (!set)
		return;
	list_each_safe (it, n, &set->list)
		scratch_free(set, container_of(it, struct scratch, link));
	free(set);
}

/* Became a pin, was removed while open, or lay idle too long. */
static bool is_over(const struct scratch *s, int64_t now)
{
	if (s->watch && atomic_load(&s->watch->committed))
		return true;
	return s->open == 0 && (s->removed || now - s->used_ms > SCRATCH_IDLE_MS);
}

static void purge(struct scratch_set *set)
{
	int64_t now = clock_mono_ms();
	struct list *it, *n;

	list_each_safe (it, n, &set->list) {
		struct scratch *s = container_of(it, struct scratch, link);

		if (is_over(s, now) && s->open == 0)
			scratch_free(set, s);
	}
}

static bool visible(const struct scratch *s)
{
	return !s->removed && !(s->watch && atomic_load(&s->watch->committed));
}

struct scratch *scratch_find(struct fs *fs, const char *name)
{
	struct list *it;

	purge(fs->scratch);
	list_each (it, &fs->scratch->list) {
		struct scratch *s = container_of(it, struct scratch, link);

		if (visible(s) && strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

struct scratch *scratch_by_serial(struct fs *fs, uint64_t serial)
{
	struct list *it;

	list_each (it, &fs->scratch->list) {
		struct scratch *s = container_of(it, struct scratch, link);

		if (s->serial == serial)
			return s;
	}
	return NULL;
}

struct scratch *scratch_next(struct fs *fs, uint64_t after)
{
	struct list *it;

	purge(fs->scratch);
	list_each (it, &fs->scratch->list) {
		struct scratch *s = container_of(it, struct scratch, link);

		if (s->serial > after && visible(s))
			return s;
	}
	return NULL;
}

int scratch_make(struct call *c, const char *name, struct scratch **ret)
{
	struct scratch_set *set = c->fs->scratch;
	struct scratch *s = scratch_find(c->fs, name);

	if (s)
		scratch_remove(c->fs, s);
	if (set->count >= SCRATCH_COUNT_MAX)
		return call_refuse(c, -ENOSPC, "too many scratch files: %d are kept at most",
				   SCRATCH_COUNT_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	buf_init(&s->data, SCRATCH_FILE_MAX);
	s->serial = ++set->next_serial;
	s->mtime_ns = clock_now_ns();
	s->used_ms = clock_mono_ms();
	snprintf(s->name, sizeof(s->name), "%s", name);
	list_add_tail(&set->list, &s->link);
	set->count++;
	*ret = s;
	return 0;
}

static size_t bytes_in_use(const struct scratch_set *set)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &set->list)
		n += container_of(it, struct scratch, link)->data.cap;
	return n;
}

static int set_size(struct call *c, struct scratch *s, size_t size)
{
	int r;

	if (size > SCRATCH_FILE_MAX)
		return call_refuse(c, -EFBIG, "a scratch file holds at most 1 MiB");
	if (size > s->data.len) {
		if (bytes_in_use(c->fs->scratch) + size - s->data.len > SCRATCH_ALL_MAX)
			return call_refuse(c, -ENOSPC, "the scratch files hold 64 MiB in all");
		r = buf_reserve(&s->data, size - s->data.len);
		if (r < 0)
			return r;
		memset(s->data.data + s->data.len, 0, size - s->data.len);
	}
	s->data.len = size;
	return 0;
}

int scratch_fill(struct call *c, struct scratch *s, const void *p, size_t n)
{
	int r = set_size(c, s, n);

	if (r == 0 && n > 0)
		memcpy(s->data.data, p, n);
	return r;
}

void scratch_remove(struct fs *fs, struct scratch *s)
{
	s->removed = true;
	purge(fs->scratch);
}

void scratch_watch(struct fs *fs, struct scratch *s, struct handle *h)
{
	handle_unref(s->watch);
	s->watch = handle_ref(h);
}

static void scratch_stat(struct fs *fs, const struct scratch *s, struct stat *st)
{
	node_stat(fs, node_id(KIND_SCRATCH, s->serial), s->is_link ? CLASS_LINK : CLASS_WRITABLE,
		  s->data.len, s->mtime_ns, st);
}

void scratch_entry(struct fs *fs, const struct scratch *s, struct node_entry *ret)
{
	node_entry_set(ret, s->name, s->serial, 0);
	scratch_stat(fs, s, &ret->st);
}

/* ---- functions of the file ---- */

static int attr_scratch(struct call *c, uint64_t ino, struct stat *st)
{
	struct scratch *s = scratch_by_serial(c->fs, node_serial(ino));

	if (!s)
		return -ESTALE;
	scratch_stat(c->fs, s, st);
	return 0;
}

static int open_scratch(struct call *c, uint64_t ino, struct handle *h)
{
	struct scratch *s = scratch_by_serial(c->fs, node_serial(ino));

	if (!s)
		return -ESTALE;
	if (h->flags & O_TRUNC)
		s->data.len = 0;
	s->open++;
	s->used_ms = clock_mono_ms();
	return 0;
}

static ssize_t read_scratch(struct call *c, struct handle *h, void *out, size_t n, uint64_t off)
{
	struct scratch *s = scratch_by_serial(c->fs, node_serial(h->ino));

	if (!s)
		return -ESTALE;
	s->used_ms = clock_mono_ms();
	if (off >= s->data.len)
		return 0;
	if (n > s->data.len - off)
		n = s->data.len - off;
	memcpy(out, s->data.data + off, n);
	return (ssize_t)n;
}

static int write_scratch(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	struct scratch *s = scratch_by_serial(c->fs, node_serial(h->ino));
	int r = 0;

	if (!s)
		return -ESTALE;
	if (off > SCRATCH_FILE_MAX || n > SCRATCH_FILE_MAX - off)
		return call_refuse(c, -EFBIG, "a scratch file holds at most 1 MiB");
	if (off + n > s->data.len)
		r = set_size(c, s, off + n);
	if (r < 0)
		return r;
	memcpy(s->data.data + off, p, n);
	s->mtime_ns = clock_now_ns();
	s->used_ms = clock_mono_ms();
	return 0;
}

static int truncate_scratch(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	struct scratch *s = scratch_by_serial(c->fs, node_serial(ino));

	if (!s)
		return -ESTALE;
	return size > SCRATCH_FILE_MAX
		   ? call_refuse(c, -EFBIG, "a scratch file holds at most 1 MiB")
		   : set_size(c, s, size);
}

static void release_scratch(struct handle *h)
{
	struct scratch *s = scratch_by_serial(h->fs, node_serial(h->ino));

	if (s && s->open > 0)
		s->open--;
}

static int readlink_scratch(struct call *c, uint64_t ino, struct buf *out)
{
	struct scratch *s = scratch_by_serial(c->fs, node_serial(ino));

	if (!s)
		return -ESTALE;
	return s->is_link ? buf_append(out, s->data.data, s->data.len) : -EINVAL;
}

const struct node_ops ops_scratch = {
	.attr = attr_scratch,
	.open = open_scratch,
	.read = read_scratch,
	.write = write_scratch,
	.truncate = truncate_scratch,
	.release = release_scratch,
	.readlink = readlink_scratch,
};
