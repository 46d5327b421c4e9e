/* Access to single rows of the tables, and LMDB's errors. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

#define LOG_AREA "store"
#include "util/log.h"

int lmdb_errno(int code)
{
	switch (code) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_KEYEXIST:
		return -EEXIST;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
	case MDB_DBS_FULL:
		return -EMFILE;
	case MDB_PANIC: /* a meta page could not be written: nothing works until a new start */
		return -EIO;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
		return -EBADMSG;
	case MDB_BAD_VALSIZE:
	case MDB_BAD_TXN:
	case MDB_BAD_DBI:
	case MDB_BAD_RSLOT:
		return -EPROTO;
	default:
		return code > 0 ? -code : -EPROTO;
	}
}

/* LMDB tells that a meta page could not be written only when the next transaction is to begin. */
static bool is_given_up(MDB_env *env)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(env, NULL, 0, &txn);

	if (code == 0)
		mdb_txn_abort(txn);
	return code == MDB_PANIC;
}

static void break_store(struct store *s, int r)
{
	snprintf(s->broken_why, sizeof(s->broken_why),
		 "%s/data.mdb could not be written (%s): nothing works until a new start. Check "
		 "the disk, then start again; what was acknowledged is there",
		 s->folder, strerror(-r));
	atomic_store(&s->broken, true);
	log_err("%s", s->broken_why);
	if (s->broken_msg)
		mbox_post(s->loop, s->broken_msg);
}

const char *store_broken(const struct store *s)
{
	return atomic_load(&s->broken) ? s->broken_why : NULL;
}

int txn_commit(struct store *s, MDB_txn *txn)
{
	int r;

	errno = 0; /* stays so where a write returned less than was asked for */
	r = lmdb_errno(mdb_txn_commit(txn));
	if (r == -EIO && errno == 0)
		r = -ENOSPC;
	if (r == 0 || !is_given_up(s->env))
		return r;
	break_store(s, r); /* once: no transaction begins after it */
	return -EIO;
}

int table_del(struct store_txn *t, enum table tb, MDB_val key)
{
	int r = lmdb_errno(mdb_del(t->txn, t->gen->dbi[tb], &key, NULL));

	return r == -ENOENT ? 0 : r;
}

int table_next(const struct store_txn *t, MDB_dbi dbi, size_t prefix, MDB_val *key, MDB_val *ret)
{
	const MDB_val from = *key;
	MDB_cursor *cur;
	int r = lmdb_errno(mdb_cursor_open(t->txn, dbi, &cur));

	if (r < 0)
		return r;
	r = lmdb_errno(mdb_cursor_get(cur, key, ret, MDB_SET_RANGE));
	mdb_cursor_close(cur);
	if (r < 0)
		return r;
	if (key->mv_size != from.mv_size)
		return -EBADMSG;
	return memcmp(key->mv_data, from.mv_data, prefix) == 0 ? 0 : -ENOENT;
}

int meta_get(const struct store_txn *t, const char *name, MDB_val *ret)
{
	MDB_val key = val_of(name, strlen(name));

	return lmdb_errno(mdb_get(t->txn, t->store->meta, &key, ret));
}

int meta_put(struct store_txn *t, const char *name, const void *p, size_t n)
{
	MDB_val key = val_of(name, strlen(name)), val = val_of(p, n);

	return lmdb_errno(mdb_put(t->txn, t->store->meta, &key, &val, 0));
}
