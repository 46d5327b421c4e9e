/* What is shown of the last or running import, and of the dump it took. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/import_internal.h"
#include "util/clock.h"
#include "util/path.h"
#include "util/rfc3339.h"

int cluster_import_file(struct cluster *c)
{
	char *path = path_join(c->opt.data_folder, "import.json");
	int fd;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	free(path);
	return fd;
}

int set_file_time(int fd, int64_t ns)
{
	struct timespec one = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
	struct timespec both[2] = { one, one };

	return futimens(fd, both) < 0 ? -errno : 0;
}

int cluster_import_set_time(struct cluster *c, int64_t ns)
{
	int fd = cluster_import_file(c), r;

	if (fd < 0)
		return fd;
	r = set_file_time(fd, ns);
	close(fd);
	return r;
}

static json_t *time_json(int64_t ns)
{
	struct buf text = BUF_INIT(0);
	json_t *ret = NULL;

	if (ns == 0)
		return json_null();
	if (rfc3339_format_ns(&text, ns) == 0)
		ret = json_stringn((const char *)text.data, text.len);
	buf_deinit(&text);
	return ret;
}

static json_t *result_json(const struct import_result *r)
{
	return json_pack(
	    "{ss ss ss* so so sI si si sI sI sI sI sI sI sI sI sI sI ss* sI}", "state", r->state,
	    "method", r->method, "error", r->error[0] ? r->error : NULL, "started",
	    time_json(r->started_ns), "ended", time_json(r->ended_ns), "milliseconds",
	    (json_int_t)((r->ended_ns > r->started_ns ? r->ended_ns - r->started_ns : 0) / 1000000),
	    "uid", (int)r->uid, "pid", (int)r->pid, "bytes", (json_int_t)r->bytes, "lines",
	    (json_int_t)r->lines, "pins", (json_int_t)r->pins, "added", (json_int_t)r->added,
	    "changed", (json_int_t)r->changed, "removed", (json_int_t)r->removed, "unknown_keys",
	    (json_int_t)r->unknown_keys, "defaults_filled", (json_int_t)r->defaulted,
	    "revision_before", (json_int_t)r->revision_before, "revision_after",
	    (json_int_t)r->revision_after, "head", r->head[0] ? r->head : NULL, "height",
	    (json_int_t)r->height);
}

static bool add_if_apart(void *arg, const struct member *m)
{
	char text[PEERID_TEXT_MAX];

	if (m->trusted) {
		peerid_format(&m->peer, text);
		json_array_append_new(arg, json_string(text));
	}
	return true;
}

/* The trusted members that announced last what is not in our history, at this moment: after a
 * replace, those that still have the old one. */
static json_t *peers_apart(struct cluster *c)
{
	json_t *peers = json_array();
	size_t i = 0;

	cluster_each_member(c, add_if_apart, peers);
	while (i < json_array_size(peers)) {
		const char *text = json_string_value(json_array_get(peers, i));
		struct crdt_heads heads;
		struct peerid peer;
		bool in_step = true;

		if (peerid_parse(text, strlen(text), &peer, NULL) == 0 &&
		    cluster_heads_of(c, &peer, &heads, &in_step) && !in_step)
			i++;
		else
			json_array_remove(peers, i);
	}
	return peers;
}

int cluster_import_result(struct cluster *c, bool check, struct buf *out)
{
	struct import_result r;
	json_t *root;
	char *text;
	int ret;

	pthread_mutex_lock(&c->lock);
	r = c->import_results[check];
	pthread_mutex_unlock(&c->lock);
	root = r.state[0] ? result_json(&r) : json_pack("{ss}", "state", "none");
	if (root && !check && r.state[0])
		json_object_set_new(root, "peers_apart", peers_apart(c));
	text = root ? json_dumps(root, JSON_INDENT(4)) : NULL;
	json_decref(root);
	if (!text)
		return -ENOMEM;
	ret = buf_str(out, text);
	if (ret == 0)
		ret = buf_byte(out, '\n');
	free(text);
	return ret;
}
