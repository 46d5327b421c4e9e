/* Merging what has arrived, and telling what changed by it. */
#include "consensus/crdt/dag_internal.h"

#include <errno.h>
#include <string.h>

#include "util/clock.h"

#define LOG_AREA "crdt"
#include "util/log.h"

#define BLOCKS_MAX 64 /* of one transaction */

/* ---- the writer's thread ---- */

static void note(struct dag *d, const struct cid *cid, uint64_t serial, bool removed)
{
	struct dag_change *ch;

	if (d->n_changes == DAG_PART) {
		d->flood = true;
		return;
	}
	ch = &d->changes[d->n_changes++];
	cid_copy(&ch->cid, cid);
	ch->serial = serial;
	ch->removed = removed;
}

static void note_put(void *arg, const struct cid *cid, uint64_t serial)
{
	note(arg, cid, serial, false);
}

static void note_del(void *arg, const struct cid *cid, uint64_t serial)
{
	note(arg, cid, serial, true);
}

static void close_merge(struct fetch *f)
{
	merge_close(&f->merge);
	f->open = false;
}

/* 1: it is merged. 0: it has more parts, or is no block of ours. */
static int merge_one(struct dag *d, struct fetch *f, struct store_txn *t, size_t *budget)
{
	const struct set_observer o = { .put = note_put, .del = note_del, .arg = d };
	const struct delta *delta = &f->merge.block.delta;
	uint64_t generation = store_info(t)->generation;
	bool flood;
	int r;

	if (!f->open) {
		r = merge_open(&f->merge, &f->cid, f->bytes, f->len, &f->why);
		f->bad = r == -EBADMSG || r == -EFBIG;
		if (r < 0)
			return f->bad ? 0 : r;
		f->open = true;
	}
	if (f->generation != generation) /* cleaned or imported meanwhile: from the beginning */
		f->merge.place = (struct merge_place){ 0 };
	f->generation = generation;
	flood = delta->n_elements + delta->n_tombstones > DAG_FLOOD;
	d->flood |= flood;
	r = merge_step(&f->merge, t, budget, flood ? NULL : &o);
	if (r == 1)
		close_merge(f);
	return r;
}

static int merge_batch(struct store_txn *t, struct store_batch *b)
{
	struct dag *d = container_of(b, struct dag, batch);
	size_t budget = DAG_PART;
	struct list *it;

	list_each (it, &d->fetches.of[FETCH_MERGING]) {
		struct fetch *f = container_of(it, struct fetch, item);
		int r;

		if (budget == 0)
			break;
		r = merge_one(d, f, t, &budget);
		if (r < 0) {
			d->culprit = f;
			return r;
		}
		f->merged = r == 1;
		if (!f->merged && !f->bad)
			break;
	}
	return 0;
}

/* ---- the loop's thread: telling ---- */

static void tell_flood(struct dag *d)
{
	int64_t now = clock_mono_ms();

	if (!list_empty(&d->fetches.of[FETCH_HERE]) && now - d->told_ms < DAG_QUIET_MS)
		return;
	d->told_ms = now;
	d->flood = false;
	d->events->replaced(d->events->arg);
}

static void tell(struct dag *d)
{
	const struct consensus_events *ev = d->events;

	for (size_t i = 0; i < d->n_changes; i++) {
		const struct dag_change *ch = &d->changes[i];

		if (ch->removed)
			ev->pin_del(ev->arg, &ch->cid, ch->serial);
		else
			ev->pin_put(ev->arg, &ch->cid, ch->serial);
	}
	d->n_changes = 0;
	if (d->flood)
		tell_flood(d);
}

/* ---- the loop's thread: a batch ---- */

/* The transaction is gone: back to where it began. */
static void undo(struct dag *d, int status)
{
	struct list *it;

	list_each (it, &d->fetches.of[FETCH_MERGING]) {
		struct fetch *f = container_of(it, struct fetch, item);

		f->merge.place = f->open ? f->before : (struct merge_place){ 0 };
		f->merged = false;
	}
	d->n_changes = 0;
	if (!d->full)
		log_err("merging what other peers changed failed (%s), trying again",
			strerror(-status));
	d->full = true;
	d->again_ms = clock_mono_ms() + DAG_AGAIN_MS;
}

/* Lets go of what is merged; the rest is first again, but for what made the batch fail: that waits
 * for the others, and is tried alone. */
static void sweep(struct dag *d)
{
	struct list *merging = &d->fetches.of[FETCH_MERGING];
	unsigned merged = 0, bad = 0;

	while (!list_empty(merging)) {
		struct fetch *f = container_of(merging->prev, struct fetch, item);
		struct cid cid;

		if (f->bad) {
			dag_bad(d, f, &f->why);
			bad++;
		} else if (!f->merged && f == d->culprit) {
			f->alone = true;
			fetch_enter(&d->fetches, f, FETCH_HERE);
		} else if (!f->merged) {
			fetch_return(&d->fetches, f, FETCH_HERE);
		} else {
			cid_copy(&cid, &f->cid);
			fetch_free(&d->fetches, f);
			d->net->have(d->net->arg, &cid);
			merged++;
		}
	}
	d->culprit = NULL;
	dag_count(d, merged, bad);
}

static void merge_done(struct store_batch *b, int status)
{
	struct dag *d = container_of(b, struct dag, batch);

	d->busy = false;
	if (status < 0)
		undo(d, status);
	else
		d->full = false;
	sweep(d);
	tell(d);
	dag_refill(d);
	dag_idle(d);
}

/* Takes the next ones of a batch. */
static void take(struct dag *d)
{
	struct fetch *f;
	bool alone = false;

	for (unsigned n = 0; n < BLOCKS_MAX && !alone; n++) {
		f = fetch_first(&d->fetches, FETCH_HERE);
		if (!f || (f->alone && n > 0))
			break;
		alone = f->alone;
		f->before = f->merge.place;
		fetch_enter(&d->fetches, f, FETCH_MERGING);
		d->busy = true;
	}
}

void dag_merge(struct dag *d)
{
	if (d->busy || d->closing || (d->full && clock_mono_ms() < d->again_ms))
		return;
	take(d);
	if (!d->busy)
		return;
	d->batch = (struct store_batch){ .fn = merge_batch, .done = merge_done };
	store_submit(d->store, &d->batch);
}
