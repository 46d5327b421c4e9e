/*
 * What the files of this folder share: the environment, its tables, a transaction. Not for others.
 */
#pragma once

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/names_later.h"
#include "store/store.h"

#define STORE_SCHEMA 3
#define STORE_GENERATIONS_MAX 8 /* current, staged, and those that a reader still holds */
#define STORE_IDLE_READS 16     /* read transactions kept for reuse */
#define BROKEN_MAX 256
#define MARK_RUNNING "running" /* in meta: an orderly stop takes it away */
/* A transaction dirties no more than about this much: LMDB keeps dirty pages as heap for life. */
#define STORE_TXN_BYTES (6u << 20)

/* The tables of one generation. docs/formats.md "Store" has the byte layouts. */
enum table {
	TABLE_KEYS,      /* sort key of a pin -> struct key_row */
	TABLE_PINS,      /* serial -> struct pin_row_head, cid, protobuf */
	TABLE_ELEMENTS,  /* kid, kind, block number -> nothing */
	TABLE_BLOCKS,    /* block number -> struct block_head, bytes */
	TABLE_BLOCK_IDS, /* block id -> block number */
	TABLE_HEADS,     /* block number -> height */
	TABLE_WANTED,    /* block number -> why it is to be merged */
	TABLE_NAMES,     /* folder name -> name number */
	TABLE_NAME_IDS,  /* name number -> count, folder name */
	TABLE_NAME_PINS, /* name number, serial -> nothing */
	TABLE_STATUS,    /* serial -> struct status_head, error text */
	TABLE_BY_STATUS, /* status, rank, serial -> nothing */
	TABLE_DUE,       /* kind, second, serial -> nothing */
	TABLE_PENDING,   /* sequence -> operation that waits for its delta */
	TABLE_GONE, /* number -> CID that an import removed; on its way to the list of unpins */
	TABLE_NR
};

struct generation {
	uint64_t number;  /* 0: slot free */
	unsigned readers; /* under store.lock */
	bool retired;     /* to be dropped when readers reach 0 */
	MDB_dbi dbi[TABLE_NR];
};

struct store_txn {
	struct store *store;
	MDB_txn *txn;
	struct generation *gen;
	struct store_info info;
	bool write, info_dirty;
	bool names_later; /* see pinset.h */
	struct store_txn *next_idle;
};

struct store {
	MDB_env *env;
	MDB_dbi meta, unpins;
	char *folder;
	int folder_fd;
	bool killed;        /* the mark of a running process was found at the start */
	atomic_bool marked; /* it stands on the disk; set after the lock of writes is given back */
	atomic_bool unsettled; /* bulk_settle has yet to come to its end */

	struct mbox_msg *broken_msg;
	char broken_why[BROKEN_MAX]; /* written before broken is set */
	atomic_bool broken;

	pthread_mutex_t lock; /* generations and idle reads */
	struct generation gens[STORE_GENERATIONS_MAX];
	struct store_txn *idle;
	unsigned n_idle;

	struct later_names names;       /* the writer's */
	_Atomic uint64_t names_after;   /* of the last commit */
	_Atomic uint64_t names_behind;  /* numbers given since that serial; 0: none is put off */
	_Atomic int64_t names_since_ms; /* when names_after became what it is */
	_Atomic int64_t names_retry_ms; /* not 0: the last step failed, the next one is due then */

	/* the writer */
	pthread_t thread;
	pthread_mutex_t queue_lock;
	pthread_cond_t queue_ready;
	struct store_batch *queue, **queue_tail;
	bool stopping, started;
	struct mbox *loop;
};

/* table.c: LMDB's positive errno and own negative codes -> -errno. The only reader of them. */
int lmdb_errno(int code);

static inline MDB_val val_of(const void *p, size_t n)
{
	union {
		const void *in;
		void *out;
	} u = { p };

	return (MDB_val){ n, u.out };
}

static inline MDB_val val_u64(const uint64_t *v)
{
	return val_of(v, sizeof(*v));
}

/* Big-endian numbers in composed keys, so that byte order is number order. */
static inline void put_be64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	__builtin_memcpy(p, &v, 8);
}

static inline uint64_t get_be64(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline uint64_t get_u64(const MDB_val *v)
{
	uint64_t n = 0;

	if (v->mv_size >= 8)
		__builtin_memcpy(&n, v->mv_data, 8);
	return n;
}

static inline int table_get(const struct store_txn *t, enum table tb, MDB_val key, MDB_val *ret)
{
	return lmdb_errno(mdb_get(t->txn, t->gen->dbi[tb], &key, ret));
}

static inline int table_put(struct store_txn *t, enum table tb, MDB_val key, MDB_val val,
			    unsigned flags)
{
	return lmdb_errno(mdb_put(t->txn, t->gen->dbi[tb], &key, &val, flags));
}

/* Ends the transaction either way. -ENOSPC also where the disk was full in the middle of a write,
 * which LMDB calls EIO. -EIO with store_broken from now on: the meta page. Writer's thread. */
int txn_commit(struct store *s, MDB_txn *txn);

/* 0 also when it was not there. */
int table_del(struct store_txn *t, enum table tb, MDB_val key);
/* The first row at @key or after it: its key and value, which live as long as the transaction, and
 * in a write transaction until its next change. All keys of the table have the length of @key.
 * -ENOENT: no such row, or its key has not the first @prefix bytes of @key; -EBADMSG: it is of
 * another length. */
int table_next(const struct store_txn *t, MDB_dbi dbi, size_t prefix, MDB_val *key, MDB_val *ret);
int meta_get(const struct store_txn *t, const char *name, MDB_val *ret);
int meta_put(struct store_txn *t, const char *name, const void *p, size_t n);

/* generation.c. NULL: there is none of that number. Under store.lock, or before others run. */
struct generation *generation_find(struct store *s, uint64_t number);
int generation_open(struct store *s, MDB_txn *txn, uint64_t number, bool create,
		    struct generation **ret);
/* After the commit that made another one current. */
void generation_retire(struct store *s, struct generation *g);
/* After the transaction that made its tables was undone. */
void generation_forget(struct store *s, struct generation *g);
/* Writer's thread, outside a transaction: one step of dropping what no reader holds any more. True
 * while there is more to do. */
bool generation_sweep(struct store *s);
/* The same, until there is room for a new generation. */
void generation_make_room(struct store *s);
/* At the start, what was not dropped before the last stop (an import that did not end, or a set
 * that somebody was still reading) is to be dropped by and by. So many that there is no room: at
 * the next start. */
int generation_adopt(struct store *s, MDB_txn *txn, MDB_dbi main_dbi, uint64_t current);
/* Above every number in use, those to be dropped included. */
uint64_t generation_next_number(struct store *s);

/* env.c */
int store_info_load(struct store_txn *t);

/* writer.c */
int writer_start(struct store *s);
void writer_stop(struct store *s);

/* bulk_gone.c: moves the CIDs that an import removed to the list of unpins. Writer's thread. What
 * fails is tried again after the next change, at the next import and at the next start. */
int bulk_settle(struct store *s);
