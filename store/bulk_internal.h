/* What the files of bulk loading share. Private. */
#pragma once

#include "store/bulk.h"
#include "store/bulk_file.h"
#include "store/bulk_sort.h"
#include "store/rows.h"
#include "types/name.h"

#define BULK_SORT_BYTES (6u << 20) /* of a run in memory */
#define BULK_NAMES_BYTES (6u << 20)
#define BULK_DUE_BYTES (1u << 20)
#define BULK_ABORT_EVERY 1024 /* keys between two looks at the abort flag */

/* In front of a pin in the file of records: its row but for the numbers, which are not known yet.
 */
struct bulk_record {
	struct pin_row_head head;
	uint64_t block;
	uint32_t value_len;
	uint16_t folder_len;
	uint16_t zero;
	/* CID, value, folder of the name */
};

/* In front of a block in its file. */
struct bulk_block {
	uint64_t height;
	uint32_t len;
	uint16_t cid_len;
	uint16_t zero;
	/* CID, bytes */
};

struct bulk {
	char *folder;
	struct bulk_file records, blocks;
	struct sorter keys; /* sort key -> offset of the record */
	uint64_t n_blocks;
};

/* A record of the mapped file. */
struct bulk_view {
	struct bulk_record rec;
	const uint8_t *cid, *value;
	const char *folder;
};

void bulk_view(const struct bulk *b, uint64_t offset, struct bulk_view *ret);

/* One key of the walk, which goes through the new set and the present one together. */
struct bulk_step {
	bool is_new, is_old;    /* has a pin in it; an unreadable row is none */
	uint64_t record;        /* of the last pin of the key */
	const uint64_t *blocks; /* indexes of all blocks that have the key, ascending */
	size_t n_blocks;
	struct pin_row old; /* also of an unreadable row: serial 0 where there is none */
	bool equal;         /* the same value */
};

/* Calls @fn for every key that either set has, in order. */
int bulk_walk(const struct bulk *b, const struct store_txn *t, const atomic_bool *abort,
	      int (*fn)(void *arg, const struct bulk_step *st), void *arg);

/* bulk_plan.c: everything that is decided before the first table is written. */
struct bulk_row {
	uint64_t record;
	int64_t since_ns;
	uint8_t status, held;
	uint16_t zero;
	uint32_t more_blocks; /* indexes that follow: elements besides the record's block */
};

struct bulk_plan {
	struct bulk *bulk;
	const struct store_txn *t;
	uint64_t base;            /* number of the first row; row i has serial and kid base + i */
	struct bulk_file rows;    /* struct bulk_row in key order */
	struct bulk_file gone;    /* length and CID of what is to be unpinned */
	struct bulk_file name_of; /* number of the name of row i */
	struct sorter names, due;
	struct bulk_counts counts;
	uint64_t export_bytes;
	uint64_t by_status[STATUS_NR];
};

void bulk_plan_init(struct bulk_plan *p);
int bulk_plan(struct bulk *b, const struct store_txn *t, const atomic_bool *abort,
	      struct bulk_plan *p);
void bulk_plan_clear(struct bulk_plan *p);
