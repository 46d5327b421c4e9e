/*
 * CIDs that an import removed. They wait in a table of the new generation, so that they come with
 * the switch or not at all; then they move to the list of unpins, in transactions of bounded size,
 * at once or at the next start.
 */
#include <errno.h>

#include "store/bulk_internal.h"
#include "store/status.h"
#include "types/cid.h"
#include "util/clock.h"

#define SETTLE_AT_ONCE 4096

/* Moves some. 1: there may be more. */
static int settle_some(struct store_txn *t)
{
	int64_t now = clock_now_ns();
	MDB_cursor *cur;
	MDB_val key, val;
	unsigned n = 0;
	int r = lmdb_errno(mdb_cursor_open(t->txn, t->gen->dbi[TABLE_GONE], &cur));

	if (r < 0)
		return r;
	while (n < SETTLE_AT_ONCE &&
	       (r = lmdb_errno(mdb_cursor_get(cur, &key, &val, MDB_FIRST))) == 0) {
		uint8_t cid[CID_BYTES_MAX];
		size_t len = val.mv_size < sizeof(cid) ? val.mv_size : sizeof(cid);

		__builtin_memcpy(cid, val.mv_data, len); /* the next change moves it */
		r = unpin_add(t, cid, len, now);
		if (r == 0)
			r = lmdb_errno(mdb_cursor_del(cur, 0));
		if (r < 0)
			break;
		n++;
	}
	mdb_cursor_close(cur);
	if (r < 0 && r != -ENOENT)
		return r;
	return n > 0;
}

static int settle_all(struct store *s)
{
	int r;

	do {
		struct store_txn *t;

		r = store_write(s, &t);
		if (r < 0)
			return r;
		r = settle_some(t);
		if (r <= 0) {
			store_abort(t);
			return r;
		}
		r = store_commit(t);
	} while (r == 0);
	return r;
}

int bulk_settle(struct store *s)
{
	int r = settle_all(s);

	atomic_store(&s->unsettled, r < 0);
	return r;
}
