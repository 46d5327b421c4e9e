/* Pins that are tried again because somebody asks for it. */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

#define LOG_AREA "tracker"
#include "util/log.h"

struct recover {
	struct store_batch batch;
	struct tracker *t;
	uint64_t serial;
	struct cid cid;
	struct pin pin;
	enum want want;
};

/* 0: queued, 1: pinned and to be compared, -ENOENT: gone. */
static int recover_one(struct store_txn *txn, struct store_batch *b)
{
	struct recover *x = container_of(b, struct recover, batch);
	struct status_row status;
	struct pin_row row;
	int r = pinset_row(txn, x->serial, &row);

	if (r == 0)
		r = status_get(txn, x->serial, &status);
	if (r == 0)
		r = cid_from_bytes(row.cid, row.cid_len, &x->cid, NULL);
	if (r < 0)
		return r;
	x->want = tracker_want(&row, &x->t->opt.self, &x->pin);
	if (status.status == STATUS_PINNED)
		return 1;
	return tracker_requeue(txn, x->t, x->serial, true);
}

static void check(struct tracker *t, const struct recover *x)
{
	struct op *op;

	if (!t->known.up || tracker_op_of(t, false, x->serial))
		return;
	op = op_new(t, OP_CHECK, x->serial, x->cid.bytes, x->cid.len);
	if (!op)
		return;
	op->want = x->want;
	op_start(op);
}

static void recovered(struct store_batch *b, int status)
{
	struct recover *x = container_of(b, struct recover, batch);
	struct tracker *t = x->t;

	if (status == 0 && !t->closing) {
		tracker_tell(t, &x->cid, x->serial, STATUS_PIN_QUEUED, NULL);
		tracker_look(t, x->serial);
	} else if (status > 0 && !t->closing) {
		check(t, x);
	} else if (status < 0 && status != -ENOENT) {
		log_err("a pin could not be queued again: %s", strerror(-status));
	}
	pin_deinit(&x->pin);
	free(x);
	tracker_unuse(t);
}

void tracker_recover(struct tracker *t, uint64_t serial)
{
	struct op *op = tracker_op_of(t, false, serial);
	struct recover *x;

	if (t->closing || (op && op->started_ms))
		return;
	x = calloc(1, sizeof(*x));
	if (!x) {
		log_err("a pin could not be queued again: out of memory");
		return;
	}
	x->t = t;
	x->serial = serial;
	x->batch.fn = recover_one;
	x->batch.done = recovered;
	pin_init(&x->pin);
	tracker_use(t);
	store_submit(t->opt.store, &x->batch);
}

void tracker_recover_all(struct tracker *t)
{
	tracker_round(t);
}

/* ---- for somebody who wants to know ---- */

static int requeue(struct store_txn *txn, struct tracker_recovery *r, uint64_t serial, bool now)
{
	int e = tracker_requeue(txn, r->t, serial, now);

	if (e == 0)
		r->serials[r->n++] = serial;
	return e == -ENOENT ? 0 : e;
}

static int recover_failed(struct store_txn *txn, struct store_batch *b)
{
	static const enum status lists[] = { STATUS_PIN_ERROR, STATUS_UNEXPECTEDLY_UNPINNED };
	struct tracker_recovery *r = container_of(b, struct tracker_recovery, batch);

	while (r->list < ARRAY_LEN(lists) && r->n < TRACKER_RECOVERY_MAX) {
		int e = status_next(txn, lists[r->list], &r->place);

		if (e == -ENOENT) {
			r->list++;
			r->place = (struct status_place){ 0 };
			continue;
		}
		if (e == 0)
			e = requeue(txn, r, r->place.serial, false);
		if (e < 0)
			return e;
	}
	return r->list < ARRAY_LEN(lists);
}

static int recover_pin(struct store_txn *txn, struct store_batch *b)
{
	struct tracker_recovery *r = container_of(b, struct tracker_recovery, batch);
	struct status_row row;
	int e = status_get(txn, r->serial, &row);

	if (e < 0)
		return e == -ENOENT ? 0 : e;
	if (row.status != STATUS_PIN_ERROR && row.status != STATUS_UNEXPECTEDLY_UNPINNED)
		return 0;
	return requeue(txn, r, r->serial, true);
}

static int recover_unpin(struct store_txn *txn, struct store_batch *b)
{
	struct tracker_recovery *r = container_of(b, struct tracker_recovery, batch);
	struct unpin_row row;
	int e = unpin_next(txn, r->serial - 1, &row);

	if (e < 0)
		return e == -ENOENT ? 0 : e;
	if (row.sequence != r->serial || !row.error[0])
		return 0;
	cid_copy(&r->cid, &row.cid);
	row.due_ns = row.since_ns = clock_now_ns();
	row.error[0] = '\0';
	return unpin_put(txn, &row);
}

static void recovery_done(struct store_batch *b, int status)
{
	struct tracker_recovery *r = container_of(b, struct tracker_recovery, batch);
	struct tracker *t = r->t;

	if (status >= 0 && !t->closing) {
		tracker_tell_now(t, r->serials, r->n);
		if (cid_defined(&r->cid))
			tracker_tell(t, &r->cid, 0, STATUS_UNPIN_QUEUED, NULL);
		tracker_soon(t);
	}
	r->done(r, status);
	tracker_unuse(t);
}

static int submit(struct tracker *t, struct tracker_recovery *r,
		  int (*fn)(struct store_txn *txn, struct store_batch *b))
{
	if (t->closing)
		return -ECANCELED;
	r->t = t;
	r->n = 0;
	r->cid.len = 0;
	r->batch.fn = fn;
	r->batch.done = recovery_done;
	tracker_use(t);
	store_submit(t->opt.store, &r->batch);
	return 0;
}

int tracker_recover_failed(struct tracker *t, struct tracker_recovery *r)
{
	return submit(t, r, recover_failed);
}

int tracker_recover_pin(struct tracker *t, uint64_t serial, struct tracker_recovery *r)
{
	r->serial = serial;
	return submit(t, r, recover_pin);
}

int tracker_recover_unpin(struct tracker *t, uint64_t sequence, struct tracker_recovery *r)
{
	r->serial = sequence;
	return submit(t, r, recover_unpin);
}
