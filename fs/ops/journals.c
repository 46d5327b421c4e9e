/*
 * audit and events: logs that grow at their end. An open file sees the bytes from the first one
 * that was there when it was opened, at offsets that stay, so that tail -f follows through a
 * rotation; what a rotation dropped before it was read is ESTALE.
 */
#include <errno.h>

#include "fs/text.h"

static struct journal *journal_of(struct fs *fs, uint64_t ino)
{
	return fixed_of(ino) == FIXED_AUDIT ? cluster_audit(fs->cluster)
					    : cluster_events_log(fs->cluster);
}

static int attr_journal(struct call *c, uint64_t ino, struct stat *st)
{
	struct handle *h = handle_of_caller(c, ino);
	uint64_t start, end;
	int64_t mtime_ns;

	journal_range(journal_of(c->fs, ino), &start, &end, &mtime_ns);
	node_stat(c->fs, ino, fixed_files[fixed_of(ino)].class, end - (h ? h->base : start),
		  mtime_ns ? mtime_ns : c->fs->started_ns, st);
	return 0;
}

static int open_journal(struct call *c, uint64_t ino, struct handle *h)
{
	uint64_t end;

	journal_range(journal_of(c->fs, ino), &h->base, &end, &h->mtime_ns);
	return 0;
}

static ssize_t read_journal(struct call *c, struct handle *h, void *out, size_t n, uint64_t off)
{
	return journal_read(journal_of(c->fs, h->ino), h->base + off, out, n);
}

const struct node_ops ops_audit = {
	.attr = attr_journal,
	.open = open_journal,
	.read = read_journal,
};

const struct node_ops ops_events = {
	.attr = attr_journal,
	.open = open_journal,
	.read = read_journal,
};
