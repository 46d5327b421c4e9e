/*
 * A round: compares the whole pinset with Kubo, at start, when Kubo comes back, when the pinset was
 * replaced, at recover and every pin_recover_interval. Its steps, each in pages:
 *
 *   1. pins in error and failed unpins are queued again (when Kubo is there); where nothing is
 *      ever unpinned, unpins of what was pinned again are forgotten,
 *   2. queued pins that want nothing of Kubo become remote or sharded,
 *   3. pin/ls of all recursive, then of all direct pins: queued pins among them become pinned, so
 *      that an import of what Kubo has makes no call per pin,
 *   4. pinned ones that pin/ls did not show become unexpectedly_unpinned, due at once.
 *
 * What pin/ls showed is kept in a Bloom filter of 2 MiB, not in a table that grows with the pinset.
 * A pin that the filter has not is certainly missing in Kubo (unless its state is younger than the
 * round, which is left alone); a pin that it has by mistake is found in a later round, since each
 * round has another seed. Pages that come faster than they can be written are dropped, and one
 * more round follows.
 */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/bloom.h"
#include "util/clock.h"

#define LOG_AREA "tracker"
#include "util/log.h"

#define PAGES_MAX 64   /* pages of CIDs that wait for the writer */
#define SCAN_ROWS 2000 /* rows that one batch looks at */

enum step {
	STEP_ERRORS,
	STEP_MISSING,
	STEP_UNPINS,
	STEP_CLASSIFY,
	STEP_LS_RECURSIVE,
	STEP_LS_DIRECT,
	STEP_COMPARE,
	STEP_END
};

struct round {
	struct tracker *t;
	enum step step;
	int64_t began_ns;
	unsigned replaced; /* of the tracker, when it began: another pinset is not surveyed by it */
	struct bloom *seen;
	struct page *page;            /* being filled */
	unsigned n_pages;             /* at the writer */
	bool dropped, failed, listed; /* listed: both pin/ls came to their end */
	bool busy;                    /* a batch of a step, or a pin/ls, is under way */
	bool restart;                 /* asked for again before it compared anything */
	struct kubo_call *call;

	/* one batch at a time, its place in a list, and the pins that it changed */
	struct store_batch batch;
	struct pin pin; /* scratch of the writer's thread */
	struct status_place place;
	uint64_t after;
	enum status to;
	uint64_t changed[TRACKER_PAGE];
	unsigned n_changed;
};

/* CIDs that pin/ls showed: length, bytes. */
struct page {
	struct store_batch batch;
	struct round *round;
	enum want want;
	unsigned n, n_changed;
	struct buf cids;
	struct pin pin;
	uint64_t changed[TRACKER_PAGE];
};

static void advance(struct round *r);

/* ---- batches over lists of states ---- */

static int put_state(struct store_txn *t, struct round *r, uint64_t serial, enum status to)
{
	struct status_row row = { .status = to, .since_ns = clock_now_ns() };

	if (to == STATUS_UNEXPECTEDLY_UNPINNED) {
		row.error = TRACKER_MISSING;
		row.error_len = strlen(TRACKER_MISSING);
		row.retry_s = clock_now_s();
	}
	r->changed[r->n_changed++] = serial;
	return status_put(t, serial, &row);
}

static int requeue_list(struct store_txn *t, struct round *r, enum status from)
{
	struct status_place place = { 0 };
	int e = 0;

	r->to = STATUS_PIN_QUEUED;
	while (e == 0 && r->n_changed < TRACKER_PAGE) {
		e = status_next(t, from, &place);
		if (e < 0)
			break;
		e = tracker_requeue(t, r->t, place.serial, false);
		r->changed[r->n_changed++] = place.serial;
	}
	return e == -ENOENT ? 0 : e < 0 ? e : 1;
}

static int requeue_unpin(struct store_txn *t, struct unpin_row *row)
{
	if (row->attempts == 0 || row->due_ns <= clock_now_ns())
		return 0;
	row->due_ns = clock_now_ns();
	return unpin_put(t, row);
}

