/*
 * How often something may be done that others can cause, such as a line in the log: so many times
 * at once, and once in a time from then on. No I/O; one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Zeroed storage is one that has its burst. */
struct rate {
	uint64_t full_ms; /* when it has its burst again */
};

/* @every_ms: of one, once @burst are used up. False: not now. @now_ms of any steady clock. */
bool rate_take(struct rate *r, unsigned burst, uint64_t every_ms, uint64_t now_ms);
