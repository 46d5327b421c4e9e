/* Changes that are too many to be held, from a source: one job of the writer, all or nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cluster/internal.h"
#include "util/container.h"

/* ---- writer's thread ---- */

static int decide(struct cluster_request *rq, const struct store_txn *t,
		  const struct cluster_item *item, struct consensus_change *ch, struct err *e)
{
	int r = change_decide_item(t, rq, item, ch, e);
	char text[CID_TEXT_MAX + 1];

	if (r >= 0)
		return r;
	cid_format(&item->pin.cid, text);
	return err_wrap(e, r, "%.80s", text);
}

static int next_change(void *arg, const struct store_txn *t, struct consensus_change *ch,
		       struct err *e)
{
	struct cluster_request *rq = arg;
	int r;

	do {
		struct cluster_item item = { 0 };

		pin_init(&item.pin);
		r = rq->source.next(rq->source.arg, &item, e);
		if (r <= 0) {
			pin_deinit(&item.pin);
			return r;
		}
		r = decide(rq, t, &item, ch, e);
		pin_deinit(&item.pin);
	} while (r == 0);
	if (r == 1 && ch->unpin)
		rq->unpinned++;
	else if (r == 1)
		rq->pinned++;
	return r;
}

static int allow(void *arg, const struct store_txn *t, struct err *e)
{
	struct cluster_request *rq = arg;
	struct cluster *c = rq->cluster;
	int r = 0;

	if (rq->pinned + rq->unpinned == 0)
		return 0;
	if (c->opt.config->follower_mode)
		return err_set(e, -EROFS, CHANGE_FOLLOWER);
	if (rq->unpinned > 0)
		r = brake_check(c->brake, t, rq->unpinned, e);
	if (r == 0 && store_info(t)->pins > 0)
		r = dump_before(c, "batch", e);
	if (r == 0 && rq->unpinned > 0)
		change_count(rq, rq->unpinned);
	return r;
}

static int many_job(struct store_txn *none, struct store_batch *b)
{
	struct cluster_request *rq = container_of(b, struct cluster_request, batch);
	struct consensus *consensus = rq->cluster->consensus;
	struct consensus_many m = { .next = next_change, .allow = allow, .arg = rq };
	int r = request_begin(rq, &rq->error);

	return r < 0 ? r : consensus->ops->apply_many(consensus, &m, &rq->error);
}

/* ---- loop's thread ---- */

static void many_done(struct store_batch *b, int status)
{
	struct cluster_request *rq = container_of(b, struct cluster_request, batch);
	struct cluster *c = rq->cluster;
	char more[96];

	pthread_mutex_lock(&c->lock);
	c->many_running = false;
	pthread_mutex_unlock(&c->lock);
	if (status < 0 && status != -EINPROGRESS) {
		change_uncount(rq);
	} else if (rq->pinned + rq->unpinned > 0) {
		snprintf(more, sizeof(more), "\"pinned\":%" PRIu64 ",\"unpinned\":%" PRIu64,
			 rq->pinned, rq->unpinned);
		status = made_certain(rq, "batch", more, status);
	}
	if (status == -EPERM)
		keep_before_burst(c);
	request_end(rq, status);
}

void many_start(struct cluster_request *rq)
{
	struct cluster *c = rq->cluster;
	bool busy;

	pthread_mutex_lock(&c->lock);
	busy = c->import_running || c->many_running;
	c->many_running = c->many_running || !busy;
	pthread_mutex_unlock(&c->lock);
	if (busy) {
		request_end(rq,
			    err_set(&rq->error, -EBUSY, "an import or a large batch is running"));
		return;
	}
	rq->batch = (struct store_batch){ .fn = many_job, .done = many_done };
	store_submit_job(c->opt.store, &rq->batch);
}
