/* Asks the person at the terminal, or reads what a script pipes in. Before any thread. */
#pragma once

#include "daemon/init.h"
#include "util/err.h"

/* One line of standard input, which a terminal does not show. -EINVAL: none, or one that is too
 * long. */
int ask_secret(char ret[INIT_SECRET_MAX], struct err *e);
