#include "types/status.h"

#include <string.h>

static const char *const status_names[STATUS_NR] = {
	[STATUS_UNDEFINED] = "undefined",
	[STATUS_CLUSTER_ERROR] = "cluster_error",
	[STATUS_PIN_ERROR] = "pin_error",
	[STATUS_UNPIN_ERROR] = "unpin_error",
	[STATUS_PINNED] = "pinned",
	[STATUS_PINNING] = "pinning",
	[STATUS_UNPINNING] = "unpinning",
	[STATUS_UNPINNED] = "unpinned",
	[STATUS_REMOTE] = "remote",
	[STATUS_PIN_QUEUED] = "pin_queued",
	[STATUS_UNPIN_QUEUED] = "unpin_queued",
	[STATUS_SHARDED] = "sharded",
	[STATUS_UNEXPECTEDLY_UNPINNED] = "unexpectedly_unpinned",
};

const char *status_name(enum status s)
{
	return status_names[s];
}

uint32_t status_bit(enum status s)
{
	return s == STATUS_UNDEFINED ? 0 : 1u << s;
}

uint32_t status_set(const char *name, size_t n)
{
	if (n == 5 && memcmp(name, "error", n) == 0)
		return 1u << STATUS_CLUSTER_ERROR | 1u << STATUS_PIN_ERROR |
		       1u << STATUS_UNPIN_ERROR | 1u << STATUS_UNEXPECTEDLY_UNPINNED;
	if (n == 6 && memcmp(name, "queued", n) == 0)
		return 1u << STATUS_PIN_QUEUED | 1u << STATUS_UNPIN_QUEUED;
	for (unsigned s = 0; s < STATUS_NR; s++)
		if (strlen(status_names[s]) == n && memcmp(status_names[s], name, n) == 0)
			return 1u << s;
	return 0;
}
