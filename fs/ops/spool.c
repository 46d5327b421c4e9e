/* Scratch names beside state/import: the spool of a dump, committed by a rename onto it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/state.h"
#include "util/clock.h"

#define SPOOL_IDLE_MS (10 * 60 * 1000)

struct spool {
	uint64_t serial;
	char name[256];
	struct import *import; /* taken from the handle at its release; NULL while it is open */
	uint64_t size;
	bool open, refused;
	bool timed; /* mtime_ns was given */
	int64_t mtime_ns, used_ms;
};

void spool_forget(struct fs *fs)
{
	if (fs->spool)
		import_free(fs->spool->import);
	free(fs->spool);
	fs->spool = NULL;
}

static struct spool *present(struct fs *fs)
{
	struct spool *s = fs->spool;

	if (s && !s->open && clock_mono_ms() - s->used_ms > SPOOL_IDLE_MS)
		spool_forget(fs);
	return fs->spool;
}

bool spool_yield(struct fs *fs)
{
	if (!fs->spool || fs->spool->open)
		return false;
	spool_forget(fs);
	return true;
}

static void spool_entry(struct fs *fs, const struct spool *s, struct node_entry *ret)
{
	node_entry_set(ret, s->name, FIXED_NR, 0);
	node_stat(fs, node_id(KIND_SPOOL, s->serial), CLASS_IMPORT, s->size, s->mtime_ns, &ret->st);
}

int spool_lookup(struct call *c, const char *name, struct node_entry *ret)
{
	struct spool *s = present(c->fs);

	if (!s || strcmp(s->name, name) != 0)
		return -ENOENT;
	spool_entry(c->fs, s, ret);
	return 0;
}

int spool_next(struct call *c, struct node_list *l, struct node_entry *ret)
{
	struct spool *s = present(c->fs);

	if (!s || s->name[0] == '\0' || l->cookie >= FIXED_NR)
		return -ENOENT;
	spool_entry(c->fs, s, ret);
	return 0;
}

int spool_unlink(struct call *c, const char *name)
{
	struct spool *s = present(c->fs);

	if (!s || strcmp(s->name, name) != 0)
		return -ENOENT;
	if (s->open)
		s->name[0] = '\0'; /* goes when it is closed */
	else
		spool_forget(c->fs);
	return 0;
}

/* mv, install and tar unlink the old file and make a new one of its name. */
static int create_fixed(struct call *c, enum fixed f, struct handle *h, struct node_entry *ret)
{
	if (f != FIXED_IMPORT && f != FIXED_CHECK)
		return call_refuse(c, -EACCES, "this file is read-only");
	state_show(c->fs, f);
	h->ino = fixed_id(f);
	h->flags |= O_TRUNC;
	node_entry_set(ret, fixed_files[f].name, f, 0);
	if (fixed_files[f].ops->open(c, h->ino, h) < 0)
		return -ENOMEM;
	return fixed_files[f].ops->attr(c, h->ino, &ret->st);
}

static enum fixed fixed_named(const char *name)
{
	for (enum fixed f = FIXED_EXPORT; f < FIXED_NR; f++)
		if (fixed_files[f].parent == FIXED_STATE && strcmp(fixed_files[f].name, name) == 0)
			return f;
	return FIXED_NONE;
}

int spool_create(struct call *c, uint64_t dir, const char *name, struct handle *h,
		 struct node_entry *ret)
{
	struct spool *s = present(c->fs);
	enum fixed f = fixed_named(name);

	if (f != FIXED_NONE)
		return create_fixed(c, f, h, ret);
	if (name[0] != '.' && strncmp(name, "import", 6) != 0 && strncmp(name, "sed", 3) != 0 &&
	    name[strlen(name) - 1] != '~')
		return call_refuse(c, -EPERM, "files cannot be made here: write to state/import");
	if (s && s->open)
		return call_refuse(c, -EBUSY, "another dump is being written here");
	spool_forget(c->fs);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->serial = ++c->fs->next_new;
	s->open = true;
	s->mtime_ns = clock_now_ns();
	s->used_ms = clock_mono_ms();
	snprintf(s->name, sizeof(s->name), "%s", name);
	c->fs->spool = s;
	h->ino = node_id(KIND_SPOOL, s->serial);
	spool_entry(c->fs, s, ret);
	return 0;
}

