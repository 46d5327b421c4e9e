/*
 * JSON text exactly as Go's encoder writes it, for the documents whose bytes matter (the dump,
 * pin documents, logs of events). Everything else goes through jansson. Pure functions.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

/* A quoted string. Escapes \" \\ \n \r \t \b \f, other control bytes as \u00XX, < > & and
 * U+2028/2029 as \uXXXX; everything else raw; each byte of invalid UTF-8 becomes U+FFFD. */
int json_write_string(struct buf *out, const char *s, size_t n);
/* "key":"value": a member of an object. @key is written as it is. */
int json_write_member(struct buf *out, const char *key, const char *value, size_t n);
int json_write_int(struct buf *out, int64_t v);
int json_write_uint(struct buf *out, uint64_t v);

/* The same into memory that is known to have this much room; they return the end. */
#define JSON_STRING_MAX(n) (6 * (n) + 2)
#define JSON_NUMBER_MAX 20 /* 2^64 - 1, or a sign and 2^63 */
char *json_put_string(char *to, const char *s, size_t n);
char *json_put_int(char *to, int64_t v);
char *json_put_uint(char *to, uint64_t v);
