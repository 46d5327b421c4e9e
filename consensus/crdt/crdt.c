/*
 * The engine: a queue of operations on the loop, and one batch of the store under way. While that
 * batch commits, operations gather; the next batch takes all of them (up to a limit) into one
 * transaction and one delta.
 */
#include "consensus/crdt/crdt.h"

#include <errno.h>
#include <stdlib.h>

#include "consensus/crdt/crdt_internal.h"
#include "consensus/crdt/load.h"
#include "consensus/crdt/local.h"
#include "consensus/crdt/pending.h"
#include "store/pinset.h"

#define LOG_AREA "crdt"
#include "util/log.h"

#define CUT_AGAIN_MS 1000     /* after a failure, where batching has been switched off since */
#define GROUP_CHANGES_MAX 256 /* of one transaction, so that its dirty pages stay few */
#define RESUME_MS 1000        /* until an unfinished import is tried again; doubled each time */
#define RESUME_MS_MAX 64000

static void crdt_step(struct crdt *c);

static bool batching(const struct crdt *c)
{
	return c->cfg->max_batch_size > 0 && c->cfg->max_batch_age_ms > 0;
}

/* ---- writer's thread ---- */

static int apply_change(struct local_delta *d, struct consensus_change *ch)
{
	int r = local_full(d) || local_has(d, &ch->cid) ? local_cut(d) : 0;

	if (r < 0)
		return r;
	if (ch->unpin) {
		r = local_del(d, &ch->cid, &ch->serial);
		ch->applied = r == 1;
	} else {
		r = local_put(d, &ch->cid, ch->value.data, ch->value.len, 0, &ch->serial);
		ch->applied = r == 0;
	}
	return r < 0 ? r : 0;
}

/* Decides each operation on what the ones before it left, and applies it. */
static int apply_group(struct store_txn *t, struct crdt *c, struct local_delta *d)
{
	for (struct consensus_op *op = c->group; op; op = op->next) {
		int r = op->decide(t, op);

		op->status = r < 0 ? r : 0;
		for (size_t i = 0; r == 1 && i < op->n_changes; i++) {
			int a = d ? apply_change(d, &op->changes[i])
				  : pending_apply(t, &op->changes[i]);

			if (a < 0)
				return a;
		}
	}
	return 0;
}

/* What is pending is shown already. It may look otherwise when it is cut where another peer has
 * changed the same pin meanwhile. */
static int cut_pending(struct store_txn *t, struct crdt *c)
{
	uint64_t revision = store_info(t)->revision;
	int r = pending_cut(t);

	c->new_heads = true;
	c->cut_changed = store_info(t)->revision != revision;
	return r;
}

static int group_pending(struct store_txn *t, struct crdt *c)
{
	int r = apply_group(t, c, NULL);

	if (r == 0 && (c->cut || store_info(t)->pending >= (uint64_t)c->cfg->max_batch_size))
		r = cut_pending(t, c);
	c->pending_after = store_info(t)->pending;
	return r;
}

static int group_delta(struct store_txn *t, struct crdt *c)
{
	struct local_delta d;
	struct cid head;
	int r = 0;

	if (store_info(t)->pending > 0) /* batching was switched off: first what waited for it */
		r = cut_pending(t, c);
	c->pending_after = 0;
	if (r == 0)
		r = local_begin(&d, t);
	if (r < 0)
		return r;
	r = apply_group(t, c, &d);
	if (r == 0)
		r = local_finish(&d, &head);
	local_clear(&d);
	c->new_heads = true;
	return r;
}

/* Not before what is certain already, or the rest of that would undo it. */
static bool refuse_group(struct store_txn *t, struct crdt *c)
{
	struct bulk_mark mark;

	if (bulk_mark_get(t, &mark) < 0)
		return false;
	for (struct consensus_op *op = c->group; op; op = op->next)
		op->status = err_set(&op->error, -EBUSY,
				     "an import or a large batch has to be finished first, which "
				     "failed so far and is tried again");
	c->pending_after = store_info(t)->pending;
	return true;
}

static int crdt_batch(struct store_txn *t, struct store_batch *b)
{
	struct crdt *c = container_of(b, struct crdt, batch);

	if (refuse_group(t, c))
		return 0;
	return batching(c) ? group_pending(t, c) : group_delta(t, c);
}

/* ---- loop's thread ---- */

