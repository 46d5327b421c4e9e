#include "store/status.h"

#include <errno.h>
#include <string.h>

#include "store/rows.h"

static int status_head_get(const struct store_txn *t, uint64_t serial, struct status_head *ret,
			   MDB_val *val)
{
	int r = table_get(t, TABLE_STATUS, val_u64(&serial), val);

	if (r < 0)
		return r;
	if (val->mv_size < sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, val->mv_data, sizeof(*ret));
	return ret->status < STATUS_NR ? 0 : -EBADMSG;
}

int status_get(const struct store_txn *t, uint64_t serial, struct status_row *ret)
{
	struct status_head h;
	MDB_val val;
	int r = status_head_get(t, serial, &h, &val);

	if (r < 0)
		return r;
	*ret = (struct status_row){ .status = (enum status)h.status,
				    .rank = h.rank,
				    .held = h.held,
				    .attempts = h.attempts,
				    .since_ns = h.since_ns,
				    .retry_s = h.retry_s,
				    .error = (const char *)val.mv_data + sizeof(h),
				    .error_len = val.mv_size - sizeof(h) };
	return 0;
}

int status_next(const struct store_txn *t, enum status status, struct status_place *place)
{
	uint8_t k[BY_STATUS_KEY] = { 0 };
	MDB_val key = val_of(k, sizeof(k)), val;
	int r;

	by_status_key(k, status, place->rank, place->serial + 1);
	r = table_next(t, t->gen->dbi[TABLE_BY_STATUS], 1, &key, &val);
	if (r < 0)
		return r;
	place->rank = ((const uint8_t *)key.mv_data)[1];
	place->serial = get_be64((const uint8_t *)key.mv_data + 2);
	return 0;
}

/* Takes the index entries of the present state away. */
static int unindex(struct store_txn *t, uint64_t serial)
{
	uint8_t k[BY_STATUS_KEY] = { 0 };
	struct status_head h;
	MDB_val val;
	int r = status_head_get(t, serial, &h, &val);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	by_status_key(k, (enum status)h.status, h.rank, serial);
	r = table_del(t, TABLE_BY_STATUS, val_of(k, sizeof(k)));
	if (r == 0 && h.retry_s)
		r = due_del(t, DUE_RETRY, h.retry_s, serial);
	store_info_edit(t)->by_status[h.status]--;
	return r;
}

int status_put(struct store_txn *t, uint64_t serial, const struct status_row *row)
{
	size_t n = row->error_len < STATUS_ERROR_MAX ? row->error_len : STATUS_ERROR_MAX;
	struct status_head h = { .since_ns = row->since_ns,
				 .retry_s = row->retry_s,
				 .attempts = row->attempts,
				 .status = (uint8_t)row->status,
				 .rank = row->rank,
				 .held = row->held };
	uint8_t val[sizeof(h) + STATUS_ERROR_MAX], k[BY_STATUS_KEY];
	int r;

	memcpy(val, &h, sizeof(h));
	if (n > 0)
		memcpy(val + sizeof(h), row->error, n);
	r = unindex(t, serial);
	if (r == 0)
		r = table_put(t, TABLE_STATUS, val_u64(&serial), val_of(val, sizeof(h) + n), 0);
	by_status_key(k, row->status, row->rank, serial);
	if (r == 0)
		r = table_put(t, TABLE_BY_STATUS, val_of(k, sizeof(k)), val_of("", 0), 0);
	if (r == 0 && row->retry_s)
		r = due_put(t, DUE_RETRY, row->retry_s, serial);
	store_info_edit(t)->by_status[row->status]++;
	return r;
}

int status_del(struct store_txn *t, uint64_t serial)
{
	int r = unindex(t, serial);

	return r < 0 ? r : table_del(t, TABLE_STATUS, val_u64(&serial));
}
