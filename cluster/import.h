/*
 * A dump on its way in: parsed and spooled as its bytes arrive, then handed to the consensus
 * engine, which switches to it all at once.
 *
 * One thread at a time: the FUSE thread while it is fed, then the loop and the writer, or for a
 * check the pool. Source: "Import" in docs/formats.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"
#include "types/dump.h"
#include "util/err.h"

struct import;

struct import_result {
	bool check;     /* nothing was to change */
	char state[16]; /* "receiving", "running", "done", "failed" */
	char method[16];
	char error[512];
	int64_t started_ns, ended_ns;
	uint64_t bytes; /* received */
	uint64_t lines, pins, added, changed, removed, unknown_keys, defaulted;
	uint64_t revision_before, revision_after;
	char head[128];
	uint64_t height;
	uid_t uid;
	pid_t pid;
};

void import_free(struct import *im);
/* Bytes at the end of what came so far. A bad line is -EINVAL, then and ever after. */
int import_feed(struct import *im, const void *p, size_t n, struct err *e);
/* No more bytes: the dump must be whole, and not empty. */
int import_finish(struct import *im, struct err *e);
/* The time that the kept dump gets, in place of that of its arrival. */
void import_set_time(struct import *im, int64_t ns);
bool import_failed(const struct import *im);
uint64_t import_received(const struct import *im); /* bytes */
/* True when what came so far ends between two pins. */
bool import_complete(const struct import *im);
