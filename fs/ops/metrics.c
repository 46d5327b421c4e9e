/*
 * health/metrics/<name>.json: the valid metrics of a name, one per peer, and health/alerts.json:
 * those that ran out. In the form of the reference's `health metrics` and `health alerts`.
 * Source: Metric and Alert of ipfs-cluster 1.1.6 (api/types.go).
 */
#include <errno.h>
#include <string.h>

#include "fs/ops/views.h"
#include "util/conf.h"

/* ---- one metric ---- */

static json_t *text_of(const char *p, size_t n)
{
	char text[METRIC_VALUE_MAX + 1];

	n = n < sizeof(text) ? n : sizeof(text) - 1;
	memcpy(text, p, n);
	text[n] = '\0';
	return view_string(text);
}

static json_t *metric_json(const struct metric *m)
{
	char peer[PEERID_TEXT_MAX];

	peerid_format(&m->peer, peer);
	return json_pack("{s:o,s:s,s:o,s:I,s:b,s:I,s:b,s:I}", "name", text_of(m->name, m->name_len),
			 "peer", peer, "value", text_of(m->value, m->value_len), "expire",
			 (json_int_t)m->expire_ns, "valid", m->valid, "weight",
			 (json_int_t)m->weight, "partitionable", m->partitionable, "received_at",
			 (json_int_t)m->received_ns);
}

/* ---- names; a file is of all names that look alike in a folder ---- */

static void file_name(const char *name, char out[256])
{
	snprintf(out, 256, "%.240s.json", name);
	for (char *p = out; *p; p++)
		if (*p == '/' || (unsigned char)*p < ' ')
			*p = '_';
}

/* FNV-1a of the file's name: of at most 256 names, and a peer that makes up two alike hides its
 * own. */
static uint64_t serial_of(const char *file)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *p = file; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	return hash & NODE_SERIAL_MASK;
}

/* Names that this peer publishes are there before anything came of them. */
static void each_name(struct fs *fs, bool (*fn)(void *arg, const char *name), void *arg)
{
	const struct informer_config *cfg = cluster_options(fs->cluster)->informer;
	char tag[256];
	bool go_on = fn(arg, MONITOR_PING) && fn(arg, cfg->disk_metric) && fn(arg, "pinqueue");

	for (size_t i = 0; go_on && i < cfg->tags.n; i++) {
		snprintf(tag, sizeof(tag), "tag:%s", cfg->tags.v[i].key);
		go_on = fn(arg, tag);
	}
	if (go_on)
		cluster_each_metric_name(fs->cluster, fn, arg);
}

struct search {
	uint64_t serial; /* looked for, or the last one passed */
	uint64_t found;
	char file[256];   /* of the found one */
	struct buf names; /* all that have the serial, each with its zero */
};

static bool comes_next(void *arg, const char *name)
{
	struct search *s = arg;
	char file[256];
	uint64_t serial;

	file_name(name, file);
	serial = serial_of(file);
	if (serial > s->serial && (s->found == 0 || serial < s->found)) {
		s->found = serial;
		memcpy(s->file, file, sizeof(file));
	}
	return true;
}

static bool has_serial(void *arg, const char *name)
{
	struct search *s = arg;
	char file[256];

	file_name(name, file);
	if (serial_of(file) != s->serial)
		return true;
	s->found = s->serial;
	memcpy(s->file, file, sizeof(file));
	/* A name that is published here comes a second time from the monitor. */
	if (s->names.len > 0 && strcmp((const char *)s->names.data, name) == 0)
		return true;
	return buf_append(&s->names, name, strlen(name) + 1) == 0;
}

/* ---- the files ---- */

struct listing {
	json_t *list;
	int64_t newest_ns;
};

static bool add_metric(void *arg, const struct metric *m)
{
	struct listing *l = arg;

	if (m->received_ns > l->newest_ns)
		l->newest_ns = m->received_ns;
	return json_array_append_new(l->list, metric_json(m)) == 0;
}