/* Renamed onto import (or check): from now on it is like a file that its opener closes. */
int spool_rename(struct call *c, uint64_t dir, const char *name, const char *newname)
{
	struct call_after after = { .reply = REPLY_NOTHING };
	struct spool *s = present(c->fs);
	struct cluster_request *rq;
	struct err e = { 0 };
	int r;

	if (!s || strcmp(s->name, name) != 0)
		return fixed_named(name) != FIXED_NONE
			   ? call_refuse(c, -EPERM, "the files of state/ keep their names")
			   : -ENOENT;
	if (strcmp(newname, "import") != 0)
		return call_refuse(c, -EPERM, "a dump can be renamed onto state/import only");
	if (s->open || s->refused || !s->import)
		return call_refuse(c, -EINVAL,
				   s->open ? "the dump is still being written"
					   : "the dump was refused, or is empty");
	r = import_finish(s->import, &e);
	if (r < 0) {
		spool_forget(c->fs);
		return call_refuse(c, r, "%s", e.msg);
	}
	rq = cluster_request_new(CLUSTER_IMPORT, 0);
	if (!rq)
		return -ENOMEM;
	rq->import = s->import;
	if (s->timed)
		import_set_time(rq->import, s->mtime_ns);
	s->import = NULL;
	spool_forget(c->fs);
	state_show(c->fs, FIXED_IMPORT);
	return call_post(c, rq, &after);
}

/* ---- functions of the file ---- */

static struct spool *of_handle(struct fs *fs, uint64_t ino)
{
	return fs->spool && fs->spool->serial == node_serial(ino) ? fs->spool : NULL;
}

static int attr_spool(struct call *c, uint64_t ino, struct stat *st)
{
	struct spool *s = of_handle(c->fs, ino);
	struct node_entry en;

	if (!s)
		return -ESTALE;
	spool_entry(c->fs, s, &en);
	*st = en.st;
	return 0;
}

/* rsync opens the finished file once more to set its mode; there is nothing to read back. */
static int open_spool(struct call *c, uint64_t ino, struct handle *h)
{
	if (!of_handle(c->fs, ino))
		return -ESTALE;
	if ((h->flags & O_ACCMODE) != O_RDONLY)
		return call_refuse(c, -EBUSY, "a dump is written in one go");
	return 0;
}

static int write_spool(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	struct spool *s = of_handle(c->fs, h->ino);
	int r = dump_write(c, h, p, n, off);

	if (s && r == 0)
		s->size = off + n;
	if (s && r < 0)
		s->refused = true;
	return r;
}

static int flush_spool(struct call *c, struct handle *h)
{
	struct spool *s = of_handle(c->fs, h->ino);

	if (h->poisoned)
		return h->poison;
	if (c->killed && s)
		s->refused = true;
	return 0;
}

static int truncate_spool(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	struct spool *s = of_handle(c->fs, ino);

	if (!s)
		return -ESTALE;
	return size == s->size ? 0 : call_refuse(c, -EINVAL, "a dump cannot be cut");
}

static int set_time_spool(struct call *c, uint64_t ino, struct handle *h, int64_t ns)
{
	struct spool *s = of_handle(c->fs, ino);

	if (!s)
		return -ESTALE;
	s->mtime_ns = ns;
	s->timed = true;
	return 0;
}

static void release_spool(struct handle *h)
{
	struct spool *s = of_handle(h->fs, h->ino);
	bool writer = (h->flags & O_ACCMODE) != O_RDONLY;

	if (s && writer) {
		s->open = false;
		s->import = h->import;
		s->used_ms = clock_mono_ms();
		h->import = NULL;
		if (s->name[0] == '\0' || s->refused)
			spool_forget(h->fs);
	}
	import_free(h->import);
	h->import = NULL;
}

const struct node_ops ops_spool = {
	.attr = attr_spool,
	.open = open_spool,
	.write = write_spool,
	.truncate = truncate_spool,
	.set_time = set_time_spool,
	.flush = flush_spool,
	.release = release_spool,
};
