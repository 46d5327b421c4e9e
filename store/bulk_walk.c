/* The new set and the present one, key by key. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/bulk_internal.h"
#include "types/cid.h"

struct walk {
	const struct bulk *bulk;
	const struct store_txn *t;
	struct sort_merge merge;
	struct sort_item item; /* the next one of the new set */
	bool has_item;
	MDB_cursor *cursor;
	MDB_val old_key; /* the next one of the present set */
	struct key_row old_row;
	bool has_old;
	uint64_t *blocks; /* of the key at hand */
	size_t cap_blocks;
};

static int next_item(struct walk *w)
{
	w->has_item = sort_merge_next(&w->merge, &w->item) == 1;
	return 0;
}

/* The next key of the present set that has a value. */
static int next_old(struct walk *w, MDB_cursor_op op)
{
	MDB_val val;
	int r;

	w->has_old = false;
	do {
		r = lmdb_errno(mdb_cursor_get(w->cursor, &w->old_key, &val, op));
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		if (val.mv_size != sizeof(w->old_row))
			return -EBADMSG;
		memcpy(&w->old_row, val.mv_data, sizeof(w->old_row));
		op = MDB_NEXT;
	} while (w->old_row.serial == 0);
	w->has_old = true;
	return 0;
}

static int compare(const struct walk *w)
{
	size_t a = w->item.len, b = w->old_key.mv_size;
	int c;

	if (!w->has_item || !w->has_old)
		return w->has_item ? -1 : 1;
	c = memcmp(w->item.key, w->old_key.mv_data, a < b ? a : b);
	return c ? c : (a > b) - (a < b);
}

static int add_block(struct walk *w, struct bulk_step *st, uint64_t block)
{
	/* Records of a key come in the order of the dump, so equal ones are neighbours. */
	if (st->n_blocks > 0 && w->blocks[st->n_blocks - 1] == block)
		return 0;
	if (st->n_blocks == w->cap_blocks) {
		size_t cap = w->cap_blocks ? 2 * w->cap_blocks : 16;
		uint64_t *p = reallocarray(w->blocks, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		w->blocks = p;
		w->cap_blocks = cap;
	}
	w->blocks[st->n_blocks++] = block;
	return 0;
}

/* All pins of one key: the last counts. */
static int take_new(struct walk *w, struct bulk_step *st)
{
	struct sort_item first = w->item;
	int r = 0;

	st->is_new = true;
	while (r == 0 && w->has_item && w->item.len == first.len &&
	       memcmp(w->item.key, first.key, first.len) == 0) {
		struct bulk_record rec;

		memcpy(&rec, w->bulk->records.map + w->item.value, sizeof(rec));
		st->record = w->item.value;
		r = add_block(w, st, rec.block);
		if (r == 0)
			r = next_item(w);
	}
	st->blocks = w->blocks;
	return r;
}

static int take_old(struct walk *w, struct bulk_step *st)
{
	int r = pinset_raw(w->t, w->old_row.serial, &st->old);

	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	st->is_old = !(st->old.flags & PIN_ROW_UNREADABLE);
	return next_old(w, MDB_NEXT);
}

static int step(struct walk *w, struct bulk_step *st)
{
	int c = compare(w), r = 0;

	*st = (struct bulk_step){ 0 };
	if (c <= 0)
		r = take_new(w, st);
	if (r == 0 && c >= 0)
		r = take_old(w, st);
	if (r == 0 && st->is_new && st->is_old) {
		struct bulk_view v;

		bulk_view(w->bulk, st->record, &v);
		st->equal = st->old.value_len == v.rec.value_len &&
			    memcmp(st->old.value, v.value, v.rec.value_len) == 0;
	}
	return r;
}

int bulk_walk(const struct bulk *b, const struct store_txn *t, const atomic_bool *abort,
	      int (*fn)(void *arg, const struct bulk_step *st), void *arg)
{
	struct walk w = { .bulk = b, .t = t };
	struct bulk_step st;
	uint64_t n = 0;
	int r = sort_merge_open(&b->keys, &w.merge);

	if (r < 0)
		return r;
	r = lmdb_errno(mdb_cursor_open(t->txn, t->gen->dbi[TABLE_KEYS], &w.cursor));
	if (r < 0)
		goto out_merge;
	r = next_old(&w, MDB_FIRST);
	if (r == 0)
		r = next_item(&w);
	while (r == 0 && (w.has_item || w.has_old)) {
		if (abort && n++ % BULK_ABORT_EVERY == 0 && atomic_load(abort))
			r = -ECANCELED;
		if (r == 0)
			r = step(&w, &st);
		if (r == 0)
			r = fn(arg, &st);
	}
	free(w.blocks);
	mdb_cursor_close(w.cursor);
out_merge:
	sort_merge_close(&w.merge);
	return r;
}

/* ---- the differences alone ---- */

struct diff {
	const struct bulk *bulk;
	int (*fn)(void *arg, const struct bulk_change *ch);
	void *arg;
	struct bulk_counts *counts;
};

static int diff_step(void *arg, const struct bulk_step *st)
{
	struct diff *d = arg;
	struct bulk_change ch = { .gone = !st->is_new };
	struct bulk_view v;
	int r;

	d->counts->pins += st->is_new;
	d->counts->added += st->is_new && !st->is_old;
	d->counts->changed += st->is_new && st->is_old && !st->equal;
	d->counts->removed += !st->is_new && st->is_old;
	if (!d->fn || st->equal || (!st->is_new && !st->is_old))
		return 0;
	if (ch.gone) {
		r = cid_from_bytes(st->old.cid, st->old.cid_len, &ch.cid, NULL);
	} else {
		bulk_view(d->bulk, st->record, &v);
		r = cid_from_bytes(v.cid, v.rec.head.cid_len, &ch.cid, NULL);
		ch.value = v.value;
		ch.value_len = v.rec.value_len;
	}
	return r < 0 ? r : d->fn(d->arg, &ch);
}

int bulk_diff(struct store *s, struct bulk *b, const atomic_bool *abort,
	      int (*fn)(void *arg, const struct bulk_change *ch), void *arg,
	      struct bulk_counts *ret)
{
	struct diff d = { .bulk = b, .fn = fn, .arg = arg, .counts = ret };
	struct store_txn *t;
	int r = store_read(s, &t);

	if (r < 0)
		return r;
	*ret = (struct bulk_counts){ .pins_before = store_info(t)->pins,
				     .revision_before = store_info(t)->revision };
	r = bulk_walk(b, t, abort, diff_step, &d);
	store_read_end(t);
	return r;
}
