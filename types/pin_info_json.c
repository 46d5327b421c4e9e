#include "types/pin_info_json.h"

#include <string.h>

#include "util/json_write.h"
#include "util/rfc3339.h"

static const char lead[] = "\n            ";

static int text_member(struct buf *out, const char *before, const char *key,
		       const struct pin_text *t)
{
	int r = buf_printf(out, "%s%s\"%s\": ", before, lead, key);

	return r < 0 ? r : json_write_string(out, t->p ? t->p : "", t->n);
}

int pin_info_json_write(const struct pin_info_text *info, struct buf *out)
{
	int r = buf_printf(out, "\n        \"%s\": {", info->peer);

	if (r == 0)
		r = text_member(out, "", "peername", &info->peername);
	if (r == 0)
		r = text_member(out, ",", "ipfs_peer_id", &info->ipfs_peer);
	if (r == 0)
		r = buf_printf(out, ",%s\"status\": \"%s\",%s\"timestamp\": \"", lead,
			       status_name(info->status), lead);
	if (r == 0)
		r = rfc3339_format_ns(out, info->since_ns);
	if (r == 0)
		r = buf_byte(out, '"');
	if (r == 0)
		r = text_member(out, ",", "error", &info->error);
	return r < 0 ? r
		     : buf_printf(out, ",%s\"attempt_count\": %u,%s\"priority_pin\": %s\n        }",
				  lead, info->attempts, lead, info->priority ? "true" : "false");
}

struct pin_text pin_text_of(const char *s)
{
	return (struct pin_text){ .p = s, .n = strlen(s) };
}
