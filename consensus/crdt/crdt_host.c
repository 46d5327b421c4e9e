#include "consensus/crdt/crdt_host.h"

#include <errno.h>
#include <stdlib.h>

#include "consensus/crdt/broadcast.h"
#include "util/container.h"

#define LOG_AREA "crdt"
#include "util/log.h"

struct crdt_host {
	struct consensus *engine;
	const struct crdt_config *cfg;
	struct host *host;
	struct pubsub *pubsub;
	struct exchange *exchange;
	struct crdt_net net;
	struct host_watch watch;
	char topic[TOPIC_TEXT_MAX];
	bool closing; /* the engine is gone */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- what the engine asks for ---- */

static int net_publish(void *arg, const void *p, size_t n)
{
	struct crdt_host *c = arg;
	size_t reached;

	return pubsub_publish(c->pubsub, c->topic, p, n, &reached);
}

static int net_want(void *arg, const struct cid *cid, const struct peerid *hint)
{
	return exchange_want(((struct crdt_host *)arg)->exchange, cid, hint);
}

static void net_cancel(void *arg, const struct cid *cid)
{
	exchange_cancel(((struct crdt_host *)arg)->exchange, cid);
}

static void net_have(void *arg, const struct cid *cid)
{
	exchange_have(((struct crdt_host *)arg)->exchange, cid);
}

/* ---- what the network brings ---- */

static int block_get(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	struct crdt_host *c = arg;

	return c->closing ? 0 : crdt_block_get(c->engine, cid, out, ret_size);
}

static void block_came(void *arg, const struct cid *cid, const struct peerid *from,
		       const uint8_t *p, size_t n)
{
	struct crdt_host *c = arg;

	if (!c->closing)
		crdt_block(c->engine, cid, from, p, n);
}

/* The author counts, not the neighbour: who is trusted vouches for what it announces. */
static enum gossip_verdict validate(void *arg, const struct peerid *author, const uint8_t *p,
				    size_t n)
{
	const struct crdt_host *c = arg;

	return crdt_trusts(c->cfg, host_self(c->host), author) ? GOSSIP_ACCEPT : GOSSIP_REJECT;
}

static void message(void *arg, const struct peerid *author, const struct peerid *from,
		    const uint8_t *p, size_t n)
{
	struct crdt_host *c = arg;

	if (!c->closing)
		crdt_heard(c->engine, author, from, p, n);
}

static void peer_up(struct host_watch *w, const struct peerid *peer)
{
	struct crdt_host *c = container_of(w, struct crdt_host, watch);

	if (!c->closing)
		crdt_peer_up(c->engine, peer);
}

static void peer_down(struct host_watch *w, const struct peerid *peer)
{
}

/* ---- life ---- */

int crdt_host_new(struct consensus *engine, const struct crdt_config *cfg, struct host *host,
		  struct pubsub *pubsub, uv_loop_t *loop, struct crdt_host **ret, struct err *e)
{
	const struct bitswap_config blocks = { .get = block_get, .block = block_came };
	struct crdt_host *c = calloc(1, sizeof(*c));
	struct gossip_topic topic = { .validate = validate, .message = message, .arg = c };
	int r;

	if (!c)
		return err_sys(e, -ENOMEM, "joining the crdt topic");
	c->engine = engine;
	c->cfg = cfg;
	c->host = host;
	c->pubsub = pubsub;
	broadcast_topic(cfg->cluster_name, c->topic);
	topic.name = c->topic;
	r = exchange_new(host, loop, &blocks, c, &c->exchange, e);
	if (r < 0) {
		free(c);
		return r;
	}
	c->watch = (struct host_watch){ .up = peer_up, .down = peer_down };
	host_watch(host, &c->watch);
	c->net = (struct crdt_net){ .publish = net_publish,
				    .want = net_want,
				    .cancel = net_cancel,
				    .have = net_have,
				    .arg = c };
	*ret = c;
	r = pubsub_subscribe(pubsub, &topic);
	if (r == 0)
		r = crdt_attach(engine, &c->net);
	return r < 0 ? err_sys(e, r, "joining the crdt topic") : 0;
}

static void exchange_closed(void *arg)
{
	struct crdt_host *c = arg;
	void (*closed)(void *) = c->closed;
	void *closed_arg = c->closed_arg;

	free(c);
	closed(closed_arg);
}

void crdt_host_quiesce(struct crdt_host *c)
{
	c->closing = true;
}

void crdt_host_close(struct crdt_host *c, void (*closed)(void *arg), void *arg)
{
	c->closing = true;
	host_unwatch(c->host, &c->watch);
	pubsub_leave(c->pubsub, c->topic);
	c->closed = closed;
	c->closed_arg = arg;
	exchange_close(c->exchange, exchange_closed, c);
}

struct bitswap *crdt_host_bitswap(struct crdt_host *c)
{
	return exchange_bitswap(c->exchange);
}

const char *crdt_host_topic(const struct crdt_host *c)
{
	return c->topic;
}
