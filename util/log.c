#include "util/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level log_max = LOG_LEVEL_INFO;
static bool log_journal, log_syslog;

void log_init(enum log_level level, bool journal)
{
	log_max = level;
	log_journal = journal;
}

void log_to_syslog(void)
{
	openlog("pinfs", LOG_PID, LOG_DAEMON);
	log_syslog = true;
}

bool log_enabled(enum log_level level)
{
	return level <= log_max;
}

const char *log_quote(const char *s, size_t len, char *out, size_t cap)
{
	size_t o = 0;

	for (size_t i = 0; i < len && o + 6 < cap; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != 0x7f && c != '"' && c != '\\')
			out[o++] = (char)c;
		else
			o += (size_t)snprintf(out + o, cap - o, "\\x%02x", c);
	}
	out[o] = '\0';
	return out;
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	static const int priority[] = { 3, 4, 6, 7 };
	char line[1024], stamp[32];
	struct timespec now;
	struct tm tm;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	pthread_mutex_lock(&log_lock);
	if (log_syslog)
		syslog(priority[level], "%s: %s", area, line);
	else if (log_journal)
		fprintf(stderr, "<%d>%s: %s\n", priority[level], area, line);
	else
		fprintf(stderr, "%s %-7s %s: %s\n", stamp, names[level], area, line);
	pthread_mutex_unlock(&log_lock);
}
