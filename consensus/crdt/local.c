#include "consensus/crdt/local.h"

#include <errno.h>
#include <stdlib.h>

#include "consensus/crdt/delta.h"
#include "consensus/crdt/merge.h"
#include "store/blocks.h"
#include "store/pinset.h"
#include "types/hash.h"

#define ENTRY_BYTES_MAX (2 * CID_TEXT_MAX) /* an entry apart from its value */
#define LINK_BYTES_MAX 64

struct local_entry {
	size_t key, key_len;     /* offsets into text */
	size_t id, id_len;       /* of a tombstone */
	size_t value, value_len; /* of an element */
	bool tombstone;
};

static uint64_t above(uint64_t height)
{
	return height < UINT64_MAX ? height + 1 : height;
}

int local_begin(struct local_delta *d, struct store_txn *t)
{
	uint64_t number = 0, height, n;
	struct block_row row;
	int r = heads_count(t, &n);

	*d = (struct local_delta){ .t = t, .height = 1 };
	if (r < 0)
		return r;
	d->links = calloc((n < BLOCK_LINKS_MAX ? n : BLOCK_LINKS_MAX) + 1, sizeof(*d->links));
	if (!d->links)
		return -ENOMEM;
	while ((r = heads_next(t, &number, &height)) == 0) {
		if (above(height) > d->height)
			d->height = above(height);
		if (d->n_links == BLOCK_LINKS_MAX) /* the rest is for the next block */
			continue;
		r = blocks_row(t, number, &row);
		if (r < 0)
			break;
		cid_copy(&d->links[d->n_links++], &row.cid);
		d->last_link = number;
	}
	if (r != -ENOENT) {
		local_clear(d);
		return r;
	}
	return 0;
}

void local_clear(struct local_delta *d)
{
	free(d->links);
	free(d->entries);
	free(d->seen);
	buf_deinit(&d->text);
	*d = (struct local_delta){ 0 };
}

bool local_full(const struct local_delta *d)
{
	return d->size > DELTA_BATCH_MAX;
}

static uint64_t hash_of(const struct cid *cid)
{
	uint64_t h = hash_short(cid->bytes, cid->len);

	return h ? h : 1;
}

/* The place of a hash in the table, or the free one where it would go. */
static size_t seen_place(const uint64_t *seen, size_t cap, uint64_t h)
{
	size_t i = h & (cap - 1);

	while (seen[i] && seen[i] != h)
		i = (i + 1) & (cap - 1);
	return i;
}

bool local_has(const struct local_delta *d, const struct cid *cid)
{
	uint64_t h = hash_of(cid);

	return d->cap_seen && d->seen[seen_place(d->seen, d->cap_seen, h)] == h;
}

static int seen_grow(struct local_delta *d)
{
	size_t cap = d->cap_seen ? 2 * d->cap_seen : 64;
	uint64_t *seen = calloc(cap, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < d->cap_seen; i++)
		if (d->seen[i])
			seen[seen_place(seen, cap, d->seen[i])] = d->seen[i];
	free(d->seen);
	d->seen = seen;
	d->cap_seen = cap;
	return 0;
}

static int seen_add(struct local_delta *d, const struct cid *cid)
{
	uint64_t h = hash_of(cid);
	int r = 2 * d->n_entries >= d->cap_seen ? seen_grow(d) : 0;

	if (r == 0)
		d->seen[seen_place(d->seen, d->cap_seen, h)] = h;
	return r;
}

static struct delta_entry resolve(const struct local_delta *d, const struct local_entry *en)
{
	const char *text = (const char *)d->text.data;

	return (struct delta_entry){
		.key = text + en->key,
		.key_len = en->key_len,
		.id = en->tombstone ? text + en->id : NULL,
		.id_len = en->id_len,
		.value = en->tombstone ? NULL : d->text.data + en->value,
		.value_len = en->value_len,
	};
}

static int entry_add(struct local_delta *d, const struct local_entry *en)
{
	struct delta_entry resolved = resolve(d, en);

	if (d->n_entries == d->cap_entries) {
		size_t cap = d->cap_entries ? 2 * d->cap_entries : 16;
		void *p = reallocarray(d->entries, cap, sizeof(*d->entries));

		if (!p)
			return -ENOMEM;
		d->entries = p;
		d->cap_entries = cap;
	}
	if (d->n_entries == 0) /* not before: a transaction without changes is not written */
		d->number = blocks_reserve(d->t);
	d->entries[d->n_entries++] = *en;
	d->size += delta_entry_size(&resolved);
	return 0;
}

/* Begins another delta when the block would become too large with a value of @len bytes. */
static int make_room(struct local_delta *d, size_t len)
{
	size_t other = ENTRY_BYTES_MAX + d->n_links * LINK_BYTES_MAX;

	return d->n_entries > 0 && d->size + len + other > BLOCK_BYTES_MAX ? local_cut(d) : 0;
}

