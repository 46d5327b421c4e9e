/*
 * Blocks of strangers into a store, each behind two bytes of its length: all counters and indexes
 * are what the rows say, a block that comes again changes nothing, and one that is merged entry by
 * entry ends as one that is merged at once.
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

static int merge_in_parts(struct store_txn *t, const struct cid *cid, const uint8_t *p, size_t n,
			  struct err *e)
{
	struct merge m, *set = &m, *culprit;
	int r = merge_open(&m, cid, p, n, e);

	if (r < 0)
		return r;
	while (r == 0 && !merge_is_done(&m)) {
		size_t budget = 1;

		r = merge_step(&set, 1, t, &budget, &culprit);
	}
	merge_close(&m);
	return r;
}

/* False: one was refused, as when its transaction is undone. */
static bool merge_all(struct store_txn *t, const uint8_t *p, size_t n, bool parts)
{
	for (unsigned k = 0; n >= 2 && k < BLOCKS_MAX; k++) {
		size_t len = (size_t)p[0] | (size_t)p[1] << 8;
		struct err e = { 0 };
		struct cid cid;
		int r;

		p += 2;
		n -= 2;
		if (len > n)
			len = n;
		block_cid(p, len, &cid);
		r = parts ? merge_in_parts(t, &cid, p, len, &e)
			  : merge_block(t, &cid, p, len, NULL, &e);
		if (r < 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
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
	struct store_txn *t;
	bool merged;

	if (!fix.store) {
		store_fix_setup(&fix);
		atexit(remove_store);
	}
	t = store_fix_write(&fix);
	merged = merge_all(t, data, n, false);
	if (merged) {
		store_check(t);
		before = *store_info(t);
		assert_true(merge_all(t, data, n, false));
		assert_memory_equal(&before, store_info(t), sizeof(before));
		whole = sums(t);
	}
	store_abort(t);
	if (!merged)
		return 0;
	t = store_fix_write(&fix);
	assert_true(merge_all(t, data, n, true));
	store_check(t);
	parts = sums(t);
	store_abort(t);
	assert_memory_equal(&whole, &parts, sizeof(whole));
	return 0;
}
