/* The keys of a pin document: which one a text means, or is near to. Pure functions. */
#pragma once

#include <stddef.h>

#include "types/pin.h"

#define PIN_JSON_N_KEYS 16

/* The index of the key, which is also the number of its bit in struct pin_json_keys, or -1. Letter
 * case does not count, as in Go. */
int pin_json_key(const struct pin_text *key);
const char *pin_json_key_name(size_t index);
/* The known key that @key most looks like, or "". */
const char *pin_json_nearest(const struct pin_text *key);
