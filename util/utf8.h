/*
 * UTF-8 as Go checks it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX 4 /* bytes of the longest sequence */

/* Bytes of the sequence at the start of the @n (at least 1) bytes at @p; 0 when it is not one. */
size_t utf8_len(const uint8_t *p, size_t n);
bool utf8_valid(const void *p, size_t n);
/* Writes the text at @p with each byte that is no part of a rune as U+FFFD, whole runes of at most
 * @cap bytes in all; returns how many. @out may be NULL: how many it would be. */
size_t utf8_clean(const void *p, size_t n, char *out, size_t cap);
/* Writes @rune, which is a valid one; returns the bytes written. */
size_t utf8_put(char out[UTF8_MAX], uint32_t rune);
