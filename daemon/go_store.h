/*
 * The store of the Go program in the same folder. It cannot be read, so a folder that has one is
 * taken over only when it is clear that nothing is lost by it.
 */
#pragma once

#include <stdbool.h>

#include "daemon/config.h"
#include "util/err.h"

/* -EEXIST with what to do in words: there is one, and ours is not there, or it changed after our
 * last start. @fresh: go on all the same. */
int go_store_check(const struct config *c, const char *data_folder, bool fresh, struct err *e);
/* Notes what it looks like now. */
int go_store_note(const struct config *c, const char *data_folder, struct err *e);