/* Nobody else looks at the list where nothing is ever unpinned. */
static int forget_unpin(struct store_txn *t, struct round *r, const struct unpin_row *row)
{
	struct pin_row pin;
	int e = pinset_find(t, &row->cid, &pin);

	if (e == 0 && tracker_want(&pin, &r->t->opt.self, &r->pin) == WANT_RECURSIVE)
		e = unpin_del(t, row->sequence);
	return e == -ENOENT ? 0 : e;
}

static int walk_unpins(struct store_txn *t, struct round *r)
{
	bool refused = tracker_unpin_refusal(r->t);
	struct unpin_row row;

	for (int i = 0; i < TRACKER_PAGE; i++) {
		int e = unpin_next(t, r->after, &row);

		if (e < 0)
			return e == -ENOENT ? 0 : e;
		r->after = row.sequence;
		e = refused ? forget_unpin(t, r, &row) : requeue_unpin(t, &row);
		if (e < 0)
			return e;
	}
	return 1;
}

static int classify_one(struct store_txn *t, struct round *r, uint64_t serial)
{
	struct status_row old;
	struct pin_row row;
	enum want want;
	int e = pinset_row(t, serial, &row);

	if (e == 0)
		e = status_get(t, serial, &old);
	if (e < 0)
		return e == -ENOENT ? 0 : e;
	want = tracker_want(&row, &r->t->opt.self, &r->pin);
	if (want != WANT_REMOTE && want != WANT_SHARDED)
		return 0;
	if (old.held) {
		struct cid cid;

		e = cid_from_bytes(row.cid, row.cid_len, &cid, NULL);
		if (e == 0)
			e = unpin_add(t, cid.bytes, cid.len, clock_now_ns());
	}
	if (e < 0)
		return e;
	return put_state(t, r, serial, want == WANT_REMOTE ? STATUS_REMOTE : STATUS_SHARDED);
}

static int compare_one(struct store_txn *t, struct round *r, uint64_t serial)
{
	struct status_row old;
	struct pin_row row;
	enum want want;
	int e = pinset_row(t, serial, &row);

	if (e == 0)
		e = status_get(t, serial, &old);
	if (e < 0)
		return e == -ENOENT ? 0 : e;
	if (old.since_ns >= r->began_ns)
		return 0;
	want = tracker_want(&row, &r->t->opt.self, &r->pin);
	if (!want_is_here(want) || bloom_has(r->seen, (uint8_t)want, row.cid, row.cid_len))
		return 0;
	r->to = STATUS_UNEXPECTEDLY_UNPINNED;
	return put_state(t, r, serial, STATUS_UNEXPECTEDLY_UNPINNED);
}

static int walk(struct store_txn *t, struct round *r, enum status list,
		int (*one)(struct store_txn *t, struct round *r, uint64_t serial))
{
	for (int i = 0; i < SCAN_ROWS && r->n_changed < TRACKER_PAGE; i++) {
		int e = status_next(t, list, &r->place);

		if (e == 0)
			e = one(t, r, r->place.serial);
		if (e < 0)
			return e == -ENOENT ? 0 : e;
	}
	return 1;
}

/* 1: there is more of the step, 0: it is done. */
static int run_step(struct store_txn *t, struct store_batch *b)
{
	struct round *r = container_of(b, struct round, batch);

	r->n_changed = 0;
	r->to = STATUS_UNDEFINED;
	switch (r->step) {
	case STEP_ERRORS:
		return requeue_list(t, r, STATUS_PIN_ERROR);
	case STEP_MISSING:
		return requeue_list(t, r, STATUS_UNEXPECTEDLY_UNPINNED);
	case STEP_UNPINS:
		return walk_unpins(t, r);
	case STEP_CLASSIFY:
		return walk(t, r, STATUS_PIN_QUEUED, classify_one);
	case STEP_COMPARE:
		return walk(t, r, STATUS_PINNED, compare_one);
	case STEP_LS_RECURSIVE:
	case STEP_LS_DIRECT:
	case STEP_END:
		break;
	}
	return 0;
}

