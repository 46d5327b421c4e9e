#include "ipfs/kubo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipfs/kubo_call.h"
#include "util/container.h"

/* --- swarm/connect --- */

struct connect_call {
	struct kubo_call call;
	kubo_done done;
	void *arg;
};

static int connect_value(struct kubo_call *c, json_t *v, struct err *e)
{
	if (!json_is_array(json_object_get(v, "Strings")))
		return err_set(e, -EBADMSG, "Kubo's answer has no \"Strings\"");
	c->answered = true;
	return 0;
}

static void connect_done(struct kubo_call *c, int status, const struct err *e)
{
	struct connect_call *x = container_of(c, struct connect_call, call);

	x->done(x->arg, status, e);
}

static const struct kubo_call_ops connect_ops = {
	.value_max = KUBO_LINE_MAX,
	.value = connect_value,
	.done = connect_done,
};

int kubo_swarm_connect(struct kubo *k, const struct multiaddr *addr, kubo_done done, void *arg,
		       struct kubo_call **ret_call)
{
	struct connect_call *x = kubo_call_new(k, sizeof(*x), &connect_ops);
	struct buf text = BUF_INIT(0);

	if (!x)
		return -ENOMEM;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, "swarm/connect?arg=");
	if (multiaddr_format(addr, &text) < 0 || buf_terminate(&text) < 0)
		kubo_call_path_broken(&x->call);
	else
		kubo_call_path_text(&x->call, (const char *)text.data);
	buf_deinit(&text);
	return kubo_call_start(&x->call, k->cfg.ipfs_request_timeout_ms, 0, ret_call);
}

/* --- swarm/peers --- */

struct peers_call {
	struct kubo_call call;
	struct peerid *peers;
	size_t n;
	kubo_peers_done done;
	void *arg;
};

static int peers_entry(struct peers_call *x, json_t *entry, struct err *e)
{
	const char *text = json_string_value(json_object_get(entry, "Peer"));
	struct err why = { 0 };

	if (!text)
		return err_set(e, -EBADMSG, "a peer in Kubo's answer has no \"Peer\"");
	if (peerid_parse(text, strlen(text), &x->peers[x->n], &why) < 0)
		return err_set(e, -EBADMSG, "\"Peer\" in Kubo's answer: %.256s", why.msg);
	x->n++;
	return 0;
}

/* {"Peers":[{"Addr":"/ip4/...","Peer":"12D3...",...}]}, one for each connection; null for none. */
static int peers_value(struct kubo_call *c, json_t *v, struct err *e)
{
	struct peers_call *x = container_of(c, struct peers_call, call);
	json_t *list = json_object_get(v, "Peers"), *entry;
	size_t i, n = json_array_size(list);
	int r = 0;

	if (c->answered || (!json_is_array(list) && !json_is_null(list)))
		return err_set(e, -EBADMSG, "Kubo's answer has no usable \"Peers\"");
	x->peers = calloc(n + 1, sizeof(*x->peers));
	if (!x->peers)
		return err_set(e, -ENOMEM, "out of memory");
	json_array_foreach (list, i, entry) {
		r = peers_entry(x, entry, e);
		if (r < 0)
			return r;
	}
	c->answered = true;
	return 0;
}

static void peers_done(struct kubo_call *c, int status, const struct err *e)
{
	struct peers_call *x = container_of(c, struct peers_call, call);

	x->done(x->arg, status, x->peers, status < 0 ? 0 : x->n, e);
	free(x->peers);
}

static const struct kubo_call_ops peers_ops = {
	.value_max = KUBO_PEERS_MAX,
	.value = peers_value,
	.done = peers_done,
};

int kubo_swarm_peers(struct kubo *k, kubo_peers_done done, void *arg, struct kubo_call **ret_call)
{
	struct peers_call *x = kubo_call_new(k, sizeof(*x), &peers_ops);

	if (!x)
		return -ENOMEM;
	x->done = done;
	x->arg = arg;
	kubo_call_path_raw(&x->call, "swarm/peers");
	return kubo_call_start(&x->call, k->cfg.ipfs_request_timeout_ms, 0, ret_call);
}
