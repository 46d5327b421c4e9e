/*
 * Durations as Go writes them: "1h2m3.5s", "200ms", "0s". Pure functions.
 * Source: Go's time.ParseDuration and Duration.String.
 */
#pragma once

#include <stdint.h>

#define DURATION_TEXT_MAX 32

#define DURATION_MS INT64_C(1000000)
#define DURATION_S (1000 * DURATION_MS)

/* Nanoseconds. -EINVAL for text Go refuses, also when it does not fit in 64 bits. */
int duration_parse(const char *s, int64_t *ret_ns);
void duration_format(int64_t ns, char out[DURATION_TEXT_MAX]);
/* Rounded away from zero, so that what was set never becomes 0. */
int64_t duration_ms(int64_t ns);
