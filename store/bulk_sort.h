/*
 * Sorts any number of keys in bounded memory: sorted runs go to a file, and are merged while they
 * are read. Private to bulk loading. One thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/bulk_file.h"

struct sort_entry;

struct sorter {
	struct bulk_file file;
	size_t limit; /* bytes of the run in memory */
	struct sort_entry *entries;
	size_t n, cap;
	uint8_t *keys; /* of the entries */
	size_t n_keys, cap_keys;
	uint64_t *runs; /* where each ends in the file */
	size_t n_runs;
	uint64_t total;
};

struct sort_item {
	const uint8_t *key; /* in the file's mapping: as long as the sorter */
	size_t len;
	uint64_t value;
};

#define SORT_KEY_MAX 1024

int sorter_open(struct sorter *s, const char *folder, size_t limit);
void sorter_close(struct sorter *s);
int sorter_add(struct sorter *s, const void *key, size_t len, uint64_t value);
int sorter_seal(struct sorter *s);

struct sort_cursor;
struct sort_merge {
	struct sort_cursor *heap;
	size_t n;
};

/* In the order of keys, then values. After the seal. */
int sort_merge_open(const struct sorter *s, struct sort_merge *ret);
int sort_merge_next(struct sort_merge *m, struct sort_item *ret); /* 1, 0 at the end */
void sort_merge_close(struct sort_merge *m);
