#include "daemon/init_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_tables.h"
#include "daemon/config_internal.h"
#include "daemon/init_ports.h"
#include "daemon/init_secret.h"

/* Sections that init writes: no informer that is not started, no store of another mode. */
static bool written(const struct conf_section *s, enum config_consensus consensus)
{
	if (s == &conf_crdt || s == &conf_pebble)
		return consensus == CONFIG_CRDT;
	if (s == &conf_raft)
		return consensus == CONFIG_RAFT;
	return s != &conf_numpin && s != &conf_badger && s != &conf_badger3 && s != &conf_leveldb;
}

static const char *listen_key(const struct conf_section *s)
{
	if (s == &conf_cluster || s == &conf_ipfsproxy)
		return "listen_multiaddress";
	return s == &conf_restapi || s == &conf_pinsvcapi ? "http_listen_multiaddress" : NULL;
}

static int section_randomize(const struct conf_section *s, const char *key,
			     struct init_ports *ports, json_t **ret, struct err *e)
{
	struct conf_source src = { .file = CONFIG_FILE };
	json_t *addresses;
	int r = conf_normalize(s, NULL, &src, ret, NULL, e);

	if (r < 0)
		return r;
	r = init_ports_replace(ports, json_object_get(*ret, key), &addresses, e);
	if (r == 0 && json_object_set_new(*ret, key, addresses) < 0)
		r = err_sys(e, -ENOMEM, "%s", s->path);
	if (r < 0)
		json_decref(*ret);
	return r;
}

/* What the section is before the environment has its say. *ret NULL: the defaults. */
static int section_begin(const struct conf_section *s, struct init_ports *ports, json_t **ret,
			 struct err *e)
{
	const char *key = listen_key(s);

	if (ports && key)
		return section_randomize(s, key, ports, ret, e);
	*ret = s == &conf_pebble ? json_loads(conf_pebble_default, 0, NULL) : NULL;
	return 0;
}

static int secret_fill(const struct init_service *sv, json_t *cluster)
{
	char text[INIT_SECRET_TEXT];
	int r;

	if (*sv->secret)
		return json_object_set_new(cluster, "secret", json_string(sv->secret));
	if (json_string_length(json_object_get(cluster, "secret")) > 0) /* CLUSTER_SECRET */
		return 0;
	r = init_secret_make(text);
	if (r == 0)
		r = json_object_set_new(cluster, "secret", json_string(text));
	explicit_bzero(text, sizeof(text));
	return r;
}

static int section_adjust(const struct init_service *sv, const struct conf_section *s, json_t *doc)
{
	bool peers = json_array_size(sv->peers) > 0;
	int r = 0;

	if (s == &conf_cluster) {
		r = config_doc_peername(doc);
		if (r == 0)
			r = secret_fill(sv, doc);
	} else if (s == &conf_crdt && peers) {
		r = json_object_set(doc, "trusted_peers", sv->peers);
	} else if (s == &conf_raft && peers) {
		r = json_object_set(doc, "init_peerset", sv->peers);
	}
	return r == -1 ? -ENOMEM : r;
}

static int section_make(const struct init_service *sv, const struct conf_section *s,
			struct init_ports *ports, json_t *doc, struct err *e)
{
	struct conf_source src = { .file = CONFIG_FILE, .getenv = getenv };
	json_t *section, *in;
	int r = section_begin(s, ports, &in, e);

	if (r < 0)
		return r;
	r = conf_normalize(s, in, &src, &section, NULL, e);
	json_decref(in);
	if (r < 0)
		return r;
	r = section_adjust(sv, s, section);
	if (r == 0)
		r = config_doc_put(doc, s->path, section);
	json_decref(section);
	return r < 0 ? err_sys(e, r, "%s", s->path) : 0;
}

static int document(const struct init_service *sv, json_t *doc, struct err *e)
{
	struct init_ports ports = { .n = 0 };
	const struct conf_table *t;
	int r = 0;

	for (t = conf_tables; t->section && r == 0; t++) {
		if (written(t->section, sv->consensus))
			r = section_make(sv, t->section, sv->random_ports ? &ports : NULL, doc, e);
	}
	init_ports_close(&ports);
	return r;
}

int init_service_text(const struct init_service *s, struct buf *out, char **ret_peerstore,
		      struct err *e)
{
	struct conf_source src = { .file = CONFIG_FILE };
	json_t *doc = json_object();
	struct config *c;
	int r = doc ? document(s, doc, e) : err_sys(e, -ENOMEM, "%s", CONFIG_FILE);

	if (r == 0) {
		r = config_doc_text(doc, out);
		if (r < 0)
			err_sys(e, r, "%s", CONFIG_FILE);
	}
	json_decref(doc);
	if (r == 0)
		r = config_parse(out->data, out->len, &src, &c, e);
	if (r < 0)
		return r;
	*ret_peerstore =
	    strdup(*c->cluster.peerstore_file ? c->cluster.peerstore_file : CONFIG_PEERSTORE_FILE);
	config_free(c);
	return *ret_peerstore ? 0 : err_sys(e, -ENOMEM, "%s", CONFIG_FILE);
}
