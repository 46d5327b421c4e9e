#include "ipfs/kubo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipfs/kubo_call.h"
#include "util/container.h"

/* --- pin/add, pin/update, pin/rm --- */

struct pin_call {
	struct kubo_call call;
	uint64_t nodes; /* the most that was reported */
	kubo_progress progress;
	kubo_done done;
	void *arg;
};

/* {"Progress":20,"Bytes":3001143} each half second, {} while there are no nodes yet, and then
 * {"Pins":["Qm..."]}. */
static int pin_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct pin_call *x = container_of(c, struct pin_call, call);
	json_t *n = json_object_get(v, "Progress");

	if (json_is_array(json_object_get(v, "Pins"))) {
		c->answered = true;
		return 0;
	}
	if (json_is_object(v) && !n)
		return 0;
	if (!json_is_integer(n) || json_integer_value(n) < 0)
		return err_set(e, -EBADMSG, "Kubo's answer has no usable \"Progress\"");
	if ((uint64_t)json_integer_value(n) <= x->nodes)
		return 0;
	x->nodes = (uint64_t)json_integer_value(n);
	http_touch(c->req);
	if (x->progress)
		x->progress(x->arg, x->nodes);
	return 0;
}

static void pin_done(struct kubo_call *c, int status, const struct err *e)
{
	struct pin_call *x = container_of(c, struct pin_call, call);
	struct err judged;

	/* A stream that ended without its last value. */
	if (status == 0 && !c->answered) {
		status = err_set(&judged, -EBADMSG, "unexpected EOF");
		e = &judged;
	}
	x->done(x->arg, status, e);
}

/* Pins that make no progress end as the reference ends them. */
static void pin_add_done(struct kubo_call *c, int status, const struct err *e)
{
	struct err stuck;

	if (status == -ETIMEDOUT) {
		err_set(&stuck, status, "context canceled");
		e = &stuck;
	}
	if (status < 0 || !c->answered)
		kubo_count(c->k, KUBO_PINS_FAILED, 1);
	pin_done(c, status, e);
}

static const struct kubo_call_ops pin_add_ops = {
	.value_max = KUBO_LINE_MAX,
	.stream = true,
	.value = pin_value,
	.done = pin_add_done,
};

static const struct kubo_call_ops pin_rm_ops = {
	.value_max = KUBO_LINE_MAX,
	.value = pin_value,
	.done = pin_done,
};

static struct pin_call *pin_call_new(struct kubo *k, const struct kubo_call_ops *ops,
				     const char *path, kubo_done done, void *arg)
{
	struct pin_call *x = kubo_call_new(k, sizeof(*x), ops);

	if (!x)
		return NULL;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, path);
	return x;
}

static int start_add(struct pin_call *x, struct kubo_call **ret_call)
{
	struct kubo *k = x->call.k;
	int r = kubo_call_start(&x->call, 0, k->cfg.pin_timeout_ms, ret_call);

	if (r == 0)
		kubo_count(k, KUBO_PINS_ASKED, 1);
	return r;
}

int kubo_pin_add(struct kubo *k, const struct cid *cid, int32_t depth, const char *name,
		 kubo_progress progress, kubo_done done, void *arg, struct kubo_call **ret_call)
{
	struct pin_call *x;

	if (depth > 0) /* Kubo has no such pins */
		return -EINVAL;
	x = pin_call_new(k, &pin_add_ops, "pin/add?arg=", done, arg);
	if (!x)
		return -ENOMEM;
	x->progress = progress;
	kubo_call_path_cid(&x->call, cid);
	kubo_call_path_raw(&x->call, depth < 0 ? "&recursive=true" : "&recursive=false");
	kubo_call_path_raw(&x->call, "&progress=true");
	if (name && *name) {
		kubo_call_path_raw(&x->call, "&name=");
		kubo_call_path_text(&x->call, name);
	}
	return start_add(x, ret_call);
}

int kubo_pin_update(struct kubo *k, const struct cid *from, const struct cid *to, kubo_done done,
		    void *arg, struct kubo_call **ret_call)
{
	struct pin_call *x = pin_call_new(k, &pin_add_ops, "pin/update?arg=", done, arg);

	if (!x)
		return -ENOMEM;
	kubo_call_path_cid(&x->call, from);
	kubo_call_path_raw(&x->call, "&arg=");
	kubo_call_path_cid(&x->call, to);
	kubo_call_path_raw(&x->call, "&unpin=false");
	return start_add(x, ret_call);
}

int kubo_pin_rm(struct kubo *k, const struct cid *cid, kubo_done done, void *arg,
		struct kubo_call **ret_call)
{
	struct pin_call *x;

	if (k->cfg.unpin_disable)
		return -EPERM;
	x = pin_call_new(k, &pin_rm_ops, "pin/rm?arg=", done, arg);
	if (!x)
		return -ENOMEM;
	kubo_call_path_cid(&x->call, cid);
	return kubo_call_start(&x->call, k->cfg.unpin_timeout_ms, 0, ret_call);
}

