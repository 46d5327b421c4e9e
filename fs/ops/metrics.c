/*
 * health/metrics/<name>.json: what this peer tells the others of itself, in the form of the
 * reference's `health metrics`. Source: informer/ of ipfs-cluster 1.1.6.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fs/ops/views.h"
#include "util/clock.h"
#include "util/conf.h"

#define METRIC_EVERY_NS (15 * NS_PER_S)

/* Serials; the tags follow. */
enum {
	METRIC_PING = 1,
	METRIC_DISK,
	METRIC_PINQUEUE,
	METRIC_TAGS
};

#define NAME_CAP 200

struct metric {
	char name[NAME_CAP];
	json_t *value; /* a text */
	int64_t weight, ttl_ms, received_ns;
	bool valid, partitionable;
};

static bool is_repo_size(const struct cluster_options *opt)
{
	return strcmp(opt->informer->disk_metric, "reposize") == 0;
}

/* False: no metric has this serial. */
static bool metric_name(struct fs *fs, uint64_t serial, char out[NAME_CAP])
{
	const struct cluster_options *opt = cluster_options(fs->cluster);

	if (serial == METRIC_PING)
		snprintf(out, NAME_CAP, "ping");
	else if (serial == METRIC_DISK)
		snprintf(out, NAME_CAP, is_repo_size(opt) ? "reposize" : "freespace");
	else if (serial == METRIC_PINQUEUE)
		snprintf(out, NAME_CAP, "pinqueue");
	else if (serial >= METRIC_TAGS && serial - METRIC_TAGS < opt->informer->tags.n)
		snprintf(out, NAME_CAP, "tag:%s", opt->informer->tags.v[serial - METRIC_TAGS].key);
	else
		return false;
	return true;
}

/* ---- values ---- */

static void get_ping(struct fs *fs, struct metric *m)
{
	struct tracker_kubo k = { 0 };
	json_t *j;
	char *text;

	view_kubo(fs, &k);
	j = json_pack("{s:o,s:o}", "peer_name", view_string(view_peername(fs)), "ipfs_id",
		      view_string(k.id));
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	m->value = json_string(text ? text : "");
	free(text);
	json_decref(j);
	m->valid = true;
	m->ttl_ms = 2 * cluster_options(fs->cluster)->config->monitor_ping_interval_ms;
}

static void get_disk(struct fs *fs, struct metric *m)
{
	const struct cluster_options *opt = cluster_options(fs->cluster);
	struct tracker_kubo k = { 0 };
	uint64_t space = 0;

	m->ttl_ms = opt->informer->disk_ttl_ms;
	if (!view_kubo(fs, &k) || k.repo_ns == 0) {
		m->value = json_string("");
		return;
	}
	m->received_ns = k.repo_ns;
	if (is_repo_size(opt)) {
		space = k.repo.repo_size;
		m->weight = -(int64_t)space;
		m->valid = k.up;
	} else {
		if (k.repo.repo_size < k.repo.storage_max)
			space = k.repo.storage_max - k.repo.repo_size;
		m->weight = (int64_t)space;
		m->valid = k.up && space > 0;
	}
	m->value = json_sprintf("%" PRIu64, space);
}

static int get_pinqueue(struct call *c, struct metric *m)
{
	const struct informer_config *cfg = cluster_options(c->fs->cluster)->informer;
	const struct store_info *info = call_info(c);
	int64_t queued;

	if (!info)
		return -EMFILE;
	queued = (int64_t)(info->by_status[STATUS_PIN_QUEUED] + info->by_status[STATUS_PINNING]);
	m->value = json_sprintf("%" PRId64, queued);
	m->weight = cfg->pinqueue_bucket_size > 0 ? -queued / cfg->pinqueue_bucket_size : -queued;
	m->valid = true;
	m->ttl_ms = cfg->pinqueue_ttl_ms;
	return 0;
}

static void get_tag(struct fs *fs, size_t i, struct metric *m)
{
	const struct informer_config *cfg = cluster_options(fs->cluster)->informer;

	m->value = view_string(cfg->tags.v[i].value);
	m->valid = m->partitionable = true;
	m->ttl_ms = cfg->tags_ttl_ms;
}

static int get_metric(struct call *c, uint64_t serial, struct metric *m)
{
	int r = 0;

	/* Taken anew every few seconds, so that a file that is read twice is the same twice. */
	*m = (struct metric){ .received_ns = clock_now_ns() / METRIC_EVERY_NS * METRIC_EVERY_NS };
	if (!metric_name(c->fs, serial, m->name))
		return -ESTALE;
	if (serial == METRIC_PING)
		get_ping(c->fs, m);
	else if (serial == METRIC_DISK)
		get_disk(c->fs, m);
	else if (serial == METRIC_PINQUEUE)
		r = get_pinqueue(c, m);
	else
		get_tag(c->fs, serial - METRIC_TAGS, m);
	return r;
}

static int render_metric(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	char self[PEERID_TEXT_MAX];
	struct metric m;
	int r = get_metric(c, node_serial(ino), &m);

	if (r < 0)
		return r;
	view_self(c->fs, self);
	*ret_mtime_ns = m.received_ns;
	return text_json_new(
	    out, json_pack("[{s:o,s:s,s:o,s:I,s:b,s:I,s:b,s:I}]", "name", view_string(m.name),
			   "peer", self, "value", m.value, "expire",
			   (json_int_t)(m.received_ns + m.ttl_ms * NS_PER_MS), "valid", m.valid,
			   "weight", (json_int_t)m.weight, "partitionable", m.partitionable,
			   "received_at", (json_int_t)m.received_ns));
}
TEXT_OPS(metric, CLASS_READ_ONLY);

/* ---- the folder ---- */

static bool metric_file(struct fs *fs, uint64_t serial, char out[256])
{
	char name[NAME_CAP];

	if (!metric_name(fs, serial, name))
		return false;
	snprintf(out, 256, "%s.json", name);
	for (char *p = out; *p; p++)
		if (*p == '/')
			*p = '_';
	return true;
}

static int metric_entry(struct call *c, uint64_t serial, struct node_entry *ret)
{
	if (!metric_file(c->fs, serial, ret->name))
		return -ENOENT;
	ret->cookie = serial;
	ret->timeout = 0;
	return attr_metric(c, node_id(KIND_METRIC, serial), &ret->st);
}

static int lookup_metrics(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	char file[256];

	for (uint64_t s = METRIC_PING; metric_file(c->fs, s, file); s++)
		if (strcmp(name, file) == 0)
			return metric_entry(c, s, ret);
	return -ENOENT;
}

static int next_metrics(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	return metric_entry(c, l->cookie + 1, ret);
}

const struct node_ops ops_metrics = {
	.attr = fixed_attr,
	.lookup = lookup_metrics,
	.next = next_metrics,
};
