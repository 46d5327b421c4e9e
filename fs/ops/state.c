/* The folder state/: deleting it is the cleanup. Its names are unlinked first, which hides them
 * from the process that does it. */
#include <errno.h>

#include "fs/ops/state.h"
#include "util/clock.h"

/* From the caller. The kernel asks each time: no name of state/ is kept, there or not. */
static bool hidden(struct call *c, enum fixed f)
{
	const struct hidden *h = &c->fs->state_hidden;
	int64_t now = clock_mono_ms();

	return hidden_any(h, now) && hidden_has(h, call_group(c), f - FIXED_EXPORT, now);
}

void state_show(struct fs *fs, enum fixed f)
{
	hidden_show(&fs->state_hidden, f - FIXED_EXPORT);
}

static int lookup_state(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	int r = fixed_lookup(c, fixed_id(FIXED_STATE), name, ret);

	if (r == 0 && hidden(c, fixed_of(ret->st.st_ino)))
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
		if (r < 0 || !hidden(c, fixed_of(ret->st.st_ino)))
			return r;
		l->cookie = ret->cookie;
	}
	return spool_next(c, l, ret);
}

/* Touches no data: rm -r state begins like this. */
static int unlink_state(struct call *c, uint64_t dir, const char *name)
{
	struct node_entry en;
	int r = fixed_lookup(c, fixed_id(FIXED_STATE), name, &en);

	if (r == -ENOENT)
		return spool_unlink(c, name);
	if (r == 0)
		hidden_add(&c->fs->state_hidden, call_group(c),
			   fixed_of(en.st.st_ino) - FIXED_EXPORT, clock_mono_ms());
	return r;
}

static void cleaned(struct handle *h, struct cluster_request *rq, int status) /* loop's thread */
{
	if (status == 0)
		atomic_fetch_add(&h->fs->state_removed, 1);
}

static int rmdir_state(struct call *c, uint64_t dir, const char *name)
{
	struct call_after after = { .reply = REPLY_NOTHING, .then = cleaned };
	struct node_list l = { 0 };
	struct node_entry en;
	int r = next_state(c, dir, &l, &en);

	if (r < 0 && r != -ENOENT)
		return call_refuse(c, r, "reading the names of state/");
	if (r == 0)
		return call_refuse(c, -ENOTEMPTY,
				   "to reset the peer, one program must remove the names in it and "
				   "then the folder, as rm -r does");
	hidden_clear(&c->fs->state_hidden);
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
