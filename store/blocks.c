#include "store/blocks.h"

#include <errno.h>
#include <string.h>

#include "store/rows.h"
#include "types/hash.h"
#include "util/base_enc.h"

enum {
	BLOCK_STORED = 1
};
enum {
	ID_SHA256,
	ID_OTHER
};
enum { /* value in TABLE_WANTED */
	WANTED_BEGUN,
	WANTED_LINKED
};

/* In front of a block's bytes in TABLE_BLOCKS. */
struct block_head {
	uint64_t height;
	uint8_t flags;
	uint8_t id[33];
	uint8_t zero[6];
};

static const uint8_t sha256_multihash[2] = { MULTIHASH_SHA2_256, 32 };
static const uint8_t dag_pb_cid[4] = { 1, CODEC_DAG_PB, MULTIHASH_SHA2_256, 32 };

static void id_of_multihash(const uint8_t *mh, size_t n, struct block_id *ret)
{
	if (n == 34 && memcmp(mh, sha256_multihash, 2) == 0) {
		ret->bytes[0] = ID_SHA256;
		memcpy(ret->bytes + 1, mh + 2, 32);
		return;
	}
	ret->bytes[0] = ID_OTHER;
	hash_blake2b(ret->bytes + 1, 32, mh, n);
}

void block_id_of_cid(const struct cid *block, struct block_id *ret)
{
	size_t n;
	const uint8_t *mh = cid_multihash(block, &n);

	id_of_multihash(mh, n, ret);
}

void block_id_of_text(const char *id, size_t n, struct block_id *ret)
{
	uint8_t mh[64];
	int len = n > 1 && id[0] == '/' ? base32_decode(id + 1, n - 1, mh, sizeof(mh)) : -1;

	if (len == 34)
		id_of_multihash(mh, (size_t)len, ret);
	else
		id_of_multihash((const uint8_t *)id, n, ret);
}

static int row_parse(uint64_t number, const MDB_val *val, struct block_row *ret)
{
	struct block_head h;

	if (val->mv_size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, val->mv_data, sizeof(h));
	ret->number = number;
	ret->height = h.height;
	ret->stored = h.flags & BLOCK_STORED;
	ret->data = (const uint8_t *)val->mv_data + sizeof(h);
	ret->len = val->mv_size - sizeof(h);
	ret->cid.len = 0;
	if (h.id[0] == ID_SHA256) {
		memcpy(ret->cid.bytes, dag_pb_cid, 4);
		memcpy(ret->cid.bytes + 4, h.id + 1, 32);
		ret->cid.len = 36;
	}
	return 0;
}

static int wanted_get(const struct store_txn *t, uint64_t number, bool *ret_linked)
{
	MDB_val val;
	int r = table_get(t, TABLE_WANTED, val_u64(&number), &val);

	if (r == 0)
		*ret_linked = val.mv_size == 1 && *(const uint8_t *)val.mv_data == WANTED_LINKED;
	return r;
}

int blocks_row(const struct store_txn *t, uint64_t number, struct block_row *ret)
{
	bool linked;
	MDB_val val;
	int r = table_get(t, TABLE_BLOCKS, val_u64(&number), &val);

	if (r == 0)
		r = row_parse(number, &val, ret);
	if (r < 0)
		return r;
	ret->merged = false;
	if (!ret->stored)
		return 0;
	r = wanted_get(t, number, &linked);
	ret->merged = r == -ENOENT;
	return r == -ENOENT ? 0 : r;
}

static int find_number(const struct store_txn *t, const struct block_id *id, uint64_t *ret)
{
	MDB_val val;
	int r = table_get(t, TABLE_BLOCK_IDS, val_of(id->bytes, sizeof(id->bytes)), &val);

	if (r == 0)
		*ret = get_u64(&val);
	return r;
}

int blocks_find(const struct store_txn *t, const struct block_id *id, struct block_row *ret)
{
	uint64_t number;
	int r = find_number(t, id, &number);

	return r ? r : blocks_row(t, number, ret);
}

int blocks_get(const struct store_txn *t, const struct cid *cid, struct block_row *ret)
{
	struct block_id id;
	int r;

	block_id_of_cid(cid, &id);
	r = blocks_find(t, &id, ret);
	return r == 0 && !ret->stored ? -ENOENT : r;
}

