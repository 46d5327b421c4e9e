/* Unlinked files for what is too large for memory: appended to, then mapped. Private to bulk
 * loading. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bulk_file {
	int fd;        /* -1: not open */
	uint64_t size; /* appended so far */
	uint8_t *tail; /* not written yet */
	size_t n_tail;
	uint8_t *map; /* after bulk_file_map */
	size_t map_len;
};

#define BULK_FILE_INIT                                                                             \
	{                                                                                          \
		.fd = -1                                                                           \
	}

int bulk_file_open(struct bulk_file *f, const char *folder);
void bulk_file_close(struct bulk_file *f);
int bulk_file_append(struct bulk_file *f, const void *p, size_t n);
/* No more appends: the file as memory, to be read. */
int bulk_file_map(struct bulk_file *f);
/* Instead of appending: @n zero bytes to be read and written, whose place on disk is taken now, so
 * that a full disk is an error here and not a signal later. */
int bulk_file_map_new(struct bulk_file *f, size_t n);
