/*
 * Time. Code that decides by the time takes it from here, so that a test can own it. Any thread.
 */
#pragma once

#include <stdint.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL

int64_t clock_now_ns(void);  /* wall clock, Unix time */
int64_t clock_now_s(void);   /* the same, whole seconds */
int64_t clock_mono_ms(void); /* never goes back; for deadlines */

/* Tests only: from now on @fn tells the wall clock; NULL gives the real one back. */
void clock_fake(int64_t (*fn)(void));
