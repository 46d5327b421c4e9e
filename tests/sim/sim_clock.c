#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"
#include "util/clock.h"

#define START_S 1700000000 /* of the wall clock */
#define BOOT_MS 1000000    /* of the other one */

uv_loop_t sim_loop;
bool sim_trace;

static uint64_t now, chance;
static struct sim_event *events;

/* ---- the process's own view of time and chance ---- */

int clock_gettime(clockid_t id, struct timespec *ret)
{
	uint64_t ms = BOOT_MS + now;

	if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)
		return (int)syscall(SYS_clock_gettime, id, ret);
	ret->tv_sec = (time_t)(ms / 1000);
	ret->tv_nsec = (long)(ms % 1000 * 1000000);
	return 0;
}

static int64_t wall_ns(void)
{
	return START_S * NS_PER_S + (int64_t)now * NS_PER_MS;
}

int uv_random(uv_loop_t *loop, uv_random_t *req, void *p, size_t n, unsigned flags, uv_random_cb cb)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)sim_roll(256);
	return 0;
}

/* ---- chance ---- */

unsigned sim_roll(unsigned n)
{
	uint64_t z = chance += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (unsigned)((z ^ z >> 31) >> 32) % n;
}

bool sim_chance(unsigned percent)
{
	return sim_roll(100) < percent;
}

/* ---- events ---- */

uint64_t sim_now(void)
{
	return now;
}

void sim_after(uint64_t ms, void (*fn)(void *arg), void *arg)
{
	struct sim_event *ev = malloc(sizeof(*ev)), **at = &events;

	assert_non_null(ev);
	*ev = (struct sim_event){ .at = now + ms, .fn = fn, .arg = arg };
	while (*at && (*at)->at <= ev->at)
		at = &(*at)->next;
	ev->next = *at;
	*at = ev;
}

static void advance(uint64_t to)
{
	if (to <= now)
		return;
	now = to;
	uv_update_time(&sim_loop);
}

static uint64_t next_timer(void)
{
	int timeout = uv_loop_alive(&sim_loop) ? uv_backend_timeout(&sim_loop) : -1;

	return timeout < 0 ? UINT64_MAX : now + (uint64_t)timeout;
}

void sim_run(uint64_t until)
{
	for (;;) {
		uint64_t timer = next_timer();
		struct sim_event *ev = events;

		if ((!ev || ev->at > until) && timer > until)
			break;
		if (!ev || timer < ev->at) {
			advance(timer);
			uv_run(&sim_loop, UV_RUN_NOWAIT);
			continue;
		}
		events = ev->next;
		advance(ev->at);
		ev->fn(ev->arg);
		free(ev);
	}
	advance(until);
}

void sim_clock_start(uint64_t seed)
{
	now = 0;
	chance = seed * 0x2545f4914f6cdd1d;
	clock_fake(wall_ns);
	assert_int_equal(0, uv_loop_init(&sim_loop));
}

void sim_clock_stop(void)
{
	while (events) { /* nobody is there any more: each frees what it has */
		struct sim_event *ev = events;

		events = ev->next;
		ev->fn(ev->arg);
		free(ev);
	}
	uv_run(&sim_loop, UV_RUN_DEFAULT);
	assert_int_equal(0, uv_loop_close(&sim_loop));
	clock_fake(NULL);
}
