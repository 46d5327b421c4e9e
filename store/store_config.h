/*
 * Section datastore.lmdb. Filled and freed by daemon/config; immutable.
 */
#pragma once

#include <stdint.h>

struct store_config {
	char *folder; /* relative to the configuration folder, or absolute */
	uint64_t
	    map_size; /* bytes of address space: the limit of what can be stored, not its size */
};
