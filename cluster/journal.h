/*
 * A log of JSON lines in two files: NAME and NAME.old, each of at most half the limit. Appending
 * rotates; readers see both as one text that only grows at its end and loses whole lines at its
 * start. Any thread; a lock inside. Appends go to the page cache: a crash of the machine may lose
 * the last.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/buf.h"
#include "util/err.h"

struct journal;

/* @half: bytes of one file. @days: lines of files not written since are dropped, 0: never. */
int journal_open(const char *folder, const char *name, size_t half, unsigned days,
		 struct journal **ret, struct err *e);
void journal_close(struct journal *j);
/* One line, without newline; it must be one JSON value. */
int journal_append(struct journal *j, const char *line, size_t n);

/* What can be read now: bytes from @start to @end of a numbering that never goes back, so that a
 * reader with an offset keeps its place through rotations. */
void journal_range(struct journal *j, uint64_t *ret_start, uint64_t *ret_end,
		   int64_t *ret_mtime_ns);
/* Up to @n bytes at @offset of that numbering; fewer at the end, -ESTALE before the start. */
ssize_t journal_read(struct journal *j, uint64_t offset, void *out, size_t n);
