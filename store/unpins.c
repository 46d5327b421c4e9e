/* CIDs to be unpinned in Kubo, in the order in which they left the pinset. They outlive imports;
 * a cleanup forgets them. */
#include <errno.h>
#include <string.h>

#include "store/internal.h"
#include "store/status.h"

/* In front of the CID and the error text. */
struct unpin_head {
	int64_t due_ns, since_ns;
	uint32_t attempts;
	uint16_t cid_len, error_len;
};

static int unpin_parse(uint64_t sequence, const MDB_val *val, struct unpin_row *ret)
{
	const uint8_t *p = val->mv_data;
	struct unpin_head h;

	if (val->mv_size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	if (val->mv_size != sizeof(h) + h.cid_len + h.error_len || h.error_len >= STATUS_ERROR_MAX)
		return -EBADMSG;
	*ret = (struct unpin_row){ .sequence = sequence,
				   .due_ns = h.due_ns,
				   .since_ns = h.since_ns,
				   .attempts = h.attempts };
	memcpy(ret->error, p + sizeof(h) + h.cid_len, h.error_len);
	return cid_from_bytes(p + sizeof(h), h.cid_len, &ret->cid, NULL);
}

int unpin_next(const struct store_txn *t, uint64_t after, struct unpin_row *ret)
{
	uint64_t from = after + 1;
	MDB_val key = val_u64(&from), val;
	int r = table_next(t, t->store->unpins, 0, &key, &val);

	return r < 0 ? r : unpin_parse(get_u64(&key), &val, ret);
}

static int unpin_write(struct store_txn *t, uint64_t sequence, const struct unpin_head *h,
		       const uint8_t *cid, const char *error)
{
	MDB_val key = val_u64(&sequence), val = { sizeof(*h) + h->cid_len + h->error_len, NULL };
	uint8_t *p;
	int r = lmdb_errno(mdb_put(t->txn, t->store->unpins, &key, &val, MDB_RESERVE));

	if (r < 0)
		return r;
	p = val.mv_data;
	memcpy(p, h, sizeof(*h));
	memcpy(p + sizeof(*h), cid, h->cid_len);
	memcpy(p + sizeof(*h) + h->cid_len, error, h->error_len);
	return 0;
}

int unpin_add(struct store_txn *t, const uint8_t *cid, size_t n, int64_t due_ns)
{
	struct unpin_head h = { .due_ns = due_ns, .since_ns = due_ns, .cid_len = (uint16_t)n };

	return unpin_write(t, store_info_edit(t)->next_serial++, &h, cid, "");
}

int unpin_put(struct store_txn *t, const struct unpin_row *row)
{
	struct unpin_head h = { .due_ns = row->due_ns,
				.since_ns = row->since_ns,
				.attempts = row->attempts,
				.cid_len = row->cid.len,
				.error_len = (uint16_t)strnlen(row->error, STATUS_ERROR_MAX - 1) };

	return unpin_write(t, row->sequence, &h, row->cid.bytes, row->error);
}

int unpin_del(struct store_txn *t, uint64_t sequence)
{
	MDB_val key = val_u64(&sequence);
	int r = lmdb_errno(mdb_del(t->txn, t->store->unpins, &key, NULL));

	return r == -ENOENT ? 0 : r;
}

int unpin_count(const struct store_txn *t, uint64_t *ret)
{
	MDB_stat st;
	int r = lmdb_errno(mdb_stat(t->txn, t->store->unpins, &st));

	if (r == 0)
		*ret = st.ms_entries;
	return r;
}
