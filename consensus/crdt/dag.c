#include "consensus/crdt/dag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/merge.h"
#include "util/clock.h"
#include "util/list.h"

#define LOG_AREA "crdt"
#include "util/log.h"

#define TICK_MS 5000
#define MERGE_BLOCKS_MAX 64    /* of one transaction */
#define FLOOD_ENTRIES DAG_PART /* a block of more is told as "everything may have changed" */

enum fetch_state {
	FETCH_WAITING, /* announced; no place free */
	FETCH_ASKED,
	FETCH_HERE,   /* arrived, not merged yet */
	FETCH_FAILED, /* not to be had; asked for again when there is hope */
	FETCH_BAD,    /* it is no block of ours, and never will be */
	FETCH_STATES
};

struct fetch {
	struct list item;
	struct cid cid;
	struct peerid from; /* who announced it; len 0: nobody, another block links to it */
	enum fetch_state state;
	int64_t since_ms;
	/* of FETCH_HERE */
	struct list queued;
	uint8_t *bytes;
	size_t len;
	struct merge merge;
	uint64_t generation; /* of the tables that the merge has begun in */
	struct merge_place before;
	bool merged;
};

struct change {
	struct cid cid;
	uint64_t serial;
	bool removed;
};

struct dag {
	struct store *store;
	uv_loop_t *loop;
	const struct consensus_events *events;
	const struct crdt_net *net;
	struct list fetches;
	size_t n[FETCH_STATES];
	struct list queue;   /* arrived ones, in order */
	struct list merging; /* taken from it; the writer's while busy */
	size_t held;         /* bytes of them */
	struct cid *last;    /* the heads heard last */
	size_t n_last;

	struct store_batch batch; /* merging */
	bool busy, full;          /* full: the last merge failed; after a while again */
	struct change changes[DAG_PART];
	size_t n_changes;
	bool flood; /* changes that were not told one by one */
	int64_t told_ms;

	uv_timer_t timer;
	int64_t again_ms; /* a failed merge is tried again */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;

	pthread_mutex_t lock; /* of what follows */
	struct crdt_sync state;
};

static void merge_next(struct dag *d);
static void refill(struct dag *d);

/* ---- the list of blocks ---- */

static struct fetch *find(const struct dag *d, const struct cid *cid)
{
	struct list *it;

	list_each (it, &d->fetches) {
		struct fetch *f = container_of(it, struct fetch, item);

		if (cid_equal(&f->cid, cid))
			return f;
	}
	return NULL;
}

static void enter(struct dag *d, struct fetch *f, enum fetch_state state)
{
	d->n[f->state]--;
	d->n[state]++;
	f->state = state;
	f->since_ms = clock_mono_ms();
}

static struct fetch *fetch_new(struct dag *d, const struct cid *cid, const struct peerid *from)
{
	size_t remembered = d->n[FETCH_WAITING] + d->n[FETCH_FAILED] + d->n[FETCH_BAD];
	struct fetch *f = remembered < DAG_REMEMBERED_MAX ? calloc(1, sizeof(*f)) : NULL;

	if (!f)
		return NULL;
	cid_copy(&f->cid, cid);
	if (from)
		f->from = *from;
	list_init(&f->queued);
	list_add_tail(&d->fetches, &f->item);
	d->n[f->state]++;
	f->since_ms = clock_mono_ms();
	return f;
}

static void drop_bytes(struct dag *d, struct fetch *f)
{
	if (!f->bytes)
		return;
	list_del(&f->queued);
	merge_close(&f->merge);
	d->held -= f->len;
	free(f->bytes);
	f->bytes = NULL;
}

static void fetch_free(struct dag *d, struct fetch *f)
{
	drop_bytes(d, f);
	d->n[f->state]--;
	list_del(&f->item);
	free(f);
}

/* Blocks of the set are dag-pb under sha2-256; an old form of the CID names the same block. */
static int normalise(const struct cid *cid, struct cid *ret)
{
	static const uint8_t v1[2] = { 1, CODEC_DAG_PB };
	size_t n;
	const uint8_t *hash = cid_multihash(cid, &n);

	if (n != 34 || hash[0] != MULTIHASH_SHA2_256 || cid_codec(cid) != CODEC_DAG_PB)
		return -EINVAL;
	memcpy(ret->bytes, v1, sizeof(v1));
	memmove(ret->bytes + sizeof(v1), hash, n);
	ret->len = (uint16_t)(sizeof(v1) + n);
	return 0;
}

