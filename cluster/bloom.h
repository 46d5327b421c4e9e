/*
 * A set of byte strings in bounded memory that can be wrong in one direction: what was added is
 * always found, what was not is found sometimes. Another seed is wrong about others. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOOM_BYTES (2u << 20) /* 1 M entries: 1 of 3000 wrong; 10 M: 1 of 3 */

struct bloom;

struct bloom *bloom_new(void); /* with a random seed; NULL when memory is out */
void bloom_free(struct bloom *b);
/* @kind separates sets that share the memory. */
void bloom_add(struct bloom *b, uint8_t kind, const void *p, size_t n);
bool bloom_has(const struct bloom *b, uint8_t kind, const void *p, size_t n);
