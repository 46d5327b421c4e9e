/* Times at which something is to be done with a pin: it expires, or is tried again. */
#include <errno.h>

#include "store/rows.h"

int due_next(const struct store_txn *t, int64_t *second, enum due_kind *kind, uint64_t *serial)
{
	uint8_t k[DUE_KEY];
	MDB_val key, val;
	MDB_cursor *cur;
	int r = lmdb_errno(mdb_cursor_open(t->txn, t->gen->dbi[TABLE_DUE], &cur));

	if (r < 0)
		return r;
	due_key(k, *second, *kind, *serial + 1);
	key = val_of(k, sizeof(k));
	r = lmdb_errno(mdb_cursor_get(cur, &key, &val, MDB_SET_RANGE));
	if (r == 0 && key.mv_size != DUE_KEY)
		r = -EBADMSG;
	if (r == 0) {
		const uint8_t *p = key.mv_data;

		*second = (int64_t)get_be64(p);
		*kind = (enum due_kind)p[8];
		*serial = get_be64(p + 9);
	}
	mdb_cursor_close(cur);
	return r;
}

int due_put(struct store_txn *t, int64_t second, enum due_kind kind, uint64_t serial)
{
	uint8_t k[DUE_KEY];

	due_key(k, second, kind, serial);
	return table_put(t, TABLE_DUE, val_of(k, sizeof(k)), val_of("", 0), 0);
}

int due_del(struct store_txn *t, int64_t second, enum due_kind kind, uint64_t serial)
{
	uint8_t k[DUE_KEY];

	due_key(k, second, kind, serial);
	return table_del(t, TABLE_DUE, val_of(k, sizeof(k)));
}
