/* ipfs/: what is known of Kubo, and its garbage collection. Never asked here: the tracker keeps it.
 */
#include <errno.h>

#include "fs/ops/views.h"

static int render_ipfs_id(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	struct tracker_kubo k = { 0 };
	bool known = view_kubo(c->fs, &k);
	json_t *j = json_object();

	if (k.since_ns)
		*ret_mtime_ns = k.since_ns;
	json_object_set_new(j, "id", view_string(k.id));
	json_object_set_new(j, "addresses", view_lines(k.addresses));
	json_object_set_new(j, "agent", view_string(k.agent));
	json_object_set_new(j, "up", json_boolean(k.up));
	json_object_set_new(j, "since", json_string(view_time(k.since_ns).s));
	json_object_set_new(j, "error", view_string(known ? k.error : "offline"));
	return text_json_new(out, j);
}
TEXT_OPS(ipfs_id, CLASS_READ_ONLY);

static int render_ipfs_repo(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	struct tracker_kubo k = { 0 };
	bool known = view_kubo(c->fs, &k);
	json_t *j = json_object();

	if (k.repo_ns)
		*ret_mtime_ns = k.repo_ns;
	json_object_set_new(j, "repo_size", json_integer((json_int_t)k.repo.repo_size));
	json_object_set_new(j, "storage_max", json_integer((json_int_t)k.repo.storage_max));
	json_object_set_new(j, "num_objects", json_integer((json_int_t)k.repo.num_objects));
	json_object_set_new(j, "time", json_string(view_time(k.repo_ns).s));
	json_object_set_new(j, "error", view_string(known ? k.error : "offline"));
	return text_json_new(out, j);
}
TEXT_OPS(ipfs_repo, CLASS_READ_ONLY);

static int render_gc_result(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	struct tracker *t = cluster_tracker(c->fs->cluster);

	return t ? tracker_gc_result(t, out) : buf_str(out, "{\"peer_map\":{}}\n");
}
TEXT_OPS(gc_result, CLASS_READ_ONLY);

/* ---- gc ---- */

static int attr_gc(struct call *c, uint64_t ino, struct stat *st)
{
	node_stat(c->fs, ino, CLASS_WRITE_ONLY, 0, c->fs->started_ns, st);
	return 0;
}

static int open_gc(struct call *c, uint64_t ino, struct handle *h)
{
	return 0;
}

/* Once for each open file. */
static int write_gc(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	struct call_after after = { .reply = REPLY_WRITTEN, .written = n, .handle = h };
	struct cluster_request *rq;

	if (h->written)
		return 0;
	rq = cluster_request_new(CLUSTER_GC, 0);
	if (!rq)
		return -ENOMEM;
	h->written = true;
	return call_post(c, rq, &after);
}

static int truncate_gc(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	return 0;
}

const struct node_ops ops_gc = {
	.attr = attr_gc,
	.open = open_gc,
	.write = write_gc,
	.truncate = truncate_gc,
};
