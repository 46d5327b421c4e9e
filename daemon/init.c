#include "daemon/init.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_internal.h"
#include "daemon/init_files.h"
#include "daemon/init_secret.h"
#include "daemon/init_service.h"
#include "daemon/lockfile.h"
#include "net/peerstore.h"
#include "util/path.h"

#define TEXT_MAX (2 * CONFIG_BYTES_MAX)

/* What the folder has. */
struct there {
	bool service, identity, peerstore;
};

/* Everything that will be written, made before anything is. */
struct plan {
	struct there there;
	struct buf peerstore_text;
	json_t *ids;                   /* of the peers, each once */
	char secret[INIT_SECRET_TEXT]; /* "": nobody was asked for one */
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
	if (!p->ids)
		return err_sys(e, -ENOMEM, "peers");
	for (i = 0; i < o->n_peers; i++) {
		char text[PEERID_TEXT_MAX];
		struct multiaddr peer;
		struct peerid id;
		json_t *seen;
		size_t j;

		r = multiaddr_parse(o->peers[i], strlen(o->peers[i]), &peer, e);
		if (r < 0)
			return err_wrap(e, r, "peer %s", o->peers[i]);
		if (multiaddr_peerid(&peer, &id) < 0)
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
		r = multiaddr_format(&peer, &p->peerstore_text);
		if (r == 0)
			r = buf_byte(&p->peerstore_text, '\n');
		if (r < 0)
			return err_sys(e, r, "peers");
	}
	return 0;
}

static int service_make(const struct init_options *o, struct plan *p, struct err *e)
{
	struct init_service s = { .consensus = o->consensus,
				  .peers = p->ids,
				  .secret = p->secret,
				  .random_ports = o->random_ports };

	return init_service_text(&s, &p->service, &p->peerstore, e);
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

/* One that is there has to be good; otherwise that of the environment, otherwise a new one. */
static int identity_make(const struct init_options *o, struct plan *p, struct init_result *ret,
			 struct err *e)
{
	bool there = p->there.identity;
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

static struct there look(const struct init_options *o, const struct plan *p)
{
	return (struct there){
		.service = init_file_exists(o->folder, CONFIG_FILE),
		.identity = init_file_exists(o->folder, CONFIG_IDENTITY_FILE),
		.peerstore = p->peerstore && init_file_holds(o->folder, p->peerstore),
	};
}

static int refuse_there(const struct init_options *o, const char *name, struct err *e)
{
	return err_set(e, -EEXIST,
		       "%s/%s is there already: --force replaces it, and keeps it beside the new "
		       "one",
		       o->folder, name);
}

static int plan_make(const struct init_options *o, struct plan *p, struct init_result *ret,
		     struct err *e)
{
	int r = 0;

	p->there = look(o, p);
	if (p->there.service && !o->force)
		return refuse_there(o, CONFIG_FILE, e);
	if (o->ask_secret)
		r = init_secret_ask(o->ask_secret, p->secret, e);
	if (r == 0)
		r = peers_parse(o, p, e);
	if (r == 0)
		r = service_make(o, p, e);
	if (r == 0)
		r = identity_make(o, p, ret, e);
	if (r < 0)
		return r;
	p->there.peerstore = init_file_holds(o->folder, p->peerstore);
	p->write_peerstore = o->n_peers > 0 || !p->there.peerstore;
	if (o->n_peers > 0 && p->there.peerstore && !o->force)
		return refuse_there(o, p->peerstore, e);
	ret->new_peerstore = p->write_peerstore;
	ret->n_peers = o->n_peers;
	return 0;
}

/* service.json last: without it the folder counts as empty. */
static int plan_write(const struct init_options *o, const struct plan *p, struct init_result *ret,
		      struct err *e)
{
	struct init_file files[3], *peerstore = NULL, *service;
	size_t n = 0;
	int r;

	if (p->identity.len > 0)
		files[n++] = (struct init_file){ .name = CONFIG_IDENTITY_FILE,
						 .text = &p->identity,
						 .mode = 0600 };
	if (p->write_peerstore) {
		peerstore = &files[n++];
		*peerstore = (struct init_file){ .name = p->peerstore,
						 .text = &p->peerstore_text,
						 .mode = 0644 };
	}
	service = &files[n++];
	*service = (struct init_file){ .name = CONFIG_FILE, .text = &p->service, .mode = 0600 };
	r = init_files_write(o->folder, files, n, e);
	if (r < 0)
		return r;
	memcpy(ret->kept_service, service->kept, sizeof(ret->kept_service));
	if (peerstore)
		memcpy(ret->kept_peerstore, peerstore->kept, sizeof(ret->kept_peerstore));
	return 0;
}

static void plan_clear(struct plan *p)
{
	explicit_bzero(p->secret, sizeof(p->secret));
	if (p->service.data)
		explicit_bzero(p->service.data, p->service.len);
	if (p->identity.data)
		explicit_bzero(p->identity.data, p->identity.len);
	buf_deinit(&p->service);
	buf_deinit(&p->identity);
	buf_deinit(&p->peerstore_text);
	json_decref(p->ids);
	free(p->peerstore);
}

int config_init(const struct init_options *o, struct init_result *ret, struct err *e)
{
	struct plan p = { .service = BUF_INIT(TEXT_MAX),
			  .identity = BUF_INIT(4096),
			  .peerstore_text = BUF_INIT(PEERSTORE_BYTES_MAX) };
	struct init_result result = { 0 };
	struct there now;
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
	now = look(o, &p);
	if (memcmp(&now, &p.there, sizeof(now)) != 0)
		r = err_set(e, -EEXIST, "%s: another init was faster", o->folder);
	if (r == 0)
		r = plan_write(o, &p, &result, e);
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
