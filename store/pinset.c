/* Rows of the pinset. The layouts are in rows.h and in docs/formats.md, "Store". */
#include "store/pinset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/rows.h"
#include "store/status.h"
#include "types/name.h"
#include "types/pin_json.h"
#include "types/pin_pb.h"
#include "util/clock.h"

/* An unlink followed by a create must not unpin in between. */
#define UNPIN_DELAY_NS (2 * NS_PER_S)
/* JSON of the largest pin: a byte takes six characters when it is escaped, in an address more. */
#define TEXT_BYTES_MAX (16 * PIN_BYTES_MAX)

/* ---- reading ---- */

static int row_parse(uint64_t serial, const MDB_val *val, struct pin_row *ret)
{
	struct pin_row_head h;
	const uint8_t *p = val->mv_data;

	if (val->mv_size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	if (val->mv_size - sizeof(h) < h.cid_len)
		return -EBADMSG;
	*ret = (struct pin_row){ .serial = serial,
				 .kid = h.kid,
				 .priority = h.priority,
				 .timestamp = h.timestamp,
				 .name = h.name,
				 .document_len = h.document_len,
				 .line_len = h.line_len,
				 .flags = h.flags,
				 .cid = p + sizeof(h),
				 .cid_len = h.cid_len,
				 .value = p + sizeof(h) + h.cid_len,
				 .value_len = val->mv_size - sizeof(h) - h.cid_len };
	return 0;
}

int pinset_raw(const struct store_txn *t, uint64_t serial, struct pin_row *ret)
{
	MDB_val val;
	int r = table_get(t, TABLE_PINS, val_u64(&serial), &val);

	return r < 0 ? r : row_parse(serial, &val, ret);
}

int pinset_row(const struct store_txn *t, uint64_t serial, struct pin_row *ret)
{
	int r = pinset_raw(t, serial, ret);

	return r == 0 && (ret->flags & PIN_ROW_UNREADABLE) ? -ENOENT : r;
}

int pinset_key(const struct store_txn *t, const struct sortkey *key, struct key_row *ret)
{
	MDB_val val;
	int r = table_get(t, TABLE_KEYS, val_of(key->bytes, key->len), &val);

	if (r < 0)
		return r;
	if (val.mv_size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, val.mv_data, sizeof(*ret));
	return 0;
}

int pinset_find(const struct store_txn *t, const struct cid *cid, struct pin_row *ret)
{
	struct sortkey key;
	struct key_row k;
	int r;

	sortkey_of_cid(cid->bytes, cid->len, &key);
	r = pinset_key(t, &key, &k);
	if (r < 0)
		return r;
	return k.serial ? pinset_row(t, k.serial, ret) : -ENOENT;
}

int pinset_decode(const struct pin_row *row, struct pin *ret, struct err *e)
{
	int r = pin_pb_decode(row->value, row->value_len, ret, e);

	/* The key decides which CID it is, whatever the value says. */
	return r < 0 ? r : cid_from_bytes(row->cid, row->cid_len, &ret->cid, e);
}

/* ---- iterating ---- */

static int iter_open(const struct store_txn *t, enum table tb, struct pinset_iter *ret)
{
	MDB_cursor *cur;
	int r = lmdb_errno(mdb_cursor_open(t->txn, t->gen->dbi[tb], &cur));

	if (r == 0)
		*ret = (struct pinset_iter){ .t = t, .cursor = cur };
	return r;
}

int pinset_iter_serials(const struct store_txn *t, uint64_t after, struct pinset_iter *ret)
{
	int r = iter_open(t, TABLE_PINS, ret);

	if (r == 0)
		ret->after = after;
	return r;
}

static int rows_open(const struct store_txn *t, struct pinset_iter *it)
{
	MDB_cursor *cur;
	int r = lmdb_errno(mdb_cursor_open(t->txn, t->gen->dbi[TABLE_PINS], &cur));

	if (r == 0)
		it->rows = cur;
	return r;
}

int pinset_iter_keys(const struct store_txn *t, const struct sortkey *from, struct pinset_iter *ret)
{
	MDB_val key, val;
	int r = iter_open(t, TABLE_KEYS, ret);

	if (r < 0)
		return r;
	ret->by_key = true;
	r = rows_open(t, ret);
	if (r < 0) {
		pinset_iter_end(ret);
		return r;
	}
	if (!from)
		return 0;
	key = val_of(from->bytes, from->len);
	r = lmdb_errno(mdb_cursor_get(ret->cursor, &key, &val, MDB_SET_RANGE));
	if (r < 0 && r != -ENOENT) {
		pinset_iter_end(ret);
		return r;
	}
	/* The first pinset_next stays on this entry, or ends at once. */
	ret->after = r == 0 ? 1 : 2;
	return 0;
}

static int next_by_serial(struct pinset_iter *it, struct pin_row *ret)
{
	uint64_t serial = it->after + 1;
	MDB_val key = val_u64(&serial), val;
	int r;

	do {
		r = lmdb_errno(
		    mdb_cursor_get(it->cursor, &key, &val, it->started ? MDB_NEXT : MDB_SET_RANGE));
		if (r < 0)
			return r;
		it->started = true;
		it->after = get_u64(&key);
		r = row_parse(it->after, &val, ret);
	} while (r == 0 && (ret->flags & PIN_ROW_UNREADABLE));
	return r;
}

/* The row of @serial. An import gives serials in the order of the dump, so it is often the one
 * behind the last, which is found without a search. */
static int row_at(struct pinset_iter *it, uint64_t serial, struct pin_row *ret)
{
	MDB_val key, val;
	int r = -ENOENT;

	if (serial == it->row + 1)
		r = lmdb_errno(mdb_cursor_get(it->rows, &key, &val, MDB_NEXT));
	if (r < 0 || get_u64(&key) != serial) {
		key = val_u64(&serial);
		r = lmdb_errno(mdb_cursor_get(it->rows, &key, &val, MDB_SET));
	}
	if (r == 0)
		r = row_parse(serial, &val, ret);
	it->row = r == 0 ? serial : 0;
	return r == 0 && (ret->flags & PIN_ROW_UNREADABLE) ? -ENOENT : r;
}

static MDB_cursor_op next_key_op(struct pinset_iter *it)
{
	MDB_cursor_op op = it->started ? MDB_NEXT : it->after == 1 ? MDB_GET_CURRENT : MDB_FIRST;

	it->started = true;
	return op;
}

static int next_by_key(struct pinset_iter *it, struct pin_row *ret)
{
	struct key_row k;
	MDB_val key, val;
	int r;

	if (!it->started && it->after == 2)
		return -ENOENT;
	for (;;) {
		r = lmdb_errno(mdb_cursor_get(it->cursor, &key, &val, next_key_op(it)));
		if (r < 0)
			return r;
		if (val.mv_size != sizeof(k))
			return -EBADMSG;
		memcpy(&k, val.mv_data, sizeof(k));
		if (k.serial == 0)
			continue;
		r = row_at(it, k.serial, ret);
		if (r != -ENOENT)
			return r;
	}
}

int pinset_next(struct pinset_iter *it, struct pin_row *ret)
{
	return it->by_key ? next_by_key(it, ret) : next_by_serial(it, ret);
}

void pinset_iter_end(struct pinset_iter *it)
{
	mdb_cursor_close(it->cursor);
	if (it->rows)
		mdb_cursor_close(it->rows);
	it->cursor = it->rows = NULL;
}

/* ---- changing ---- */

static int key_save(struct store_txn *t, const struct sortkey *key, const struct key_row *k)
{
	return table_put(t, TABLE_KEYS, val_of(key->bytes, key->len), val_of(k, sizeof(*k)), 0);
}

int pinset_key_make(struct store_txn *t, const struct sortkey *key, struct key_row *ret)
{
	int r = pinset_key(t, key, ret);

	if (r != -ENOENT)
		return r;
	*ret = (struct key_row){ .kid = store_info_edit(t)->next_serial++ };
	return key_save(t, key, ret);
}

/* Lengths and indexed fields of a value, or the flag that it is no pin. */
static int describe(const struct cid *cid, const uint8_t *value, size_t len, struct pin *pin,
		    struct pin_row_head *h)
{
	struct buf text = BUF_INIT(TEXT_BYTES_MAX);
	int r;

	if (!cid_defined(cid) || pin_pb_decode(value, len, pin, NULL) < 0) {
		h->flags |= PIN_ROW_UNREADABLE;
		return 0;
	}
	cid_copy(&pin->cid, cid);
	r = pin_json_line(pin, &text);
	h->line_len = (uint32_t)text.len + 1;
	h->document_len = (uint32_t)pin_json_document_len(pin, text.len);
	h->timestamp = pin->timestamp;
	h->expire_at = pin->expire_at;
	buf_deinit(&text);
	if (r == -ERANGE) { /* a time that no dump can show */
		h->flags |= PIN_ROW_UNREADABLE;
		return 0;
	}
	return r;
}

static int row_write(struct store_txn *t, uint64_t serial, const struct pin_row_head *h,
		     const struct cid *cid, const uint8_t *value, size_t len)
{
	MDB_val key = val_u64(&serial), val = { sizeof(*h) + h->cid_len + len, NULL };
	uint8_t *p;
	int r = lmdb_errno(mdb_put(t->txn, t->gen->dbi[TABLE_PINS], &key, &val, MDB_RESERVE));

	if (r < 0)
		return r;
	p = val.mv_data;
	memcpy(p, h, sizeof(*h));
	memcpy(p + sizeof(*h), cid->bytes, h->cid_len);
	if (len > 0)
		memcpy(p + sizeof(*h) + h->cid_len, value, len);
	return 0;
}

/* The number of the row's name, by its text where that was put off. */
static int name_number(const struct store_txn *t, const struct pin_row *row, uint64_t *ret)
{
	char folder[NAME_FOLDER_MAX + 1];
	struct pin pin;
	int r;

	*ret = row->name;
	if (row->name != 0)
		return 0;
	pin_init(&pin);
	r = pinset_decode(row, &pin, NULL);
	if (r == 0)
		r = names_find(t, folder, name_folder(pin.name.p, pin.name.n, folder), ret);
	pin_deinit(&pin);
	return r;
}

/* The name may not be there yet. */
static int row_unname(struct store_txn *t, const struct pin_row *row)
{
	uint64_t number = 0, serial = row->serial;
	int r = name_number(t, row, &number);

	if (r == 0)
		r = names_remove(t, number, serial);
	return r == -ENOENT ? 0 : r;
}

/* Takes what a row added to indexes and counters away again; the row itself stays. */
static int row_unindex(struct store_txn *t, uint64_t serial)
{
	struct store_info *info = store_info_edit(t);
	struct pin_row_head h;
	struct pin_row row;
	MDB_val val;
	int r = table_get(t, TABLE_PINS, val_u64(&serial), &val);

	if (r == 0)
		r = row_parse(serial, &val, &row);
	if (r < 0)
		return r;
	memcpy(&h, val.mv_data, sizeof(h));
	if (h.flags & PIN_ROW_UNREADABLE)
		return 0;
	info->pins--;
	info->export_bytes -= h.line_len;
	r = row_unname(t, &row);
	if (r == 0 && h.expire_at != PIN_TIME_UNSET)
		r = due_del(t, DUE_EXPIRY, h.expire_at, serial);
	return r;
}

static int row_index(struct store_txn *t, uint64_t serial, bool is_new, const struct pin *pin,
		     struct pin_row_head *h, uint8_t rank)
{
	struct store_info *info = store_info_edit(t);
	struct status_row status = { .status = STATUS_PIN_QUEUED,
				     .rank = rank,
				     .since_ns = clock_now_ns() };
	struct status_row old;
	int r = status_get(t, serial, &old);

	if (r == 0)
		status.held = old.held || old.status == STATUS_PINNED;
	else if (r != -ENOENT)
		return r;
	r = 0;
	if (is_new && t->names_later)
		names_put_off(t, serial);
	else
		r = names_add(t, pin->name.p, pin->name.n, serial, &h->name);
	info->pins++;
	info->export_bytes += h->line_len;
	if (r == 0 && h->expire_at != PIN_TIME_UNSET)
		r = due_put(t, DUE_EXPIRY, h->expire_at, serial);
	return r < 0 ? r : status_put(t, serial, &status);
}

/* The row has this value already: only its place in the DAG is new. Returns 1 when that is so. */
static int same_value(struct store_txn *t, uint64_t serial, const struct cid *cid,
		      const uint8_t *value, size_t len, uint64_t priority, uint32_t flags)
{
	struct pin_row_head h;
	struct pin_row row;
	uint8_t *copy;
	MDB_val val;
	int r = table_get(t, TABLE_PINS, val_u64(&serial), &val);

	if (r == 0)
		r = row_parse(serial, &val, &row);
	if (r != 0)
		return r;
	if (row.value_len != len || (len > 0 && memcmp(row.value, value, len) != 0))
		return 0;
	memcpy(&h, val.mv_data, sizeof(h));
	h.priority = priority;
	h.flags = (uint16_t)((h.flags & PIN_ROW_UNREADABLE) | flags);
	copy = malloc(len + 1); /* @value may lie in the row that is rewritten */
	if (!copy)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, value, len);
	r = row_write(t, serial, &h, cid, copy, len);
	free(copy);
	return r < 0 ? r : 1;
}

