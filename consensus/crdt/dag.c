#include "consensus/crdt/dag.h"

#include <errno.h>
#include <stdlib.h>

#include "consensus/crdt/dag_internal.h"
#include "util/clock.h"

#define LOG_AREA "crdt"
#include "util/log.h"

#define TICK_MS 5000

/* ---- what others see of it ---- */

static uint64_t count_wanted(const struct dag *d)
{
	const struct fetches *fs = &d->fetches;
	size_t known = fs->n[FETCH_WAITING] + fs->n[FETCH_ASKED] + fs->n[FETCH_HERE] +
		       fs->n[FETCH_MERGING] + fs->n[FETCH_FAILED];
	struct store_txn *t;
	uint64_t n = 0;

	if (store_read(d->store, &t) < 0)
		return known;
	wanted_count(t, &n);
	store_read_end(t);
	return n > known ? n : known;
}

void dag_count(struct dag *d, unsigned merged, unsigned failed)
{
	uint64_t wanted = count_wanted(d);

	pthread_mutex_lock(&d->lock);
	d->state.merged += merged;
	d->state.failed += failed;
	if (merged)
		d->state.last_merge_s = clock_now_s();
	d->state.wanted = wanted;
	d->state.dirty = d->fetches.n[FETCH_FAILED] > 0;
	pthread_mutex_unlock(&d->lock);
}

void dag_state(struct dag *d, struct crdt_sync *ret)
{
	pthread_mutex_lock(&d->lock);
	*ret = d->state;
	pthread_mutex_unlock(&d->lock);
}

/* ---- asking ---- */

static bool has_place(const struct dag *d, size_t max)
{
	const struct fetches *fs = &d->fetches;

	return fs->n[FETCH_ASKED] < max && fs->n[FETCH_HERE] < DAG_HERE_MAX &&
	       fs->held < DAG_HELD_MAX;
}

/* Whether the block is in the set: 1, 0 or -errno. @ret: its row, where it has one. */
static int look(const struct store_txn *t, const struct cid *cid, struct block_row *ret)
{
	struct block_id id;
	int r;

	ret->stored = false;
	block_id_of_cid(cid, &id);
	r = blocks_find(t, &id, ret);
	return r == 0 ? ret->merged : r == -ENOENT ? 0 : r;
}

/* Gives a block its place. Its bytes may be here, from before a crash. -EAGAIN: no more can be
 * asked for now. */
static int ask(struct dag *d, const struct store_txn *t, struct fetch *f)
{
	struct block_row row;
	int r = look(t, &f->cid, &row);

	if (r == 1) {
		fetch_free(&d->fetches, f);
		return 0;
	}
	if (r == 0 && row.stored)
		return fetch_take(&d->fetches, f, row.data, row.len);
	if (r == 0)
		r = d->net->want(d->net->arg, &f->cid, f->from.len ? &f->from : NULL);
	if (r == 0)
		fetch_enter(&d->fetches, f, FETCH_ASKED);
	return r;
}

static bool has_place_of(const struct dag *d, const struct fetch *f)
{
	return f->author.len == 0 ||
	       fetch_count_of(&d->fetches, FETCH_ASKED, &f->author) < DAG_FLIGHT_OF_ONE_MAX;
}

/* What is announced and has waited for longest first, but that nobody has all places. */
static int ask_waiting(struct dag *d, const struct store_txn *t)
{
	const struct list *waiting = &d->fetches.of[FETCH_WAITING];
	struct peerid full = { 0 }; /* the last one who has no more places */
	struct list *it, *next;
	int r = 0;

	list_each_safe (it, next, waiting) {
		struct fetch *f = container_of(it, struct fetch, item);

		if (r < 0 || !has_place(d, DAG_FLIGHT_MAX))
			break;
		if (full.len > 0 && peerid_equal(&full, &f->author))
			continue;
		if (has_place_of(d, f))
			r = ask(d, t, f);
		else
			full = f->author;
	}
	return r;
}

/* One block that a merged one links to. */
static int ask_linked(struct dag *d, const struct store_txn *t, uint64_t number)
{
	struct block_row row;
	struct fetch *f;
	int r = blocks_row(t, number, &row);

	if (r < 0)
		return r;
	f = fetch_find(&d->fetches, &row.cid);
	if (f) {
		fetch_mark_linked(&d->fetches, f);
		return 0;
	}
	f = fetch_new(&d->fetches, &row.cid, NULL, NULL);
	if (!f)
		return -EAGAIN;
	fetch_mark_linked(&d->fetches, f);
	return ask(d, t, f);
}

