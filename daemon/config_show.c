#include "daemon/config.h"
#include "daemon/config_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/conf_tables.h"
#include "util/path.h"

#define REAL_DIGITS 15 /* 0.3 stays 0.3 */

static int dump_piece(const char *p, size_t n, void *arg)
{
	return buf_append(arg, p, n);
}

int config_doc_text(const json_t *doc, struct buf *out)
{
	int flags = JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS);

	return json_dump_callback(doc, dump_piece, out, (size_t)flags) < 0 ? -ENOMEM : 0;
}

int config_json(const struct config *c, struct buf *out)
{
	return config_doc_text(c->doc, out);
}

/* The section at "group.name" or "name" of a normalized document; NULL when it is missing. */
static json_t *section_get(const json_t *doc, const char *path)
{
	const char *dot = strchr(path, '.');
	char group[CONF_NAME_MAX];

	if (!dot)
		return json_object_get(doc, path);
	snprintf(group, sizeof(group), "%.*s", (int)(dot - path), path);
	return json_object_get(json_object_get(doc, group), dot + 1);
}

int config_json_public(const struct config *c, struct buf *out)
{
	json_t *doc = json_object(), *section, *shown;
	const struct conf_table *t;
	int r = doc ? 0 : -ENOMEM;

	for (t = conf_tables; t->section && r == 0; t++) {
		section = section_get(c->doc, t->section->path);
		if (!section)
			continue;
		shown = conf_public(t->section, section);
		r = shown ? config_doc_put(doc, t->section->path, shown) : -ENOMEM;
		json_decref(shown);
	}
	if (r == 0)
		r = config_doc_text(doc, out);
	if (r == 0)
		r = buf_byte(out, '\n');
	json_decref(doc);
	return r;
}

int config_identity_public(const struct config *c, struct buf *out)
{
	char id[PEERID_TEXT_MAX];

	peerid_format(&c->identity.id, id);
	return buf_printf(out, "{\n    \"id\": \"%s\"\n}\n", id);
}

/* Something is in the folder, or the file is there. */
static bool used(const char *path)
{
	struct dirent *d;
	struct stat st;
	bool found = false;
	DIR *dir;

	if (stat(path, &st) < 0)
		return false;
	if (!S_ISDIR(st.st_mode))
		return true;
	dir = opendir(path);
	while (dir && !found && (d = readdir(dir)))
		found = strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	if (dir)
		closedir(dir);
	return found;
}

static bool used_below(const struct config *c, const char *name)
{
	char *path = *name == '/' ? strdup(name) : path_join(c->folder, name);
	bool r = path && used(path);

	free(path);
	return r;
}

/* The store of raft; a configured data_folder is taken as it is, as the reference does. */
static bool raft_used(const struct config *c)
{
	char *path;
	bool r;

	if (!*c->raft.data_folder)
		return used_below(c, "raft/raft.db");
	path = path_join(c->raft.data_folder, "raft.db");
	r = path && used(path);
	free(path);
	return r;
}

const char *config_go_store(const struct config *c)
{
	static const char *const names[] = { "pebble", "badger3", "badger", "leveldb" };
	const json_t *sections = json_object_get(c->doc, "datastore"), *section;
	size_t i, configured = 0, n = sizeof(names) / sizeof(names[0]);

	if (c->consensus == CONFIG_RAFT)
		return raft_used(c) ? "raft/raft.db" : NULL;
	for (i = 0; i < n; i++)
		configured += json_object_get(sections, names[i]) != NULL;
	for (i = 0; i < n; i++) { /* the reference would open the one that is configured */
		const char *folder;

		section = json_object_get(sections, names[i]);
		if (configured > 0 && !section)
			continue;
		folder = json_string_value(json_object_get(section, "folder"));
		if (used_below(c, folder && *folder ? folder : names[i]))
			return names[i];
	}
	return NULL;
}

char *config_default_folder(void)
{
	const char *path = getenv("IPFS_CLUSTER_PATH"), *home = getenv("HOME");

	if (path && *path)
		return strdup(path);
	return home && *home ? path_join(home, ".ipfs-cluster") : NULL;
}
