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

/* 1: it is open. 0: it is no block of ours. */
static int open_merge(struct fetch *f)
{
	int r;

	if (f->open)
		return 1;
	r = merge_open(&f->merge, &f->cid, f->bytes, f->len, &f->why);
	f->bad = r == -EBADMSG || r == -EFBIG;
	f->open = r == 0;
	return f->open ? 1 : f->bad ? 0 : r;
}

static void prepare(struct dag *d, struct fetch *f, struct store_txn *t,
		    const struct set_observer *o)
{
	uint64_t generation = store_info(t)->generation;
	bool flood = merge_entries(&f->merge) > DAG_FLOOD;

	if (f->generation != generation) /* cleaned or imported meanwhile: from the beginning */
		f->merge.place = f->before = (struct merge_place){ 0 };
	f->generation = generation;
	f->merge.observer = flood ? NULL : o;
	d->flood |= flood;
	if (flood)
		names_later(t);
}

/* Decodes what has arrived, as far as there is to be memory for it. */
static int gather(struct dag *d, struct store_txn *t, const struct set_observer *o,
		  struct merge *set[BLOCKS_MAX], size_t *ret_n)
{
	size_t bytes = 0, n = 0;
	struct list *it;

	list_each (it, &d->fetches.of[FETCH_MERGING]) {
		struct fetch *f = container_of(it, struct fetch, item);
		int r = open_merge(f);

		if (r < 0) {
			d->culprit = f;
			return r;
		}
		if (r == 0)
			continue;
		bytes += merge_bytes(&f->merge);
		if (n > 0 && bytes > DAG_SET_BYTES_MAX) {
			close_merge(f);
			break;
		}
		prepare(d, f, t, o);
		set[n++] = &f->merge;
	}
	*ret_n = n;
	return 0;
}

static int merge_batch(struct store_txn *t, struct store_batch *b)
{
	struct dag *d = container_of(b, struct dag, batch);
	const struct set_observer o = { .put = note_put, .del = note_del, .arg = d };
	struct merge *set[BLOCKS_MAX] = { 0 }, *culprit;
	size_t budget = DAG_PART, n = 0;
	int r = gather(d, t, &o, set, &n);

	if (r < 0)
		return r;
	r = merge_step(set, n, t, &budget, &culprit);
	if (r < 0) {
		d->culprit = container_of(culprit, struct fetch, merge);
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		struct fetch *f = container_of(set[i], struct fetch, merge);

		f->merged = merge_is_done(&f->merge);
		if (f->merged)
			close_merge(f);
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

static bool is_begun(const struct fetch *f)
{
	return f->merge.place.stage != MERGE_BEGIN;
}

/* Takes the next ones of a batch: those that were begun together are ended before others, of which
 * the keys would lie in between. */
static void take(struct dag *d)
{
	struct fetch *f;
	bool alone = false, begun = false;

	for (unsigned n = 0; n < BLOCKS_MAX && !alone; n++) {
		f = fetch_first(&d->fetches, FETCH_HERE);
		if (!f || (f->alone && n > 0) || (begun && !is_begun(f)))
			break;
		alone = f->alone;
		begun |= is_begun(f);
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