static int row_write(struct store_txn *t, uint64_t number, const struct block_head *h,
		     const uint8_t *data, size_t len)
{
	MDB_val key = val_u64(&number), val = { sizeof(*h) + len, NULL };
	int r = lmdb_errno(mdb_put(t->txn, t->gen->dbi[TABLE_BLOCKS], &key, &val, MDB_RESERVE));

	if (r < 0)
		return r;
	memcpy(val.mv_data, h, sizeof(*h));
	if (len > 0)
		memcpy((uint8_t *)val.mv_data + sizeof(*h), data, len);
	return 0;
}

static int id_save(struct store_txn *t, const struct block_id *id, uint64_t number)
{
	return table_put(t, TABLE_BLOCK_IDS, val_of(id->bytes, sizeof(id->bytes)), val_u64(&number),
			 0);
}

uint64_t blocks_reserve(struct store_txn *t)
{
	return store_info_edit(t)->next_block++;
}

int blocks_number(struct store_txn *t, const struct block_id *id, uint64_t *ret)
{
	struct block_head h = { 0 };
	int r = find_number(t, id, ret);

	if (r != -ENOENT)
		return r;
	*ret = blocks_reserve(t);
	r = id_save(t, id, *ret);
	memcpy(h.id, id->bytes, sizeof(h.id));
	return r < 0 ? r : row_write(t, *ret, &h, NULL, 0);
}

int blocks_put(struct store_txn *t, const struct cid *cid, const uint8_t *data, size_t len,
	       uint64_t height, uint64_t *ret_number)
{
	struct block_head h = { .height = height, .flags = BLOCK_STORED };
	struct block_row old;
	struct block_id id;
	int r;

	block_id_of_cid(cid, &id);
	memcpy(h.id, id.bytes, sizeof(h.id));
	r = blocks_number(t, &id, ret_number);
	if (r == 0)
		r = blocks_row(t, *ret_number, &old);
	return r < 0 || old.stored ? r : row_write(t, *ret_number, &h, data, len);
}

int blocks_put_reserved(struct store_txn *t, uint64_t number, const struct cid *cid,
			const uint8_t *data, size_t len, uint64_t height)
{
	struct block_head h = { .height = height, .flags = BLOCK_STORED };
	struct block_id id;
	int r;

	block_id_of_cid(cid, &id);
	memcpy(h.id, id.bytes, sizeof(h.id));
	r = id_save(t, &id, number);
	return r < 0 ? r : row_write(t, number, &h, data, len);
}

static int table_count(const struct store_txn *t, enum table tb, uint64_t *ret)
{
	MDB_stat st;
	int r = lmdb_errno(mdb_stat(t->txn, t->gen->dbi[tb], &st));

	if (r == 0)
		*ret = st.ms_entries;
	return r;
}

/* ---- heads ---- */

int heads_next(const struct store_txn *t, uint64_t *after, uint64_t *ret_height)
{
	uint64_t from = *after + 1;
	MDB_val key = val_u64(&from), val;
	int r = table_next(t, t->gen->dbi[TABLE_HEADS], 0, &key, &val);

	if (r < 0)
		return r;
	*after = get_u64(&key);
	*ret_height = get_u64(&val);
	return 0;
}