/* --- pin/ls of one --- */

struct ls_one_call {
	struct kubo_call call;
	enum kubo_pin_kind kind;
	kubo_pin_kind_done done;
	void *arg;
};

/* "indirect" is followed by " through <cid>". */
static enum kubo_pin_kind kind_of(const char *type)
{
	if (type && strcmp(type, "recursive") == 0)
		return KUBO_RECURSIVE;
	if (type && strcmp(type, "direct") == 0)
		return KUBO_DIRECT;
	if (type && strncmp(type, "indirect", strlen("indirect")) == 0)
		return KUBO_INDIRECT;
	return KUBO_UNPINNED;
}

/* {"Keys":{"<cid>":{"Type":"recursive","Name":""}}} */
static int ls_one_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct ls_one_call *x = container_of(c, struct ls_one_call, call);
	json_t *keys = json_object_get(v, "Keys"), *pin;

	if (json_object_size(keys) != 1)
		return err_set(e, -EBADMSG, "Kubo's answer has not one of \"Keys\"");
	pin = json_object_iter_value(json_object_iter(keys));
	x->kind = kind_of(json_string_value(json_object_get(pin, "Type")));
	if (x->kind == KUBO_UNPINNED)
		return err_set(e, -EBADMSG, "Kubo's answer has no usable \"Type\"");
	c->answered = true;
	return 0;
}

static void ls_one_done(struct kubo_call *c, int status, const struct err *e)
{
	struct ls_one_call *x = container_of(c, struct ls_one_call, call);

	if (status == -ENOENT) {
		status = 0;
		e = NULL;
	}
	x->done(x->arg, status, status < 0 ? KUBO_UNPINNED : x->kind, e);
}

static const struct kubo_call_ops ls_one_ops = {
	.value_max = KUBO_LINE_MAX,
	.value = ls_one_value,
	.done = ls_one_done,
};

int kubo_pin_ls_one(struct kubo *k, const struct cid *cid, kubo_pin_kind_done done, void *arg,
		    struct kubo_call **ret_call)
{
	struct ls_one_call *x = kubo_call_new(k, sizeof(*x), &ls_one_ops);

	if (!x)
		return -ENOMEM;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, "pin/ls?arg=");
	kubo_call_path_cid(&x->call, cid);
	return kubo_call_start(&x->call, k->cfg.ipfs_request_timeout_ms, 0, ret_call);
}

/* --- pin/ls of all --- */

struct ls_call {
	struct kubo_call call;
	struct cid cid; /* the one read last; here because it is large */
	kubo_pin_each each;
	kubo_done done;
	void *arg;
};

/* {"Cid":"Qm...","Type":"recursive"} per pin; no value at all when there is none. */
static int ls_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct ls_call *x = container_of(c, struct ls_call, call);
	const char *text = json_string_value(json_object_get(v, "Cid"));
	struct err why;

	if (!text)
		return err_set(e, -EBADMSG, "Kubo's answer has no \"Cid\"");
	http_touch(c->req);
	if (strlen(text) > CID_TEXT_MAX) /* beyond what can be in our pinset, so not ours */
		return 0;
	if (cid_parse(text, strlen(text), &x->cid, &why) < 0)
		return err_set(e, -EBADMSG, "\"Cid\" in Kubo's answer: %.256s", why.msg);
	x->each(x->arg, &x->cid);
	return 0;
}

static void ls_done(struct kubo_call *c, int status, const struct err *e)
{
	struct ls_call *x = container_of(c, struct ls_call, call);

	x->done(x->arg, status, e);
}

static const struct kubo_call_ops ls_ops = {
	.value_max = KUBO_LINE_MAX,
	.stream = true,
	.value = ls_value,
	.done = ls_done,
};

static const char *kind_name(enum kubo_pin_kind kind)
{
	switch (kind) {
	case KUBO_DIRECT:
		return "direct";
	case KUBO_RECURSIVE:
		return "recursive";
	case KUBO_INDIRECT:
		return "indirect";
	case KUBO_UNPINNED:
		break;
	}
	return NULL;
}

int kubo_pin_ls(struct kubo *k, enum kubo_pin_kind kind, kubo_pin_each each, kubo_done done,
		void *arg, struct kubo_call **ret_call)
{
	struct ls_call *x;

	if (!kind_name(kind))
		return -EINVAL;
	x = kubo_call_new(k, sizeof(*x), &ls_ops);
	if (!x)
		return -ENOMEM;
	x->each = each;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, "pin/ls?stream=true&type=");
	kubo_call_path_raw(&x->call, kind_name(kind));
	return kubo_call_start(&x->call, 0, k->cfg.ipfs_request_timeout_ms, ret_call);
}