static int render_metric(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	struct search s = { .serial = node_serial(ino) };
	struct listing l = { .list = json_array() };

	each_name(c->fs, has_serial, &s);
	for (size_t at = 0; at < s.names.len;) {
		const char *name = (const char *)s.names.data + at;

		cluster_each_metric(c->fs->cluster, name, false, add_metric, &l);
		at += strlen(name) + 1;
	}
	buf_deinit(&s.names);
	if (s.found == 0) {
		json_decref(l.list);
		return -ESTALE;
	}
	if (l.newest_ns)
		*ret_mtime_ns = l.newest_ns;
	return text_json_new(out, l.list);
}
TEXT_OPS(metric, CLASS_READ_ONLY);

/* ---- alerts ---- */

static bool add_alert(void *arg, const struct monitor_alert *a)
{
	struct listing *l = arg;
	const struct metric m = { .name = a->name,
				  .name_len = strlen(a->name),
				  .value = "",
				  .peer = a->peer,
				  .expire_ns = a->expire_ns,
				  .valid = true };
	json_t *j = metric_json(&m);

	json_object_set_new(j, "triggered_at", json_string(view_time(a->triggered_ns).s));
	if (a->triggered_ns > l->newest_ns)
		l->newest_ns = a->triggered_ns;
	return json_array_append_new(l->list, j) == 0;
}

/* The value and weight that an alert is about are those of the latest metric, unless that is
 * another one by now. */
struct filling {
	json_t *alert;
	json_int_t expire;
};

static void fill_from(void *arg, const struct metric *m)
{
	static const char *const keys[] = { "value", "weight", "partitionable", "received_at" };
	struct filling *f = arg;
	json_t *j;

	if (m->expire_ns != f->expire)
		return;
	j = metric_json(m);
	for (size_t i = 0; i < 4; i++)
		json_object_set(f->alert, keys[i], json_object_get(j, keys[i]));
	json_decref(j);
}

static void fill_alert(const struct fs *fs, json_t *alert)
{
	const char *name = json_string_value(json_object_get(alert, "name"));
	const char *text = json_string_value(json_object_get(alert, "peer"));
	struct filling f = { .alert = alert,
			     .expire = json_integer_value(json_object_get(alert, "expire")) };
	struct peerid peer;

	if (name && text && peerid_parse(text, strlen(text), &peer, NULL) == 0)
		cluster_find_metric(fs->cluster, name, &peer, fill_from, &f);
}

static int render_alerts(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	struct listing l = { .list = json_array() };
	json_t *alert;
	size_t i;

	cluster_each_alert(c->fs->cluster, add_alert, &l);
	json_array_foreach (l.list, i, alert)
		fill_alert(c->fs, alert);
	if (l.newest_ns)
		*ret_mtime_ns = l.newest_ns;
	return text_json_new(out, l.list);
}
TEXT_OPS(alerts, CLASS_READ_ONLY);

/* ---- the folder ---- */

static int metric_entry(struct call *c, const char *file, struct node_entry *ret)
{
	uint64_t serial = serial_of(file);

	snprintf(ret->name, sizeof(ret->name), "%s", file);
	ret->cookie = serial;
	ret->timeout = 0;
	return attr_metric(c, node_id(KIND_METRIC, serial), &ret->st);
}

static int lookup_metrics(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	struct search s = { .serial = serial_of(name) };

	each_name(c->fs, has_serial, &s);
	buf_deinit(&s.names);
	return s.found && strcmp(s.file, name) == 0 ? metric_entry(c, name, ret) : -ENOENT;
}

static int next_metrics(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	struct search s = { .serial = l->cookie };

	each_name(c->fs, comes_next, &s);
	return s.found ? metric_entry(c, s.file, ret) : -ENOENT;
}

const struct node_ops ops_metrics = {
	.attr = fixed_attr,
	.lookup = lookup_metrics,
	.next = next_metrics,
};
