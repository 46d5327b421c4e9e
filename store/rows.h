/* Byte layouts of this folder's tables, and the parts of pinset.c that bulk loading shares.
 * Private. */
#pragma once

#include "store/internal.h"
#include "store/pinset.h"

/* In front of the CID and the value in TABLE_PINS. */
struct pin_row_head {
	uint64_t kid;
	uint64_t priority;
	int64_t timestamp;
	int64_t expire_at;
	uint64_t name; /* number in TABLE_NAME_IDS; 0: unreadable, or put off (names_later) */
	uint32_t document_len, line_len;
	uint16_t flags;
	uint16_t cid_len;
	uint32_t zero;
};

/* In front of the error text in TABLE_STATUS. */
struct status_head {
	int64_t since_ns;
	int64_t retry_s;
	uint32_t attempts;
	uint8_t status;
	uint8_t rank;
	uint8_t held;
	uint8_t zero;
};

/* Value of TABLE_NAME_IDS: how many pins have it, then the folder name. */
struct name_head {
	uint64_t count;
};

enum element_kind {
	ELEMENT_ADDED,
	ELEMENT_TOMBSTONE
};

#define NAME_PIN_KEY 16  /* name number, serial */
#define BY_STATUS_KEY 10 /* status, rank, serial */
#define DUE_KEY 17       /* kind, second, serial */
#define ELEMENT_KEY 17   /* kid, kind, block number */

static inline void name_pin_key(uint8_t out[NAME_PIN_KEY], uint64_t name, uint64_t serial)
{
	put_be64(out, name);
	put_be64(out + 8, serial);
}

static inline void by_status_key(uint8_t out[BY_STATUS_KEY], enum status status, uint8_t rank,
				 uint64_t serial)
{
	out[0] = (uint8_t)status;
	out[1] = rank;
	put_be64(out + 2, serial);
}

static inline void due_key(uint8_t out[DUE_KEY], enum due_kind kind, int64_t second,
			   uint64_t serial)
{
	out[0] = (uint8_t)kind;
	put_be64(out + 1, second < 0 ? 0 : (uint64_t)second);
	put_be64(out + 9, serial);
}

static inline void element_key(uint8_t out[ELEMENT_KEY], uint64_t kid, enum element_kind kind,
			       uint64_t block)
{
	put_be64(out, kid);
	out[8] = (uint8_t)kind;
	put_be64(out + 9, block);
}

/* The number of a name, made when there is none yet. Counts one pin more in it, unless this one is
 * there already. */
int names_add(struct store_txn *t, const char *name, size_t n, uint64_t serial, uint64_t *ret_name);
/* The same for the folder of a name. 1: there was one of that name before. */
int names_add_folder(struct store_txn *t, const char *folder, size_t n, uint64_t serial,
		     uint64_t *ret_name);
/* 0 also when the pin is not there. */
int names_remove(struct store_txn *t, uint64_t name, uint64_t serial);
