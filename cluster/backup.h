/*
 * Dumps in the folder backups/: made before everything destructive, named <serial>-<UTC time>.json.
 * Writing runs on any thread that may block (writer, pool), reading and listing on any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"
#include "util/err.h"

#define BACKUP_KEEP_S (24 * 3600) /* younger ones cannot be removed */
#define BACKUP_NAME_MAX 64

struct backups;

struct backup {
	uint64_t serial;
	char name[BACKUP_NAME_MAX];
	uint64_t size;
	int64_t time_ns;
};

/* @rotate: how many are kept; always also the newest one that is over 24 h old. */
int backups_open(const char *folder, unsigned rotate, struct backups **ret, struct err *e);
void backups_close(struct backups *b);

/* Writes the pinset of @t, durably, and rotates. An unchanged revision makes no new one: *ret is
 * the one there is. @name: the name asked for ("" or NULL: serial and time). -ENOSPC and others:
 * nothing was written. */
int backups_make(struct backups *b, const struct store_txn *t, const char *name, struct backup *ret,
		 struct err *e);
/* The one with a serial above @after, ascending. -ENOENT at the end. */
int backups_next(struct backups *b, uint64_t after, struct backup *ret);
int backups_find(struct backups *b, const char *name, struct backup *ret);
int backups_open_file(struct backups *b, uint64_t serial); /* descriptor or -errno */
/* -EPERM: younger than 24 h. */
int backups_remove(struct backups *b, uint64_t serial, struct err *e);
