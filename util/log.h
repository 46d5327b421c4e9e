/*
 * The log: one line per event on stderr, with journald priorities when under systemd. Any
 * thread. Each file defines LOG_AREA before including this header. Library layers (util, types,
 * store, codecs) log at debug only: the function that decides what happens next logs, once.
 * Text from outside goes through log_quote. Secrets never come here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Call once before any thread. @journal: prefix lines with <N> instead of a time. */
void log_init(enum log_level level, bool journal);
/* From now on to syslog: the terminal is gone. */
void log_to_syslog(void);
bool log_enabled(enum log_level level);
/* @s as a printable, quoted, bounded string in @out (always terminated); returns @out. */
const char *log_quote(const char *s, size_t len, char *out, size_t cap);

void log_write(enum log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_err(...) log_write(LOG_LEVEL_ERROR, LOG_AREA, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, LOG_AREA, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, LOG_AREA, __VA_ARGS__)
#define log_dbg(...)                                                                               \
	do {                                                                                       \
		if (log_enabled(LOG_LEVEL_DEBUG))                                                  \
			log_write(LOG_LEVEL_DEBUG, LOG_AREA, __VA_ARGS__);                         \
	} while (0)
