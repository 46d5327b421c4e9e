/* pinfs --check: what would stop a start, or make it useless, one line each. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/go_store.h"
#include "util/path.h"

struct kubo_answer {
	struct kubo *kubo;
	bool up;
	char text[512];
};

static void closed(void *arg)
{
}

static void answered(void *arg, int status, const struct kubo_id *id, const struct err *e)
{
	struct kubo_answer *a = arg;

	a->up = status == 0;
	snprintf(a->text, sizeof(a->text), "%s", status == 0 ? id->agent : e ? e->msg : "");
	kubo_close(a->kubo, closed, NULL);
}

static int ask_kubo(const struct config *c, struct kubo_answer *a)
{
	uv_loop_t loop;
	struct err e = { 0 };
	int r = uv_loop_init(&loop);

	if (r < 0)
		return r;
	r = kubo_new(&loop, &c->kubo, &a->kubo, &e);
	if (r == 0) {
		r = kubo_id(a->kubo, answered, a, NULL);
		if (r < 0)
			kubo_close(a->kubo, closed, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
	} else {
		snprintf(a->text, sizeof(a->text), "%s", e.msg);
	}
	uv_loop_close(&loop);
	return r;
}

static void line(bool good, const char *what, const char *more)
{
	printf("%s  %s%s%s\n", good ? "ok  " : "BAD ", what, *more ? ": " : "", more);
}

static bool check_fuse(void)
{
	bool good = access("/dev/fuse", R_OK | W_OK) == 0;

	line(good, "/dev/fuse", good ? "" : strerror(errno));
	return good;
}

int daemon_check(const struct options *o, struct err *e)
{
	char *by_default = o->config ? NULL : config_default_folder();
	const char *folder = o->config ? o->config : by_default;
	struct kubo_answer kubo = { 0 };
	struct config *c;
	char *data = NULL, id[PEERID_TEXT_MAX];
	bool good;
	int r;

	if (!folder)
		return err_set(e, EXIT_CONFIG, "neither IPFS_CLUSTER_PATH nor HOME is set");
	r = config_load(folder, &c, e);
	if (r < 0) {
		line(false, "configuration", e->msg);
		free(by_default);
		return r == -EINVAL ? EXIT_CONFIG : EXIT_RUNTIME;
	}
	peerid_format(&c->identity.id, id);
	line(true, "configuration", c->folder);
	line(true, "identity", id);
	good = check_fuse();
	data = c->store.folder[0] == '/' ? strdup(c->store.folder)
					 : path_join(c->folder, c->store.folder);
	if (data && go_store_check(c, data, o->fresh, e) < 0) {
		line(false, "store", e->msg);
		good = false;
	}
	ask_kubo(c, &kubo);
	line(kubo.up, "Kubo", kubo.text);
	good &= kubo.up;
	free(data);
	config_free(c);
	free(by_default);
	e->code = 0;
	return good ? EXIT_OK : EXIT_RUNTIME;
}
