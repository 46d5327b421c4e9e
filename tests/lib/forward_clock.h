/*
 * The monotonic clock of a test program, libuv's too: it can be put forward. Defines clock_gettime,
 * so it is included in one file of a program.
 */
#pragma once

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t forward_clock_ms;

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = (int)syscall(SYS_clock_gettime, id, ret);

	if (r == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
		ret->tv_sec += forward_clock_ms / 1000;
		ret->tv_nsec += forward_clock_ms % 1000 * 1000000;
		if (ret->tv_nsec >= 1000000000) {
			ret->tv_nsec -= 1000000000;
			ret->tv_sec++;
		}
	}
	return r;
}
