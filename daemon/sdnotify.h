/* Tells systemd how the service is doing; does nothing elsewhere. */
#pragma once

#include <stdbool.h>

void sdnotify(const char *state);
/* True when the log goes to journald. */
bool sdnotify_journal(void);
