/*
 * Fills a new generation in the order of its keys, and switches to it.
 *
 * Transactions before the switch leave out the sync of LMDB's meta page: a crash of the machine may
 * undo the last of them, which only the tables of the unfinished generation are in. The switch
 * syncs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/blocks.h"
#include "store/bulk_internal.h"
#include "store/sortkey.h"
#include "types/cid.h"

#define LOG_AREA "store"
#include "util/log.h"

struct filler {
	struct store *store;
	struct bulk *bulk;
	struct bulk_plan *plan;
	const struct bulk_check *check;
	struct generation *gen; /* being filled */
	struct store_txn *t;
	MDB_cursor *cursors[TABLE_NR]; /* of this transaction */
	size_t dirty;                  /* bytes of this transaction, about */
	uint64_t next_number, next_block, first_block;
};

/* ---- transactions ---- */

static int fill_begin(struct filler *f)
{
	int r = store_write(f->store, &f->t);

	if (r == 0)
		f->t->gen = f->gen;
	f->dirty = 0;
	return r;
}

static int fill_commit(struct filler *f)
{
	struct store_txn *t = f->t;

	f->t = NULL;
	memset(f->cursors, 0, sizeof(f->cursors)); /* the commit closes them */
	return store_commit(t);
}

static int fill_cut(struct filler *f)
{
	int r;

	if (f->dirty < STORE_TXN_BYTES)
		return 0;
	if (f->check->abort && atomic_load(f->check->abort))
		return -ECANCELED;
	r = fill_commit(f);
	return r < 0 ? r : fill_begin(f);
}

/* One entry more at the end of a table. */
static int append(struct filler *f, enum table tb, MDB_val key, MDB_val *val, unsigned flags)
{
	int r = 0;

	if (!f->cursors[tb])
		r = lmdb_errno(mdb_cursor_open(f->t->txn, f->gen->dbi[tb], &f->cursors[tb]));
	f->dirty += key.mv_size + val->mv_size + 16;
	return r < 0 ? r
		     : lmdb_errno(mdb_cursor_put(f->cursors[tb], &key, val, MDB_APPEND | flags));
}

static int append_key(struct filler *f, enum table tb, const void *key, size_t n)
{
	MDB_val val = val_of("", 0);

	return append(f, tb, val_of(key, n), &val, 0);
}

/* Tables of an earlier load that could not be dropped may have this number. */
static int empty_tables(struct filler *f)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < TABLE_NR; i++)
		r = lmdb_errno(mdb_drop(f->t->txn, f->gen->dbi[i], 0));
	return r;
}

static int fill_open(struct filler *f)
{
	int r;

	generation_make_room(f->store);
	r = store_write(f->store, &f->t);
	if (r < 0)
		return r;
	r = generation_open(f->store, f->t->txn, generation_next_number(f->store), true, &f->gen);
	if (r < 0)
		return r;
	f->t->gen = f->gen;
	f->first_block = f->next_block = f->t->info.next_block;
	r = empty_tables(f);
	if (r == 0)
		r = fill_commit(f);
	if (r < 0) {
		generation_forget(f->store, f->gen);
		f->gen = NULL;
		return r;
	}
	return fill_begin(f);
}

/* ---- names ---- */

static int name_end(struct filler *f, uint64_t number, uint64_t count, const struct sort_item *name)
{
	uint8_t out[sizeof(struct name_head) + NAME_FOLDER_MAX];
	struct name_head h = { count };
	MDB_val val = val_u64(&number);
	int r = append(f, TABLE_NAMES, val_of(name->key, name->len), &val, 0);

	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), name->key, name->len);
	val = val_of(out, sizeof(h) + name->len);
	return r < 0 ? r : append(f, TABLE_NAME_IDS, val_u64(&number), &val, 0);
}

static bool same_name(const struct sort_item *a, const struct sort_item *b)
{
	return a->len == b->len && memcmp(a->key, b->key, a->len) == 0;
}

/* Numbers names in their order, and remembers for each row which is its. */
static int fill_names(struct filler *f)
{
	struct sort_item item, last = { 0 };
	struct bulk_plan *p = f->plan;
	uint8_t k[NAME_PIN_KEY];
	struct sort_merge m;
	uint64_t count = 0;
	int r = sort_merge_open(&p->names, &m);

	if (r < 0)
		return r;
	while (r == 0 && sort_merge_next(&m, &item) == 1) {
		if (count > 0 && !same_name(&item, &last)) {
			r = name_end(f, f->next_number++, count, &last);
			count = 0;
		}
		last = item;
		count++;
		memcpy(p->name_of.map + 8 * (item.value - p->base), &f->next_number, 8);
		name_pin_key(k, f->next_number, item.value);
		if (r == 0)
			r = append_key(f, TABLE_NAME_PINS, k, sizeof(k));
		if (r == 0)
			r = fill_cut(f);
	}
	if (r == 0 && count > 0)
		r = name_end(f, f->next_number++, count, &last);
	sort_merge_close(&m);
	return r;
}

