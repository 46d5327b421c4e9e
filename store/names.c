/* Pins by name: names have numbers, so that a listing of them has cookies that stay. */
#include <errno.h>
#include <string.h>

#include "store/rows.h"
#include "types/name.h"

static int name_parse(const MDB_val *val, const char **ret, size_t *ret_len, uint64_t *ret_count)
{
	struct name_head h;

	if (val->mv_size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, val->mv_data, sizeof(h));
	*ret = (const char *)val->mv_data + sizeof(h);
	*ret_len = val->mv_size - sizeof(h);
	*ret_count = h.count;
	return 0;
}

int names_next(const struct store_txn *t, uint64_t after, uint64_t *ret_number, const char **ret,
	       size_t *ret_len, uint64_t *ret_count)
{
	uint64_t from = after + 1;
	MDB_val key = val_u64(&from), val;
	int r = table_next(t, t->gen->dbi[TABLE_NAME_IDS], 0, &key, &val);

	if (r < 0)
		return r;
	*ret_number = get_u64(&key);
	return name_parse(&val, ret, ret_len, ret_count);
}

int names_find(const struct store_txn *t, const char *folder, size_t n, uint64_t *ret_number)
{
	MDB_val val;
	int r;

	if (n == 0 || n > NAME_FOLDER_MAX)
		return -ENOENT;
	r = table_get(t, TABLE_NAMES, val_of(folder, n), &val);
	if (r == 0)
		*ret_number = get_u64(&val);
	return r;
}

int names_get(const struct store_txn *t, uint64_t number, const char **ret, size_t *ret_len,
	      uint64_t *ret_count)
{
	MDB_val val;
	int r = table_get(t, TABLE_NAME_IDS, val_u64(&number), &val);

	return r < 0 ? r : name_parse(&val, ret, ret_len, ret_count);
}

int names_next_pin(const struct store_txn *t, uint64_t number, uint64_t after, uint64_t *ret_serial)
{
	uint8_t k[NAME_PIN_KEY] = { 0 };
	MDB_val key = val_of(k, sizeof(k)), val;
	int r;

	name_pin_key(k, number, after + 1);
	r = table_next(t, t->gen->dbi[TABLE_NAME_PINS], NAME_PIN_KEY - 8, &key, &val);
	if (r == 0)
		*ret_serial = get_be64((const uint8_t *)key.mv_data + 8);
	return r;
}

static int name_save(struct store_txn *t, uint64_t number, uint64_t count, const char *folder,
		     size_t n)
{
	struct name_head h = { count };
	uint8_t val[sizeof(h) + NAME_FOLDER_MAX];

	memcpy(val, &h, sizeof(h));
	memcpy(val + sizeof(h), folder, n);
	return table_put(t, TABLE_NAME_IDS, val_u64(&number), val_of(val, sizeof(h) + n), 0);
}

int names_add_folder(struct store_txn *t, const char *folder, size_t n, uint64_t serial,
		     uint64_t *ret_name)
{
	uint64_t number, count = 0;
	uint8_t k[NAME_PIN_KEY] = { 0 };
	const char *old;
	size_t old_len;
	int r = names_find(t, folder, n, &number);

	if (r == -ENOENT) {
		number = store_info_edit(t)->next_serial++;
		r = table_put(t, TABLE_NAMES, val_of(folder, n), val_u64(&number), 0);
	} else if (r == 0) {
		r = names_get(t, number, &old, &old_len, &count);
	}
	if (r < 0)
		return r;
	*ret_name = number;
	name_pin_key(k, number, serial);
	r = table_put(t, TABLE_NAME_PINS, val_of(k, sizeof(k)), val_of("", 0), MDB_NOOVERWRITE);
	if (r == 0)
		r = name_save(t, number, count + 1, folder, n);
	return r == 0 || r == -EEXIST ? count > 0 : r;
}

int names_add(struct store_txn *t, const char *name, size_t n, uint64_t serial, uint64_t *ret_name)
{
	char folder[NAME_FOLDER_MAX + 1];
	size_t len = name_folder(name, n, folder);
	int r = names_add_folder(t, folder, len, serial, ret_name);

	return r < 0 ? r : 0;
}

static int name_pin_del(struct store_txn *t, uint8_t k[NAME_PIN_KEY])
{
	MDB_val key = val_of(k, NAME_PIN_KEY);

	return lmdb_errno(mdb_del(t->txn, t->gen->dbi[TABLE_NAME_PINS], &key, NULL));
}

int names_remove(struct store_txn *t, uint64_t name, uint64_t serial)
{
	char folder[NAME_FOLDER_MAX];
	uint8_t k[NAME_PIN_KEY] = { 0 };
	const char *old;
	size_t len;
	uint64_t count;
	int r = names_get(t, name, &old, &len, &count);

	if (r < 0)
		return r;
	if (len > sizeof(folder) || count == 0)
		return -EBADMSG;
	memcpy(folder, old, len); /* the next change moves it */
	name_pin_key(k, name, serial);
	r = name_pin_del(t, k);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (count > 1)
		return name_save(t, name, count - 1, folder, len);
	r = table_del(t, TABLE_NAME_IDS, val_u64(&name));
	return r < 0 ? r : table_del(t, TABLE_NAMES, val_of(folder, len));
}
