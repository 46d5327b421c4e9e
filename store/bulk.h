/*
 * A whole pinset on its way into the store: records are spooled and sorted in files as they come,
 * and loaded in key order into a new generation of tables, to which one transaction switches.
 *
 * Memory is bounded, whatever the number of pins; what grows with it lies in unlinked files beside
 * the data. Adding: one thread at a time. Loading: a job on the writer's thread. Source: "Bulk
 * load" in docs/formats.md.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "types/cid.h"
#include "util/err.h"

struct bulk;

struct bulk_pin {
	const struct cid *cid;
	const uint8_t *value; /* protobuf */
	size_t value_len;
	const char *name; /* of the pin */
	size_t name_len;
	int64_t timestamp, expire_at; /* Unix seconds, PIN_TIME_UNSET */
	uint32_t document_len, line_len;
	uint64_t block,
	    height; /* of the delta that sets it: index among the added blocks, height */
};

int bulk_new(const char *folder, struct bulk **ret);
void bulk_free(struct bulk *b);
/* In the order of the dump: of pins with the same CID the last counts, and each block named is an
 * element of the key. -ENOSPC, -ENOMEM. */
int bulk_add(struct bulk *b, const struct bulk_pin *p);
/* Blocks by index, from 0. The last one becomes the head. */
int bulk_add_block(struct bulk *b, const struct cid *cid, const void *data, size_t len,
		   uint64_t height);
/* No more comes. */
int bulk_seal(struct bulk *b);

/* What the new set is, against the present one. */
struct bulk_counts {
	uint64_t pins_before, pins, added, changed, removed;
	uint64_t revision_before, revision_after;
};

struct bulk_check {
	/* Before anything is written; a negative return ends the load with it. */
	int (*allow)(void *arg, const struct bulk_counts *c, struct err *e);
	void *arg;
	const atomic_bool *abort; /* set: -ECANCELED as soon as possible */
};

/* Writer's thread, outside a transaction. The pinset, blocks and heads become those of @b, all or
 * nothing. A pin that stays as it was for the tracker keeps the state pinned; CIDs that are gone
 * are queued to be unpinned. */
int bulk_load(struct store *s, struct bulk *b, const struct bulk_check *check,
	      struct bulk_counts *ret, struct err *e);

/* One difference to the present set, in the order of keys. */
struct bulk_change {
	bool gone; /* only in the present set */
	struct cid cid;
	const uint8_t *value; /* of the new pin; until the function returns */
	size_t value_len;
};

/* Names every difference (with @fn NULL only counts them) by a view of now, without changing
 * anything. Any thread that may block; @b is sealed. */
int bulk_diff(struct store *s, struct bulk *b, const atomic_bool *abort,
	      int (*fn)(void *arg, const struct bulk_change *ch), void *arg,
	      struct bulk_counts *ret);

/*
 * The mark of an import that is applied in several transactions: how far it got, from when it
 * cannot be undone any more until it is complete. A bulk_load takes it away.
 */
struct bulk_mark {
	uint64_t offset, end; /* bytes of the file of operations */
};

int bulk_mark_get(const struct store_txn *t, struct bulk_mark *ret); /* -ENOENT */
int bulk_mark_set(struct store_txn *t, const struct bulk_mark *m);
int bulk_mark_clear(struct store_txn *t);