/* ---- what others see of it ---- */

static void publish_state(struct dag *d, unsigned merged, unsigned failed)
{
	pthread_mutex_lock(&d->lock);
	d->state.merged += merged;
	d->state.failed += failed;
	if (merged)
		d->state.last_merge_s = clock_now_s();
	d->state.wanted = d->n[FETCH_WAITING] + d->n[FETCH_ASKED] + d->n[FETCH_HERE] +
			  d->n[FETCH_FAILED] + d->n[FETCH_BAD];
	d->state.dirty = d->n[FETCH_FAILED] + d->n[FETCH_BAD] > 0;
	pthread_mutex_unlock(&d->lock);
}

void dag_state(struct dag *d, struct crdt_sync *ret)
{
	pthread_mutex_lock(&d->lock);
	*ret = d->state;
	pthread_mutex_unlock(&d->lock);
}

/* ---- asking ---- */

static bool has_place(const struct dag *d)
{
	return d->n[FETCH_ASKED] < DAG_FLIGHT_MAX && d->held < DAG_HELD_MAX;
}

static void ask(struct dag *d, struct fetch *f)
{
	if (d->net->want(d->net->arg, &f->cid, f->from.len ? &f->from : NULL) == 0)
		enter(d, f, FETCH_ASKED);
}

static bool ask_announced(struct dag *d)
{
	struct list *it;

	list_each (it, &d->fetches) {
		struct fetch *f = container_of(it, struct fetch, item);

		if (!has_place(d))
			return false;
		if (f->state == FETCH_WAITING)
			ask(d, f);
	}
	return has_place(d);
}

static int take_stored(struct dag *d, struct fetch *f, const struct block_row *row);

/* Blocks that merged ones link to. */
static int ask_linked(struct dag *d)
{
	struct store_txn *t;
	uint64_t number = 0;
	int r = store_read(d->store, &t);

	if (r < 0)
		return r;
	while (has_place(d) && (r = wanted_next(t, &number)) == 0) {
		struct block_row row;
		struct fetch *f;

		r = blocks_row(t, number, &row);
		if (r < 0)
			break;
		if (find(d, &row.cid))
			continue;
		f = fetch_new(d, &row.cid, NULL);
		if (!f)
			break;
		if (!row.stored || take_stored(d, f, &row) < 0)
			ask(d, f);
	}
	store_read_end(t);
	return r == -ENOENT ? 0 : r;
}

static void refill(struct dag *d)
{
	if (d->closing)
		return;
	if (ask_announced(d) && ask_linked(d) < 0)
		log_warn("reading which blocks are missing failed, trying again later");
	merge_next(d);
	publish_state(d, 0, 0);
}

/* Whether its delta is in the set: 1, 0 or -errno. */
static int is_merged(const struct store_txn *t, const struct cid *cid)
{
	struct block_row row;
	struct block_id id;
	int r;

	block_id_of_cid(cid, &id);
	r = blocks_find(t, &id, &row);
	return r == 0 ? row.merged : r == -ENOENT ? 0 : r;
}

