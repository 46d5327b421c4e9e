/* Generations of tables: made, found, and dropped step by step. See store.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

#define LOG_AREA "store"
#include "util/log.h"

#define DROP_STEP_BYTES (2 << 20) /* of rows dropped in one transaction: about 500 pages */
#define DROP_ROW_BYTES 8          /* what LMDB needs beside key and value */

static const struct {
	const char *name;
	unsigned flags;
} tables[TABLE_NR] = {
	[TABLE_KEYS] = { "keys", 0 },
	[TABLE_PINS] = { "pins", MDB_INTEGERKEY },
	[TABLE_ELEMENTS] = { "elements", 0 },
	[TABLE_BLOCKS] = { "blocks", MDB_INTEGERKEY },
	[TABLE_BLOCK_IDS] = { "block_ids", 0 },
	[TABLE_HEADS] = { "heads", MDB_INTEGERKEY },
	[TABLE_WANTED] = { "wanted", MDB_INTEGERKEY },
	[TABLE_NAMES] = { "names", 0 },
	[TABLE_NAME_IDS] = { "name_ids", MDB_INTEGERKEY },
	[TABLE_NAME_PINS] = { "name_pins", 0 },
	[TABLE_STATUS] = { "status", MDB_INTEGERKEY },
	[TABLE_BY_STATUS] = { "by_status", 0 },
	[TABLE_DUE] = { "due", 0 },
	[TABLE_PENDING] = { "pending", MDB_INTEGERKEY },
	[TABLE_GONE] = { "gone", MDB_INTEGERKEY },
};

static void table_name(char *out, size_t cap, unsigned table, uint64_t number)
{
	snprintf(out, cap, "%s.%llu", tables[table].name, (unsigned long long)number);
}

struct generation *generation_find(struct store *s, uint64_t number)
{
	for (unsigned i = 0; i < STORE_GENERATIONS_MAX; i++)
		if (s->gens[i].number == number)
			return &s->gens[i];
	return NULL;
}

int generation_open(struct store *s, MDB_txn *txn, uint64_t number, bool create,
		    struct generation **ret)
{
	struct generation g = { .number = number }, *slot;

	for (unsigned i = 0; i < TABLE_NR; i++) {
		char name[48];
		int r;

		table_name(name, sizeof(name), i, number);
		r = lmdb_errno(mdb_dbi_open(txn, name, tables[i].flags | (create ? MDB_CREATE : 0),
					    &g.dbi[i]));
		if (r < 0)
			return r;
	}
	pthread_mutex_lock(&s->lock);
	slot = generation_find(s, 0);
	if (slot)
		*slot = g;
	pthread_mutex_unlock(&s->lock);
	if (!slot)
		return -EBUSY;
	*ret = slot;
	return 0;
}

void generation_retire(struct store *s, struct generation *g)
{
	pthread_mutex_lock(&s->lock);
	g->retired = true;
	pthread_mutex_unlock(&s->lock);
}

void generation_forget(struct store *s, struct generation *g)
{
	pthread_mutex_lock(&s->lock);
	*g = (struct generation){ 0 };
	pthread_mutex_unlock(&s->lock);
}

/* Empties a table from its front, as far as @budget (bytes) goes; then it is gone. 1: more is left.
 */
static int table_shrink(MDB_txn *txn, MDB_dbi dbi, int64_t *budget)
{
	MDB_val key, val;
	MDB_cursor *cur;
	int r = lmdb_errno(mdb_cursor_open(txn, dbi, &cur));

	if (r < 0)
		return r;
	while (*budget > 0 && (r = lmdb_errno(mdb_cursor_get(cur, &key, &val, MDB_FIRST))) == 0) {
		*budget -= (int64_t)(key.mv_size + val.mv_size) + DROP_ROW_BYTES;
		r = lmdb_errno(mdb_cursor_del(cur, 0));
		if (r < 0)
			break;
	}
	mdb_cursor_close(cur);
	if (r == 0)
		return 1;
	return r == -ENOENT ? lmdb_errno(mdb_drop(txn, dbi, 1)) : r;
}