/* ---- rows ---- */

static int fill_pin(struct filler *f, uint64_t serial, const struct bulk_view *v)
{
	size_t tail = v->rec.head.cid_len + (size_t)v->rec.value_len;
	MDB_val val = { sizeof(v->rec.head) + tail, NULL };
	struct pin_row_head h = v->rec.head;
	uint8_t *p;
	int r = append(f, TABLE_PINS, val_u64(&serial), &val, MDB_RESERVE);

	if (r < 0)
		return r;
	h.kid = serial;
	memcpy(&h.name, f->plan->name_of.map + 8 * (serial - f->plan->base), 8);
	p = val.mv_data;
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), v->cid, tail);
	return 0;
}

static int fill_element(struct filler *f, uint64_t kid, uint64_t block)
{
	uint8_t k[ELEMENT_KEY];

	element_key(k, kid, ELEMENT_ADDED, f->first_block + block);
	return append_key(f, TABLE_ELEMENTS, k, sizeof(k));
}

static int fill_key(struct filler *f, uint64_t serial, const struct bulk_view *v)
{
	struct key_row row = { .kid = serial, .serial = serial };
	MDB_val val = val_of(&row, sizeof(row));
	struct sortkey key;

	sortkey_of_cid(v->cid, v->rec.head.cid_len, &key);
	return append(f, TABLE_KEYS, val_of(key.bytes, key.len), &val, 0);
}

static int fill_status(struct filler *f, uint64_t serial, const struct bulk_row *row)
{
	struct status_head h = {
		.since_ns = row->since_ns, .status = row->status, .rank = 1, .held = row->held
	};
	MDB_val val = val_of(&h, sizeof(h));

	return append(f, TABLE_STATUS, val_u64(&serial), &val, 0);
}

/* @more: indexes of the blocks besides the record's own, which is the last. */
static int fill_row(struct filler *f, uint64_t serial, const struct bulk_row *row,
		    const uint8_t *more)
{
	struct bulk_view v;
	int r;

	bulk_view(f->bulk, row->record, &v);
	r = fill_key(f, serial, &v);
	if (r == 0)
		r = fill_pin(f, serial, &v);
	for (uint32_t i = 0; r == 0 && i < row->more_blocks; i++) {
		uint64_t block;

		memcpy(&block, more + 8 * (size_t)i, 8);
		r = fill_element(f, serial, block);
	}
	if (r == 0)
		r = fill_element(f, serial, v.rec.block);
	if (r == 0)
		r = fill_status(f, serial, row);
	return r < 0 ? r : fill_cut(f);
}

static int fill_rows(struct filler *f)
{
	const uint8_t *p = f->plan->rows.map, *end = p + f->plan->rows.size;
	uint64_t serial = f->plan->base;
	int r = 0;

	while (r == 0 && p < end) {
		struct bulk_row row;

		memcpy(&row, p, sizeof(row));
		p += sizeof(row);
		r = fill_row(f, serial++, &row, p);
		p += 8 * (size_t)row.more_blocks;
	}
	return r;
}

/* The index by state: in one pass over the rows for each state there is. */
static int fill_by_status(struct filler *f, enum status status)
{
	const uint8_t *p = f->plan->rows.map, *end = p + f->plan->rows.size;
	uint64_t serial = f->plan->base;
	uint8_t k[BY_STATUS_KEY];
	int r = 0;

	if (f->plan->by_status[status] == 0)
		return 0;
	for (; r == 0 && p < end; serial++) {
		struct bulk_row row;

		memcpy(&row, p, sizeof(row));
		p += sizeof(row) + 8 * (size_t)row.more_blocks;
		if (row.status != status)
			continue;
		by_status_key(k, status, 1, serial);
		r = append_key(f, TABLE_BY_STATUS, k, sizeof(k));
		if (r == 0)
			r = fill_cut(f);
	}
	return r;
}

static int fill_due(struct filler *f)
{
	struct sort_item item;
	struct sort_merge m;
	int r = sort_merge_open(&f->plan->due, &m);

	if (r < 0)
		return r;
	while (r == 0 && sort_merge_next(&m, &item) == 1) {
		r = append_key(f, TABLE_DUE, item.key, item.len);
		if (r == 0)
			r = fill_cut(f);
	}
	sort_merge_close(&m);
	return r;
}

