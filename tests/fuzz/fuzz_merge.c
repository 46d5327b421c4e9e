/*
 * Blocks of strangers into a store, each behind two bytes of its length: all counters and indexes
 * are what the rows say, and a block that comes again changes nothing.
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

/* @again: all of them are there. False: one was refused, as when its transaction is undone. */
static bool merge_all(struct store_txn *t, const uint8_t *p, size_t n, bool again)
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
		r = merge_block(t, &cid, p, len, NULL, &e);
		if (r < 0)
			return false;
		if (again)
			assert_int_equal(0, r);
		p += len;
		n -= len;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct store_info before;
	struct store_txn *t;

	if (!fix.store) {
		store_fix_setup(&fix);
		atexit(remove_store);
	}
	t = store_fix_write(&fix);
	if (merge_all(t, data, n, false)) {
		store_check(t);
		before = *store_info(t);
		assert_true(merge_all(t, data, n, true));
		assert_memory_equal(&before, store_info(t), sizeof(before));
	}
	store_abort(t);
	return 0;
}
