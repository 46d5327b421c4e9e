#include "util/rate.h"

bool rate_take(struct rate *r, unsigned burst, uint64_t every_ms, uint64_t now_ms)
{
	uint64_t full = r->full_ms > now_ms ? r->full_ms : now_ms;

	if (full - now_ms + every_ms > burst * every_ms)
		return false;
	r->full_ms = full + every_ms;
	return true;
}
