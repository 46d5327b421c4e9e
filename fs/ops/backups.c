/*
 * backups/: the dumps, read from their files. A name that is touched into being is a dump of now;
 * it is made when the times are set, which is the request of touch that can fail.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/text.h"

/* Serials of names that are being made: above all of the dumps. */
#define NEW_BACKUPS (1ULL << 55)

static struct backups *backups_of(struct fs *fs)
{
	return cluster_backups(fs->cluster);
}

static int by_serial(struct fs *fs, uint64_t serial, struct backup *ret)
{
	int r = serial ? backups_next(backups_of(fs), serial - 1, ret) : -ENOENT;

	return r == 0 && ret->serial != serial ? -ENOENT : r;
}

/* ---- a name that is being made: its handle has it as text ---- */

static bool is_new(uint64_t ino)
{
	return node_serial(ino) > NEW_BACKUPS;
}

static struct handle *new_handle(struct fs *fs, uint64_t ino, const char *name)
{
	struct list *it;

	list_each (it, &fs->handles) {
		struct handle *h = container_of(it, struct handle, link);

		if (!h->created || node_kind(h->ino) != KIND_BACKUP)
			continue;
		if (name ? strcmp((const char *)h->text.data, name) == 0 : h->ino == ino)
			return h;
	}
	return NULL;
}

/* For reasons: what the request itself does not say. */
static void set_path(struct call *c, uint64_t ino)
{
	struct handle *h = is_new(ino) ? new_handle(c->fs, ino, NULL) : NULL;
	struct backup b = { 0 };

	if (!h)
		by_serial(c->fs, node_serial(ino), &b);
	snprintf(c->path, sizeof(c->path), "backups/%s", h ? (const char *)h->text.data : b.name);
}

static int create_backups(struct call *c, uint64_t dir, const char *name, struct handle *h,
			  struct node_entry *ret)
{
	size_t n = strlen(name);
	int r;

	if (n <= 5 || n >= BACKUP_NAME_MAX || name[0] == '.' || strcmp(name + n - 5, ".json") != 0)
		return call_refuse(c, -EINVAL,
				   "touch backups/NAME.json makes a dump of now; a name has at "
				   "most %d characters and ends in .json",
				   BACKUP_NAME_MAX - 1);
	r = buf_append(&h->text, name, n + 1);
	if (r < 0)
		return r;
	h->created = true;
	h->ino = node_id(KIND_BACKUP, NEW_BACKUPS + ++c->fs->next_new);
	node_entry_set(ret, name, 0, 0);
	/* Writable as yet, or touch of the group could not go on to set the times. */
	node_stat(c->fs, h->ino, CLASS_IMPORT, 0, c->fs->started_ns, &ret->st);
	return 0;
}

/* Called on the loop too, as the answer to a touch. */
static int attr_new(struct call *c, uint64_t ino, struct stat *st)
{
	struct handle *h = c->handle ? c->handle : new_handle(c->fs, ino, NULL);
	struct backup b = { .time_ns = c->fs->started_ns };

	if (!h)
		return -ESTALE;
	if (atomic_load(&h->committed))
		backups_find(backups_of(c->fs), (const char *)h->text.data, &b);
	node_stat(c->fs, ino, atomic_load(&h->committed) ? CLASS_DUMP : CLASS_IMPORT, b.size,
		  b.time_ns, st);
	return 0;
}

static void made_then(struct handle *h, struct cluster_request *rq, int status) /* loop's thread */
{
	if (status == 0)
		atomic_store(&h->committed, true);
	atomic_store(&h->busy, false);
}

static int post_name(struct call *c, enum cluster_verb verb, const char *name,
		     const struct call_after *after)
{
	struct cluster_request *rq = cluster_request_new(verb, 0);

	if (rq)
		rq->text = strdup(name);
	if (!rq || !rq->text) {
		cluster_request_free(rq);
		return -ENOMEM;
	}
	return call_post(c, rq, after);
}

