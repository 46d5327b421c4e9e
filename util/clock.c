#include "util/clock.h"

#include <time.h>

static int64_t (*clock_faked)(void);

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return clock_faked ? clock_faked() : read_clock(CLOCK_REALTIME);
}

int64_t clock_now_s(void)
{
	return clock_now_ns() / NS_PER_S;
}

int64_t clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC) / NS_PER_MS;
}

void clock_fake(int64_t (*fn)(void))
{
	clock_faked = fn;
}
