#include "consensus/crdt/crdt_net.h"

#include <errno.h>
#include <stdlib.h>

#include "consensus/crdt/broadcast.h"
#include "consensus/crdt/crdt_internal.h"
#include "store/blocks.h"
#include "util/clock.h"

#define LOG_AREA "crdt"
#include "util/log.h"

static bool reached(const struct crdt *c)
{
	return c->dag && c->announce && !c->ending;
}

/* ---- what the network tells ---- */

bool crdt_trusts(const struct crdt_config *cfg, const struct peerid *self,
		 const struct peerid *peer)
{
	if (cfg->trust_all || (self && peerid_equal(self, peer)))
		return true;
	for (size_t i = 0; i < cfg->trusted_peers.n; i++)
		if (peerid_equal(&cfg->trusted_peers.v[i], peer))
			return true;
	return false;
}

void crdt_note_others(struct consensus *base)
{
	atomic_store(&crdt_of(base)->among, true);
}

void crdt_heard(struct consensus *base, const struct peerid *author, const struct peerid *from,
		const uint8_t *p, size_t n)
{
	struct crdt *c = crdt_of(base);
	struct err e = { 0 };
	struct cid *heads;
	size_t count;

	if (!reached(c))
		return;
	if (broadcast_decode(p, n, &heads, &count, &e) < 0) {
		log_dbg("%s, dropping it", e.msg);
		return;
	}
	heard_note(&c->heard, author, heads, count, clock_now_s());
	announce_heard(c->announce, heads, count);
	dag_heard(c->dag, heads, count, author, from);
	free(heads);
}

void crdt_block(struct consensus *base, const struct cid *cid, const struct peerid *from,
		const uint8_t *p, size_t n)
{
	struct crdt *c = crdt_of(base);

	if (reached(c))
		dag_block(c->dag, cid, p, n);
}

void crdt_peer_up(struct consensus *base, const struct peerid *peer)
{
	struct crdt *c = crdt_of(base);

	if (crdt_trusts(c->cfg, NULL, peer))
		atomic_store(&c->among, true);
	if (!reached(c))
		return;
	announce_soon(c->announce);
	dag_again(c->dag);
}

int crdt_block_get(struct consensus *base, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	struct block_row row;
	struct store_txn *t;
	int r = store_read(crdt_of(base)->store, &t);

	if (r < 0)
		return r;
	r = blocks_get(t, cid, &row);
	if (r == 0 && row.stored) {
		*ret_size = row.len;
		r = out ? buf_append(out, row.data, row.len) : 0;
		r = r < 0 ? r : 1;
	} else if (r == 0 || r == -ENOENT) {
		r = 0;
	}
	store_read_end(t);
	return r;
}

bool crdt_heads_of(struct consensus *base, const struct peerid *peer, struct crdt_heads *ret)
{
	return heard_get(&crdt_of(base)->heard, peer, ret);
}

/* 1, 0, -errno */
static int is_merged(const struct store_txn *t, const uint8_t head[CRDT_HEAD_BYTES])
{
	struct block_row row;
	struct block_id id;
	struct cid cid;
	int r = cid_from_bytes(head, CRDT_HEAD_BYTES, &cid, NULL);

	if (r < 0)
		return r;
	block_id_of_cid(&cid, &id);
	r = blocks_find(t, &id, &row);
	return r == 0 ? row.merged : r == -ENOENT ? 0 : r;
}

int crdt_has_heads(struct consensus *base, const struct crdt_heads *heads)
{
	struct store_txn *t;
	int r = store_read(crdt_of(base)->store, &t);

	if (r < 0)
		return r;
	r = 1;
	for (size_t i = 0; r == 1 && i < heads->n; i++)
		r = is_merged(t, heads->v[i]);
	store_read_end(t);
	return r;
}

void crdt_sync_state(struct consensus *base, struct crdt_sync *ret)
{
	struct crdt *c = crdt_of(base);

	*ret = (struct crdt_sync){ 0 };
	if (c->dag)
		dag_state(c->dag, ret);
}

/* ---- life ---- */

static void repair(uv_timer_t *t)
{
	struct crdt *c = container_of(t, struct crdt, repair_timer);

	if (reached(c))
		dag_again(c->dag);
}

int crdt_attach(struct consensus *base, const struct crdt_net *net)
{
	struct crdt *c = crdt_of(base);
	uint64_t interval = (uint64_t)c->cfg->repair_interval_ms;
	int r = dag_new(c->store, c->cut_timer.loop, c->events, net, &c->dag);

	if (r == 0)
		r = announce_new(c->store, c->cut_timer.loop, c->cfg, net, &c->announce);
	if (r == 0 && interval > 0)
		uv_timer_start(&c->repair_timer, repair, interval, interval);
	return r;
}

static void repair_closed(uv_handle_t *h)
{
	struct crdt *c = container_of((uv_timer_t *)h, struct crdt, repair_timer);

	c->net_closed(c);
}

static void dag_closed(void *arg)
{
	struct crdt *c = arg;

	c->dag = NULL;
	uv_close((uv_handle_t *)&c->repair_timer, repair_closed);
}

static void announce_closed(void *arg)
{
	struct crdt *c = arg;

	c->announce = NULL;
	if (c->dag)
		dag_close(c->dag, dag_closed, c);
	else
		dag_closed(c);
}

void crdt_net_close(struct crdt *c, void (*closed)(struct crdt *c))
{
	c->net_closed = closed;
	if (c->announce)
		announce_close(c->announce, announce_closed, c);
	else
		announce_closed(c);
}
