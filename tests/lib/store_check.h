/*
 * Counts a whole store again from its rows, and compares: counters, indexes and lengths must be
 * what the rows say. Looks at the tables themselves. Include after cmocka.h.
 */
#pragma once

#include <string.h>

#include "store/blocks.h"
#include "store/rows.h"
#include "store/status.h"
#include "types/name.h"
#include "types/pin_json.h"

struct store_sums {
	uint64_t pins, bytes, retries, expiries, named;
	uint64_t by_status[STATUS_NR];
};

typedef void (*store_check_fn)(const struct store_txn *t, const MDB_val *key, const MDB_val *val,
			       struct store_sums *sums);

/* Calls @fn for each entry; returns how many there are. */
static inline uint64_t store_check_each(const struct store_txn *t, enum table tb, store_check_fn fn,
					struct store_sums *sums)
{
	MDB_cursor *cur;
	MDB_val key, val;
	uint64_t n = 0;

	assert_int_equal(0, mdb_cursor_open(t->txn, t->gen->dbi[tb], &cur));
	while (mdb_cursor_get(cur, &key, &val, MDB_NEXT) == 0) {
		n++;
		if (fn)
			fn(t, &key, &val, sums);
	}
	mdb_cursor_close(cur);
	return n;
}

static inline bool store_check_has(const struct store_txn *t, enum table tb, const void *key,
				   size_t n)
{
	MDB_val val;

	return table_get(t, tb, val_of(key, n), &val) == 0;
}

/* A pin is listed by its name, unless that was put off. */
static inline bool store_check_name(const struct store_txn *t, const struct pin_row *row,
				    const struct pin *p)
{
	uint64_t after = store_info(t)->names_after, number;
	char folder[NAME_FOLDER_MAX + 1];
	size_t n = name_folder(p->name.p, p->name.n, folder);
	bool found = names_find(t, folder, n, &number) == 0;
	uint8_t key[NAME_PIN_KEY];

	if (found) {
		name_pin_key(key, number, row->serial);
		found = store_check_has(t, TABLE_NAME_PINS, key, sizeof(key));
	}
	assert_true(found || (row->name == 0 && after > 0 && row->serial > after));
	assert_true(row->name == 0 || row->name == number);
	return found;
}

/* A pin's row: its lengths, and that each index has it. */
static inline void store_check_pin(const struct store_txn *t, const MDB_val *key,
				   const MDB_val *val, struct store_sums *sums)
{
	uint8_t due[DUE_KEY];
	struct buf text = BUF_INIT(0);
	uint64_t serial = get_u64(key);
	struct pin_row_head h;
	struct status_row status;
	struct pin_row row;
	struct pin p;

	memcpy(&h, val->mv_data, sizeof(h));
	assert_int_equal(0, pinset_raw(t, serial, &row));
	assert_true(serial < store_info(t)->next_serial);
	if (row.flags & PIN_ROW_UNREADABLE) {
		assert_int_equal(-ENOENT, status_get(t, serial, &status));
		return;
	}
	pin_init(&p);
	assert_int_equal(0, pinset_decode(&row, &p, NULL));
	assert_int_equal(0, pin_json_line(&p, &text));
	assert_int_equal(text.len + 1, row.line_len);
	buf_reset(&text);
	assert_int_equal(0, pin_json_document(&p, &text));
	assert_int_equal(text.len, row.document_len);
	assert_int_equal(p.timestamp, row.timestamp);
	assert_int_equal(p.expire_at, h.expire_at);
	sums->named += store_check_name(t, &row, &p);
	due_key(due, DUE_EXPIRY, h.expire_at, serial);
	assert_int_equal(p.expire_at != PIN_TIME_UNSET,
			 store_check_has(t, TABLE_DUE, due, sizeof(due)));
	assert_int_equal(0, status_get(t, serial, &status));
	sums->pins++;
	sums->bytes += row.line_len;
	sums->expiries += p.expire_at != PIN_TIME_UNSET;
	pin_deinit(&p);
	buf_deinit(&text);
}

/* A key's value is a row of its own. */
static inline void store_check_key(const struct store_txn *t, const MDB_val *key,
				   const MDB_val *val, struct store_sums *sums)
{
	struct key_row k;
	struct pin_row row;

	assert_int_equal(sizeof(k), val->mv_size);
	memcpy(&k, val->mv_data, sizeof(k));
	assert_int_not_equal(0, k.kid);
	if (k.serial == 0)
		return;
	assert_int_equal(0, pinset_raw(t, k.serial, &row));
	assert_int_equal(k.kid, row.kid);
	sums->pins++;
}