int heads_has(const struct store_txn *t, uint64_t number)
{
	MDB_val val;
	int r = table_get(t, TABLE_HEADS, val_u64(&number), &val);

	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int heads_put(struct store_txn *t, uint64_t number, uint64_t height)
{
	return table_put(t, TABLE_HEADS, val_u64(&number), val_u64(&height), 0);
}

int heads_del(struct store_txn *t, uint64_t number)
{
	return table_del(t, TABLE_HEADS, val_u64(&number));
}

int heads_count(const struct store_txn *t, uint64_t *ret)
{
	return table_count(t, TABLE_HEADS, ret);
}

/* ---- blocks to be merged ---- */

int wanted_put(struct store_txn *t, uint64_t number, bool linked)
{
	uint8_t why = linked ? WANTED_LINKED : WANTED_BEGUN;
	bool before = false;
	int r = wanted_get(t, number, &before);

	if (r == 0 && (before || !linked))
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	return table_put(t, TABLE_WANTED, val_u64(&number), val_of(&why, 1), 0);
}

int wanted_del(struct store_txn *t, uint64_t number)
{
	bool linked = false;
	int r = wanted_get(t, number, &linked);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = table_del(t, TABLE_WANTED, val_u64(&number));
	return r < 0 ? r : linked;
}

int wanted_count(const struct store_txn *t, uint64_t *ret)
{
	return table_count(t, TABLE_WANTED, ret);
}

int wanted_next(const struct store_txn *t, uint64_t *after)
{
	uint64_t from = *after + 1;
	MDB_val key = val_u64(&from), val;
	int r = table_next(t, t->gen->dbi[TABLE_WANTED], 0, &key, &val);

	if (r == 0)
		*after = get_u64(&key);
	return r;
}

/* ---- elements and tombstones ---- */

static int element_put(struct store_txn *t, uint64_t kid, enum element_kind kind, uint64_t block)
{
	uint8_t k[ELEMENT_KEY] = { 0 };

	element_key(k, kid, kind, block);
	return table_put(t, TABLE_ELEMENTS, val_of(k, sizeof(k)), val_of("", 0), 0);
}

int elements_add(struct store_txn *t, uint64_t kid, uint64_t block)
{
	return element_put(t, kid, ELEMENT_ADDED, block);
}

int elements_del(struct store_txn *t, uint64_t kid, uint64_t block)
{
	uint8_t k[ELEMENT_KEY] = { 0 };

	element_key(k, kid, ELEMENT_ADDED, block);
	return table_del(t, TABLE_ELEMENTS, val_of(k, sizeof(k)));
}

int tombstones_add(struct store_txn *t, uint64_t kid, uint64_t block)
{
	return element_put(t, kid, ELEMENT_TOMBSTONE, block);
}

static int element_has(const struct store_txn *t, uint64_t kid, uint8_t kind, uint64_t block)
{
	uint8_t k[ELEMENT_KEY] = { 0 };
	MDB_val val;
	int r;

	element_key(k, kid, kind, block);
	r = table_get(t, TABLE_ELEMENTS, val_of(k, sizeof(k)), &val);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int elements_has(const struct store_txn *t, uint64_t kid, uint64_t block)
{
	return element_has(t, kid, ELEMENT_ADDED, block);
}

int tombstones_has(const struct store_txn *t, uint64_t kid, uint64_t block)
{
	return element_has(t, kid, ELEMENT_TOMBSTONE, block);
}

static int element_next(const struct store_txn *t, uint64_t kid, enum element_kind kind,
			uint64_t *after)
{
	uint8_t k[ELEMENT_KEY] = { 0 };
	MDB_val key = val_of(k, sizeof(k)), val;
	int r;

	element_key(k, kid, kind, *after + 1);
	r = table_next(t, t->gen->dbi[TABLE_ELEMENTS], ELEMENT_KEY - 8, &key, &val);
	if (r == 0)
		*after = get_be64((const uint8_t *)key.mv_data + 9);
	return r;
}

int elements_next(const struct store_txn *t, uint64_t kid, uint64_t *after)
{
	return element_next(t, kid, ELEMENT_ADDED, after);
}

int tombstones_next(const struct store_txn *t, uint64_t kid, uint64_t *after)
{
	return element_next(t, kid, ELEMENT_TOMBSTONE, after);
}

/* ---- operations without a delta yet ---- */

int pending_next(const struct store_txn *t, uint64_t after, uint64_t *ret_seq, const void **ret,
		 size_t *ret_len)
{
	uint64_t from = after + 1;
	MDB_val key = val_u64(&from), val;
	int r = table_next(t, t->gen->dbi[TABLE_PENDING], 0, &key, &val);

	if (r < 0)
		return r;
	*ret_seq = get_u64(&key);
	*ret = val.mv_data;
	*ret_len = val.mv_size;
	return 0;
}

int pending_add(struct store_txn *t, const void *p, size_t n)
{
	struct store_info *info = store_info_edit(t);
	uint64_t seq = info->next_serial++;

	info->pending++;
	return table_put(t, TABLE_PENDING, val_u64(&seq), val_of(p, n), 0);
}

int pending_clear(struct store_txn *t)
{
	store_info_edit(t)->pending = 0;
	return lmdb_errno(mdb_drop(t->txn, t->gen->dbi[TABLE_PENDING], 0));
}