/* Goes around the list of wanted blocks, once at most. Those that failed are remembered, and passed
 * over; where they are too many for that, each has its turn. */
static int ask_wanted(struct dag *d, const struct store_txn *t)
{
	uint64_t n, stop = d->place;
	bool around = false;
	int r = wanted_count(t, &n);

	while (r == 0 && n > d->fetches.n_linked && has_place(d, DAG_FLIGHT_LINKED_MAX)) {
		r = wanted_next(t, &d->place);
		if (r == -ENOENT && !around && stop > 0) {
			around = true;
			d->place = 0;
			r = 0;
			continue;
		}
		if (r == -ENOENT)
			d->place = 0;
		if (r < 0 || (around && d->place > stop))
			break;
		r = ask_linked(d, t, d->place);
	}
	return r == -ENOENT ? 0 : r;
}

void dag_refill(struct dag *d)
{
	struct store_txn *t;
	int r;

	if (d->closing)
		return;
	r = store_read(d->store, &t);
	if (r == 0) {
		r = ask_waiting(d, t);
		if (r == 0)
			r = ask_wanted(d, t);
		store_read_end(t);
	}
	if (r < 0 && r != -EAGAIN)
		log_warn("asking for missing blocks failed (%s), trying again later", strerror(-r));
	dag_merge(d);
	dag_count(d, 0, 0);
}

/* ---- hearing ---- */

/* True: it is known of from now on. */
static bool hear_one(struct dag *d, const struct store_txn *t, const struct cid *cid,
		     const struct peerid *author, const struct peerid *from)
{
	struct block_row row;
	struct cid plain;

	return fetch_normalise(cid, &plain) == 0 && !fetch_find(&d->fetches, &plain) &&
	       look(t, &plain, &row) == 0 && fetch_new(&d->fetches, &plain, author, from);
}

/* How many more of this author's may wait. */
static size_t room_for(const struct dag *d, const struct peerid *author)
{
	size_t n = author ? fetch_count_of(&d->fetches, FETCH_WAITING, author) : 0;

	return n < FETCH_WAITING_OF_ONE_MAX ? FETCH_WAITING_OF_ONE_MAX - n : 0;
}

static void hear(struct dag *d, const struct cid *heads, size_t n, const struct peerid *author,
		 const struct peerid *from)
{
	size_t room = room_for(d, author);
	struct store_txn *t;

	if (store_read(d->store, &t) == 0) {
		for (size_t i = 0; i < n && room > 0; i++)
			room -= hear_one(d, t, &heads[i], author, from);
		store_read_end(t);
	}
	dag_refill(d);
}

static void remember_last(struct dag *d, const struct cid *heads, size_t n)
{
	struct cid *copy = malloc((n + 1) * sizeof(*copy));

	if (!copy)
		return;
	for (size_t i = 0; i < n; i++)
		cid_copy(&copy[i], &heads[i]);
	free(d->last);
	d->last = copy;
	d->n_last = n;
}

/* Forgets that blocks were not to be had, so that they are asked for again: those that are so for
 * @ms at least. */
static void hope(struct dag *d, int64_t ms)
{
	int64_t now = clock_mono_ms();
	struct fetch *f;

	while ((f = fetch_first(&d->fetches, FETCH_FAILED)) && now - f->since_ms >= ms)
		fetch_free(&d->fetches, f);
}

void dag_heard(struct dag *d, const struct cid *heads, size_t n, const struct peerid *author,
	       const struct peerid *from)
{
	if (d->closing)
		return;
	pthread_mutex_lock(&d->lock);
	d->state.last_heard_s = clock_now_s();
	pthread_mutex_unlock(&d->lock);
	if (n > 0)
		remember_last(d, heads, n);
	hope(d, DAG_FETCH_MS);
	hear(d, heads, n, author, from);
}

void dag_again(struct dag *d)
{
	hope(d, 0);
	dag_refill(d);
}

static void forget_all(struct dag *d, enum fetch_state state)
{
	struct fetch *f;

	while ((f = fetch_first(&d->fetches, state))) {
		if (state == FETCH_ASKED)
			d->net->cancel(d->net->arg, &f->cid);
		fetch_free(&d->fetches, f);
	}
}

static uint64_t generation_now(struct dag *d)
{
	uint64_t generation = d->generation;
	struct store_txn *t;

	if (store_read(d->store, &t) == 0) {
		generation = store_info(t)->generation;
		store_read_end(t);
	}
	return generation;
}

