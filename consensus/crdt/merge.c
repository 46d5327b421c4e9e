#include "consensus/crdt/merge.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define PAGE_BYTES 4096

static int find(struct store_txn *t, const struct cid *cid, struct block_row *ret)
{
	struct block_id id;
	uint64_t number;
	int r;

	block_id_of_cid(cid, &id);
	r = blocks_number(t, &id, &number);
	return r < 0 ? r : blocks_row(t, number, ret);
}

static int link_child(struct store_txn *t, const struct cid *child)
{
	struct block_row row;
	int r = find(t, child, &row);

	if (r < 0)
		return r;
	if (row.merged)
		return heads_del(t, row.number);
	/* What is no dag-pb under sha2-256 cannot be had. */
	return cid_defined(&row.cid) ? wanted_put(t, row.number, true) : 0;
}

/* ---- the stages; each takes from the budget what it does ---- */

static bool spend(size_t *budget, size_t bytes)
{
	size_t n = 1 + bytes / PAGE_BYTES;

	if (*budget == 0)
		return false;
	*budget = *budget > n ? *budget - n : 0;
	return true;
}

static void enter(struct merge *m, enum merge_stage stage)
{
	m->place = (struct merge_place){ .stage = stage };
}

/* The bytes go first: between two parts, the value of a key is looked for in the blocks that are
 * stored. Until its end it is wanted: what is merged beside it may link to it. */
static int stage_begin(struct merge *m, struct store_txn *t, size_t *budget)
{
	struct block_row row;
	int r = spend(budget, 0) ? find(t, m->cid, &row) : 1;

	if (r != 0)
		return r;
	m->number = row.number;
	if (row.merged) {
		enter(m, MERGE_DONE);
		return 0;
	}
	if (!row.stored) {
		spend(budget, m->n);
		r = blocks_put(t, m->cid, m->p, m->n, m->block.delta.priority, &m->number);
	}
	if (r == 0)
		r = wanted_put(t, m->number, false);
	enter(m, MERGE_TOMBSTONES);
	return r;
}

static int stage_tombstones(struct merge *m, struct store_txn *t, size_t *budget)
{
	const struct delta *d = &m->block.delta;

	while (m->place.at < d->n_tombstones) {
		int r = spend(budget, 0) ? set_tombstone(t, &d->tombstones[m->place.at]) : 1;

		if (r != 0)
			return r;
		m->place.at++;
	}
	enter(m, MERGE_RECOMPUTE);
	return 0;
}

static int stage_recompute(struct merge *m, struct store_txn *t, size_t *budget)
{
	const struct delta *d = &m->block.delta;

	for (; m->place.at < d->n_tombstones; m->place.at++) {
		const struct delta_entry *en = &d->tombstones[m->place.at];
		size_t read = 0;
		int r;

		if (m->place.at + 1 < d->n_tombstones && set_same_key(en, en + 1))
			continue;
		r = spend(budget, 0) ? set_recompute(t, en, m->observer, &read) : 1;
		if (r != 0)
			return r;
		spend(budget, read); /* reading takes time, as writing does */
	}
	enter(m, MERGE_ELEMENTS);
	return 0;
}

/* What comes before the elements: 0, they are next or nothing is; 1, the budget is spent. */
static int before_elements(struct merge *m, struct store_txn *t, size_t *budget)
{
	int r = 0;

	if (m->place.stage == MERGE_BEGIN)
		r = stage_begin(m, t, budget);
	if (r == 0 && m->place.stage == MERGE_TOMBSTONES)
		r = stage_tombstones(m, t, budget);
	if (r == 0 && m->place.stage == MERGE_RECOMPUTE)
		r = stage_recompute(m, t, budget);
	return r;
}

/* The one whose next key is the lowest; NULL at the end of all. */
static struct merge *lowest(struct merge *const *set, size_t n)
{
	const struct delta_entry *key = NULL;
	struct merge *ret = NULL;

