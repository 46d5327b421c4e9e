/* status/errors: JSON lines of the pins in error on all members, and at the end who answered.
 * Others are asked when the file is opened; attributes are of this peer's lines. */
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

/* The lines of this peer. */
static int render_own(struct call *c, struct buf *out, uint64_t *ret_shown, uint64_t *ret_total)
{
	const uint32_t set = status_set("error", strlen("error"));
	const struct store_info *info = call_info(c);
	char self[PEERID_TEXT_MAX];
	int r = info ? 0 : -EMFILE;

	*ret_shown = *ret_total = 0;
	view_self(c->fs, self);
	for (unsigned s = 0; r == 0 && s < STATUS_NR; s++) {
		if (!(set & 1u << s))
			continue;
		*ret_total += info->by_status[s];
		r = write_pins(c, self, (enum status)s, ret_shown, out);
	}
	return r < 0 ? r : write_unpins(c, self, ret_shown, out);
}

static int render_errors(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	uint64_t shown, total;
	char self[PEERID_TEXT_MAX];
	int r = render_own(c, out, &shown, &total);

	view_self(c->fs, self);
	return r < 0 ? r
		     : buf_printf(
			   out,
			   "{\"answered\":[\"%s\"],\"silent\":[],\"reasons\":{},\"shown\":%llu,"
			   "\"pins_in_error\":%llu}\n",
			   self, (unsigned long long)shown, (unsigned long long)total);
}

static int attr_errors(struct call *c, uint64_t ino, struct stat *st)
{
	return text_attr(c, ino, render_errors, CLASS_READ_ONLY, st);
}

/* Loop's thread. */
static void others_came(struct handle *h, struct cluster_request *rq, int status)
{
	if (status == 0)
		buf_append(&h->text, rq->answer.data, rq->answer.len);
	atomic_store(&h->opening, false);
}

static int ask_others(struct call *c, struct handle *h)
{
	struct call_after after = { .reply = REPLY_OPEN, .handle = h, .then = others_came };
	struct cluster_request *rq = cluster_request_new(CLUSTER_ERRORS, 0);
	int r = rq ? render_own(c, &h->text, &rq->shown, &rq->total) : -ENOMEM;

	if (r < 0) {
		cluster_request_free(rq);
		return r;
	}
	atomic_store(&h->opening, true);
	r = call_post(c, rq, &after);
	if (r < 0)
		atomic_store(&h->opening, false);
	return r;
}

static int open_errors(struct call *c, uint64_t ino, struct handle *h)
{
	if (view_others(c->fs)) {
		int r;

		h->mtime_ns = c->fs->started_ns;
		r = ask_others(c, h);
		if (r == CALL_LATER)
			return r;
		buf_reset(&h->text);
	}
	return text_open(c, ino, h, render_errors);
}

const struct node_ops ops_errors = {
	.attr = attr_errors,
	.open = open_errors,
	.read = text_read,
};