static inline void store_check_status(const struct store_txn *t, const MDB_val *key,
				      const MDB_val *val, struct store_sums *sums)
{
	uint8_t by[BY_STATUS_KEY], due[DUE_KEY];
	uint64_t serial = get_u64(key);
	struct status_row row;
	struct pin_row pin;

	assert_int_equal(0, status_get(t, serial, &row));
	assert_int_equal(0, pinset_row(t, serial, &pin));
	by_status_key(by, row.status, row.rank, serial);
	assert_true(store_check_has(t, TABLE_BY_STATUS, by, sizeof(by)));
	due_key(due, DUE_RETRY, row.retry_s, serial);
	assert_int_equal(row.retry_s != 0, store_check_has(t, TABLE_DUE, due, sizeof(due)));
	sums->by_status[row.status]++;
	sums->retries += row.retry_s != 0;
}

static inline void store_check_folder(const struct store_txn *t, const MDB_val *key,
				      const MDB_val *val, struct store_sums *sums)
{
	uint64_t number = get_u64(key), found, count, serial = 0, n = 0;
	const char *folder;
	size_t len;

	assert_int_equal(0, names_get(t, number, &folder, &len, &count));
	assert_int_equal(0, names_find(t, folder, len, &found));
	assert_int_equal(number, found);
	while (names_next_pin(t, number, serial, &serial) == 0)
		n++;
	assert_int_equal(n, count);
	assert_int_not_equal(0, n);
}

static inline void store_check_head(const struct store_txn *t, const MDB_val *key,
				    const MDB_val *val, struct store_sums *sums)
{
	struct block_row row;

	assert_int_equal(0, blocks_row(t, get_u64(key), &row));
	assert_true(row.stored && row.merged);
	assert_int_equal(row.height, get_u64(val));
}

static inline void store_check_wanted(const struct store_txn *t, const MDB_val *key,
				      const MDB_val *val, struct store_sums *sums)
{
	struct block_row row;

	assert_int_equal(0, blocks_row(t, get_u64(key), &row));
	assert_false(row.merged);
}

static inline void store_check_block_id(const struct store_txn *t, const MDB_val *key,
					const MDB_val *val, struct store_sums *sums)
{
	struct block_row row;

	assert_int_equal(0, blocks_row(t, get_u64(val), &row));
	assert_true(row.number < store_info(t)->next_block);
}

static inline void store_check(const struct store_txn *t)
{
	const struct store_info *info = store_info(t);
	struct store_sums rows = { 0 }, keys = { 0 };
	uint64_t all = store_check_each(t, TABLE_PINS, store_check_pin, &rows);
	uint64_t statuses = store_check_each(t, TABLE_STATUS, store_check_status, &rows);

	store_check_each(t, TABLE_KEYS, store_check_key, &keys);
	assert_int_equal(all, keys.pins);
	assert_int_equal(rows.pins, info->pins);
	assert_int_equal(rows.bytes, info->export_bytes);
	assert_int_equal(rows.pins, statuses);
	for (unsigned i = 0; i < STATUS_NR; i++)
		assert_int_equal(rows.by_status[i], info->by_status[i]);
	assert_int_equal(statuses, store_check_each(t, TABLE_BY_STATUS, NULL, NULL));
	assert_int_equal(rows.expiries + rows.retries, store_check_each(t, TABLE_DUE, NULL, NULL));
	assert_int_equal(rows.named, store_check_each(t, TABLE_NAME_PINS, NULL, NULL));
	assert_int_equal(store_check_each(t, TABLE_NAME_IDS, store_check_folder, NULL),
			 store_check_each(t, TABLE_NAMES, NULL, NULL));
	store_check_each(t, TABLE_HEADS, store_check_head, NULL);
	store_check_each(t, TABLE_WANTED, store_check_wanted, NULL);
	assert_int_equal(store_check_each(t, TABLE_BLOCK_IDS, store_check_block_id, NULL),
			 store_check_each(t, TABLE_BLOCKS, NULL, NULL));
	assert_int_equal(info->pending, store_check_each(t, TABLE_PENDING, NULL, NULL));
}
