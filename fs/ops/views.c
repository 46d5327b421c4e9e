#include "fs/ops/views.h"

#include <errno.h>
#include <string.h>

#include "fs/ops/pins.h"
#include "util/rfc3339.h"
#include "util/utf8.h"

/* So that looking for a name in the list of unpins, which has no index, takes bounded time. */
#define UNPINS_SHOWN 1024

/* ---- rows ---- */

/* Why a pin that waits does not move on. */
static void explain_waiting(struct call *c, struct view_row *ret)
{
	if (ret->error_len > 0 || !cluster_pin_waits(c->fs->cluster, ret->status, ret->text))
		return;
	ret->error = ret->text;
	ret->error_len = strlen(ret->text);
}

int view_of_pin(struct call *c, const struct pin_row *pin, struct view_row *ret)
{
	struct status_row st = { .status = STATUS_UNDEFINED, .error = "" };
	int r = cluster_pin_status(c->fs->cluster, c->txn, pin->serial, &st);

	if (r < 0 && r != -ENOENT)
		return r;
	ret->serial = pin->serial;
	ret->pinned = true;
	ret->pin = *pin;
	ret->status = st.status;
	ret->error = st.error;
	ret->error_len = st.error_len;
	ret->since_ns = st.since_ns ? st.since_ns : pin->timestamp * 1000000000;
	ret->retry_s = st.retry_s;
	ret->attempts = st.attempts;
	ret->priority = st.rank == 0 && st.status == STATUS_PIN_QUEUED;
	explain_waiting(c, ret);
	return cid_from_bytes(pin->cid, pin->cid_len, &ret->cid, NULL);
}

static void of_unpin(struct call *c, const struct unpin_row *row, struct view_row *ret)
{
	const char *error;

	ret->serial = row->sequence;
	ret->pinned = false;
	cid_copy(&ret->cid, &row->cid);
	ret->status = cluster_unpin_status(c->fs->cluster, row, &error);
	snprintf(ret->text, sizeof(ret->text), "%s", error);
	ret->error = ret->text;
	ret->error_len = strlen(ret->text);
	ret->since_ns = row->since_ns;
	ret->retry_s = row->error[0] && error == row->error ? row->due_ns / 1000000000 : 0;
	ret->attempts = row->attempts;
	ret->priority = false;
}

static bool is_pinned(struct call *c, const struct cid *cid)
{
	struct pin_row pin;

	return pinset_find(c->txn, cid, &pin) == 0;
}

/* The sequence of the last unpin that is shown. */
static int shown_end(struct call *c, uint64_t *ret)
{
	struct unpin_row row = { 0 };
	int r = 0;

	for (unsigned i = 0; r == 0 && i < UNPINS_SHOWN; i++)
		r = unpin_next(c->txn, row.sequence, &row);
	*ret = row.sequence;
	return r == -ENOENT ? 0 : r;
}

/* Passes over what was pinned again since. */
static int next_unpin(struct call *c, uint64_t after, uint64_t end, struct unpin_row *ret)
{
	int r;

	do {
		r = after < end ? unpin_next(c->txn, after, ret) : -ENOENT;
		if (r == 0)
			after = ret->sequence;
	} while (r == 0 && is_pinned(c, &ret->cid));
	return r;
}

int view_next_unpin(struct call *c, uint64_t after, uint64_t *end, struct view_row *ret)
{
	struct store_txn *t;
	struct unpin_row row;
	int r = call_view(c, &t);

	if (r == 0 && *end == 0)
		r = shown_end(c, end);
	if (r == 0)
		r = next_unpin(c, after, *end, &row);
	if (r == 0)
		of_unpin(c, &row, ret);
	return r;
}

int view_row(struct call *c, uint64_t serial, struct view_row *ret)
{
	struct store_txn *t;
	struct pin_row pin;
	struct unpin_row row;
	int r = call_view(c, &t);

	if (r < 0)
		return r;
	r = pinset_row(t, serial, &pin);
	if (r == 0)
		return view_of_pin(c, &pin, ret);
	if (r == -ENOENT && serial > 0)
		r = unpin_next(t, serial - 1, &row);
	if (r == 0 && row.sequence == serial) {
		of_unpin(c, &row, ret);
		return 0;
	}
	return r == 0 || r == -ENOENT ? -ESTALE : r;
}

static int find_unpin(struct call *c, const struct cid *cid, struct view_row *ret)
{
	struct unpin_row row = { 0 };
	int r = 0;

	for (unsigned i = 0; i < UNPINS_SHOWN; i++) {
		r = unpin_next(c->txn, row.sequence, &row);
		if (r < 0)
			return r;
		if (!cid_equal(&row.cid, cid))
			continue;
		of_unpin(c, &row, ret);
		return 0;
	}
	return -ENOENT;
}

int view_find(struct call *c, const char *name, struct view_row *ret)
{
	struct store_txn *t;
	struct pin_row pin;
	struct cid cid;
	int r = call_view(c, &t);

	if (r == 0)
		r = pin_name_find(t, name, &pin);
	if (r == 0)
		return view_of_pin(c, &pin, ret);
	if (r != -ENOENT || pin_name_parse(name, &cid, NULL) != PIN_NAME_CID)
		return r;
	return find_unpin(c, &cid, ret);
}

void view_name(const struct view_row *row, char out[256])
{
	pin_name_format(row->cid.bytes, row->cid.len, out);
}

/* ---- this peer ---- */

void view_self(struct fs *fs, char out[PEERID_TEXT_MAX])
{
	peerid_format(&cluster_options(fs->cluster)->self, out);
}

const char *view_peername(struct fs *fs)
{
	return fs->opt.peername ? fs->opt.peername : "";
}

bool view_kubo(struct fs *fs, struct tracker_kubo *ret)
{
	struct tracker *t = cluster_tracker(fs->cluster);

	if (t)
		tracker_kubo(t, ret);
	return t;
}

static bool stop_at_living(void *arg, const struct member *m)
{
	*(bool *)arg = m->alive;
	return !m->alive;
}

bool view_others(struct fs *fs)
{
	bool found = false;

	cluster_each_member(fs->cluster, stop_at_living, &found);
	return found;
}

struct view_time view_time(int64_t ns)
{
	struct view_time ret = { "" };
	struct buf b = BUF_INIT(sizeof(ret.s) - 1);

	if (ns != 0 && rfc3339_format_ns(&b, ns) == 0)
		memcpy(ret.s, b.data, b.len);
	buf_deinit(&b);
	return ret;
}

json_t *view_string(const char *s)
{
	struct buf b = BUF_INIT(0);
	json_t *j = json_string(s);
	size_t n = strlen(s);
	int r = 0;

	if (j)
		return j;
	for (size_t i = 0; r == 0 && i < n;) {
		size_t len = utf8_len((const uint8_t *)s + i, n - i);

		r = len ? buf_append(&b, s + i, len) : buf_str(&b, "\xef\xbf\xbd");
		i += len ? len : 1;
	}
	if (r == 0)
		j = json_stringn((const char *)b.data, b.len);
	buf_deinit(&b);
	return j;
}

json_t *view_lines(const char *lines)
{
	json_t *list = json_array();

	while (*lines) {
		const char *end = strchrnul(lines, '\n');

		if (end > lines)
			json_array_append_new(list, json_stringn(lines, (size_t)(end - lines)));
		lines = *end ? end + 1 : end;
	}
	return list;
}
