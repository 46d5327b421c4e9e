/*
 * Results into the store: all that ended since the last commit in one batch. What a result means is
 * decided inside the batch, since the pin may be gone or another one by then.
 */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <string.h>

#include "util/clock.h"

#define LOG_AREA "tracker"
#include "util/log.h"

static int put(struct store_txn *t, struct op *op, struct status_row *row)
{
	op->saved = true;
	op->saved_status = row->status;
	row->since_ns = clock_now_ns();
	return status_put(t, op->serial, row);
}

static int save_error(struct store_txn *t, struct op *op, const struct status_row *old)
{
	struct status_row row = { .status = STATUS_PIN_ERROR,
				  .held = old->held,
				  .attempts = old->attempts + 1,
				  .error = op->error,
				  .error_len = strlen(op->error) };

	if (old->status != STATUS_PIN_QUEUED)
		return 0;
	row.retry_s = clock_now_s() + tracker_retry_delay_s(op->t, row.attempts);
	return put(t, op, &row);
}

/* Nothing is wanted of Kubo here: what it pinned for the pin as it was is to go. */
static int save_elsewhere(struct store_txn *t, struct op *op, const struct status_row *old)
{
	struct status_row row = { .status = op->result };
	int r = 0;

	if (old->held || old->status == STATUS_PINNED)
		r = unpin_add(t, op->cid.bytes, op->cid.len, clock_now_ns());
	return r < 0 ? r : put(t, op, &row);
}

static int save_result(struct store_txn *t, struct op *op, const struct status_row *old)
{
	struct status_row row = { .status = op->result };

	if (op->result == STATUS_PIN_ERROR)
		return save_error(t, op, old);
	if (op->result == old->status)
		return 0;
	if (op->result == STATUS_REMOTE || op->result == STATUS_SHARDED)
		return save_elsewhere(t, op, old);
	if (op->result == STATUS_UNEXPECTEDLY_UNPINNED) {
		if (old->status != STATUS_PINNED)
			return 0;
		row.error = op->error;
		row.error_len = strlen(op->error);
		row.retry_s = clock_now_s();
	}
	return put(t, op, &row);
}

static int save_pin(struct store_txn *t, struct op *op, struct pin *pin)
{
	struct status_row old;
	struct pin_row row;
	int r = pinset_row(t, op->serial, &row);

	if (r == 0)
		r = status_get(t, op->serial, &old);
	if (r < 0 || op->result == STATUS_UNDEFINED)
		return r == -ENOENT ? 0 : r;
	if (tracker_want(&row, &op->t->opt.self, pin) == op->want)
		return save_result(t, op, &old);
	/* The pin is another one now, and still queued; but Kubo has this one. */
	if (op->result != STATUS_PINNED || old.held)
		return 0;
	old.held = true;
	return status_put(t, op->serial, &old);
}

static int save_unpin(struct store_txn *t, struct op *op)
{
	struct unpin_row row;
	struct pin_row pin;
	int r = unpin_next(t, op->serial - 1, &row);

	if (r == -ENOENT || (r == 0 && row.sequence != op->serial))
		return 0;
	if (r < 0)
		return r;
	op->saved = true;
	op->saved_status = op->result;
	if (op->result == STATUS_UNPIN_ERROR) {
		row.attempts++;
		row.due_ns = clock_now_ns() + tracker_retry_delay_s(op->t, row.attempts) * NS_PER_S;
		row.since_ns = clock_now_ns();
		memcpy(row.error, op->error, sizeof(row.error));
		return unpin_put(t, &row);
	}
	r = unpin_del(t, row.sequence);
	if (r == 0 && op->again) {
		r = pinset_find(t, &op->cid, &pin);
		if (r == 0)
			r = tracker_requeue(t, op->t, pin.serial, true);
	}
	return r == -ENOENT ? 0 : r;
}

static int save(struct store_txn *t, struct store_batch *b)
{
	struct tracker *tr = container_of(b, struct tracker, save);
	struct list *it;
	struct pin pin;
	int r = 0;

	pin_init(&pin);
	list_each (it, &tr->saving) {
		struct op *op = container_of(it, struct op, link);

		op->saved = false;
		r = op->kind == OP_UNPIN ? save_unpin(t, op) : save_pin(t, op, &pin);
		if (r < 0)
			break;
	}
	pin_deinit(&pin);
	return r;
}

static void move_all(struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct list *it = from->next;

		list_del(it);
		list_add_tail(to, it);
	}
}

static void tell_saved(struct tracker *t, struct op *op)
{
	bool unpin = op->kind == OP_UNPIN;

	/* A pin that is in the pinset again has a state of its own. */
	if (op->saved && !(unpin && (op->again || want_is_here(op->want))))
		tracker_tell(t, &op->cid, unpin ? 0 : op->serial, op->saved_status, op->error);
}

static void saved(struct store_batch *b, int status)
{
	struct tracker *t = container_of(b, struct tracker, save);

	t->save_busy = false;
	if (status < 0) {
		log_err("the states of pins could not be saved (%s), trying again",
			strerror(-status));
		move_all(&t->saving, &t->finished);
		tracker_unuse(t);
		return; /* the next tick tries again */
	}
	while (!list_empty(&t->saving)) {
		struct op *op = container_of(t->saving.next, struct op, link);

		list_del(&op->link);
		t->n_waiting--;
		if (!t->closing)
			tell_saved(t, op);
		op_free(op);
	}
	tracker_soon(t);
	tracker_unuse(t);
}

void tracker_save(struct tracker *t)
{
	if (t->save_busy || list_empty(&t->finished))
		return;
	move_all(&t->finished, &t->saving);
	t->save_busy = true;
	t->save.fn = save;
	t->save.done = saved;
	tracker_use(t);
	store_submit(t->opt.store, &t->save);
}
