/* The folder state/: deleting it is the cleanup. */
#include <errno.h>

#include "fs/ops/state.h"
#include "util/clock.h"

#define HIDDEN_FOR_MS 10000 /* names of a deletion that stopped half-way come back */

static bool hidden(struct fs *fs, enum fixed f)
{
	if (clock_mono_ms() - fs->state_hidden_ms > HIDDEN_FOR_MS)
		fs->state_hidden = 0;
	return fs->state_hidden & 1u << (f - FIXED_EXPORT);
}

static void hide(struct fs *fs, enum fixed f)
{
	fs->state_hidden |= 1u << (f - FIXED_EXPORT);
	fs->state_hidden_ms = clock_mono_ms();
}

void state_show(struct fs *fs, enum fixed f)
{
	fs->state_hidden &= ~(1u << (f - FIXED_EXPORT));
}

static int lookup_state(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	int r = fixed_lookup(c, fixed_id(FIXED_STATE), name, ret);

	if (r == 0 && hidden(c->fs, fixed_of(ret->st.st_ino)))
		return -ENOENT;
	return r == -ENOENT ? spool_lookup(c, name, ret) : r;
}

static int next_state(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	int r;

	while (l->cookie < FIXED_NR) {
		r = fixed_next(c, fixed_id(FIXED_STATE), l, ret);
		if (r == -ENOENT)
			break;
		if (r < 0 || !hidden(c->fs, fixed_of(ret->st.st_ino)))
			return r;
		l->cookie = ret->cookie;
	}
	return spool_next(c, l, ret);
}

/* Hides a name and touches no data: rm -r state begins like this. */
static int unlink_state(struct call *c, uint64_t dir, const char *name)
{
	struct node_entry en;
	int r = fixed_lookup(c, fixed_id(FIXED_STATE), name, &en);

	if (r == -ENOENT)
		return spool_unlink(c, name);
	if (r == 0)
		hide(c->fs, fixed_of(en.st.st_ino));
	return r;
}

static void cleaned(struct handle *h, int status) /* loop's thread */
{
	if (status == 0)
		atomic_fetch_add(&h->fs->state_removed, 1);
}

static int rmdir_state(struct call *c, uint64_t dir, const char *name)
{
	struct call_after after = { .reply = REPLY_NOTHING, .then = cleaned };
	struct node_list l = { 0 };
	struct node_entry en;
	int r;

	if (next_state(c, dir, &l, &en) == 0)
		return -ENOTEMPTY;
	c->fs->state_hidden = 0;
	after.handle = handle_new(c->fs, dir, 0);
	if (!after.handle)
		return -ENOMEM;
	list_del(&after.handle->link);
	r = call_post(c, cluster_request_new(CLUSTER_CLEAN, 0), &after);
	handle_unref(after.handle);
	return r;
}

const struct node_ops ops_state = {
	.attr = fixed_attr,
	.lookup = lookup_state,
	.next = next_state,
	.create = spool_create,
	.unlink = unlink_state,
	.rmdir = rmdir_state,
	.rename = spool_rename,
};
