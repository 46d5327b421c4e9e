#include "fs/caller.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/container.h"

#define PF_SIGNALED 0x400 /* linux/sched.h: killed by a signal */

static ssize_t read_proc(pid_t tid, const char *name, char *out, size_t cap)
{
	char path[64];
	ssize_t n;
	int fd;

	if (tid <= 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, out, cap - 1);
	close(fd);
	if (n >= 0)
		out[n] = '\0';
	return n;
}

pid_t caller_thread_group(pid_t tid)
{
	char text[1024], *p;

	if (read_proc(tid, "status", text, sizeof(text)) <= 0)
		return 0;
	p = strstr(text, "\nTgid:");
	return p ? (pid_t)strtol(p + 6, NULL, 10) : 0;
}

bool caller_is_killed(pid_t tid)
{
	char text[1024], *p;
	unsigned flags;

	if (read_proc(tid, "stat", text, sizeof(text)) <= 0)
		return false;
	/* The name may hold blanks and brackets: count from the last one. */
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;
	return flags & PF_SIGNALED;
}

/* Bit n - 1 stands for signal n. */
static unsigned long pending_signals(const char *status, const char *key)
{
	const char *p = strstr(status, key);

	return p ? strtoul(p + strlen(key), NULL, 16) : 0;
}

bool caller_is_stopping(pid_t tid)
{
	static const int stops[] = { SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM };
	char text[4096];
	unsigned long pending;

	if (read_proc(tid, "status", text, sizeof(text)) <= 0)
		return false;
	pending = pending_signals(text, "\nSigPnd:") | pending_signals(text, "\nShdPnd:");
	for (size_t i = 0; i < ARRAY_LEN(stops); i++)
		if (pending & 1UL << (stops[i] - 1))
			return true;
	return false;
}

void caller_program(pid_t tid, char *out, size_t cap)
{
	char text[64];
	ssize_t n = read_proc(tid, "comm", text, sizeof(text));

	out[0] = '\0';
	if (n > 0)
		snprintf(out, cap, "%.*s", (int)strcspn(text, "\n"), text);
}
