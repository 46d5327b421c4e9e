/* What the files of state/ share. Private to fs/. */
#pragma once

#include "fs/text.h"

/* A name that was unlinked, on the way to rm -r state, is there again, for everybody. */
void state_show(struct fs *fs, enum fixed f);

/* ---- a dump on its way in: state/import, state/check, and scratch names beside them ---- */

int dump_write(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off);
int dump_flush(struct call *c, struct handle *h);
int dump_fsync(struct call *c, struct handle *h);

/* Scratch names beside state/import: rsync writes there and renames onto it. One at a time. */
int spool_lookup(struct call *c, const char *name, struct node_entry *ret);
int spool_next(struct call *c, struct node_list *l, struct node_entry *ret);
int spool_unlink(struct call *c, const char *name);
int spool_create(struct call *c, uint64_t dir, const char *name, struct handle *h,
		 struct node_entry *ret);
/* Drops a spool that lies there and that nobody writes. True when there was one. */
bool spool_yield(struct fs *fs);
int spool_rename(struct call *c, uint64_t dir, const char *name, const char *newname);
