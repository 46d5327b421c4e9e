/*
 * Names of state/ that a process has unlinked, on its way to remove the folder: they are hidden
 * from this process alone, and for a while only, so that a deletion by mistake, or one that stopped
 * half-way, takes nothing from anybody else. FUSE thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HIDDEN_FOR_MS 10000 /* from the last unlink of the process on */
#define HIDDEN_PROCESSES 8  /* at once; of more, the one that rested longest sees all again */

struct hidden_process {
	pid_t group;    /* thread group; 0: all that cannot be told apart */
	uint64_t names; /* bits; 0: the place is free */
	int64_t last_ms;
};

struct hidden {
	struct hidden_process processes[HIDDEN_PROCESSES];
};

/* @name: 0 to 63. @now_ms: of the monotonic clock. */
void hidden_add(struct hidden *h, pid_t group, unsigned name, int64_t now_ms);
bool hidden_has(const struct hidden *h, pid_t group, unsigned name, int64_t now_ms);
/* Whether anything is, for anybody. */
bool hidden_any(const struct hidden *h, int64_t now_ms);
/* The name was made anew: everybody sees it. */
void hidden_show(struct hidden *h, unsigned name);
void hidden_clear(struct hidden *h);