static void step_done(struct store_batch *b, int status)
{
	struct round *r = container_of(b, struct round, batch);
	struct tracker *t = r->t;

	r->busy = false;
	if (status < 0)
		log_err("comparing the pinset with IPFS: %s, going on with the next step",
			strerror(-status));
	else
		tracker_tell_now(t, r->changed, r->n_changed);
	if (status <= 0) {
		r->step++;
		r->place = (struct status_place){ 0 };
	}
	tracker_soon(t);
	advance(r);
	tracker_unuse(t);
}

static void submit_step(struct round *r)
{
	r->batch.fn = run_step;
	r->batch.done = step_done;
	r->busy = true;
	tracker_use(r->t);
	store_submit(r->t->opt.store, &r->batch);
}

/* ---- pin/ls ---- */

static void page_free(struct page *p)
{
	if (!p)
		return;
	buf_deinit(&p->cids);
	pin_deinit(&p->pin);
	free(p);
}

static int match_one(struct store_txn *t, struct page *p, const struct cid *cid)
{
	struct status_row status, pinned = { .status = STATUS_PINNED, .since_ns = clock_now_ns() };
	struct pin_row row;
	int e = pinset_find(t, cid, &row);

	if (e == 0)
		e = status_get(t, row.serial, &status);
	if (e < 0)
		return e == -ENOENT ? 0 : e;
	if (status.status != STATUS_PIN_QUEUED && status.status != STATUS_PIN_ERROR &&
	    status.status != STATUS_UNEXPECTEDLY_UNPINNED)
		return 0;
	if (tracker_want(&row, &p->round->t->opt.self, &p->pin) != p->want)
		return 0;
	p->changed[p->n_changed++] = row.serial;
	return status_put(t, row.serial, &pinned);
}

static int match_page(struct store_txn *t, struct store_batch *b)
{
	struct page *p = container_of(b, struct page, batch);
	struct cid cid;
	int e = 0;

	p->n_changed = 0;
	for (size_t at = 0; e == 0 && at < p->cids.len; at += sizeof(cid.len) + cid.len) {
		memcpy(&cid.len, p->cids.data + at, sizeof(cid.len));
		memcpy(cid.bytes, p->cids.data + at + sizeof(cid.len), cid.len);
		e = match_one(t, p, &cid);
	}
	return e;
}

static void page_done(struct store_batch *b, int status)
{
	struct page *p = container_of(b, struct page, batch);
	struct round *r = p->round;
	struct tracker *t = r->t;

	if (status < 0)
		r->dropped = true;
	else
		tracker_tell_now(t, p->changed, p->n_changed);
	page_free(p);
	r->n_pages--;
	advance(r);
	tracker_unuse(t);
}

/* Whether pins wait that a page could settle. */
static bool is_anything_open(struct tracker *t)
{
	const uint64_t *n;
	struct store_txn *txn;
	bool any;

	if (store_read(t->opt.store, &txn) < 0)
		return true;
	n = store_info(txn)->by_status;
	any = n[STATUS_PIN_QUEUED] || n[STATUS_PIN_ERROR] || n[STATUS_UNEXPECTEDLY_UNPINNED];
	store_read_end(txn);
	return any;
}

static void submit_page(struct round *r)
{
	struct page *p = r->page;

	r->page = NULL;
	if (!p)
		return;
	if (!is_anything_open(r->t)) {
		page_free(p);
		return;
	}
	if (r->n_pages >= PAGES_MAX) {
		r->dropped = true;
		page_free(p);
		return;
	}
	r->n_pages++;
	p->batch.fn = match_page;
	p->batch.done = page_done;
	tracker_use(r->t);
	store_submit(r->t->opt.store, &p->batch);
}

static struct page *page_new(struct round *r)
{
	struct page *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->round = r;
	p->want = r->step == STEP_LS_RECURSIVE ? WANT_RECURSIVE : WANT_DIRECT;
	pin_init(&p->pin);
	return p;
}

