/*
 * Allocations of our own code that can be refused, one at a time. For programs linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc; included in one file of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static unsigned refuse_at; /* which one from now on is refused, counted down; 0: none */

static bool refused(void)
{
	return refuse_at > 0 && --refuse_at == 0;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return refused() ? NULL : __real_realloc(p, n);
}
