#include "daemon/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/conf_tables.h"
#include "daemon/config_internal.h"
#include "daemon/lockfile.h"
#include "net/peerstore.h"
#include "util/base_enc.h"
#include "util/path.h"

#define TEXT_MAX (2 * CONFIG_BYTES_MAX)

/* Everything that will be written, made before anything is. */
struct plan {
	struct multiaddr *peers;
	json_t *ids; /* of @peers, each once */
	struct buf service;
	struct buf identity; /* empty: the folder has one */
	char *peerstore;     /* name of the file */
	bool write_peerstore;
};

static int peers_parse(const struct init_options *o, struct plan *p, struct err *e)
{
	size_t i;
	int r;

	p->ids = json_array();
	p->peers = calloc(o->n_peers + 1, sizeof(*p->peers));
	if (!p->ids || !p->peers)
		return err_sys(e, -ENOMEM, "peers");
	for (i = 0; i < o->n_peers; i++) {
		char text[PEERID_TEXT_MAX];
		struct peerid id;
		json_t *seen;
		size_t j;

		r = multiaddr_parse(o->peers[i], strlen(o->peers[i]), &p->peers[i], e);
		if (r < 0)
			return err_wrap(e, r, "peer %s", o->peers[i]);
		if (multiaddr_peerid(&p->peers[i], &id) < 0)
			return err_set(e, -EINVAL, "peer %s: must end in /p2p/ and the peer's ID",
				       o->peers[i]);
		peerid_format(&id, text);
		json_array_foreach (p->ids, j, seen) {
			if (strcmp(json_string_value(seen), text) == 0)
				break;
		}
		if (j == json_array_size(p->ids) &&
		    json_array_append_new(p->ids, json_string(text)) < 0)
			return err_sys(e, -ENOMEM, "peers");
	}
	return 0;
}

/* Sections that init writes: no informer that is not started, no store of another mode. */
static bool written(const struct conf_section *s, enum config_consensus consensus)
{
	if (s == &conf_crdt || s == &conf_pebble)
		return consensus == CONFIG_CRDT;
	if (s == &conf_raft)
		return consensus == CONFIG_RAFT;
	return s != &conf_numpin && s != &conf_badger && s != &conf_badger3 && s != &conf_leveldb;
}

static int secret_fill(json_t *cluster)
{
	struct buf text = BUF_INIT(65);
	uint8_t secret[32];
	int r = 0;

	if (json_string_length(json_object_get(cluster, "secret")) > 0) /* CLUSTER_SECRET */
		return 0;
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return -EIO;
	r = base16_encode(&text, secret, sizeof(secret));
	if (r == 0 &&
	    json_object_set_new(cluster, "secret", json_stringn((char *)text.data, text.len)) < 0)
		r = -ENOMEM;
	explicit_bzero(secret, sizeof(secret));
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_deinit(&text);
	return r;
}

static int section_adjust(const struct conf_section *s, json_t *doc, const struct plan *p)
{
	bool peers = json_array_size(p->ids) > 0;
	int r = 0;

	if (s == &conf_cluster) {
		r = config_doc_peername(doc);
		if (r == 0)
			r = secret_fill(doc);
	} else if (s == &conf_crdt && peers) {
		r = json_object_set(doc, "trusted_peers", p->ids);
	} else if (s == &conf_raft && peers) {
		r = json_object_set(doc, "init_peerset", p->ids);
	}
	return r == -1 ? -ENOMEM : r;
}

static int section_make(const struct conf_section *s, const struct plan *p, json_t *doc,
			struct err *e)
{
	struct conf_source src = { .file = CONFIG_FILE, .getenv = getenv };
	json_t *in = s == &conf_pebble ? json_loads(conf_pebble_default, 0, NULL) : NULL;
	json_t *section = NULL;
	int r;

	r = conf_normalize(s, in, &src, &section, NULL, e);
	json_decref(in);
	if (r < 0)
		return r;
	r = section_adjust(s, section, p);
	if (r == 0)
		r = config_doc_put(doc, s->path, section);
	json_decref(section);
	return r < 0 ? err_sys(e, r, "%s", s->path) : 0;
}

/* The text of service.json, and the proof that it can be loaded. */
static int service_make(const struct init_options *o, struct plan *p, struct err *e)
{
	struct conf_source src = { .file = CONFIG_FILE };
	const struct conf_table *t;
	json_t *doc = json_object();
	struct config *c;
	int r = doc ? 0 : err_sys(e, -ENOMEM, "%s", CONFIG_FILE);

	for (t = conf_tables; t->section && r == 0; t++) {
		if (written(t->section, o->consensus))
			r = section_make(t->section, p, doc, e);
	}
	if (r == 0) {
		r = config_doc_text(doc, &p->service);
		if (r < 0)
			err_sys(e, r, "%s", CONFIG_FILE);
	}
	json_decref(doc);
	if (r == 0)
		r = config_parse(p->service.data, p->service.len, &src, &c, e);
	if (r < 0)
		return r;
	p->peerstore =
	    strdup(*c->cluster.peerstore_file ? c->cluster.peerstore_file : CONFIG_PEERSTORE_FILE);
	config_free(c);
	return p->peerstore ? 0 : err_sys(e, -ENOMEM, "%s", CONFIG_FILE);
}

