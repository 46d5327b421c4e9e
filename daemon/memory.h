/*
 * Memory that was freed: the allocator keeps what lies between things that live, and after a flood
 * of connections that is most of it. Loop's thread.
 */
#pragma once

#define MEMORY_SPARE (16u << 20) /* bytes that are free, and stay the allocator's */

/* Gives it back to the system where more has become free since the last time. To be called now and
 * then; takes milliseconds when there is something to give. */
void memory_give_back(void);
