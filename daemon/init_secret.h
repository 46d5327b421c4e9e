/*
 * The secret of a new configuration, as text. Private to --init.
 */
#pragma once

#include "daemon/init.h"
#include "util/err.h"

#define INIT_SECRET_BYTES 32
#define INIT_SECRET_TEXT (2 * INIT_SECRET_BYTES + 1)

/* One that a person gives. -EINVAL: it is none. */
int init_secret_ask(int (*ask)(char ret[INIT_SECRET_MAX], struct err *e),
		    char ret[INIT_SECRET_TEXT], struct err *e);
int init_secret_make(char ret[INIT_SECRET_TEXT]);
