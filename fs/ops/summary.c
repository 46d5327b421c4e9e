/* status/summary.json: how many pins are in which status, and how fast that changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/views.h"
#include "util/clock.h"
#include "util/rfc3339.h"

/* ---- rates: what the end of the log of events says of the last minute ---- */

#define RATE_BYTES (1u << 20) /* looked through at most */
#define RATE_WINDOW_S 60

struct rates {
	uint64_t pins, unpins, pinned, errors;
	int64_t first_s; /* time of the first line that was looked at */
};

/* The text value of a member that the log writes without escapes. */
static bool member_is(const char *line, size_t n, const char *member)
{
	return memmem(line, n, member, strlen(member));
}

static void count_line(const char *line, size_t n, int64_t since_s, struct rates *ret)
{
	static const char lead[] = "{\"time\":\"";
	size_t skip = strlen(lead);
	const char *end;
	int64_t at;

	if (n < skip || memcmp(line, lead, skip) != 0)
		return;
	end = memchr(line + skip, '"', n - skip);
	if (!end || rfc3339_parse(line + skip, (size_t)(end - line) - skip, &at) < 0)
		return;
	if (ret->first_s == 0)
		ret->first_s = at;
	if (at < since_s)
		return;
	n -= (size_t)(end - line);
	if (member_is(end, n, "\"event\":\"pin\""))
		ret->pins++;
	else if (member_is(end, n, "\"event\":\"unpin\""))
		ret->unpins++;
	else if (member_is(end, n, "\"status\":\"pinned\""))
		ret->pinned++;
	else if (member_is(end, n, "\"status\":\"pin_error\""))
		ret->errors++;
}

/* @p begins within a line unless it is the log's first byte. */
static void count_lines(const char *p, size_t n, bool whole, int64_t since_s, struct rates *ret)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);

		if (!end)
			return;
		if (whole)
			count_line(p, (size_t)(end - p), since_s, ret);
		whole = true;
		n -= (size_t)(end + 1 - p);
		p = end + 1;
	}
}

static int64_t per_minute(uint64_t n, int64_t window_s)
{
	return (int64_t)n * 60 / window_s;
}

static json_t *rates_object(struct fs *fs)
{
	struct journal *log = cluster_events_log(fs->cluster);
	int64_t now = clock_now_s(), window = RATE_WINDOW_S, mtime_ns;
	struct rates rates = { 0 };
	uint64_t start, end, from;
	char *text;
	ssize_t n;

	journal_range(log, &start, &end, &mtime_ns);
	from = end - start > RATE_BYTES ? end - RATE_BYTES : start;
	text = malloc(RATE_BYTES);
	if (!text)
		return NULL;
	n = journal_read(log, from, text, (size_t)(end - from));
	if (n > 0)
		count_lines(text, (size_t)n, from == start, now - window, &rates);
	free(text);
	if (from > start && now - rates.first_s < window)
		window = now - rates.first_s + 1; /* busy: less than a minute was looked at */
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "window_s", (json_int_t)window, "pins_per_minute",
			 (json_int_t)per_minute(rates.pins, window), "unpins_per_minute",
			 (json_int_t)per_minute(rates.unpins, window), "pinned_per_minute",
			 (json_int_t)per_minute(rates.pinned, window), "pin_errors_per_minute",
			 (json_int_t)per_minute(rates.errors, window));
}

/* ---- the file ---- */

/* The store's counters, with what the tracker has in hand taken out of the queue. */
static json_t *counts_object(struct call *c, const struct store_info *info)
{
	struct tracker *t = cluster_tracker(c->fs->cluster);
	uint64_t counts[STATUS_NR], serial = 0;
	struct status_row row;
	json_t *j = json_object();

	memcpy(counts, info->by_status, sizeof(counts));
	while (t && tracker_next_pinning(t, serial, &serial) == 0) {
		if (status_get(c->txn, serial, &row) < 0 || counts[row.status] == 0)
			continue;
		counts[row.status]--;
		counts[STATUS_PINNING]++;
	}
	for (unsigned s = STATUS_CLUSTER_ERROR; s < STATUS_NR; s++)
		json_object_set_new(j, status_name((enum status)s),
				    json_integer((json_int_t)counts[s]));
	return j;
}

static int render_summary(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	const struct store_info *info = call_info(c);
	char self[PEERID_TEXT_MAX];
	uint64_t unpins = 0;
	int r = info ? unpin_count(c->txn, &unpins) : -EMFILE;

	if (r < 0)
		return r;
	view_self(c->fs, self);
	return text_json_new(out,
			     json_pack("{s:s,s:o,s:I,s:o,s:I,s:o}", "peer", self, "peername",
				       view_string(view_peername(c->fs)), "pins",
				       (json_int_t)info->pins, "status", counts_object(c, info),
				       "unpins", (json_int_t)unpins, "rates", rates_object(c->fs)));
}
TEXT_OPS(summary, CLASS_READ_ONLY);