static void on_listed(void *arg, const struct cid *cid)
{
	struct round *r = arg;
	struct page *p;

	bloom_add(r->seen, r->step == STEP_LS_RECURSIVE ? WANT_RECURSIVE : WANT_DIRECT, cid->bytes,
		  cid->len);
	if (!r->page)
		r->page = page_new(r);
	p = r->page;
	if (!p || buf_reserve(&p->cids, sizeof(cid->len) + cid->len) < 0) {
		r->dropped = true;
		return;
	}
	buf_append(&p->cids, &cid->len, sizeof(cid->len));
	buf_append(&p->cids, cid->bytes, cid->len);
	if (++p->n == TRACKER_PAGE)
		submit_page(r);
}

static void ls_ended(struct round *r, int status, const struct err *e)
{
	r->busy = false;
	if (status == 0) {
		submit_page(r);
		r->listed = r->step == STEP_LS_DIRECT;
		r->step++;
	} else {
		page_free(r->page);
		r->page = NULL;
		r->failed = true;
		r->step = STEP_END;
		if (!r->t->closing && tracker_kubo_is_away(status) && e)
			tracker_kubo_lost(r->t, e);
		else if (!r->t->closing)
			log_warn("listing the pins of IPFS failed (%s), asking for each instead",
				 e ? e->msg : strerror(-status));
	}
	advance(r);
}

static void on_ls_done(void *arg, int status, const struct err *e)
{
	struct round *r = arg;
	struct tracker *t = r->t;

	r->call = NULL;
	ls_ended(r, status, e);
	tracker_unuse(t);
}

static void start_ls(struct round *r)
{
	int e;

	r->busy = true;
	tracker_use(r->t);
	e = kubo_pin_ls(r->t->opt.kubo, r->step == STEP_LS_RECURSIVE ? KUBO_RECURSIVE : KUBO_DIRECT,
			on_listed, on_ls_done, r, &r->call);
	if (e < 0) {
		struct tracker *t = r->t;

		ls_ended(r, e, NULL);
		tracker_unuse(t);
	}
}

/* ---- the order of steps ---- */

static void round_free(struct round *r)
{
	page_free(r->page);
	bloom_free(r->seen);
	pin_deinit(&r->pin);
	free(r);
}

static void finish(struct round *r)
{
	struct tracker *t = r->t;

	if (r->replaced == t->replaced && (r->listed || (r->failed && t->known.up)))
		t->surveyed = true;
	t->round_again |= r->dropped && !r->failed;
	t->round = NULL;
	round_free(r);
	tracker_soon(t);
	if (t->round_again)
		tracker_round(t);
}

static void begin(struct round *r)
{
	r->restart = false;
	r->step = STEP_ERRORS;
	r->place = (struct status_place){ 0 };
	r->after = 0;
	r->began_ns = clock_now_ns();
	r->replaced = r->t->replaced;
}

static void advance(struct round *r)
{
	if (r->busy)
		return;
	if (r->restart)
		begin(r);
	if (r->t->closing)
		r->step = STEP_END;
	if (r->step < STEP_CLASSIFY && !r->t->known.up)
		r->step = STEP_CLASSIFY;
	if (r->step > STEP_CLASSIFY && !r->t->known.up)
		r->step = STEP_END;
	if (r->step == STEP_COMPARE && r->n_pages > 0)
		return; /* the last of them comes back here */
	if (r->step == STEP_END && r->n_pages == 0)
		finish(r);
	else if (r->step == STEP_LS_RECURSIVE || r->step == STEP_LS_DIRECT)
		start_ls(r);
	else if (r->step != STEP_END)
		submit_step(r);
}

void tracker_round(struct tracker *t)
{
	struct round *r;

	t->round_again = t->round && t->round->step > STEP_CLASSIFY;
	if (t->round)
		t->round->restart = !t->round_again;
	if (t->round || t->closing)
		return;
	r = calloc(1, sizeof(*r));
	if (!r)
		return; /* the next recover makes one */
	r->t = t;
	begin(r);
	r->seen = bloom_new();
	pin_init(&r->pin);
	if (!r->seen) {
		round_free(r);
		return;
	}
	t->round = r;
	advance(r);
}

void tracker_round_stop(struct tracker *t)
{
	if (t->round && t->round->call)
		kubo_cancel(t->round->call);
}
