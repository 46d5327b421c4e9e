/* Whole pinsets through the engine's loader, without a peer. Include after cmocka.h. */
#pragma once

#include "consensus/crdt/load.h"

/* Spools the pins @from up to @to, all named @name, every fourth expiring; sealed. Failures are
 * returned, and leave nothing. */
int load_spool(struct store *s, unsigned from, unsigned to, const char *name,
	       struct consensus_loader **ret);
/* The same, and commits them. */
int load_pins(struct store *s, enum consensus_method method, unsigned from, unsigned to,
	      const char *name);
