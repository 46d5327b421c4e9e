/*
 * Where disable_repinning is false: a member that falls silent loses its allocations. Of each pin
 * that it was to have, the closest of the others gives them anew, where too few of them are left.
 * The pinset is gone through in parts, in the transactions that apply what was decided, so that a
 * pin is given on what the cluster is like then. Loop's thread, except where said.
 * Source: ipfs-cluster 1.1.6 cluster.go, alertsHandler; "Repinning" in docs/network.md.
 */
#include <errno.h>
#include <stdlib.h>

#include "cluster/internal.h"
#include "store/pinset.h"
#include "util/clock.h"
#include "util/container.h"

#define LOG_AREA "cluster"
#include "util/log.h"

#define REPIN_AT_ONCE 256 /* pins in one operation */
#define REPIN_LOOK 2048   /* pins that one operation looks at */
#define REPIN_AGAIN_MAX 8 /* failures, one after the other, after which it is given up */

struct repin {
	struct list item;
	struct peerid gone;
	struct closest closest;
	uint64_t after; /* serial of the last pin that was looked at */
	bool end;
	uint64_t moved, too_few; /* pins; for the latter there was nobody */
	unsigned failed;
	bool posted;
	struct pin pin; /* scratch of the writer's thread */
};

static void step(struct cluster *c, struct repin *p);

static struct repin *first(struct cluster *c)
{
	return list_empty(&c->repins) ? NULL : container_of(c->repins.next, struct repin, item);
}

static void repin_free(struct repin *p)
{
	list_del(&p->item);
	closest_clear(&p->closest);
	pin_deinit(&p->pin);
	free(p);
}

/* ---- writer's thread ---- */

static bool has(const struct pin *pin, const struct peerid *id)
{
	for (size_t i = 0; i < pin->n_allocations; i++)
		if (peerid_equal(&pin->allocations[i], id))
			return true;
	return false;
}

const struct peerid *repin_gone(const struct repin *p)
{
	return &p->gone;
}

int repin_collect(const struct store_txn *t, struct cluster_request *rq)
{
	struct repin *p = rq->repin;
	struct pinset_iter it;
	struct pin_row row;
	uint64_t after = p->after;
	unsigned looked = 0;
	int r = pinset_iter_serials(t, after, &it);

	if (r < 0)
		return r;
	rq->n_items = 0;
	p->end = false;
	while (looked++ < REPIN_LOOK && rq->n_items < REPIN_AT_ONCE) {
		r = pinset_next(&it, &row);
		if (r < 0)
			break;
		rq->reached = row.serial;
		if (pinset_decode(&row, &p->pin, NULL) == 0 && has(&p->pin, &p->gone) &&
		    closest_is_self(&p->closest, &p->pin.cid))
			cid_copy(&rq->items[rq->n_items++].pin.cid, &p->pin.cid);
	}
	pinset_iter_end(&it);
	p->end = r == -ENOENT;
	return r == -ENOENT ? 0 : r;
}

/* ---- loop's thread ---- */

static void report(const struct repin *p, const char *id)
{
	if (p->moved > 0)
		log_info("%llu pins that %s was to have are with others now",
			 (unsigned long long)p->moved, id);
	if (p->too_few > 0)
		log_warn(
		    "%llu pins that %s was to have: too few peers are left that could pin them",
		    (unsigned long long)p->too_few, id);
}

static void stepped(struct cluster_request *rq, int status)
{
	struct cluster *c = rq->cluster;
	struct repin *p = rq->repin;
	char id[PEERID_TEXT_MAX];

	peerid_format(&p->gone, id);
	p->posted = false;
	if (status < 0) {
		log_warn("giving what %s was to pin to others: %s%s", id, rq->error.msg,
			 ++p->failed < REPIN_AGAIN_MAX ? ", trying again" : "");
	} else {
		p->failed = 0;
		p->after = rq->reached;
		p->moved += rq->op.n_changes;
		p->too_few += rq->too_few;
	}
	cluster_request_free(rq);
	if (c->closing || p->failed == REPIN_AGAIN_MAX || (status == 0 && p->end)) {
		report(p, id);
		repin_free(p);
		p = first(c);
	}
	if (p && status == 0 && !c->closing)
		step(c, p);
}

static void step(struct cluster *c, struct repin *p)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, REPIN_AT_ONCE);

	if (!rq)
		return; /* with the next tick */
	rq->kind = CHANGE_REPIN;
	rq->repin = p;
	rq->reached = p->after;
	rq->done = stepped;
	p->posted = true;
	cluster_post(c, rq);
}

void repin_tick(struct cluster *c)
{
	struct repin *p = first(c);

	if (p && !p->posted && !cluster_importing(c))
		step(c, p);
}

void repin_from(struct cluster *c, const struct peerid *gone)
{
	struct list *it;
	struct repin *p;

	if (c->opt.config->disable_repinning || c->opt.config->follower_mode || c->closing)
		return;
	list_each (it, &c->repins)
		if (peerid_equal(&container_of(it, struct repin, item)->gone, gone))
			return;
	p = calloc(1, sizeof(*p));
	if (!p || closest_take(c, gone, &p->closest) < 0) {
		log_err("no memory to give what a silent peer was to pin to others");
		free(p);
		return;
	}
	p->gone = *gone;
	pin_init(&p->pin);
	list_add_tail(&c->repins, &p->item);
	repin_tick(c);
}

void repin_abort(struct cluster *c)
{
	struct list *it, *next;

	list_each_safe (it, next, &c->repins) {
		struct repin *p = container_of(it, struct repin, item);

		if (!p->posted) /* else with its request */
			repin_free(p);
	}
}
