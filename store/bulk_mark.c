#include <errno.h>
#include <string.h>

#include "store/bulk_internal.h"

#define MARK "import"

int bulk_mark_get(const struct store_txn *t, struct bulk_mark *ret)
{
	MDB_val val;
	int r = meta_get(t, MARK, &val);

	if (r < 0)
		return r;
	if (val.mv_size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, val.mv_data, sizeof(*ret));
	return 0;
}

int bulk_mark_set(struct store_txn *t, const struct bulk_mark *m)
{
	return meta_put(t, MARK, m, sizeof(*m));
}

int bulk_mark_clear(struct store_txn *t)
{
	MDB_val key = val_of(MARK, sizeof(MARK) - 1);
	int r = lmdb_errno(mdb_del(t->txn, t->store->meta, &key, NULL));

	return r == -ENOENT ? 0 : r;
}