static int identity_text(const struct identity *id, struct buf *out)
{
	struct buf key = BUF_INIT(1024);
	char text[PEERID_TEXT_MAX];
	int r;

	peerid_format(&id->id, text);
	r = identity_private_key(id, &key);
	if (r == 0)
		r = buf_printf(out, "{\n    \"id\": \"%s\",\n    \"private_key\": \"%.*s\"\n}",
			       text, (int)key.len, (char *)key.data);
	if (key.data)
		explicit_bzero(key.data, key.len);
	buf_deinit(&key);
	return r;
}

static bool exists(const char *folder, const char *name)
{
	char *path = path_join(folder, name);
	struct stat st;
	bool r = path && lstat(path, &st) == 0;

	free(path);
	return r;
}

/* One that is there has to be good; otherwise that of the environment, otherwise a new one. */
static int identity_make(const struct init_options *o, struct plan *p, struct init_result *ret,
			 struct err *e)
{
	bool there = exists(o->folder, CONFIG_IDENTITY_FILE);
	struct identity id = { 0 };
	int r;

	if (there || getenv("CLUSTER_ID") || getenv("CLUSTER_PRIVATEKEY"))
		r = config_identity_load(o->folder, NULL, &id, e);
	else
		r = identity_generate(&id, e);
	if (r < 0)
		return r;
	peerid_format(&id.id, ret->id);
	if (!there) {
		r = identity_text(&id, &p->identity);
		if (r < 0)
			err_sys(e, r, "%s", CONFIG_IDENTITY_FILE);
	}
	ret->new_identity = !there;
	identity_clear(&id);
	return r;
}

static void take_back(const char *folder, const char *name)
{
	char *path = path_join(folder, name);

	if (path)
		unlink(path);
	free(path);
}

static int put(const char *folder, const char *name, const struct buf *text, mode_t mode,
	       struct err *e)
{
	char *path = path_join(folder, name);
	int r;

	if (!path)
		return err_sys(e, -ENOMEM, "%s", name);
	r = path_write_atomic(path, text->data, text->len, mode, e);
	free(path);
	return r;
}

static int peerstore_put(const struct init_options *o, const struct plan *p, struct err *e)
{
	char *path = path_join(o->folder, p->peerstore);
	int r;

	if (!path)
		return err_sys(e, -ENOMEM, "%s", p->peerstore);
	r = peerstore_write(path, p->peers, o->n_peers, e);
	free(path);
	return r;
}

/* service.json last: without it the folder counts as empty. */
static int files_write(const struct init_options *o, const struct plan *p, struct err *e)
{
	bool had_peerstore = exists(o->folder, p->peerstore);
	int r = 0;

	if (p->identity.len > 0)
		r = put(o->folder, CONFIG_IDENTITY_FILE, &p->identity, 0600, e);
	if (r < 0)
		return r;
	if (p->write_peerstore)
		r = peerstore_put(o, p, e);
	if (r == 0)
		r = put(o->folder, CONFIG_FILE, &p->service, 0600, e);
	if (r < 0 && p->identity.len > 0)
		take_back(o->folder, CONFIG_IDENTITY_FILE);
	if (r < 0 && p->write_peerstore && !had_peerstore)
		take_back(o->folder, p->peerstore);
	return r;
}

static int plan_make(const struct init_options *o, struct plan *p, struct init_result *ret,
		     struct err *e)
{
	int r;

	if (exists(o->folder, CONFIG_FILE))
		return err_set(e, -EEXIST,
			       "%s/%s is there already; it is not overwritten: move it away first",
			       o->folder, CONFIG_FILE);
	r = peers_parse(o, p, e);
	if (r == 0)
		r = service_make(o, p, e);
	if (r == 0)
		r = identity_make(o, p, ret, e);
	if (r < 0)
		return r;
	p->write_peerstore = o->n_peers > 0 || !exists(o->folder, p->peerstore);
	ret->new_peerstore = p->write_peerstore;
	ret->n_peers = o->n_peers;
	return 0;
}

static void plan_clear(struct plan *p)
{
	if (p->service.data)
		explicit_bzero(p->service.data, p->service.len);
	if (p->identity.data)
		explicit_bzero(p->identity.data, p->identity.len);
	buf_deinit(&p->service);
	buf_deinit(&p->identity);
	json_decref(p->ids);
	free(p->peerstore);
	free(p->peers);
}

int config_init(const struct init_options *o, struct init_result *ret, struct err *e)
{
	struct plan p = { .service = BUF_INIT(TEXT_MAX), .identity = BUF_INIT(4096) };
	struct init_result result = { 0 };
	struct lockfile lock = { 0 };
	struct stat st;
	bool had_folder = stat(o->folder, &st) == 0;
	int r;

	r = plan_make(o, &p, &result, e);
	if (r == 0)
		r = path_mkdirs(o->folder, 0700, e);
	if (r < 0)
		goto out_plan;
	r = lockfile_take(o->folder, &lock, e);
	if (r < 0)
		goto out_folder;
	if (exists(o->folder, CONFIG_FILE)) /* another init was faster */
		r = err_set(e, -EEXIST, "%s/%s is there already", o->folder, CONFIG_FILE);
	if (r == 0)
		r = files_write(o, &p, e);
	lockfile_release(&lock);
	if (r == 0)
		*ret = result;
out_folder:
	if (r < 0 && !had_folder)
		rmdir(o->folder);
out_plan:
	plan_clear(&p);
	return r;
}