static void hear_one(struct dag *d, const struct store_txn *t, const struct cid *cid,
		     const struct peerid *from)
{
	struct cid plain;
	struct fetch *f;

	if (normalise(cid, &plain) < 0 || is_merged(t, &plain) != 0)
		return;
	f = find(d, &plain);
	if (!f)
		fetch_new(d, &plain, from);
	else if (f->state == FETCH_FAILED)
		enter(d, f, FETCH_WAITING);
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

static void hear(struct dag *d, const struct cid *heads, size_t n, const struct peerid *from)
{
	struct store_txn *t;

	if (store_read(d->store, &t) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		hear_one(d, t, &heads[i], from);
	store_read_end(t);
	refill(d);
}

void dag_heard(struct dag *d, const struct cid *heads, size_t n, const struct peerid *from)
{
	if (d->closing)
		return;
	pthread_mutex_lock(&d->lock);
	d->state.last_heard_s = clock_now_s();
	pthread_mutex_unlock(&d->lock);
	if (n > 0)
		remember_last(d, heads, n);
	hear(d, heads, n, from);
}

void dag_again(struct dag *d)
{
	struct list *it;

	list_each (it, &d->fetches) {
		struct fetch *f = container_of(it, struct fetch, item);

		if (f->state == FETCH_FAILED)
			enter(d, f, FETCH_WAITING);
	}
	refill(d);
}

void dag_replaced(struct dag *d)
{
	if (d->n_last > 0)
		hear(d, d->last, d->n_last, NULL);
	else
		refill(d);
}

/* ---- arriving ---- */

static int keep_bytes(struct dag *d, struct fetch *f, const uint8_t *p, size_t n, struct err *e)
{
	int r;

	f->bytes = malloc(n + 1);
	if (!f->bytes)
		return err_sys(e, -ENOMEM, "keeping a block");
	memcpy(f->bytes, p, n);
	f->len = n;
	r = merge_open(&f->merge, &f->cid, f->bytes, n, e);
	if (r < 0) {
		free(f->bytes);
		f->bytes = NULL;
		return r;
	}
	d->held += n;
	f->merged = false;
	enter(d, f, FETCH_HERE);
	list_add_tail(&d->queue, &f->queued);
	return 0;
}

static int take_stored(struct dag *d, struct fetch *f, const struct block_row *row)
{
	return keep_bytes(d, f, row->data, row->len, NULL);
}

/* What it links to can be asked for while it waits for being merged. */
static void hear_links(struct dag *d, const struct fetch *f)
{
	struct store_txn *t;

	if (f->merge.block.n_links == 0 || store_read(d->store, &t) < 0)
		return;
	for (size_t i = 0; i < f->merge.block.n_links; i++)
		hear_one(d, t, &f->merge.block.links[i], f->from.len ? &f->from : NULL);
	store_read_end(t);
}

void dag_block(struct dag *d, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct fetch *f = find(d, cid);
	char text[CID_TEXT_MAX + 1];
	struct err e = { 0 };
	int r;

	if (d->closing || !f || f->state == FETCH_HERE || f->state == FETCH_BAD)
		return;
	r = keep_bytes(d, f, p, n, &e);
	if (r == 0) {
		hear_links(d, f);
	} else if (r == -EBADMSG || r == -EFBIG) {
		cid_format(cid, text);
		log_warn("block %s is no delta (%s), doing without it", text, e.msg);
		enter(d, f, FETCH_BAD);
		publish_state(d, 0, 1);
	} else {
		enter(d, f, FETCH_FAILED);
	}
	refill(d);
}

/* ---- merging: the writer's thread ---- */

static void note(struct dag *d, const struct cid *cid, uint64_t serial, bool removed)
{
	struct change *ch;

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

static int merge_one(struct dag *d, struct fetch *f, struct store_txn *t, size_t *budget)
{
	const struct set_observer o = { .put = note_put, .del = note_del, .arg = d };
	const struct delta *delta = &f->merge.block.delta;
	bool flood = delta->n_elements + delta->n_tombstones > FLOOD_ENTRIES;
	uint64_t generation = store_info(t)->generation;

	if (f->generation != generation) /* cleaned or imported meanwhile: from the beginning */
		f->merge.place = (struct merge_place){ 0 };
	f->generation = generation;
	d->flood |= flood;
	return merge_step(&f->merge, t, budget, flood ? NULL : &o);
}

static int merge_batch(struct store_txn *t, struct store_batch *b)
{
	struct dag *d = container_of(b, struct dag, batch);
	size_t budget = DAG_PART;
	struct list *it;

	list_each (it, &d->merging) {
		struct fetch *f = container_of(it, struct fetch, queued);
		int r;

		if (budget == 0)
			break;
		r = merge_one(d, f, t, &budget);
		if (r < 0)
			return r;
		f->merged = r == 1;
		if (!f->merged)
			break;
	}
	return 0;
}

/* ---- merging: the loop's thread ---- */

static void tell_flood(struct dag *d)
{
	int64_t now = clock_mono_ms();

	if (!list_empty(&d->queue) && now - d->told_ms < DAG_QUIET_MS)
		return;
	d->told_ms = now;
	d->flood = false;
	d->events->replaced(d->events->arg);
}

static void tell(struct dag *d)
{
	const struct consensus_events *ev = d->events;

	for (size_t i = 0; i < d->n_changes; i++) {
		const struct change *ch = &d->changes[i];

		if (ch->removed)
			ev->pin_del(ev->arg, &ch->cid, ch->serial);
		else
			ev->pin_put(ev->arg, &ch->cid, ch->serial);
	}
	d->n_changes = 0;
}

/* The transaction is gone: back to where it began. */
static void undo(struct dag *d, int status)
{
	struct list *it;

	list_each (it, &d->merging) {
		struct fetch *f = container_of(it, struct fetch, queued);

		f->merge.place = f->before;
		f->merged = false;
	}
	d->n_changes = 0;
	if (!d->full)
		log_err("merging what other peers changed failed (%s), trying again",
			strerror(-status));
	d->full = true;
	d->again_ms = clock_mono_ms() + DAG_AGAIN_MS;
}

/* Lets go of what is merged; the rest goes back to the front of the queue. */
static unsigned sweep(struct dag *d)
{
	unsigned n = 0;

	while (!list_empty(&d->merging)) {
		struct list *last = d->merging.prev;
		struct fetch *f = container_of(last, struct fetch, queued);
		struct cid cid;

		list_del(last);
		if (!f->merged) {
			list_add(&d->queue, last);
			continue;
		}
		cid_copy(&cid, &f->cid);
		fetch_free(d, f);
		d->net->have(d->net->arg, &cid);
		n++;
	}
	return n;
}

static void check_closed(struct dag *d);

static void merge_done(struct store_batch *b, int status)
{
	struct dag *d = container_of(b, struct dag, batch);

	d->busy = false;
	if (status < 0)
		undo(d, status);
	else
		d->full = false;
	publish_state(d, sweep(d), 0);
	tell(d);
	if (d->flood)
		tell_flood(d);
	refill(d);
	check_closed(d);
}

static void merge_next(struct dag *d)
{
	if (d->busy || d->closing || list_empty(&d->queue) ||
	    (d->full && clock_mono_ms() < d->again_ms))
		return;
	for (unsigned n = 0; n < MERGE_BLOCKS_MAX && !list_empty(&d->queue); n++) {
		struct fetch *f = container_of(d->queue.next, struct fetch, queued);

		f->before = f->merge.place;
		list_del(&f->queued);
		list_add_tail(&d->merging, &f->queued);
	}
	d->busy = true;
	d->batch = (struct store_batch){ .fn = merge_batch, .done = merge_done };
	store_submit(d->store, &d->batch);
}

/* ---- time, life ---- */

static void tick(uv_timer_t *t)
{
	struct dag *d = container_of(t, struct dag, timer);
	int64_t now = clock_mono_ms();
	struct list *it;

	list_each (it, &d->fetches) {
		struct fetch *f = container_of(it, struct fetch, item);

		if (f->state != FETCH_ASKED || now - f->since_ms < DAG_FETCH_MS)
			continue;
		d->net->cancel(d->net->arg, &f->cid);
		enter(d, f, FETCH_FAILED);
	}
	refill(d);
}

int dag_new(struct store *s, uv_loop_t *loop, const struct consensus_events *events,
	    const struct crdt_net *net, struct dag **ret)
{
	struct dag *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->store = s;
	d->loop = loop;
	d->events = events;
	d->net = net;
	list_init(&d->fetches);
	list_init(&d->queue);
	list_init(&d->merging);
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

	while (!list_empty(&d->fetches))
		fetch_free(d, container_of(d->fetches.next, struct fetch, item));
	free(d->last);
	pthread_mutex_destroy(&d->lock);
	free(d);
	closed(arg);
}

static void check_closed(struct dag *d)
{
	if (d->closing && !d->busy && !uv_is_closing((uv_handle_t *)&d->timer))
		uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

void dag_close(struct dag *d, void (*closed)(void *arg), void *arg)
{
	d->closing = true;
	d->closed = closed;
	d->closed_arg = arg;
	check_closed(d);
}
