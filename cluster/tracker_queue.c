/*
 * What is done next: pins just asked for, then unpins that are due, then the other pins. Those wait
 * until a round has compared with Kubo, since it may hold most of them already.
 *
 * How many calls at a time: concurrent_pins at first; half as many when a call times out, or when
 * a pin/ls takes over a second and four times as long as usual (at most once a second, since calls
 * under way tell of the same trouble); one more with each success.
 */
#include "cluster/tracker_internal.h"

#include <errno.h>

#include "util/clock.h"

#define UNPINS_AT_ONCE 256 /* entries looked at before other work has its turn */
#define SLOW_MS 1000

enum want tracker_want(const struct pin_row *row, const struct peerid *self, struct pin *p)
{
	if (pinset_decode(row, p, NULL) < 0)
		return WANT_NOTHING;
	if (p->type == PIN_TYPE_META)
		return WANT_SHARDED;
	if (!pin_is_for(p, self))
		return WANT_REMOTE;
	return p->max_depth == PIN_DEPTH_DIRECT ? WANT_DIRECT : WANT_RECURSIVE;
}

/* ---- how many ---- */

static void halve(struct tracker *t)
{
	int64_t now = clock_mono_ms();

	if (now - t->halved_ms < SLOW_MS)
		return;
	t->halved_ms = now;
	t->limit = t->limit > 1 ? t->limit / 2 : 1;
}

void tracker_limit_ended(struct tracker *t, int status)
{
	if (status == -ETIMEDOUT)
		halve(t);
	else if (status == 0 && t->limit < (unsigned)t->opt.config->concurrent_pins)
		t->limit++;
}

void tracker_limit_answered(struct tracker *t, int64_t ms)
{
	if (ms > SLOW_MS && ms > 4 * t->usual_ms)
		halve(t);
	t->usual_ms += (ms - t->usual_ms) / 8;
}

static bool is_full(const struct tracker *t)
{
	return t->n_calling >= t->limit || t->n_waiting >= TRACKER_SAVING_MAX;
}

/* ---- what is under way ---- */

static struct op *find(struct list *l, bool unpin, uint64_t serial)
{
	struct list *it;

	list_each (it, l) {
		struct op *op = container_of(it, struct op, link);

		if (op->serial == serial && (op->kind == OP_UNPIN) == unpin && !op->cancelled)
			return op;
	}
	return NULL;
}

struct op *tracker_op_of(struct tracker *t, bool unpin, uint64_t serial)
{
	struct op *op = find(&t->calling, unpin, serial);

	if (!op)
		op = find(&t->saving, unpin, serial);
	return op ? op : find(&t->finished, unpin, serial);
}

/* A call for this CID, also a cancelled one: Kubo may be at it still. */
static bool is_called(struct tracker *t, const struct cid *cid)
{
	struct list *it;

	list_each (it, &t->calling)
		if (cid_equal(&container_of(it, struct op, link)->cid, cid))
			return true;
	return false;
}

/* ---- pins ---- */

static void read_extras(struct tracker *t, struct op *op)
{
	cid_copy(&op->update, &t->pin.pin_update);
	tracker_connect_origins(t, &t->pin);
}

/* Begins with a pin that is queued. False: it has to wait, and so has all behind it. */
static bool begin(struct tracker *t, const struct pin_row *row, uint8_t rank)
{
	enum want want = tracker_want(row, &t->opt.self, &t->pin);
	struct op *op;

	if (want_is_here(want) &&
	    (!t->known.up || t->n_calling >= t->limit || (rank > 0 && !t->surveyed)))
		return false;
	op = op_new(t, OP_PIN, row->serial, row->cid, row->cid_len);
	if (!op)
		return false;
	op->want = want;
	if (want == WANT_NOTHING) {
		op_finish(op, STATUS_PIN_ERROR, "the pin cannot be read");
	} else if (!want_is_here(want)) {
		op_finish(op, want == WANT_REMOTE ? STATUS_REMOTE : STATUS_SHARDED, NULL);
	} else if (is_called(t, &op->cid)) {
		op_free(op); /* an unpin: its end looks again */
	} else {
		read_extras(t, op);
		tracker_tell(t, &op->cid, op->serial, STATUS_PINNING, NULL);
		op_start(op);
	}
	return true;
}

