/* One pin or unpin in Kubo: the calls it takes, one after the other, up to its result. */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/clock.h"

static void on_kind(void *arg, int status, enum kubo_pin_kind kind, const struct err *e);
static void on_update_kind(void *arg, int status, enum kubo_pin_kind kind, const struct err *e);
static void on_pinned(void *arg, int status, const struct err *e);
static void on_unpinned(void *arg, int status, const struct err *e);

struct op *op_new(struct tracker *t, enum op_kind kind, uint64_t serial, const uint8_t *cid,
		  size_t n)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op || cid_from_bytes(cid, n, &op->cid, NULL) < 0) {
		free(op);
		return NULL;
	}
	list_init(&op->link);
	op->t = t;
	op->kind = kind;
	op->serial = serial;
	return op;
}

void op_free(struct op *op)
{
	free(op);
}

/* Out of the list of calls, if it is there. */
static void leave(struct op *op)
{
	struct tracker *t = op->t;

	if (op->started_ms == 0)
		return;
	pthread_mutex_lock(&t->lock);
	list_del(&op->link);
	pthread_mutex_unlock(&t->lock);
	t->n_calling--;
	op->started_ms = 0;
	tracker_unuse(t);
}

void op_finish(struct op *op, enum status result, const char *error)
{
	struct tracker *t = op->t;

	op->result = result;
	snprintf(op->error, sizeof(op->error), "%s", error ? error : "");
	list_add_tail(&t->finished, &op->link);
	t->n_waiting++;
	tracker_soon(t);
}

/* The result of calls, or none when nobody wants it any more. */
static void end(struct op *op, enum status result, const char *error)
{
	struct tracker *t = op->t;
	bool drop = op->cancelled || t->closing, pins = op->pins;

	tracker_use(t);
	leave(op);
	if (drop) {
		op_free(op);
		tracker_soon(t);
	} else {
		op_finish(op, result, error);
	}
	if (pins)
		tracker_tell_worked(t);
	tracker_unuse(t);
}

static void fail(struct op *op, int status, const struct err *e)
{
	static const enum status results[] = { [OP_PIN] = STATUS_PIN_ERROR,
					       [OP_CHECK] = STATUS_UNDEFINED,
					       [OP_UNPIN] = STATUS_UNPIN_ERROR };
	struct err why = { 0 };

	if (e)
		why = *e;
	else
		err_sys(&why, status, "calling IPFS");
	if (!op->cancelled && tracker_kubo_is_away(status))
		tracker_kubo_lost(op->t, &why);
	else if (!op->cancelled)
		tracker_limit_ended(op->t, status);
	end(op, results[op->kind], why.msg);
}

/* Takes what a function of kubo.h said when it was to begin a call. */
static void called(struct op *op, int r)
{
	if (r < 0)
		fail(op, r, NULL);
}

static void pin_add(struct op *op)
{
	called(op, kubo_pin_add(op->t->opt.kubo, &op->cid,
				op->want == WANT_DIRECT ? PIN_DEPTH_DIRECT : PIN_DEPTH_RECURSIVE,
				NULL, NULL, on_pinned, op, &op->call));
}

static void pin_rm(struct op *op)
{
	called(op, kubo_pin_rm(op->t->opt.kubo, &op->cid, on_unpinned, op, &op->call));
}

static bool over(struct op *op)
{
	op->call = NULL;
	if (!op->cancelled && !op->t->closing)
		return false;
	end(op, STATUS_UNDEFINED, NULL);
	return true;
}

static void on_pinned(void *arg, int status, const struct err *e)
{
	struct op *op = arg;

	if (over(op))
		return;
	if (status < 0) {
		fail(op, status, e);
		return;
	}
	tracker_limit_ended(op->t, 0);
	end(op, STATUS_PINNED, NULL);
}

static void on_update_kind(void *arg, int status, enum kubo_pin_kind kind, const struct err *e)
{
	struct op *op = arg;

	if (over(op))
		return;
	if (status < 0 && tracker_kubo_is_away(status))
		fail(op, status, e);
	else if (status < 0 || kind != KUBO_RECURSIVE)
		pin_add(op);
	else
		called(op, kubo_pin_update(op->t->opt.kubo, &op->update, &op->cid, on_pinned, op,
					   &op->call));
}

static void pin(struct op *op)
{
	op->pins = true;
	tracker_tell_worked(op->t);
	if (cid_defined(&op->update) && op->want == WANT_RECURSIVE)
		called(op, kubo_pin_ls_one(op->t->opt.kubo, &op->update, on_update_kind, op,
					   &op->call));
	else
		pin_add(op);
}

static void end_without_rm(struct op *op)
{
	op->again = false;
	end(op, STATUS_UNPINNED, NULL);
}

static void on_kind(void *arg, int status, enum kubo_pin_kind kind, const struct err *e)
{
	struct op *op = arg;
	bool fits;

	if (over(op))
		return;
	if (status < 0) {
		fail(op, status, e);
		return;
	}
	tracker_limit_answered(op->t, clock_mono_ms() - op->started_ms);
	fits = kind == (op->want == WANT_DIRECT ? KUBO_DIRECT : KUBO_RECURSIVE);
	if (op->kind == OP_UNPIN && kind == KUBO_RECURSIVE)
		pin_rm(op);
	else if (op->kind == OP_UNPIN)
		end_without_rm(op);
	else if (fits)
		end(op, STATUS_PINNED, NULL);
	else if (op->kind == OP_CHECK)
		end(op, STATUS_UNEXPECTEDLY_UNPINNED, TRACKER_MISSING);
	else
		pin(op);
}

static void on_unpinned(void *arg, int status, const struct err *e)
{
	struct op *op = arg;

	if (over(op))
		return;
	if (status < 0 && status != -ENOENT) {
		fail(op, status, e);
		return;
	}
	tracker_limit_ended(op->t, 0);
	end(op, STATUS_UNPINNED, NULL);
}

void op_start(struct op *op)
{
	struct tracker *t = op->t;

	tracker_use(t);
	op->started_ms = clock_mono_ms();
	pthread_mutex_lock(&t->lock);
	list_add_tail(&t->calling, &op->link);
	pthread_mutex_unlock(&t->lock);
	t->n_calling++;
	if (op->kind == OP_UNPIN && !op->again)
		pin_rm(op);
	else
		called(op, kubo_pin_ls_one(t->opt.kubo, &op->cid, on_kind, op, &op->call));
}

void op_cancel(struct op *op)
{
	op->cancelled = true;
	if (op->call)
		kubo_cancel(op->call);
}
