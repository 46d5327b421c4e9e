/*
 * Blocks of strangers into a store, each behind two bytes of its length: all counters and indexes
 * are what the rows say, a block that comes again changes nothing, and blocks that are merged
 * together, entry by entry, end as those that are merged at once, one after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/crdt/delta.h"
#include "consensus/crdt/merge.h"
#include "tests/lib/store_check.h"
#include "tests/lib/store_fixture.h"

#define BLOCKS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct store_fix fix;

static void remove_store(void)
{
	store_fix_teardown(&fix);
}

struct blocks {
	struct {
		struct cid cid;
		const uint8_t *p;
		size_t n;
	} v[BLOCKS_MAX];
	size_t n;
};

static bool has(const struct blocks *b, const struct cid *cid)
{
	for (size_t i = 0; i < b->n; i++)
		if (cid_equal(&b->v[i].cid, cid))
			return true;
	return false;
}

static void cut(const uint8_t *p, size_t n, struct blocks *ret)
{
	for (unsigned k = 0; n >= 2 && k < BLOCKS_MAX; k++) {
		size_t len = (size_t)p[0] | (size_t)p[1] << 8;
		struct cid cid;

		p += 2;
		n -= 2;
		if (len > n)
			len = n;
		block_cid(p, len, &cid);
		if (!has(ret, &cid)) { /* nobody merges one twice at a time */
			ret->v[ret->n].cid = cid;
			ret->v[ret->n].p = p;
			ret->v[ret->n++].n = len;
		}
		p += len;
		n -= len;
	}
}

/* False: one was refused, as when its transaction is undone. */
static bool merge_each(struct store_txn *t, const struct blocks *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (merge_block(t, &b->v[i].cid, b->v[i].p, b->v[i].n, NULL, NULL) < 0)
			return false;
	return true;
}

/* The order of blocks matters where a key stands twice in a delta or has no value, beside a
 * tombstone of it: in the reference too (cluster-wire.md 1, order-dependent-divergence), and nobody
 * writes that. */
static bool depends_on_order(const struct merge *m)
{
	for (size_t i = 0; i < m->block.delta.n_elements; i++)
		if (m->order[i]->value_len == 0 ||
		    (i > 0 && set_same_key(m->order[i - 1], m->order[i])))
			return true;
	return false;
}

static bool are_done(const struct merge *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!merge_is_done(&m[i]))
			return false;
	return true;
}

/* False: the result may be another than one by one. */
static bool merge_together(struct store_txn *t, const struct blocks *b)
{
	struct merge m[BLOCKS_MAX], *set[BLOCKS_MAX], *culprit;
	bool same = true;

	for (size_t i = 0; i < b->n; i++) {
		assert_int_equal(0, merge_open(&m[i], &b->v[i].cid, b->v[i].p, b->v[i].n, NULL));
		set[i] = &m[i];
		same = same && !depends_on_order(&m[i]);
	}
	while (!are_done(m, b->n)) {
		size_t budget = 1;

		assert_int_equal(0, merge_step(set, b->n, t, &budget, &culprit));
	}
	for (size_t i = 0; i < b->n; i++)
		merge_close(&m[i]);
	return same;
}

/* What is the same whatever the number of steps. */
static struct store_info sums(const struct store_txn *t)
{
	struct store_info info = *store_info(t);

	info.revision = 0;
	info.changed_ns = 0;
	info.next_serial = 0;
	return info;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct store_info before, whole, parts;
	struct blocks b = { .n = 0 };
	struct store_txn *t;
	bool merged, same;

	if (!fix.store) {
		store_fix_setup(&fix);
		atexit(remove_store);
	}
	cut(data, n, &b);
	t = store_fix_write(&fix);
	merged = merge_each(t, &b);
	if (merged) {
		store_check(t);
		before = *store_info(t);
		assert_true(merge_each(t, &b));
		assert_memory_equal(&before, store_info(t), sizeof(before));
		whole = sums(t);
	}
	store_abort(t);
	if (!merged)
		return 0;
	t = store_fix_write(&fix);
	same = merge_together(t, &b);
	store_check(t);
	parts = sums(t);
	store_abort(t);
	if (same)
		assert_memory_equal(&whole, &parts, sizeof(whole));
	return 0;
}
