#include "ipfs/kubo.h"

#include <errno.h>

#include "ipfs/kubo_call.h"
#include "util/container.h"

/* --- repo/stat --- */

struct stat_call {
	struct kubo_call call;
	struct kubo_repo repo;
	kubo_repo_done done;
	void *arg;
};

static int stat_number(json_t *v, const char *key, uint64_t *ret, struct err *e)
{
	json_t *n = json_object_get(v, key);

	if (!json_is_integer(n) || json_integer_value(n) < 0)
		return err_set(e, -EBADMSG, "Kubo's answer has no usable \"%s\"", key);
	*ret = (uint64_t)json_integer_value(n);
	return 0;
}

static int stat_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct stat_call *x = container_of(c, struct stat_call, call);
	int r;

	r = stat_number(v, "RepoSize", &x->repo.repo_size, e);
	if (r < 0)
		return r;
	r = stat_number(v, "StorageMax", &x->repo.storage_max, e);
	if (r < 0)
		return r;
	r = stat_number(v, "NumObjects", &x->repo.num_objects, e);
	if (r < 0)
		return r;
	c->answered = true;
	return 0;
}

static void stat_done(struct kubo_call *c, int status, const struct err *e)
{
	struct stat_call *x = container_of(c, struct stat_call, call);

	x->done(x->arg, status, status < 0 ? NULL : &x->repo, e);
}

static const struct kubo_call_ops stat_ops = {
	.value_max = KUBO_LINE_MAX,
	.value = stat_value,
	.done = stat_done,
};

int kubo_repo_stat(struct kubo *k, kubo_repo_done done, void *arg, struct kubo_call **ret_call)
{
	struct stat_call *x = kubo_call_new(k, sizeof(*x), &stat_ops);

	if (!x)
		return -ENOMEM;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, "repo/stat?size-only=true");
	return kubo_call_start(&x->call, k->cfg.ipfs_request_timeout_ms, 0, ret_call);
}

/* --- repo/gc --- */

struct gc_call {
	struct kubo_call call;
	kubo_gc_each each;
	kubo_done done;
	void *arg;
};

/* {"Key":{"/":"bafk..."}} or {"Error":"..."}; the keys are CIDs v1 of raw blocks, whatever the
 * CID was by which the block came. */
static int gc_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct gc_call *x = container_of(c, struct gc_call, call);
	const char *key = json_string_value(json_object_get(json_object_get(v, "Key"), "/"));
	const char *error = json_string_value(json_object_get(v, "Error"));

	if (!key && !error)
		return err_set(e, -EBADMSG, "Kubo's answer has neither \"Key\" nor \"Error\"");
	if (x->each)
		x->each(x->arg, key, error);
	return 0;
}

static void gc_done(struct kubo_call *c, int status, const struct err *e)
{
	struct gc_call *x = container_of(c, struct gc_call, call);

	x->done(x->arg, status, e);
}

static const struct kubo_call_ops gc_ops = {
	.value_max = KUBO_LINE_MAX,
	.stream = true,
	.value = gc_value,
	.done = gc_done,
};

int kubo_repo_gc(struct kubo *k, kubo_gc_each each, kubo_done done, void *arg,
		 struct kubo_call **ret_call)
{
	struct gc_call *x = kubo_call_new(k, sizeof(*x), &gc_ops);

	if (!x)
		return -ENOMEM;
	x->each = each;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, "repo/gc?stream-errors=true");
	return kubo_call_start(&x->call, k->cfg.repogc_timeout_ms, 0, ret_call);
}