static void report_changes(struct crdt *c, const struct consensus_op *op)
{
	const struct consensus_events *ev = c->events;

	for (size_t i = 0; i < op->n_changes; i++) {
		const struct consensus_change *ch = &op->changes[i];

		if (!ch->applied || ch->serial == 0)
			continue;
		if (ch->unpin)
			ev->pin_del(ev->arg, &ch->cid, ch->serial);
		else
			ev->pin_put(ev->arg, &ch->cid, ch->serial);
	}
}

static void cut_timer_fired(uv_timer_t *timer)
{
	struct crdt *c = container_of(timer, struct crdt, cut_timer);

	c->cut_due = true;
	crdt_step(c);
}

/* When the next delta of what is pending is due, after a batch. */
static void plan_cut(struct crdt *c, int status)
{
	bool again = status < 0 ? c->cut : c->pending_after > 0;
	int64_t age = batching(c) ? c->cfg->max_batch_age_ms : CUT_AGAIN_MS;

	if (c->closing)
		c->cut_due = status >= 0 && again;
	else if (again && !uv_is_active((uv_handle_t *)&c->cut_timer))
		uv_timer_start(&c->cut_timer, cut_timer_fired, (uint64_t)age, 0);
	else if (status >= 0 && !again)
		uv_timer_stop(&c->cut_timer);
}

static void crdt_batch_done(struct store_batch *b, int status)
{
	struct crdt *c = container_of(b, struct crdt, batch);
	struct consensus_op *op = c->group, *next;
	bool heads = status >= 0 && c->new_heads, all = status >= 0 && c->cut_changed;

	c->busy = false;
	c->group = NULL;
	plan_cut(c, status);
	if (status < 0)
		log_err("a change of the pinset failed: %s", strerror(-status));
	for (; op; op = next) {
		next = op->next;
		if (status < 0 && op->status == 0) {
			op->status = status;
			err_sys(&op->error, status, "writing the change to disk");
		}
		if (op->status == 0)
			report_changes(c, op);
		op->done(op, op->status);
	}
	if (all)
		c->events->replaced(c->events->arg);
	if (heads && c->announce)
		announce_now(c->announce);
	crdt_step(c);
}

/* Takes operations off the queue, as many as fit into one transaction. */
static struct consensus_op *take_group(struct crdt *c)
{
	struct consensus_op *first = c->queue, **end = &first;
	unsigned n = 0;

	/* How many changes an operation makes is known when it is decided: count operations. */
	while (*end && n++ < GROUP_CHANGES_MAX)
		end = &(*end)->next;
	c->queue = *end;
	if (!c->queue)
		c->queue_tail = &c->queue;
	*end = NULL;
	return first;
}

/* ---- the end, from the top down: announcing, fetching, the timers, the engine ---- */

static void cut_timer_closed(uv_handle_t *h)
{
	struct crdt *c = container_of((uv_timer_t *)h, struct crdt, cut_timer);
	void (*closed)(void *) = c->closed;
	void *arg = c->closed_arg;

	heard_deinit(&c->heard);
	free(c);
	closed(arg);
}

static void resume_timer_closed(uv_handle_t *h)
{
	struct crdt *c = container_of((uv_timer_t *)h, struct crdt, resume_timer);

	uv_close((uv_handle_t *)&c->cut_timer, cut_timer_closed);
}

static void net_closed(struct crdt *c)
{
	uv_close((uv_handle_t *)&c->resume_timer, resume_timer_closed);
}

static void close_parts(struct crdt *c)
{
	if (c->ending)
		return;
	c->ending = true;
	crdt_net_close(c, net_closed);
}

/* Others hear of the new heads, and what was heard of them is fetched into what there is now. */
static void tell_replaced(struct crdt *c)
{
	if (c->ending)
		return;
	if (c->announce)
		announce_now(c->announce);
	if (c->dag)
		dag_replaced(c->dag);
}

/* ---- an import or a large batch that a failure or a crash interrupted ---- */

static int resume_job(struct store_txn *none, struct store_batch *b)
{
	return crdt_load_resume(container_of(b, struct crdt, batch)->store);
}

static void resume_again(uv_timer_t *timer)
{
	struct crdt *c = container_of(timer, struct crdt, resume_timer);

	c->resume_due = true;
	crdt_step(c);
}