static int touch_new(struct call *c, uint64_t ino, struct handle *h)
{
	struct call_after after = { .reply = REPLY_ATTR, .ino = ino, .then = made_then };
	int r;

	if (!h)
		h = new_handle(c->fs, ino, NULL);
	if (!h)
		return -ESTALE;
	if (atomic_load(&h->committed) || atomic_exchange(&h->busy, true))
		return 0;
	after.handle = h;
	r = post_name(c, CLUSTER_BACKUP, (const char *)h->text.data, &after);
	if (r < 0)
		atomic_store(&h->busy, false);
	return r;
}

/* ---- the files ---- */

static void backup_stat(struct fs *fs, const struct backup *b, struct stat *st)
{
	node_stat(fs, node_id(KIND_BACKUP, b->serial), CLASS_DUMP, b->size, b->time_ns, st);
}

static int attr_backup(struct call *c, uint64_t ino, struct stat *st)
{
	struct backup b;
	int r;

	if (is_new(ino))
		return attr_new(c, ino, st);
	r = by_serial(c->fs, node_serial(ino), &b);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	backup_stat(c->fs, &b, st);
	return 0;
}

static int open_backup(struct call *c, uint64_t ino, struct handle *h)
{
	int fd;

	set_path(c, ino);
	if (is_new(ino))
		return call_refuse(c, -EBUSY, "this dump is being made");
	if (h->flags & O_TRUNC)
		return call_refuse(c, -EPERM, "a dump stays as it was made");
	fd = backups_open_file(backups_of(c->fs), node_serial(ino));
	if (fd < 0)
		return fd == -ENOENT ? -ESTALE : fd;
	h->fd = fd;
	return 0;
}

static ssize_t read_backup(struct call *c, struct handle *h, void *out, size_t n, uint64_t off)
{
	ssize_t r = h->fd < 0 ? 0 : pread(h->fd, out, n, (off_t)off);

	return r < 0 ? -errno : r;
}

static int write_backup(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	set_path(c, h->ino);
	return call_refuse(c, -EPERM,
			   h->created ? "touch makes a dump of now; nothing can be "
					"written here"
				      : "a dump stays as it was made");
}

static int truncate_backup(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	set_path(c, ino);
	if (size == 0 && is_new(ino))
		return 0;
	return call_refuse(c, -EPERM, "a dump stays as it was made");
}

static int touch_backup(struct call *c, uint64_t ino, struct handle *h)
{
	set_path(c, ino);
	if (is_new(ino))
		return touch_new(c, ino, h);
	return call_refuse(c, -EEXIST, "a dump stays as it was made: touch a new name");
}

static void release_backup(struct handle *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

const struct node_ops ops_backup = {
	.attr = attr_backup,
	.open = open_backup,
	.read = read_backup,
	.write = write_backup,
	.truncate = truncate_backup,
	.touch = touch_backup,
	.release = release_backup,
};

/* ---- the folder ---- */

static void backup_entry(struct fs *fs, const struct backup *b, struct node_entry *ret)
{
	node_entry_set(ret, b->name, b->serial, 0);
	backup_stat(fs, b, &ret->st);
}

static int lookup_backups(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	struct backup b;
	struct handle *h;
	int r = backups_find(backups_of(c->fs), name, &b);

	if (r == 0)
		backup_entry(c->fs, &b, ret);
	if (r != -ENOENT)
		return r;
	h = new_handle(c->fs, 0, name);
	if (!h)
		return -ENOENT;
	node_entry_set(ret, name, 0, 0);
	return attr_new(c, h->ino, &ret->st);
}

static int next_backups(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	struct backup b;
	int r = backups_next(backups_of(c->fs), l->cookie, &b);

	if (r == 0)
		backup_entry(c->fs, &b, ret);
	return r;
}

static int unlink_backups(struct call *c, uint64_t dir, const char *name)
{
	struct call_after after = { .reply = REPLY_NOTHING };
	struct backup b;
	int r = backups_find(backups_of(c->fs), name, &b);

	return r < 0 ? r : post_name(c, CLUSTER_BACKUP_REMOVE, name, &after);
}

const struct node_ops ops_backups = {
	.attr = fixed_attr,
	.lookup = lookup_backups,
	.next = next_backups,
	.create = create_backups,
	.unlink = unlink_backups,
};
