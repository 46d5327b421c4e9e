#include "consensus/crdt/set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the best value of a key ---- */

struct best {
	uint64_t priority;
	struct buf value;
	bool found;
	uint64_t height; /* of the block that is looked at */
	size_t read;     /* bytes of blocks */
};

static int bytes_compare(const uint8_t *a, size_t an, const uint8_t *b, size_t bn)
{
	size_t n = an < bn ? an : bn;
	int c = n ? memcmp(a, b, n) : 0;

	return c ? c : (an > bn) - (an < bn);
}

static int best_offer(void *arg, const uint8_t *value, size_t len)
{
	struct best *best = arg;

	if (len == 0)
		return 0;
	if (best->found && (best->height < best->priority ||
			    (best->height == best->priority &&
			     bytes_compare(value, len, best->value.data, best->value.len) <= 0)))
		return 0;
	best->found = true;
	best->priority = best->height;
	buf_reset(&best->value);
	return buf_append(&best->value, value, len);
}

/* Offers what the stored block @number has for the key. */
static int best_of_block(const struct store_txn *t, uint64_t number, const char *key,
			 size_t key_len, struct best *best)
{
	struct block_row row;
	int r = blocks_row(t, number, &row);

	if (r < 0 || !row.stored)
		return r;
	best->height = row.height;
	best->read += row.len;
	return block_values(row.data, row.len, key, key_len, best_offer, best);
}

/* Over all elements of the key that have no tombstone. */
static int best_value(const struct store_txn *t, uint64_t kid, const char *key, size_t key_len,
		      struct best *best)
{
	uint64_t block = 0;
	int r;

	while ((r = elements_next(t, kid, &block)) == 0) {
		r = tombstones_has(t, kid, block);
		if (r == 0)
			r = best_of_block(t, block, key, key_len, best);
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

/* ---- tombstones ---- */

static void observe(const struct set_observer *o, bool put, const struct cid *cid, uint64_t serial)
{
	if (!o || !cid_defined(cid) || serial == 0)
		return;
	if (put)
		o->put(o->arg, cid, serial);
	else
		o->del(o->arg, cid, serial);
}

/* The row is right: it has this value and priority, or a pending one, whose delta will be above all
 * there is. */
static int row_stays(const struct store_txn *t, uint64_t serial, const struct best *best)
{
	struct pin_row row;
	int r;

	if (serial == 0)
		return 0;
	r = pinset_raw(t, serial, &row);
	if (r < 0)
		return r;
	return row.flags & PIN_ROW_PENDING ||
	       (best->found && row.priority == best->priority &&
		bytes_compare(row.value, row.value_len, best->value.data, best->value.len) == 0);
}

static int settle(struct store_txn *t, const struct sortkey *sk, struct key_row *row,
		  const struct cid *cid, const struct best *best, const struct set_observer *o)
{
	uint64_t before = row->serial;
	int r = row_stays(t, row->serial, best);

	if (r == 0 && best->found)
		r = pinset_set(t, sk, row, cid, best->value.data, best->value.len, best->priority,
			       0, 1);
	else if (r == 0)
		r = pinset_unset(t, sk, row);
	if (r == 0)
		observe(o, best->found, cid, best->found ? row->serial : before);
	return r < 0 ? r : 0;
}

int set_compare_keys(const struct delta_entry *a, const struct delta_entry *b)
{
	return bytes_compare((const uint8_t *)a->key, a->key_len, (const uint8_t *)b->key,
			     b->key_len);
}

bool set_same_key(const struct delta_entry *a, const struct delta_entry *b)
{
	return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

int set_tombstone(struct store_txn *t, const struct delta_entry *en)
{
	struct sortkey sk;
	struct key_row row;
	struct cid cid;
	struct block_id id;
	uint64_t number;
	int r;

	sortkey_of_delta_key(en->key, en->key_len, &sk, &cid);
	block_id_of_text(en->id, en->id_len, &id);
	r = pinset_key_make(t, &sk, &row);
	if (r == 0)
		r = blocks_number(t, &id, &number);
	return r < 0 ? r : tombstones_add(t, row.kid, number);
}

int set_recompute(struct store_txn *t, const struct delta_entry *en, const struct set_observer *o,
		  size_t *ret_read)
{
	struct best best = { 0 };
	struct sortkey sk;
	struct key_row row;
	struct cid cid;
	int r;

	sortkey_of_delta_key(en->key, en->key_len, &sk, &cid);
	r = pinset_key(t, &sk, &row);
	if (r == 0)
		r = best_value(t, row.kid, en->key, en->key_len, &best);
	if (r == 0)
		r = settle(t, &sk, &row, &cid, &best, o);
	buf_deinit(&best.value);
	*ret_read = best.read;
	return r;
}

/* ---- elements ---- */

static int by_key_then_place(const void *a, const void *b)
{
	const struct delta_entry *x = *(const struct delta_entry *const *)a,
				 *y = *(const struct delta_entry *const *)b;
	int c = set_compare_keys(x, y);

	return c ? c : (x > y) - (x < y);
}

int set_key(struct store_txn *t, uint64_t number, uint64_t priority,
	    const struct delta_entry *const *group, size_t n, const struct set_observer *o)
{
	const struct delta_entry *winner = NULL;
	struct pin_row cur = { 0 };
	struct sortkey sk;
	struct key_row row;
	struct cid cid;
	int r;

	sortkey_of_delta_key(group[0]->key, group[0]->key_len, &sk, &cid);
	r = pinset_key_make(t, &sk, &row);
	if (r == 0)
		r = elements_has(t, row.kid, number);
	if (r == 0)
		r = elements_add(t, row.kid, number);
	if (r == 0)
		r = tombstones_has(t, row.kid, number);
	if (r != 0)
		return r < 0 ? r : 0;
	if (row.serial)
		r = pinset_raw(t, row.serial, &cur);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (priority < cur.priority)
			continue;
		if (priority == cur.priority &&
		    bytes_compare(cur.value, cur.value_len, group[i]->value, group[i]->value_len) >=
			0)
			continue;
		winner = group[i];
	}
	if (!winner)
		return 0;
	r = pinset_set(t, &sk, &row, &cid, winner->value, winner->value_len, priority, 0, 1);
	if (r == 0)
		observe(o, true, &cid, row.serial);
	return r;
}

int set_order(const struct delta *d, const struct delta_entry ***ret)
{
	const struct delta_entry **order = malloc((d->n_elements + 1) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_elements; i++)
		order[i] = &d->elements[i];
	qsort(order, d->n_elements, sizeof(*order), by_key_then_place);
	*ret = order;
	return 0;
}
