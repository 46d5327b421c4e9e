/*
 * Many changes at once: the lines of a batch, parsed as their bytes arrive. One thread.
 * Source: "batch" in pinfs-tree(7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/cluster.h"
#include "util/err.h"

#define BATCH_CHANGES_MAX 1000000
#define BATCH_BYTES_MAX (512u << 20)
/* Up to here a batch is held in memory and shares a transaction with others; beyond, its text goes
 * to an unnamed file and the peer reads it from there. */
#define BATCH_HELD_CHANGES 4096
#define BATCH_HELD_BYTES (1u << 20)

/* One line without its newline, "+<cid> {options}" or "-<cid>". Returns 1 with @ret filled, whose
 * pin was initialised; 0 for a blank line or a comment; -EINVAL, -EFBIG. */
int batch_line(const char *p, size_t n, struct cluster_item *ret, struct err *e);

struct batch;

/* @folder: for the file, lives as long as the batch. */
struct batch *batch_new(const char *folder);
void batch_free(struct batch *b);
/* Bytes at the end of what came so far. The error names the line, from 1. After a failure only
 * batch_free. */
int batch_feed(struct batch *b, const void *p, size_t n, struct err *e);
/* Would the last line, whose newline did not come yet, be a good one? */
int batch_check(const struct batch *b, struct err *e);
/* No more bytes of this batch: the last line counts without its newline too. */
int batch_finish(struct batch *b, struct err *e);
size_t batch_changes(const struct batch *b);
/* The changes in their order, as one request, or the source of them; @b is empty afterwards. NULL:
 * out of memory. */
struct cluster_request *batch_take(struct batch *b);
