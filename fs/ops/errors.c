/* status/errors: JSON lines of the pins in error, and at the end who answered. */
#include <errno.h>
#include <string.h>

#include "fs/ops/views.h"
#include "util/json_write.h"

#define ERRORS_SHOWN 20000 /* lines; the last one tells how many there are */

static int text_member(struct buf *out, const char *key, const char *p, size_t n)
{
	int r = buf_printf(out, ",\"%s\":", key);

	return r < 0 ? r : json_write_string(out, p, n);
}

static int write_line(struct call *c, const char *self, const struct view_row *row, struct buf *out)
{
	const char *peername = view_peername(c->fs);
	char cid[CID_TEXT_MAX + 1];
	int r;

	cid_format(&row->cid, cid);
	r = buf_printf(out, "{\"cid\":\"%s\",\"peer\":\"%s\"", cid, self);
	if (r == 0)
		r = text_member(out, "peername", peername, strlen(peername));
	if (r == 0)
		r = buf_printf(out, ",\"status\":\"%s\"", status_name(row->status));
	if (r == 0)
		r = text_member(out, "error", row->error, row->error_len);
	return r < 0 ? r
		     : buf_printf(out, ",\"since\":\"%s\",\"attempts\":%u,\"next_retry\":\"%s\"}\n",
				  view_time(row->since_ns).s, row->attempts,
				  view_time(row->retry_s * 1000000000).s);
}

static int write_pins(struct call *c, const char *self, enum status status, uint64_t *shown,
		      struct buf *out)
{
	struct status_place place = { 0 };
	struct view_row row;
	struct pin_row pin;
	int r = 0;

	while (*shown < ERRORS_SHOWN) {
		r = status_next(c->txn, status, &place);
		if (r == 0)
			r = pinset_row(c->txn, place.serial, &pin);
		if (r == 0)
			r = view_of_pin(c, &pin, &row);
		if (r < 0)
			break;
		if (row.status != status) /* being tried again this moment */
			continue;
		r = write_line(c, self, &row, out);
		if (r < 0)
			break;
		++*shown;
	}
	return r == -ENOENT ? 0 : r;
}

static int write_unpins(struct call *c, const char *self, uint64_t *shown, struct buf *out)
{
	uint64_t after = 0, end = 0;
	struct view_row row;
	int r;

	while ((r = view_next_unpin(c, after, &end, &row)) == 0) {
		after = row.serial;
		if (row.status != STATUS_UNPIN_ERROR)
			continue;
		r = write_line(c, self, &row, out);
		if (r < 0)
			return r;
		++*shown;
	}
	return r == -ENOENT ? 0 : r;
}

static int render_errors(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	const uint32_t set = status_set("error", strlen("error"));
	const struct store_info *info = call_info(c);
	uint64_t pins = 0, shown = 0;
	char self[PEERID_TEXT_MAX];
	int r = info ? 0 : -EMFILE;

	view_self(c->fs, self);
	for (unsigned s = 0; r == 0 && s < STATUS_NR; s++) {
		if (!(set & 1u << s))
			continue;
		pins += info->by_status[s];
		r = write_pins(c, self, (enum status)s, &shown, out);
	}
	if (r == 0)
		r = write_unpins(c, self, &shown, out);
	if (r < 0)
		return r;
	return buf_printf(
	    out, "{\"answered\":[\"%s\"],\"silent\":[],\"shown\":%llu,\"pins_in_error\":%llu}\n",
	    self, (unsigned long long)shown, (unsigned long long)pins);
}
TEXT_OPS(errors, CLASS_READ_ONLY);
