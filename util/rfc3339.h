/*
 * Times as the reference prints and reads them: RFC 3339. Pure functions.
 * Source: reference dump format ("The dump" and "Import" of docs/formats.md).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define RFC3339_LEN 20 /* "2006-01-02T15:04:05Z" */
/* Unix seconds of 0001-01-01T00:00:00Z, which stands for "unset", and of the end of year 9999. */
#define RFC3339_UNSET (-62135596800LL)
#define RFC3339_MAX 253402300799LL

/* Writes exactly RFC3339_LEN bytes, no terminator, always in UTC. -ERANGE outside years 1-9999. */
int rfc3339_format(int64_t unix_s, char out[RFC3339_LEN]);
/* The same with fractions of a second: "2006-01-02T15:04:05.123456789Z", zeros at the end cut as
 * Go does. Appends to @out. */
int rfc3339_format_ns(struct buf *out, int64_t unix_ns);
/* Strict: capital T and Z, offset +hh:mm, an optional fraction after '.' or ',', which is floored
 * to whole seconds. -EINVAL. */
int rfc3339_parse(const char *s, size_t n, int64_t *ret_unix_s);
