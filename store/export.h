/*
 * The dump of one consistent state, generated while it is read: any offset, cheap in sequence. The
 * caller owns the transaction and ends it after export_free. One thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"

struct export;

int export_new(const struct store_txn *t, struct export **ret);
void export_free(struct export *x);
/* Up to @n bytes at @offset into @out; 0 at the end, -errno. */
ssize_t export_read(struct export *x, uint64_t offset, void *out, size_t n);