static void choose_pins(struct tracker *t, const struct store_txn *txn, uint8_t rank)
{
	struct status_place place = { .rank = rank };
	struct pin_row row;

	while (!is_full(t) && status_next(txn, STATUS_PIN_QUEUED, &place) == 0) {
		if (place.rank > rank)
			return;
		if (tracker_op_of(t, false, place.serial) ||
		    pinset_row(txn, place.serial, &row) < 0)
			continue;
		if (!begin(t, &row, place.rank))
			return;
	}
}

/* ---- unpins ---- */

/* What the pinset says of the CID now; WANT_NOTHING when it is not in it. */
static enum want want_of(struct tracker *t, const struct store_txn *txn, const struct cid *cid)
{
	struct pin_row row;

	if (pinset_find(txn, cid, &row) < 0)
		return WANT_NOTHING;
	return tracker_want(&row, &t->opt.self, &t->pin);
}

static void begin_unpin(struct tracker *t, const struct store_txn *txn, const struct unpin_row *row)
{
	struct op *op = op_new(t, OP_UNPIN, row->sequence, row->cid.bytes, row->cid.len);

	if (!op)
		return;
	op->want = want_of(t, txn, &row->cid);
	if (op->want == WANT_RECURSIVE) {
		op_finish(op, STATUS_UNPINNED, NULL);
		return;
	}
	/* Pinned again, but directly: Kubo refuses that as long as it has it recursively. */
	op->again = op->want == WANT_DIRECT;
	tracker_tell(t, &op->cid, 0, STATUS_UNPINNING, NULL);
	op_start(op);
}

static void choose_unpins(struct tracker *t, const struct store_txn *txn)
{
	int64_t now = clock_now_ns();
	struct unpin_row row;

	for (unsigned n = 0; !is_full(t); n++) {
		if (n == UNPINS_AT_ONCE) {
			tracker_soon(t);
			return;
		}
		if (unpin_next(txn, t->unpin_after, &row) < 0)
			return;
		t->unpin_after = row.sequence;
		if (row.due_ns <= now && !tracker_op_of(t, true, row.sequence) &&
		    !is_called(t, &row.cid))
			begin_unpin(t, txn, &row);
	}
}

void tracker_choose(struct tracker *t)
{
	struct store_txn *txn;

	if (t->closing || is_full(t) || store_read(t->opt.store, &txn) < 0)
		return; /* the next tick looks again */
	choose_pins(t, txn, 0);
	if (t->known.up && !tracker_unpin_refusal(t))
		choose_unpins(t, txn);
	choose_pins(t, txn, 1);
	store_read_end(txn);
}

/* ---- a pin that changed ---- */

/* Kubo is away: what is wanted of it stays queued (whoever shows the state adds why), the rest is
 * settled without it. */
static void look_without_kubo(struct tracker *t, const struct pin_row *row)
{
	if (!want_is_here(tracker_want(row, &t->opt.self, &t->pin)))
		begin(t, row, 0);
}

static void look(struct tracker *t, const struct store_txn *txn, uint64_t serial)
{
	struct op *op = tracker_op_of(t, false, serial);
	struct status_row status;
	struct pin_row row;

	if (pinset_row(txn, serial, &row) < 0 || status_get(txn, serial, &status) < 0)
		return;
	if (op && op->started_ms && tracker_want(&row, &t->opt.self, &t->pin) != op->want)
		op_cancel(op);
	if (op || status.status != STATUS_PIN_QUEUED || t->known.up || !t->known.asked)
		return;
	if (t->n_waiting < 2 * TRACKER_SAVING_MAX)
		look_without_kubo(t, &row);
	else
		tracker_round(t);
}

void tracker_look(struct tracker *t, uint64_t serial)
{
	struct store_txn *txn;

	tracker_soon(t);
	if (store_read(t->opt.store, &txn) < 0)
		return;
	look(t, txn, serial);
	store_read_end(txn);
}
