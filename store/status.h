/*
 * What the tracker knows of each pin on this peer, and the CIDs that are to be unpinned in Kubo.
 * Both survive a crash, so that no content is forgotten, pinned or unpinned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "types/cid.h"

#define STATUS_ERROR_MAX 512 /* bytes of an error text; longer ones are cut */

struct status_row {
	enum status status;
	uint8_t rank; /* among equals in a queue: 0 asked for just now, 1 the rest */
	bool held;    /* Kubo pinned it for an earlier value of the pin */
	uint32_t attempts;
	int64_t since_ns;  /* Unix time of the last change */
	int64_t retry_s;   /* Unix time of the next attempt, 0: none planned */
	const char *error; /* lives as long as the transaction */
	size_t error_len;
};

/* A place in the list of one status: start with zeroes. */
struct status_place {
	uint8_t rank;
	uint64_t serial;
};

int status_get(const struct store_txn *t, uint64_t serial, struct status_row *ret);
/* The next pin in that status after @place, which moves on. -ENOENT at the end. */
int status_next(const struct store_txn *t, enum status status, struct status_place *place);

int status_put(struct store_txn *t, uint64_t serial, const struct status_row *row);
int status_del(struct store_txn *t, uint64_t serial);

struct unpin_row {
	uint64_t sequence;
	int64_t due_ns; /* not before this Unix time */
	uint32_t attempts;
	int64_t since_ns;
	struct cid cid;
	char error[STATUS_ERROR_MAX];
};

int unpin_next(const struct store_txn *t, uint64_t after, struct unpin_row *ret);
int unpin_add(struct store_txn *t, const uint8_t *cid, size_t n, int64_t due_ns);
int unpin_put(struct store_txn *t, const struct unpin_row *row);
int unpin_del(struct store_txn *t, uint64_t sequence);
int unpin_count(const struct store_txn *t, uint64_t *ret);
