#include "daemon/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/conf_tables.h"
#include "daemon/config_internal.h"
#include "util/path.h"
#define LOG_AREA "config"
#include "util/log.h"

/* The members of service.json that hold components of their own. */
static const char *const groups[] = { "consensus",   "api",          "ipfs_connector",
				      "pin_tracker", "monitor",      "allocator",
				      "informer",    "observations", "datastore" };
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static void warn(const struct conf_source *src, const char *path, const char *key)
{
	char msg[CONF_NAME_MAX + 128];

	if (!src->warn)
		return;
	snprintf(msg, sizeof(msg), "%s: %s%.64s: unknown section, ignored", src->file, path, key);
	src->warn(src->arg, msg);
}

static bool group_known(const char *name)
{
	size_t i;

	for (i = 0; i < GROUPS; i++) {
		if (strcasecmp(name, groups[i]) == 0)
			return true;
	}
	return false;
}

/* "state" is a section of the reference without components. */
static void warn_unknown(json_t *in, const struct conf_source *src)
{
	static const char *const alone[] = { "source", "cluster", "fuse", "state" };
	const char *key, *name;
	json_t *v, *component;
	size_t i;

	json_object_foreach (in, key, v) {
		for (i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
			if (strcasecmp(key, alone[i]) == 0)
				break;
		}
		if (i == sizeof(alone) / sizeof(alone[0]) && !group_known(key))
			warn(src, "", key);
		if (!group_known(key))
			continue;
		json_object_foreach (v, name, component) {
			char path[CONF_NAME_MAX];

			snprintf(path, sizeof(path), "%.32s.%.64s", key, name);
			if (!conf_table_find(path)) {
				snprintf(path, sizeof(path), "%.32s.", key);
				warn(src, path, name);
			}
		}
	}
}

/* The section at "group.name" or "name"; NULL when it is missing. -EINVAL: no object on the way. */
static int section_find(json_t *in, const char *path, const struct conf_source *src, json_t **ret,
			struct err *e)
{
	const char *dot = strchr(path, '.');
	char group[CONF_NAME_MAX];
	json_t *v;

	if (!dot) {
		*ret = conf_get(in, path);
		return 0;
	}
	snprintf(group, sizeof(group), "%.*s", (int)(dot - path), path);
	v = conf_get(in, group);
	if (v && !json_is_object(v))
		return err_set(e, -EINVAL, "%s: %s: must be an object", src->file, group);
	*ret = v ? conf_get(v, dot + 1) : NULL;
	return 0;
}

int config_doc_put(json_t *doc, const char *path, json_t *section)
{
	const char *dot = strchr(path, '.');
	char group[CONF_NAME_MAX];
	json_t *v;

	if (!dot)
		return json_object_set(doc, path, section) < 0 ? -ENOMEM : 0;
	snprintf(group, sizeof(group), "%.*s", (int)(dot - path), path);
	v = json_object_get(doc, group);
	if (!v) {
		v = json_object();
		if (json_object_set_new(doc, group, v) < 0)
			return -ENOMEM;
	}
	return json_object_set(v, dot + 1, section) < 0 ? -ENOMEM : 0;
}

int config_doc_peername(json_t *cluster)
{
	char host[256] = "";

	if (json_string_length(json_object_get(cluster, "peername")) > 0)
		return 0;
	if (gethostname(host, sizeof(host) - 1) < 0)
		return -errno;
	return json_object_set_new(cluster, "peername", json_string(host)) < 0 ? -ENOMEM : 0;
}

/* What a missing section means, where that is not the defaults of its keys: a file that is older
 * than allocators is one of peers that tell no tags. */
static int fill_missing(const struct conf_section *s, json_t *doc)
{
	if (s != &conf_balanced)
		return 0;
	return json_object_set_new(doc, "allocate_by", json_pack("[s]", "freespace")) < 0 ? -ENOMEM
											  : 0;
}

static int section_load(const struct conf_table *t, json_t *in, const struct conf_source *src,
			struct config *c, struct err *e)
{
	const struct conf_section *s = t->section;
	json_t *section, *doc = NULL;
	bool by_env = false, shown;
	int r;

	r = section_find(in, s->path, src, &section, e);
	if (r < 0)
		return r;
	if (!section && s == &conf_cluster)
		return err_set(e, -EINVAL, "%s: cluster: the section is missing", src->file);
	r = conf_normalize(s, section, src, &doc, &by_env, e);
	if (r < 0)
		return r;
	if (s == &conf_cluster)
		r = config_doc_peername(doc);
	shown =
	    section || (by_env && t->base != CONF_NO_STRUCT && s != &conf_crdt && s != &conf_raft);
	if (r == 0 && shown)
		r = config_doc_put(c->doc, s->path, doc);
	else if (r == 0)
		r = fill_missing(s, doc);
	if (r < 0)
		err_sys(e, r, "%s: %s", src->file, s->path);
	else if (t->base != CONF_NO_STRUCT && (shown || s != &conf_numpin))
		r = conf_store(s, doc, src, (char *)c + t->base, e);
	json_decref(doc);
	return r;
}

static int consensus_find(json_t *in, const struct conf_source *src, enum config_consensus *ret,
			  struct err *e)
{
	json_t *crdt, *raft;
	int r;

