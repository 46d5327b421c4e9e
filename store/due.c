/* Times at which something is to be done with a pin: it expires, or is tried again. */
#include <errno.h>

#include "store/rows.h"

int due_next(const struct store_txn *t, int64_t *second, enum due_kind *kind, uint64_t *serial)
{
	uint8_t k[DUE_KEY];
	MDB_val key = val_of(k, sizeof(k)), val;
	const uint8_t *p;
	int r;

	due_key(k, *second, *kind, *serial + 1);
	r = table_next(t, t->gen->dbi[TABLE_DUE], 0, &key, &val);
	if (r < 0)
		return r;
	p = key.mv_data;
	*second = (int64_t)get_be64(p);
	*kind = (enum due_kind)p[8];
	*serial = get_be64(p + 9);
	return 0;
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
