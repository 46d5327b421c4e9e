/* Pins that are tried again because somebody asks for it. */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