static int fill_gone(struct filler *f)
{
	const uint8_t *p = f->plan->gone.map, *end = p + f->plan->gone.size;
	int r = 0;

	for (uint64_t n = 1; r == 0 && p < end; n++) {
		MDB_val val;
		uint16_t len;

		memcpy(&len, p, sizeof(len));
		val = val_of(p + sizeof(len), len);
		r = append(f, TABLE_GONE, val_u64(&n), &val, 0);
		p += sizeof(len) + len;
		if (r == 0)
			r = fill_cut(f);
	}
	return r;
}

static int fill_blocks(struct filler *f)
{
	const uint8_t *p = f->bulk->blocks.map, *end = p + f->bulk->blocks.size;
	uint64_t height = 0;
	int r = 0;

	while (r == 0 && p < end) {
		struct bulk_block h;
		struct cid cid;

		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		r = cid_from_bytes(p, h.cid_len, &cid, NULL);
		p += h.cid_len;
		if (r == 0)
			r = blocks_put_reserved(f->t, f->next_block++, &cid, p, h.len, h.height);
		p += h.len;
		height = h.height;
		f->dirty += h.len;
		if (r == 0)
			r = fill_cut(f);
	}
	if (r == 0 && f->next_block > f->first_block)
		r = heads_put(f->t, f->next_block - 1, height);
	return r;
}

static int fill_all(struct filler *f)
{
	int r = fill_names(f);

	if (r == 0)
		r = fill_rows(f);
	for (unsigned i = 0; r == 0 && i < STATUS_NR; i++)
		r = fill_by_status(f, (enum status)i);
	if (r == 0)
		r = fill_due(f);
	if (r == 0)
		r = fill_gone(f);
	return r < 0 ? r : fill_blocks(f);
}

/* ---- the switch ---- */

static int make_current(struct filler *f, struct bulk_counts *ret)
{
	struct bulk_plan *p = f->plan;
	struct generation *old;
	struct store_info *info;
	struct store_txn *t;
	int r;

	if (f->check->abort && atomic_load(f->check->abort))
		return -ECANCELED;
	r = store_write(f->store, &t);
	if (r < 0)
		return r;
	old = t->gen;
	info = store_info_edit(t);
	info->generation = f->gen->number;
	info->pins = p->counts.pins;
	info->export_bytes = p->export_bytes;
	memcpy(info->by_status, p->by_status, sizeof(info->by_status));
	info->next_serial = f->next_number;
	info->next_block = f->next_block;
	info->dirty = info->pending = info->names_after = 0;
	store_touch(t);
	p->counts.revision_after = info->revision;
	r = bulk_mark_clear(t);
	if (r < 0) {
		store_abort(t);
		return r;
	}
	r = store_commit(t);
	if (r < 0)
		return r;
	generation_retire(f->store, old);
	*ret = p->counts;
	return 0;
}

static int fill_and_switch(struct filler *f, struct bulk_counts *ret)
{
	int r = fill_open(f);

	if (r == 0)
		r = fill_all(f);
	if (r == 0)
		r = fill_commit(f);
	if (f->t)
		store_abort(f->t);
	mdb_env_set_flags(f->store->env, MDB_NOMETASYNC, 0);
	if (r == 0)
		r = make_current(f, ret);
	if (r < 0 && f->gen)
		generation_retire(f->store, f->gen);
	return r;
}

static int plan_and_ask(struct filler *f, struct err *e)
{
	struct store_txn *t;
	int r = store_read(f->store, &t);

	if (r < 0)
		return err_sys(e, r, "reading the pinset");
	r = bulk_plan(f->bulk, t, f->check->abort, f->plan);
	store_read_end(t);
	if (r < 0)
		return err_sys(e, r, "comparing with the pinset");
	f->next_number = f->plan->base + f->plan->counts.pins;
	return f->check->allow ? f->check->allow(f->check->arg, &f->plan->counts, e) : 0;
}

int bulk_load(struct store *s, struct bulk *b, const struct bulk_check *check,
	      struct bulk_counts *ret, struct err *e)
{
	struct bulk_plan plan;
	struct filler f = { .store = s, .bulk = b, .plan = &plan, .check = check };
	int r;

	/* What an earlier import left would go with its generation. */
	r = bulk_settle(s);
	if (r < 0)
		return err_sys(e, r, "finishing the import before");
	bulk_plan_init(&plan);
	r = plan_and_ask(&f, e);
	if (r == 0) {
		mdb_env_set_flags(s->env, MDB_NOMETASYNC, 1);
		r = fill_and_switch(&f, ret);
		if (r < 0)
			err_sys(e, r, "writing the new pinset");
	}
	bulk_plan_clear(&plan);
	if (r == 0 && bulk_settle(s) < 0)
		log_warn("removed pins could not be queued to be unpinned: trying again later");
	return r;
}