static void resume_done(struct store_batch *b, int status)
{
	struct crdt *c = container_of(b, struct crdt, batch);

	c->busy = false;
	if (status < 0) {
		c->resume_ms = c->resume_ms ? 2 * c->resume_ms : RESUME_MS;
		if (c->resume_ms > RESUME_MS_MAX)
			c->resume_ms = RESUME_MS_MAX;
		log_err("going on with an import or a batch: %s, trying again in %u s",
			strerror(-status), c->resume_ms / 1000);
		uv_timer_start(&c->resume_timer, resume_again, c->resume_ms, 0);
	} else {
		c->resume_ms = 0;
		c->events->replaced(c->events->arg);
		tell_replaced(c);
	}
	crdt_step(c);
}

/* Before any operation. */
static void resume_start(struct crdt *c)
{
	c->busy = true;
	c->resume_due = false;
	c->batch = (struct store_batch){ .fn = resume_job, .done = resume_done };
	store_submit_job(c->store, &c->batch);
}

static void crdt_go_on(struct consensus *base)
{
	struct crdt *c = crdt_of(base);

	c->resume_due = true;
	crdt_step(c);
}

/* ---- the queue ---- */

static void crdt_step(struct crdt *c)
{
	if (c->busy)
		return;
	if (c->resume_due && !c->closing) {
		resume_start(c);
		return;
	}
	if (!c->queue && !c->cut_due) {
		if (c->closing)
			close_parts(c);
		return;
	}
	c->busy = true;
	c->cut = c->cut_due;
	c->cut_due = false;
	c->group = take_group(c);
	c->new_heads = c->cut_changed = false;
	c->batch = (struct store_batch){ .fn = crdt_batch, .done = crdt_batch_done };
	store_submit(c->store, &c->batch);
}

static void crdt_submit(struct consensus *base, struct consensus_op *op)
{
	struct crdt *c = crdt_of(base);

	op->next = NULL;
	op->status = 0;
	*c->queue_tail = op;
	c->queue_tail = &op->next;
	crdt_step(c);
}

static void crdt_close(struct consensus *base, void (*closed)(void *arg), void *arg)
{
	struct crdt *c = crdt_of(base);

	c->closing = true;
	c->closed = closed;
	c->closed_arg = arg;
	/* What is pending becomes a delta before we go, as the reference does on shutdown. */
	c->cut_due = c->cut_due || uv_is_active((uv_handle_t *)&c->cut_timer);
	crdt_step(c);
}

static int crdt_load(struct consensus *base, struct consensus_loader **ret)
{
	struct crdt *c = crdt_of(base);

	return crdt_load_new(c->store, &c->among, ret);
}

static int crdt_apply_many(struct consensus *base, const struct consensus_many *m, struct err *e)
{
	return crdt_load_many(crdt_of(base)->store, m, e);
}

/* ---- a new pinset ---- */

static void crdt_replaced(struct consensus *base)
{
	tell_replaced(crdt_of(base));
}

static const struct consensus_ops crdt_ops = {
	.name = "crdt",
	.submit = crdt_submit,
	.load = crdt_load,
	.apply_many = crdt_apply_many,
	.go_on = crdt_go_on,
	.replaced = crdt_replaced,
	.close = crdt_close,
};

int crdt_new(struct store *s, uv_loop_t *loop, const struct crdt_config *cfg,
	     const struct consensus_events *events, struct consensus **ret, struct err *e)
{
	struct crdt *c = calloc(1, sizeof(*c));
	struct bulk_mark mark;
	struct store_txn *t;
	int r;

	if (!c)
		return err_sys(e, -ENOMEM, "starting crdt");
	c->base.ops = &crdt_ops;
	c->store = s;
	c->cfg = cfg;
	c->events = events;
	c->queue_tail = &c->queue;
	r = store_read(s, &t);
	if (r < 0) {
		free(c);
		return err_sys(e, r, "reading the state");
	}
	heard_init(&c->heard);
	uv_timer_init(loop, &c->cut_timer);
	uv_timer_init(loop, &c->resume_timer);
	uv_timer_init(loop, &c->repair_timer);
	/* Left over from the last run: their time is up. */
	c->cut_due = store_info(t)->pending > 0;
	c->resume_due = bulk_mark_get(t, &mark) == 0;
	store_read_end(t);
	*ret = &c->base;
	crdt_step(c);
	return 0;
}
