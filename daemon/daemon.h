/*
 * The process: builds the objects from bottom to top, gives each what it depends on, runs the loop,
 * and takes them down in reverse.
 */
#pragma once

#include "daemon/options.h"
#include "util/err.h"

/* Exit codes, as sysexits.h has them where it has one. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_RUNTIME = 1,
	EXIT_USAGE = 2,
	EXIT_LOCKED = 75,
	EXIT_CONFIG = 78
};

/* Runs until it is told to stop. @ready (may be NULL) is called once, when the mount is there.
 * Returns an exit code, with the reason in @e. */
int daemon_run(const struct options *o, void (*ready)(void *arg), void *arg, struct err *e);
/* --check: configuration, keys, /dev/fuse and Kubo, one line each on standard output. */
int daemon_check(const struct options *o, struct err *e);