/* The highest block with a living element of the key. */
static int living_height(const struct store_txn *t, uint64_t kid, uint64_t *ret)
{
	uint64_t number = 0;
	int r;

	*ret = 0;
	while ((r = elements_next(t, kid, &number)) == 0) {
		struct block_row block;

		r = tombstones_has(t, kid, number);
		if (r == 0)
			r = blocks_row(t, number, &block);
		if (r == 0 && block.height > *ret)
			*ret = block.height;
		if (r < 0)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

/* What other peers hold for the key. A pending value is not theirs. */
static int height_of(const struct store_txn *t, const struct sortkey *sk, uint64_t *ret)
{
	struct key_row key;
	struct pin_row row;
	int r = pinset_key(t, sk, &key);

	*ret = 0;
	if (r < 0 || key.serial == 0)
		return r == -ENOENT ? 0 : r;
	r = pinset_raw(t, key.serial, &row);
	if (r == 0 && row.flags & PIN_ROW_PENDING)
		return living_height(t, key.kid, ret);
	*ret = row.priority;
	return r;
}

/* A delta must be above the present value, or other peers would keep that one. It is, but for a
 * block that is merged in parts and not a head yet, and for heights that a peer made up. 1: nothing
 * is above it. */
static int rise(struct local_delta *d, const struct sortkey *sk)
{
	uint64_t height;
	int r = height_of(d->t, sk, &height);

	if (r < 0 || height < d->height)
		return r;
	if (d->n_entries > 0)
		r = local_cut(d);
	if (r == 0 && height >= d->height)
		d->height = above(height);
	return r < 0 ? r : height == UINT64_MAX;
}

static int put_entry(struct local_delta *d, const struct cid *cid, const void *value, size_t len)
{
	struct local_entry en = { .key = d->text.len };
	int r = delta_pin_key(cid, &d->text);

	en.key_len = d->text.len - en.key;
	en.value = d->text.len;
	en.value_len = len;
	if (r == 0)
		r = buf_append(&d->text, value, len);
	if (r == 0)
		r = entry_add(d, &en);
	return r < 0 ? r : seen_add(d, cid);
}

int local_put(struct local_delta *d, const struct cid *cid, const void *value, size_t len,
	      uint8_t rank, uint64_t *ret_serial)
{
	struct sortkey sk;
	struct key_row row;
	uint64_t serial;
	int r;

	sortkey_of_cid(cid->bytes, cid->len, &sk);
	r = make_room(d, len);
	if (r == 0)
		r = rise(d, &sk);
	if (r == 1) /* so it goes first */
		r = local_del(d, cid, &serial);
	if (r >= 0)
		r = put_entry(d, cid, value, len);
	if (r == 0)
		r = pinset_key_make(d->t, &sk, &row);
	if (r == 0)
		r = elements_add(d->t, row.kid, d->number);
	if (r == 0)
		r = pinset_set(d->t, &sk, &row, cid, value, len, d->height, 0, rank);
	if (r == 0)
		*ret_serial = row.serial;
	return r;
}

/* ---- removal ---- */

struct living {
	uint64_t number;
	struct buf id;
};

static int by_id(const void *a, const void *b)
{
	const struct living *x = a, *y = b;
	size_t n = x->id.len < y->id.len ? x->id.len : y->id.len;
	int c = memcmp(x->id.data, y->id.data, n);

	return c ? c : (x->id.len > y->id.len) - (x->id.len < y->id.len);
}

static int living_add(struct local_delta *d, uint64_t number, struct living **list, size_t *n)
{
	struct living *p = reallocarray(*list, *n + 1, sizeof(*p));
	struct block_row block;
	int r;

	if (!p)
		return -ENOMEM;
	*list = p;
	p[*n] = (struct living){ .number = number };
	r = blocks_row(d->t, number, &block);
	if (r == 0)
		r = block_element_id(&block.cid, &p[*n].id);
	(*n)++;
	return r;
}

/* Elements of the key without tombstone, in the order of their ids. */
static int living_list(struct local_delta *d, uint64_t kid, struct living **list, size_t *n)
{
	uint64_t number = 0;
	int r;

	while ((r = elements_next(d->t, kid, &number)) == 0) {
		r = tombstones_has(d->t, kid, number);
		if (r == 0)
			r = living_add(d, number, list, n);
		if (r < 0)
			return r;
	}
	if (r != -ENOENT)
		return r;
	if (*n > 1)
		qsort(*list, *n, sizeof(**list), by_id);
	return 0;
}

static int tombstone_put(struct local_delta *d, const struct cid *cid, uint64_t kid,
			 const struct living *el)
{
	struct local_entry en = { .tombstone = true };
	/* A pin that was set thousands of times has more of them than a block can hold. */
	int r = local_full(d) ? local_cut(d) : 0;

	en.key = d->text.len;
	if (r == 0)
		r = seen_add(d, cid);
	if (r == 0)
		r = delta_pin_key(cid, &d->text);
	en.key_len = d->text.len - en.key;
	en.id = d->text.len;
	en.id_len = el->id.len;
	if (r == 0)
		r = buf_append(&d->text, el->id.data, el->id.len);
	if (r == 0)
		r = entry_add(d, &en);
	return r < 0 ? r : tombstones_add(d->t, kid, el->number);
}

int local_del(struct local_delta *d, const struct cid *cid, uint64_t *ret_serial)
{
	struct living *list = NULL;
	struct sortkey sk;
	struct key_row row;
	size_t n = 0;
	int r;

	sortkey_of_cid(cid->bytes, cid->len, &sk);
	r = pinset_key(d->t, &sk, &row);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = living_list(d, row.kid, &list, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = tombstone_put(d, cid, row.kid, &list[i]);
	*ret_serial = row.serial;
	if (r == 0)
		r = pinset_unset(d->t, &sk, &row);
	for (size_t i = 0; i < n; i++)
		buf_deinit(&list[i].id);
	free(list);
	return r < 0 ? r : n > 0;
}

/* ---- the block ---- */

/* The entries as a delta: elements, then tombstones, each in the order of adding. */
static int as_delta(const struct local_delta *d, struct delta *ret)
{
	struct delta_entry *list = calloc(d->n_entries + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_entries; i++)
		if (!d->entries[i].tombstone)
			list[n++] = resolve(d, &d->entries[i]);
	*ret = (struct delta){ .elements = list, .n_elements = n, .priority = d->height };
	ret->tombstones = list + n;
	for (size_t i = 0; i < d->n_entries; i++)
		if (d->entries[i].tombstone)
			list[n++] = resolve(d, &d->entries[i]);
	ret->n_tombstones = n - ret->n_elements;
	return 0;
}

/* The new head first: a table that becomes empty and full again takes another page each time. */
static int heads_replace(struct local_delta *d)
{
	uint64_t number = 0, height;
	int r = heads_put(d->t, d->number, d->height);

	while (r == 0 && (r = heads_next(d->t, &number, &height)) == 0)
		if (number != d->number && number <= d->last_link)
			r = heads_del(d->t, number);
	return r == -ENOENT ? 0 : r;
}

static int element_move(struct local_delta *d, const struct delta_entry *en)
{
	struct sortkey sk;
	struct key_row row;
	struct cid cid;
	int r;

	sortkey_of_delta_key(en->key, en->key_len, &sk, &cid);
	r = pinset_key(d->t, &sk, &row);
	return r < 0 ? r : elements_del(d->t, row.kid, d->number);
}

/* Another peer made this very block: the same change on the same heads. Here it has a number
 * already, since somebody links to it or its elements, and what is known of it is for that one: it
 * is merged as the other's. */
static int finish_known(struct local_delta *d, const struct delta *delta, const struct cid *cid,
			const struct buf *block)
{
	size_t read;
	int r = 0;

	for (size_t i = 0; r == 0 && i < delta->n_elements; i++)
		r = element_move(d, &delta->elements[i]);
	if (r == 0)
		r = merge_block(d->t, cid, block->data, block->len, NULL, NULL);
	for (size_t i = 0; r >= 0 && i < delta->n_elements; i++)
		r = set_recompute(d->t, &delta->elements[i], NULL, &read);
	return r < 0 ? r : 0;
}

static int finish_new(struct local_delta *d, const struct cid *cid, const struct buf *block)
{
	int r = blocks_put_reserved(d->t, d->number, cid, block->data, block->len, d->height);

	return r < 0 ? r : heads_replace(d);
}

int local_finish(struct local_delta *d, struct cid *ret_head)
{
	struct buf block = BUF_INIT(BLOCK_BYTES_MAX);
	struct block_row row;
	struct block_id id;
	struct delta delta;
	int r;

	if (d->n_entries == 0)
		return 0;
	r = as_delta(d, &delta);
	if (r < 0)
		return r;
	r = block_encode(&delta, d->links, d->n_links, &block);
	if (r == 0) {
		block_cid(block.data, block.len, ret_head);
		block_id_of_cid(ret_head, &id);
		r = blocks_find(d->t, &id, &row);
		if (r == 0)
			r = finish_known(d, &delta, ret_head, &block);
		else if (r == -ENOENT)
			r = finish_new(d, ret_head, &block);
	}
	free(delta.elements);
	buf_deinit(&block);
	return r;
}

int local_cut(struct local_delta *d)
{
	struct store_txn *t = d->t;
	struct cid head;
	int r = local_finish(d, &head);

	local_clear(d);
	return r < 0 ? r : local_begin(d, t);
}
