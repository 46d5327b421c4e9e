/* Facts about the process behind a request, from /proc. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

pid_t caller_thread_group(pid_t tid); /* 0: not known */
/* The task is ending because of a signal. */
bool caller_is_killed(pid_t tid);
/* A signal that stops programs is on its way to the task: it wants its call back. */
bool caller_is_stopping(pid_t tid);
void caller_program(pid_t tid, char *out, size_t cap); /* "" when not known */
