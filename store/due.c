/* Times at which something is to be done with a pin: it expires, or is tried again. */
#include "store/rows.h"

int due_next(const struct store_txn *t, enum due_kind kind, int64_t *second, uint64_t *serial)
{
	uint8_t k[DUE_KEY] = { 0 };
	MDB_val key = val_of(k, sizeof(k)), val;
	int r;

	due_key(k, kind, *second, *serial + 1);
	r = table_next(t, t->gen->dbi[TABLE_DUE], 1, &key, &val);
	if (r < 0)
		return r;
	*second = (int64_t)get_be64((const uint8_t *)key.mv_data + 1);
	*serial = get_be64((const uint8_t *)key.mv_data + 9);
	return 0;
}

int due_put(struct store_txn *t, enum due_kind kind, int64_t second, uint64_t serial)
{
	uint8_t k[DUE_KEY] = { 0 };

	due_key(k, kind, second, serial);
	return table_put(t, TABLE_DUE, val_of(k, sizeof(k)), val_of("", 0), 0);
}

int due_del(struct store_txn *t, enum due_kind kind, int64_t second, uint64_t serial)
{
	uint8_t k[DUE_KEY] = { 0 };

	due_key(k, kind, second, serial);
	return table_del(t, TABLE_DUE, val_of(k, sizeof(k)));
}
