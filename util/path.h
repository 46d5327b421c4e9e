/*
 * Files and folders on disk, with the errors in words. Any thread, never on a path under our own
 * mount. Returned strings are the caller's (free).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/buf.h"
#include "util/err.h"

/* "@dir/@name"; NULL when memory is out. */
char *path_join(const char *dir, const char *name);
/* Makes @path and its parents with @mode; an existing folder is fine. */
int path_mkdirs(const char *path, mode_t mode, struct err *e);
/* Appends the whole file to @out. -ENOENT, -EFBIG over @max bytes. */
int path_read(const char *path, size_t max, struct buf *out, struct err *e);
/* Replaces @path by these bytes so that a crash leaves the old or the new file: temporary file
 * beside it, fsync, rename, fsync of the folder. */
int path_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e);
/* Makes renames and unlinks in @dir durable. */
int path_fsync_dir(const char *dir);
/* A new file in @dir that has no name and goes with its descriptor, which is returned; -errno. */
int path_unnamed(const char *dir);
/* Writes all of it, through short writes and EINTR. */
int path_write_all(int fd, const void *data, size_t len);
/* For a large file that is written from its start to its end and synced then, after each write: the
 * disk begins with what is written every PATH_BACK_BYTES, and not with all of it at the end.
 * @size: written so far; @begun: the caller's memory, 0 at first. Only a hint: what fails here
 * fails again at the sync. */
#define PATH_BACK_BYTES (8u << 20)
void path_write_back(int fd, uint64_t size, uint64_t *begun);
