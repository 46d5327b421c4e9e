/*
 * Pins whose time is over are removed, each by the closest of the members. Each second what has
 * become due since is looked at; each state_sync_interval, and after a failure, everything that is
 * due: members come and go, and pins come whose time is over already.
 * Source: ipfs-cluster 1.1.6 cluster.go, StateSync; "Expiry" in docs/network.md.
 */
#include <errno.h>

#include "cluster/internal.h"
#include "store/pinset.h"
#include "util/clock.h"

#define LOG_AREA "cluster"
#include "util/log.h"

#define EXPIRY_AT_ONCE 256 /* pins in one operation */
#define EXPIRY_LOOK 4096   /* due ones that are looked at in one tick */

static void removed(struct cluster_request *rq, int status)
{
	struct cluster *c = rq->cluster;

	c->expiry.removing = false;
	if (status < 0) {
		log_warn("removing expired pins: %s, trying again", rq->error.msg);
		c->expiry.again_ms = 0;
	}
	cluster_request_free(rq);
	if (status == 0 && !c->closing)
		expiry_tick(c); /* until none is left */
}

/* From where the last look ended on; as many as one operation takes. */
static size_t collect(struct expiry *x, const struct store_txn *t, const struct closest *cl,
		      struct cluster_item *items)
{
	int64_t now = clock_now_s(), second = x->second;
	uint64_t serial = x->serial;
	struct pin_row row;
	size_t n = 0;

	for (unsigned i = 0; n < EXPIRY_AT_ONCE && i < EXPIRY_LOOK; i++) {
		struct cid *cid = &items[n].pin.cid;

		if (due_next(t, DUE_EXPIRY, &second, &serial) < 0 || second > now)
			break;
		x->second = second;
		x->serial = serial;
		if (pinset_row(t, serial, &row) < 0 ||
		    cid_from_bytes(row.cid, row.cid_len, cid, NULL) < 0)
			continue;
		if (closest_is_self(cl, cid))
			items[n++].unpin = true;
	}
	return n;
}

static void post(struct cluster *c, const struct store_txn *t, const struct closest *cl)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, EXPIRY_AT_ONCE);

	if (!rq)
		return;
	rq->n_items = collect(&c->expiry, t, cl, rq->items);
	if (rq->n_items == 0) {
		cluster_request_free(rq);
		return;
	}
	rq->kind = CHANGE_EXPIRY;
	rq->done = removed;
	c->expiry.removing = true;
	cluster_post(c, rq);
}

void expiry_tick(struct cluster *c)
{
	uint64_t now = uv_now(c->opt.loop);
	struct closest cl;
	struct store_txn *t;

	if (c->expiry.removing || c->opt.config->follower_mode)
		return;
	if (now >= c->expiry.again_ms) {
		c->expiry.second = 0;
		c->expiry.serial = 0;
		c->expiry.again_ms = now + (uint64_t)c->opt.config->state_sync_interval_ms;
	}
	if (closest_take(c, NULL, &cl) == 0 && store_read(c->opt.store, &t) == 0) {
		post(c, t, &cl);
		store_read_end(t);
	}
	closest_clear(&cl);
}
