#include "ipfs/kubo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipfs/kubo_call.h"
#include "util/container.h"

#define HOST_MAX 256

/* "http://host:port/api/v0/" of the node's address. */
static int make_base(const struct multiaddr *a, struct buf *out, struct err *e)
{
	char host[HOST_MAX];
	struct buf text = BUF_INIT(0);
	uint16_t port;
	bool tls, v6;
	int r;

	r = multiaddr_tcp(a, host, sizeof(host), &port, e);
	if (r < 0)
		return r;
	r = multiaddr_format(a, &text);
	if (r >= 0)
		r = buf_terminate(&text);
	if (r < 0) {
		buf_deinit(&text);
		return err_set(e, -ENOMEM, "out of memory");
	}
	tls = strstr((char *)text.data, "/https") || strstr((char *)text.data, "/tls/http");
	buf_deinit(&text);
	v6 = strchr(host, ':');
	r = buf_printf(out, "%s://%s%s%s:%u/api/v0/", tls ? "https" : "http", v6 ? "[" : "", host,
		       v6 ? "]" : "", port);
	if (r >= 0)
		r = buf_terminate(out);
	return r < 0 ? err_set(e, -ENOMEM, "out of memory") : 0;
}

int kubo_new(uv_loop_t *loop, const struct kubo_config *cfg, struct kubo **ret, struct err *e)
{
	struct kubo *k = calloc(1, sizeof(*k));
	struct buf base = BUF_INIT(0);
	int r;

	if (!k)
		return err_set(e, -ENOMEM, "out of memory");
	k->cfg = *cfg;
	r = make_base(&cfg->node_multiaddress, &base, e);
	if (r < 0)
		goto out_free;
	r = http_new(loop, &k->http);
	if (r < 0) {
		err_set(e, r, "out of memory");
		goto out_free;
	}
	k->base = (char *)base.data;
	*ret = k;
	return 0;
out_free:
	buf_deinit(&base);
	free(k);
	return r;
}

static void on_http_closed(void *arg)
{
	struct kubo *k = arg;
	void (*closed)(void *arg) = k->closed;
	void *closed_arg = k->closed_arg;

	free(k->base);
	free(k);
	if (closed)
		closed(closed_arg);
}

void kubo_close(struct kubo *k, void (*closed)(void *arg), void *arg)
{
	k->closed = closed;
	k->closed_arg = arg;
	http_close(k->http, on_http_closed, k);
}

void kubo_cancel(struct kubo_call *c)
{
	http_cancel(c->req);
}

/* --- id --- */

struct id_call {
	struct kubo_call call;
	json_t *answer; /* what @addresses points into */
	struct kubo_id id;
	const char **addresses;
	kubo_id_done done;
	void *arg;
};

static int id_text(json_t *v, const char *key, char *out, size_t cap, struct err *e)
{
	const char *s = json_string_value(json_object_get(v, key));

	if (!s || strlen(s) >= cap)
		return err_set(e, -EBADMSG, "Kubo's answer has no usable \"%s\"", key);
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

/* An offline node says null. */
static int id_addresses(struct id_call *x, struct err *e)
{
	json_t *list = json_object_get(x->answer, "Addresses"), *item;
	size_t i, n = json_array_size(list);

	x->addresses = calloc(n ? n : 1, sizeof(*x->addresses));
	if (!x->addresses)
		return err_set(e, -ENOMEM, "out of memory");
	json_array_foreach (list, i, item) {
		x->addresses[i] = json_string_value(item);
		if (!x->addresses[i])
			return err_set(e, -EBADMSG, "Kubo's answer has no usable \"Addresses\"");
	}
	x->id.addresses = x->addresses;
	x->id.n_addresses = n;
	return 0;
}

static int id_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct id_call *x = container_of(c, struct id_call, call);
	int r;

	if (x->answer)
		return err_set(e, -EBADMSG, "Kubo answered \"id\" twice");
	x->answer = json_incref(v);
	r = id_text(v, "ID", x->id.id, sizeof(x->id.id), e);
	if (r < 0)
		return r;
	r = id_text(v, "AgentVersion", x->id.agent, sizeof(x->id.agent), e);
	if (r < 0)
		return r;
	c->answered = true;
	return id_addresses(x, e);
}

static void id_done(struct kubo_call *c, int status, const struct err *e)
{
	struct id_call *x = container_of(c, struct id_call, call);

	x->done(x->arg, status, status < 0 ? NULL : &x->id, e);
	free(x->addresses);
	json_decref(x->answer);
}

static const struct kubo_call_ops id_ops = {
	.value_max = KUBO_VALUE_MAX,
	.value = id_value,
	.done = id_done,
};

int kubo_id(struct kubo *k, kubo_id_done done, void *arg, struct kubo_call **ret_call)
{
	struct id_call *x = kubo_call_new(k, sizeof(*x), &id_ops);

	if (!x)
		return -ENOMEM;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, "id");
	return kubo_call_start(&x->call, k->cfg.ipfs_request_timeout_ms, 0, ret_call);
}