	for (size_t i = 0; i < n; i++) {
		struct merge *m = set[i];
		const struct delta_entry *next;

		if (m->place.stage != MERGE_ELEMENTS || m->place.at == m->block.delta.n_elements)
			continue;
		next = m->order[m->place.at];
		if (key && set_compare_keys(next, key) >= 0)
			continue;
		key = next;
		ret = m;
	}
	return ret;
}

static int next_key(struct merge *m, struct store_txn *t, size_t *budget)
{
	const struct delta_entry *const *group = m->order + m->place.at;
	size_t n = m->block.delta.n_elements - m->place.at, same = 1;
	int r;

	while (same < n && set_same_key(group[0], group[same]))
		same++;
	if (!spend(budget, group[0]->value_len))
		return 1;
	r = set_key(t, m->number, m->block.delta.priority, group, same, m->observer);
	if (r == 0)
		m->place.at += same;
	return r;
}

static int stage_end(struct merge *m, struct store_txn *t)
{
	int r = wanted_del(t, m->number);

	if (r == 0) /* nobody links to it */
		r = heads_put(t, m->number, m->block.delta.priority);
	for (size_t i = 0; r >= 0 && i < m->block.n_links; i++)
		r = link_child(t, &m->block.links[i]);
	enter(m, MERGE_DONE);
	return r < 0 ? r : 0;
}

/* 1: the budget is spent. */
static int end_one(struct merge *m, struct store_txn *t, size_t *budget)
{
	if (m->place.stage != MERGE_ELEMENTS)
		return 0;
	return spend(budget, m->block.n_links * PAGE_BYTES) ? stage_end(m, t) : 1;
}

int merge_step(struct merge *const *set, size_t n, struct store_txn *t, size_t *budget,
	       struct merge **ret_culprit)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		*ret_culprit = set[i];
		r = before_elements(set[i], t, budget);
	}
	while (r == 0 && (*ret_culprit = lowest(set, n)))
		r = next_key(*ret_culprit, t, budget);
	for (size_t i = 0; r == 0 && i < n; i++) {
		*ret_culprit = set[i];
		r = end_one(set[i], t, budget);
	}
	return r < 0 ? r : 0;
}

size_t merge_entries(const struct merge *m)
{
	return m->block.delta.n_elements + m->block.delta.n_tombstones;
}

size_t merge_bytes(const struct merge *m)
{
	return m->block.memory_bytes + m->block.delta.n_elements * sizeof(*m->order);
}

bool merge_is_done(const struct merge *m)
{
	return m->place.stage == MERGE_DONE;
}

int merge_open(struct merge *m, const struct cid *cid, const uint8_t *p, size_t n, struct err *e)
{
	int r;

	*m = (struct merge){ .cid = cid, .p = p, .n = n };
	r = block_decode(p, n, &m->block, e);
	if (r < 0)
		return r;
	r = set_order(&m->block.delta, &m->order);
	if (r < 0)
		block_clear(&m->block);
	return r < 0 ? err_sys(e, r, "merging a block") : 0;
}

void merge_close(struct merge *m)
{
	free(m->order);
	block_clear(&m->block);
}

int merge_block(struct store_txn *t, const struct cid *cid, const uint8_t *p, size_t n,
		const struct set_observer *o, struct err *e)
{
	struct merge m, *set = &m, *culprit;
	size_t budget = SIZE_MAX;
	struct block_row row;
	struct cid actual;
	int r;

	block_cid(p, n, &actual);
	if (!cid_equal(cid, &actual))
		return err_set(e, -EBADMSG, "the block's bytes are not those of its CID");
	r = find(t, cid, &row);
	if (r < 0 || row.merged)
		return r < 0 ? r : 0;
	r = merge_open(&m, cid, p, n, e);
	if (r < 0)
		return r;
	m.observer = o;
	r = merge_step(&set, 1, t, &budget, &culprit);
	merge_close(&m);
	return r < 0 ? r : 1;
}
