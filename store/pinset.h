/*
 * The pinset as rows: found by CID, listed by serial (the order of arrival, whose numbers are inode
 * numbers and cookies) or by key (the order of the dump). Each row has its exact length as a
 * document and as a dump line.
 *
 * A key keeps its number (kid) for ever, since its elements and tombstones hang on it; the serial
 * of its row is new each time it is pinned after having been gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/sortkey.h"
#include "store/store.h"
#include "types/pin.h"

enum {
	PIN_ROW_UNREADABLE = 1 << 0, /* value that is no pin, or key that is no CID: never listed */
	PIN_ROW_PENDING = 1 << 1,    /* acknowledged, its delta not cut yet (crdt.batching) */
};

/* Pointers live as long as the transaction, and in a write transaction until its next change. */
struct pin_row {
	uint64_t serial;
	uint64_t kid;
	uint64_t priority;               /* height of the delta that set the value */
	int64_t timestamp;               /* Unix seconds */
	uint64_t name;                   /* number of its name; 0: brought in later (names_later) */
	uint32_t document_len, line_len; /* bytes, final newline included */
	uint32_t flags;
	const uint8_t *cid;
	size_t cid_len;
	const uint8_t *value; /* protobuf */
	size_t value_len;
};

/* -ENOENT: not pinned (or unreadable). */
int pinset_find(const struct store_txn *t, const struct cid *cid, struct pin_row *ret);
int pinset_row(const struct store_txn *t, uint64_t serial, struct pin_row *ret);
/* Decodes the row's value; texts point into the transaction. */
int pinset_decode(const struct pin_row *row, struct pin *ret, struct err *e);

struct pinset_iter {
	const struct store_txn *t;
	void *cursor;
	void *rows; /* second cursor, when by key: neighbours of the dump often lie together */
	bool by_key, started;
	uint64_t after;
	uint64_t row; /* serial at which the second cursor stands; 0 where that is not known */
};

/* Rows with a serial above @after, ascending. */
int pinset_iter_serials(const struct store_txn *t, uint64_t after, struct pinset_iter *ret);
/* All rows in the order of the dump, from key @from (NULL: the first) on. */
int pinset_iter_keys(const struct store_txn *t, const struct sortkey *from,
		     struct pinset_iter *ret);
int pinset_next(struct pinset_iter *it, struct pin_row *ret); /* -ENOENT at the end */
void pinset_iter_end(struct pinset_iter *it);

/* ---- names ---- */

/* Folder names in by-name/ by number, ascending from above @after. -ENOENT at the end. */
int names_next(const struct store_txn *t, uint64_t after, uint64_t *ret_number, const char **ret,
	       size_t *ret_len, uint64_t *ret_count);
int names_find(const struct store_txn *t, const char *folder, size_t n, uint64_t *ret_number);
int names_get(const struct store_txn *t, uint64_t number, const char **ret, size_t *ret_len,
	      uint64_t *ret_count);
/* The next pin of a name with a serial above @after. */
int names_next_pin(const struct store_txn *t, uint64_t number, uint64_t after,
		   uint64_t *ret_serial);

/* ---- due times ---- */

enum due_kind {
	DUE_EXPIRY,
	DUE_RETRY
};
/* The next entry of a kind in order of time, strictly after (@second, @serial). -ENOENT at the end.
 * Nobody passes over entries of another kind: those may be many that nobody takes (a follower
 * leaves expired pins to others). */
int due_next(const struct store_txn *t, enum due_kind kind, int64_t *second, uint64_t *serial);

/* ---- changes; write transactions only ---- */

struct key_row {
	uint64_t kid;
	uint64_t serial; /* 0: no value now */
};

int pinset_key(const struct store_txn *t, const struct sortkey *key, struct key_row *ret);
/* The same, giving the key a number where it has none. */
int pinset_key_make(struct store_txn *t, const struct sortkey *key, struct key_row *ret);
/* Any row, unreadable ones too. */
int pinset_raw(const struct store_txn *t, uint64_t serial, struct pin_row *ret);

/* Sets the value of a key: row, lengths, names, due times, counters, and the state pin_queued with
 * @rank (0 before 1). @cid undefined: not a pin. @key_row is brought up to date. */
int pinset_set(struct store_txn *t, const struct sortkey *key, struct key_row *key_row,
	       const struct cid *cid, const uint8_t *value, size_t len, uint64_t priority,
	       uint32_t flags, uint8_t rank);
/* Takes the value away, if there is one, and queues the CID to be unpinned. */
int pinset_unset(struct store_txn *t, const struct sortkey *key, struct key_row *key_row);
/* Rows that are new in this transaction get their place among the names afterwards, as soon as
 * there is nothing else to do: for merges of many pins, of which each would dirty a page there. */
void names_later(struct store_txn *t);
int due_put(struct store_txn *t, enum due_kind kind, int64_t second, uint64_t serial);
int due_del(struct store_txn *t, enum due_kind kind, int64_t second, uint64_t serial);
