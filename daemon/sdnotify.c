#include "daemon/sdnotify.h"

#include <stdlib.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

void sdnotify(const char *state)
{
	sd_notify(0, state);
}
#else
void sdnotify(const char *state)
{
}
#endif

bool sdnotify_journal(void)
{
	return getenv("JOURNAL_STREAM") != NULL;
}