	r = section_find(in, "consensus.crdt", src, &crdt, e);
	if (r == 0)
		r = section_find(in, "consensus.raft", src, &raft, e);
	if (r < 0)
		return r;
	if (!crdt == !raft)
		return err_set(e, -EINVAL, "%s: consensus: must have one of crdt and raft, not %s",
			       src->file, crdt ? "both" : "none");
	*ret = crdt ? CONFIG_CRDT : CONFIG_RAFT;
	return 0;
}

static int source_refuse(json_t *in, const struct conf_source *src, struct err *e)
{
	json_t *v = conf_get(in, "source");

	if (!v || (json_is_string(v) && json_string_length(v) == 0))
		return 0;
	return err_set(e, -EINVAL,
		       "%s: source: a configuration is not fetched from elsewhere; put what %.200s "
		       "returns into this file",
		       src->file, json_is_string(v) ? json_string_value(v) : "the source");
}

static int peerstore_path(struct config *c)
{
	const char *name =
	    *c->cluster.peerstore_file ? c->cluster.peerstore_file : CONFIG_PEERSTORE_FILE;

	c->peerstore = path_join(c->folder ? c->folder : ".", name);
	return c->peerstore ? 0 : -ENOMEM;
}

static int sections_load(json_t *in, const struct conf_source *src, struct config *c, struct err *e)
{
	const struct conf_table *t;
	json_t *secret;
	int r = 0;

	if (!json_is_object(in))
		return err_set(e, -EINVAL, "%s: must be a JSON object", src->file);
	r = source_refuse(in, src, e);
	if (r == 0)
		r = consensus_find(in, src, &c->consensus, e);
	for (t = conf_tables; t->section && r == 0; t++)
		r = section_load(t, in, src, c, e);
	if (r < 0)
		return r;
	/* From the text: 32 zero bytes are a secret, too. */
	secret = json_object_get(json_object_get(c->doc, "cluster"), "secret");
	c->cluster.has_secret = json_string_length(secret) > 0;
	if (c->consensus == CONFIG_RAFT)
		c->fs.backups_rotate = c->raft.backups_rotate;
	warn_unknown(in, src);
	return 0;
}

static int doc_load(const void *data, size_t len, const struct conf_source *src, json_t **ret,
		    struct err *e)
{
	json_error_t je;

	if (len > CONFIG_BYTES_MAX)
		return err_set(e, -EINVAL, "%s: larger than %d bytes", src->file, CONFIG_BYTES_MAX);
	*ret = json_loadb(data ? data : "", len, 0, &je);
	if (!*ret)
		return err_set(e, -EINVAL, "%s: line %d, column %d: %s", src->file, je.line,
			       je.column, je.text);
	return 0;
}

int config_parse(const void *data, size_t len, const struct conf_source *src, struct config **ret,
		 struct err *e)
{
	struct config *c = calloc(1, sizeof(*c));
	json_t *in = NULL;
	int r;

	if (!c)
		return err_sys(e, -ENOMEM, "%s", src->file);
	c->doc = json_object();
	r = c->doc ? doc_load(data, len, src, &in, e) : -ENOMEM;
	if (r == 0)
		r = sections_load(in, src, c, e);
	json_decref(in);
	if (r < 0) {
		if (e && e->code == 0)
			err_sys(e, r, "%s", src->file);
		config_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static void log_warning(void *arg, const char *msg)
{
	log_warn("%s", msg);
}

/* A missing file is a fault of the configuration, not of the system. */
static int file_read(const char *folder, const char *name, struct buf *out, struct err *e)
{
	char *path = path_join(folder, name);
	int r;

	if (!path)
		return err_sys(e, -ENOMEM, "%s", name);
	r = path_read(path, CONFIG_BYTES_MAX, out, e);
	if (r == -ENOENT || r == -ENOTDIR)
		r = err_set(e, -EINVAL, "there is no %s: make one with --init", path);
	else if (r == -EFBIG)
		r = err_set(e, -EINVAL, "%s: larger than %d bytes", path, CONFIG_BYTES_MAX);
	free(path);
	return r;
}

int config_load(const char *folder, struct config **ret, struct err *e)
{
	struct conf_source src = { .file = CONFIG_FILE, .getenv = getenv, .warn = log_warning };
	struct buf text = BUF_INIT(2 * CONFIG_BYTES_MAX);
	struct config *c = NULL;
	int r;

	r = file_read(folder, CONFIG_FILE, &text, e);
	if (r == 0)
		r = config_parse(text.data, text.len, &src, &c, e);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_deinit(&text);
	if (r < 0)
		return r;
	c->folder = strdup(folder);
	r = c->folder ? peerstore_path(c) : -ENOMEM;
	if (r < 0)
		err_sys(e, r, "%s", folder);
	else
		r = config_identity_load(folder, json_object_get(c->doc, "cluster"), &c->identity,
					 e);
	if (r < 0) {
		config_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void config_free(struct config *c)
{
	const struct conf_table *t;

	if (!c)
		return;
	for (t = conf_tables; t->section; t++) {
		if (t->base != CONF_NO_STRUCT)
			conf_clear(t->section, (char *)c + t->base);
	}
	identity_clear(&c->identity);
	json_decref(c->doc);
	free(c->peerstore);
	free(c->folder);
	free(c);
}