/* One step of a drop, in a transaction of its own. 1: there is more to do. LMDB takes what one
 * transaction freed back as a whole, and writes it anew with each commit until it is used up:
 * tables dropped at once would make every later commit slow. */
static int generation_drop_step(struct store *s, uint64_t number)
{
	int64_t budget = DROP_STEP_BYTES;
	MDB_txn *txn;
	int r = lmdb_errno(mdb_txn_begin(s->env, NULL, 0, &txn)), more = 0;

	if (r < 0)
		return r;
	for (unsigned i = 0; r == 0 && more == 0 && i < TABLE_NR; i++) {
		char name[48];
		MDB_dbi dbi;

		/* By name: LMDB closes the handle of a table that it drops, even if the
		 * transaction is undone. */
		table_name(name, sizeof(name), i, number);
		r = lmdb_errno(mdb_dbi_open(txn, name, tables[i].flags, &dbi));
		if (r == 0)
			r = table_shrink(txn, dbi, &budget);
		more = r == 1;
		if (r == 1 || r == -ENOENT)
			r = 0;
	}
	if (r < 0) {
		mdb_txn_abort(txn);
		return r;
	}
	r = txn_commit(s, txn);
	return r < 0 ? r : more;
}

static struct generation *generation_to_drop(struct store *s)
{
	struct generation *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; !found && i < STORE_GENERATIONS_MAX; i++) {
		struct generation *g = &s->gens[i];

		if (g->number != 0 && g->retired && g->readers == 0)
			found = g;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

bool generation_sweep(struct store *s)
{
	struct generation *g = generation_to_drop(s);
	int r = g ? generation_drop_step(s, g->number) : 0;

	if (r > 0)
		return true;
	if (r < 0) {
		log_warn("dropping old tables failed (%s): trying again later", strerror(-r));
		return false;
	}
	if (!g)
		return false;
	generation_forget(s, g);
	return generation_to_drop(s) != NULL;
}

uint64_t generation_next_number(struct store *s)
{
	uint64_t top = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < STORE_GENERATIONS_MAX; i++)
		if (s->gens[i].number > top)
			top = s->gens[i].number;
	pthread_mutex_unlock(&s->lock);
	return top + 1;
}

void generation_make_room(struct store *s)
{
	bool full;

	do {
		pthread_mutex_lock(&s->lock);
		full = generation_find(s, 0) == NULL;
		pthread_mutex_unlock(&s->lock);
	} while (full && generation_sweep(s));
}

static void adopt(struct store *s, uint64_t number)
{
	struct generation *g = generation_find(s, number);

	if (!g)
		g = generation_find(s, 0);
	if (!g)
		return;
	g->number = number;
	g->retired = true;
}

int generation_adopt(struct store *s, MDB_txn *txn, MDB_dbi main_dbi, uint64_t current)
{
	MDB_cursor *cur;
	MDB_val key, val;
	int r = lmdb_errno(mdb_cursor_open(txn, main_dbi, &cur));

	if (r < 0)
		return r;
	r = lmdb_errno(mdb_cursor_get(cur, &key, &val, MDB_FIRST));
	while (r == 0) {
		char name[64];
		const char *dot;
		uint64_t number;

		snprintf(name, sizeof(name), "%.*s", (int)key.mv_size, (const char *)key.mv_data);
		dot = strrchr(name, '.');
		number = dot ? strtoull(dot + 1, NULL, 10) : current;
		if (number != current && number != 0)
			adopt(s, number);
		r = lmdb_errno(mdb_cursor_get(cur, &key, &val, MDB_NEXT));
	}
	mdb_cursor_close(cur);
	return r == -ENOENT ? 0 : r;
}
