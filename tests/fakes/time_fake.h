/*
 * The time of libuv, and one timer of it, in the hands of the test: link with --wrap of uv_now,
 * uv_timer_start and uv_timer_stop. The loop itself need not run. Include after cmocka.h.
 */
#pragma once

#include <stdint.h>

void time_fake_start(uint64_t now_ms); /* and no timer is set */
uint64_t time_fake_now(void);
/* Time passes, and the timer fires as often as it is set to within it. */
void time_fake_pass(uint64_t ms);
uint64_t time_fake_due(void); /* UINT64_MAX: the timer is not set */