int pinset_set(struct store_txn *t, const struct sortkey *key, struct key_row *key_row,
	       const struct cid *cid, const uint8_t *value, size_t len, uint64_t priority,
	       uint32_t flags, uint8_t rank)
{
	struct pin_row_head h = { .kid = key_row->kid,
				  .priority = priority,
				  .flags = (uint16_t)flags,
				  .cid_len = cid->len };
	bool is_new = key_row->serial == 0;
	struct pin pin;
	int r =
	    key_row->serial ? same_value(t, key_row->serial, cid, value, len, priority, flags) : 0;

	if (r != 0)
		return r < 0 ? r : 0;
	pin_init(&pin);
	r = describe(cid, value, len, &pin, &h);
	if (r == 0 && key_row->serial) {
		r = row_unindex(t, key_row->serial);
	} else if (r == 0) {
		key_row->serial = store_info_edit(t)->next_serial++;
		r = key_save(t, key, key_row);
	}
	if (r == 0 && (h.flags & PIN_ROW_UNREADABLE))
		r = status_del(t, key_row->serial);
	else if (r == 0)
		r = row_index(t, key_row->serial, is_new, &pin, &h, rank);
	if (r == 0)
		r = row_write(t, key_row->serial, &h, cid, value, len);
	pin_deinit(&pin);
	if (r == 0)
		store_touch(t);
	return r;
}

int pinset_unset(struct store_txn *t, const struct sortkey *key, struct key_row *key_row)
{
	uint64_t serial = key_row->serial;
	uint8_t cid[CID_BYTES_MAX];
	struct pin_row row;
	int r;

	if (serial == 0)
		return 0;
	r = pinset_raw(t, serial, &row);
	if (r == 0 && row.cid_len > sizeof(cid))
		r = -EBADMSG;
	if (r == 0 && row.cid_len > 0) {
		memcpy(cid, row.cid, row.cid_len); /* the next change moves it */
		r = unpin_add(t, cid, row.cid_len, clock_now_ns() + UNPIN_DELAY_NS);
	}
	if (r == 0)
		r = row_unindex(t, serial);
	if (r == 0)
		r = status_del(t, serial);
	if (r == 0)
		r = table_del(t, TABLE_PINS, val_u64(&serial));
	key_row->serial = 0;
	if (r == 0)
		r = key_save(t, key, key_row);
	if (r == 0)
		store_touch(t);
	return r;
}
