#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <uv.h>

#include "tests/fakes/time_fake.h"

/* More in one call is a timer that is due again each time it has fired. */
#define FIRINGS_MAX 100000

uint64_t __wrap_uv_now(const uv_loop_t *loop);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int __wrap_uv_timer_stop(uv_timer_t *timer);

static uint64_t now_ms;
static struct {
	uv_timer_t *timer;
	uv_timer_cb cb;
	uint64_t at;
} set;

uint64_t __wrap_uv_now(const uv_loop_t *loop)
{
	return now_ms;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	assert_true(!set.timer || set.timer == timer);
	assert_int_equal(0, repeat);
	set.timer = timer;
	set.cb = cb;
	set.at = now_ms + timeout;
	return 0;
}

int __wrap_uv_timer_stop(uv_timer_t *timer)
{
	set.at = UINT64_MAX;
	return 0;
}

void time_fake_start(uint64_t ms)
{
	now_ms = ms;
	set.timer = NULL;
	set.at = UINT64_MAX;
}

uint64_t time_fake_now(void)
{
	return now_ms;
}

void time_fake_pass(uint64_t ms)
{
	uint64_t until = now_ms + ms;

	for (unsigned n = 0; set.at <= until; n++) {
		assert_true(n < FIRINGS_MAX);
		now_ms = set.at;
		set.at = UINT64_MAX;
		set.cb(set.timer);
	}
	now_ms = until;
}

uint64_t time_fake_due(void)
{
	return set.at;
}