void dag_replaced(struct dag *d)
{
	uint64_t generation = generation_now(d);

	if (generation == d->generation) {
		dag_refill(d);
		return;
	}
	d->generation = generation;
	d->place = 0;
	forget_all(d, FETCH_WAITING);
	forget_all(d, FETCH_ASKED);
	forget_all(d, FETCH_FAILED);
	forget_all(d, FETCH_BAD);
	hear(d, d->last, d->n_last, NULL, NULL);
}

/* ---- arriving ---- */

struct arrival {
	struct dag *d;
	struct store_txn *t;
	const struct fetch *f;
};

/* What it links to can be asked for while it waits for being merged, as far as there is place; the
 * rest is found in the store when it is. */
static void hear_link(void *arg, const struct cid *link)
{
	struct arrival *a = arg;
	const struct fetches *fs = &a->d->fetches;

	if (a->t && fs->n[FETCH_WAITING] + fs->n[FETCH_ASKED] < DAG_FLIGHT_LINKED_MAX)
		hear_one(a->d, a->t, link, NULL, a->f->from.len ? &a->f->from : NULL);
}

static int hear_links(struct dag *d, const struct fetch *f, struct err *e)
{
	struct arrival a = { .d = d, .f = f };
	int r;

	if (store_read(d->store, &a.t) < 0)
		a.t = NULL;
	r = block_links(f->bytes, f->len, hear_link, &a, e);
	if (a.t)
		store_read_end(a.t);
	return r;
}

void dag_bad(struct dag *d, struct fetch *f, const struct err *why)
{
	char text[CID_TEXT_MAX + 1];

	cid_format(&f->cid, text);
	log_warn("block %s is no delta (%s), doing without it", text, why->msg);
	fetch_enter(&d->fetches, f, FETCH_BAD);
}

/* Nobody gives it now. */
static void lose(struct dag *d, struct fetch *f)
{
	if (f->linked)
		fetch_enter(&d->fetches, f, FETCH_FAILED);
	else
		fetch_free(&d->fetches, f);
}

void dag_block(struct dag *d, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct fetch *f = fetch_find(&d->fetches, cid);
	struct err e = { 0 };

	if (d->closing || !f || (f->state != FETCH_ASKED && f->state != FETCH_WAITING))
		return;
	if (d->fetches.held >= DAG_HELD_MAX) {
		fetch_enter(&d->fetches, f, FETCH_WAITING);
	} else if (fetch_take(&d->fetches, f, p, n) < 0) {
		lose(d, f);
	} else if (hear_links(d, f, &e) < 0) {
		dag_bad(d, f, &e);
		dag_count(d, 0, 1);
	}
	dag_refill(d);
}

/* ---- time, life ---- */

static void tick(uv_timer_t *t)
{
	struct dag *d = container_of(t, struct dag, timer);
	int64_t now = clock_mono_ms();
	struct fetch *f;

	while ((f = fetch_first(&d->fetches, FETCH_ASKED)) && now - f->since_ms >= DAG_FETCH_MS) {
		d->net->cancel(d->net->arg, &f->cid);
		lose(d, f);
	}
	dag_refill(d);
}

int dag_new(struct store *s, uv_loop_t *loop, const struct consensus_events *events,
	    const struct crdt_net *net, struct dag **ret)
{
	struct dag *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->store = s;
	d->events = events;
	d->net = net;
	d->generation = generation_now(d);
	fetches_init(&d->fetches);
	pthread_mutex_init(&d->lock, NULL);
	uv_timer_init(loop, &d->timer);
	uv_timer_start(&d->timer, tick, 0, TICK_MS);
	*ret = d;
	return 0;
}

static void on_timer_closed(uv_handle_t *t)
{
	struct dag *d = container_of(t, struct dag, timer);
	void (*closed)(void *) = d->closed;
	void *arg = d->closed_arg;

	fetches_clear(&d->fetches);
	free(d->last);
	pthread_mutex_destroy(&d->lock);
	free(d);
	closed(arg);
}

void dag_idle(struct dag *d)
{
	if (d->closing && !d->busy && !uv_is_closing((uv_handle_t *)&d->timer))
		uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

void dag_close(struct dag *d, void (*closed)(void *arg), void *arg)
{
	d->closing = true;
	d->closed = closed;
	d->closed_arg = arg;
	dag_idle(d);
}
