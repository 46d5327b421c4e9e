/*
 * Files of the configuration folder, written all or none; what they replace is kept beside them,
 * under a dated name. Private to --init. Before any thread, with the folder locked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/init.h"
#include "util/buf.h"
#include "util/err.h"

struct init_file {
	const char *name;
	const struct buf *text;
	mode_t mode;
	char kept[INIT_KEPT_MAX]; /* result: the name of what was replaced; "" when nothing was */
};

/* In their order. On failure the folder is as it was, but for empty files. */
int init_files_write(const char *folder, struct init_file *files, size_t n, struct err *e);

/* A file of any kind is there; with more than 0 bytes. */
bool init_file_exists(const char *folder, const char *name);
bool init_file_holds(const char *folder, const char *name);
