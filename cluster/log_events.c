/* Lines of audit and events. */
#include <stdio.h>

#include "cluster/internal.h"
#include "util/clock.h"
#include "util/json_write.h"
#include "util/rfc3339.h"

static int begin(struct buf *b)
{
	int r = buf_str(b, "{\"time\":\"");

	if (r == 0)
		r = rfc3339_format_ns(b, clock_now_ns());
	return r < 0 ? r : buf_byte(b, '"');
}

static int member(struct buf *b, const char *key, const char *value)
{
	int r = buf_byte(b, ',');

	return r < 0 ? r : json_write_member(b, key, value, strlen(value));
}

static int user(struct buf *b, const struct cluster_who *who)
{
	int r = buf_printf(b, ",\"uid\":%u,\"pid\":%d", who->uid, who->pid);

	return r < 0 ? r : member(b, "program", who->program);
}

static int peer(struct buf *b, const struct peerid *id)
{
	char text[PEERID_TEXT_MAX];

	peerid_format(id, text);
	return member(b, "peer", text);
}

static int whose(const struct cluster *c, struct buf *b, const struct cluster_who *who)
{
	if (!who)
		return peer(b, &c->opt.self);
	return who->peer.len > 0 ? peer(b, &who->peer) : user(b, who);
}

void audit_line(struct cluster *c, const struct cluster_who *who, const char *what,
		const char *more, int status, const char *reason)
{
	struct buf b = BUF_INIT(0);
	int r = begin(&b);

	if (r == 0)
		r = member(&b, "op", what);
	if (r == 0)
		r = whose(c, &b, who);
	if (r == 0 && more)
		r = buf_printf(&b, ",%s", more);
	if (r == 0 && status < 0)
		r = member(&b, "error", strerror(-status));
	if (r == 0 && reason)
		r = member(&b, "reason", reason);
	if (r == 0)
		r = buf_byte(&b, '}');
	if (r == 0)
		journal_append(c->audit, (const char *)b.data, b.len);
	buf_deinit(&b);
}

void event_line(struct cluster *c, const char *event, const char *more)
{
	struct buf b = BUF_INIT(0);
	int r = begin(&b);

	if (r == 0)
		r = member(&b, "event", event);
	if (r == 0 && more)
		r = buf_printf(&b, ",%s", more);
	if (r == 0)
		r = buf_byte(&b, '}');
	if (r == 0)
		journal_append(c->events_log, (const char *)b.data, b.len);
	buf_deinit(&b);
}
