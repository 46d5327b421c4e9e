/* state/info.json and state/allow. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/views.h"
#include "store/blocks.h"
#include "util/clock.h"

#define HEADS_SHOWN 256
#define ALLOW_DIGITS 18 /* fits an int64_t */

/* ---- info.json ---- */

static int add_heads(struct call *c, json_t *j)
{
	json_t *heads = json_array();
	uint64_t after = 0, height, max = 0, n = 0;
	struct block_row row;
	int r;

	while ((r = heads_next(c->txn, &after, &height)) == 0) {
		char cid[CID_TEXT_MAX + 1];

		max = height > max ? height : max;
		if (n++ >= HEADS_SHOWN)
			continue;
		r = blocks_row(c->txn, after, &row);
		if (r < 0)
			break;
		cid_format(&row.cid, cid);
		json_array_append_new(
		    heads, json_pack("{s:s,s:I}", "cid", cid, "height", (json_int_t)height));
	}
	json_object_set_new(j, "heads", heads);
	json_object_set_new(j, "height", json_integer((json_int_t)max));
	return r == -ENOENT ? 0 : r;
}

/* How far this peer is behind the others. */
static void add_sync(struct call *c, const struct store_info *info, json_t *j)
{
	struct crdt_sync sync = { 0 };
	bool known = cluster_sync(c->fs->cluster, &sync);

	json_object_set_new(j, "dirty", json_boolean(info->dirty || sync.dirty));
	if (!known)
		return;
	json_object_set_new(j, "wanted", json_integer((json_int_t)sync.wanted));
	json_object_set_new(j, "merged", json_integer((json_int_t)sync.merged));
	json_object_set_new(j, "failed", json_integer((json_int_t)sync.failed));
	json_object_set_new(j, "last_heard",
			    json_string(view_time(sync.last_heard_s * NS_PER_S).s));
	json_object_set_new(j, "last_merge",
			    json_string(view_time(sync.last_merge_s * NS_PER_S).s));
}

static int fill_info(struct call *c, const struct store_info *info, json_t *j)
{
	const struct cluster_options *opt = cluster_options(c->fs->cluster);
	int r;

	json_object_set_new(j, "revision", json_integer((json_int_t)info->revision));
	json_object_set_new(j, "consensus", json_string(cluster_consensus_name(c->fs->cluster)));
	json_object_set_new(j, "pins", json_integer((json_int_t)info->pins));
	json_object_set_new(j, "bytes", json_integer((json_int_t)info->export_bytes));
	r = add_heads(c, j);
	add_sync(c, info, j);
	json_object_set_new(j, "pending", json_integer((json_int_t)info->pending));
	json_object_set_new(j, "names_complete", json_boolean(info->names_after == 0));
	json_object_set_new(j, "last_change", json_string(view_time(info->changed_ns).s));
	json_object_set_new(j, "version", json_string(PINFS_VERSION));
	json_object_set_new(j, "offline", json_boolean(opt->offline));
	json_object_set_new(j, "read_only", json_boolean(c->fs->opt.read_only));
	json_object_set_new(j, "importing", json_boolean(cluster_importing(c->fs->cluster)));
	json_object_set_new(j, "started", json_string(view_time(c->fs->started_ns).s));
	json_object_set_new(j, "last_stop_orderly", json_boolean(!store_was_killed(c->fs->store)));
	if (r == 0 && c->fs->opt.source.info)
		r = c->fs->opt.source.info(c->fs->opt.source.arg, j);
	return r;
}

static int render_info(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	const struct store_info *info = call_info(c);
	json_t *j = info ? json_object() : NULL;
	int r;

	if (!j)
		return info ? -ENOMEM : -EMFILE;
	*ret_mtime_ns = info->changed_ns;
	r = fill_info(c, info, j);
	if (r == 0)
		return text_json_new(out, j);
	json_decref(j);
	return r;
}
TEXT_OPS(info, CLASS_READ_ONLY);

/* ---- allow ---- */

static int render_allow(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	return buf_printf(out, "%llu\n", (unsigned long long)cluster_allowance(c->fs->cluster));
}

static int attr_allow(struct call *c, uint64_t ino, struct stat *st)
{
	return text_attr(c, ino, render_allow, CLASS_IMPORT, st);
}

static int open_allow(struct call *c, uint64_t ino, struct handle *h)
{
	h->mtime_ns = c->fs->started_ns;
	if ((h->flags & O_ACCMODE) != O_RDONLY)
		return 0; /* the text is what gets written */
	return text_open(c, ino, h, render_allow);
}

static int refuse_number(struct call *c, struct handle *h)
{
	h->poisoned = true;
	h->dirty = false;
	return call_refuse(c, -EINVAL, "a number of removals is written here, and nothing else");
}

/* Digits, and behind them perhaps a newline. */
static bool is_number(const struct buf *text, bool *ret_whole)
{
	size_t digits = 0;

	while (digits < text->len && text->data[digits] >= '0' && text->data[digits] <= '9')
		digits++;
	*ret_whole = digits + 1 == text->len && text->data[digits] == '\n';
	return digits > 0 && digits <= ALLOW_DIGITS && (*ret_whole || digits == text->len);
}

static int allow(struct call *c, struct handle *h, enum call_reply reply, size_t written)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_ALLOW, 0);
	struct call_after after = { .reply = reply, .written = written, .handle = h };
	int r = rq ? buf_terminate(&h->text) : -ENOMEM;

	if (r < 0) {
		cluster_request_free(rq);
		return r;
	}
	rq->number = strtoull((const char *)h->text.data, NULL, 10);
	h->dirty = false;
	h->text.len = 0;
	return call_post(c, rq, &after);
}

static int write_allow(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	bool whole;
	int r;

	if (h->poisoned || n > ALLOW_DIGITS + 1 || h->text.len > ALLOW_DIGITS + 1)
		return refuse_number(c, h);
	r = buf_append(&h->text, p, n);
	if (r < 0)
		return r;
	if (!is_number(&h->text, &whole))
		return refuse_number(c, h);
	h->dirty = true;
	return whole ? allow(c, h, REPLY_WRITTEN, n) : 0;
}

static int truncate_allow(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	return 0;
}

/* A number without a newline behind it counts when the file is closed. */
static int flush_allow(struct call *c, struct handle *h)
{
	if (!h->dirty || c->killed || !c->opener)
		return 0;
	return allow(c, h, REPLY_NOTHING, 0);
}

const struct node_ops ops_allow = {
	.attr = attr_allow,
	.open = open_allow,
	.read = text_read,
	.write = write_allow,
	.truncate = truncate_allow,
	.flush = flush_allow,
};
