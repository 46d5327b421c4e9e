/*
 * The folder status/ and its files <cid>.json: how far the peers got with each pin. The members
 * that hold it are asked when the file is opened; attributes are of what is known here. Writing to
 * one, or touching it, tries again what failed. Source: GlobalPinInfo of ipfs-cluster 1.1.6
 * (api/types.go).
 */
#include <errno.h>
#include <string.h>

#include "fs/ops/pins.h"
#include "fs/ops/views.h"
#include "types/pin_info_json.h"
#include "util/json_write.h"
#include "util/rfc3339.h"

#define UNPIN_COOKIES (1ULL << 56) /* what is being unpinned is listed behind the pins */

/* ---- the text; by hand, since a listing renders one per entry to tell its size ---- */

static int text_member(struct buf *out, const char *lead, const char *key, const char *p, size_t n)
{
	int r = buf_printf(out, "%s\"%s\": ", lead, key);

	return r < 0 ? r : json_write_string(out, p, n);
}

static int time_member(struct buf *out, const char *lead, const char *key, int64_t ns)
{
	int r = buf_printf(out, "%s\"%s\": \"", lead, key);

	if (r == 0)
		r = rfc3339_format_ns(out, ns);
	return r < 0 ? r : buf_byte(out, '"');
}

static int write_allocations(const struct pin *pin, struct buf *out)
{
	int r = buf_str(out, ",\n    \"allocations\": [");

	for (size_t i = 0; r == 0 && i < pin->n_allocations; i++) {
		char id[PEERID_TEXT_MAX];

		peerid_format(&pin->allocations[i], id);
		r = buf_printf(out, "%s\n        \"%s\"", i ? "," : "", id);
	}
	return r < 0 ? r : buf_str(out, pin->n_allocations ? "\n    ]" : "]");
}

static int write_origins(const struct pin *pin, struct buf *out)
{
	int r = buf_str(out, ",\n    \"origins\": [");

	for (size_t i = 0; r == 0 && i < pin->n_origins; i++) {
		r = buf_str(out, i ? ",\n        \"" : "\n        \"");
		if (r == 0)
			r = multiaddr_format(&pin->origins[i], out);
		if (r == 0)
			r = buf_byte(out, '"');
	}
	return r < 0 ? r : buf_str(out, pin->n_origins ? "\n    ]" : "]");
}

static int write_metadata(const struct pin *pin, struct buf *out)
{
	int r = buf_str(out, ",\n    \"metadata\": ");

	if (r == 0 && pin->n_metadata == 0)
		return buf_str(out, "null");
	for (size_t i = 0; r == 0 && i < pin->n_metadata; i++) {
		const struct pin_meta *m = &pin->metadata[i];

		r = buf_str(out, i ? ",\n        " : "{\n        ");
		if (r == 0)
			r = json_write_string(out, m->key.p, m->key.n);
		if (r == 0)
			r = buf_str(out, ": ");
		if (r == 0)
			r = json_write_string(out, m->value.p, m->value.n);
	}
	return r < 0 ? r : buf_str(out, "\n    }");
}

static int write_pin(const struct view_row *row, struct buf *out)
{
	struct pin pin;
	int r = 0;

	pin_init(&pin);
	if (row->pinned)
		r = pinset_decode(&row->pin, &pin, NULL);
	if (r == 0)
		r = text_member(out, ",\n    ", "name", pin.name.p ? pin.name.p : "", pin.name.n);
	if (r == 0)
		r = write_allocations(&pin, out);
	if (r == 0)
		r = write_origins(&pin, out);
	if (r == 0)
		r = time_member(out, ",\n    ", "created",
				row->pinned ? pin.timestamp * 1000000000 : row->since_ns);
	if (r == 0)
		r = write_metadata(&pin, out);
	pin_deinit(&pin);
	return r;
}

/* What this peer says; a pin that waits for Kubo says why. */
static int write_self(struct call *c, const struct view_row *row, struct buf *out)
{
	struct tracker_kubo kubo = { 0 };
	char self[PEERID_TEXT_MAX];
	bool waits;

	view_self(c->fs, self);
	view_kubo(c->fs, &kubo);
	waits = row->status == STATUS_PIN_QUEUED && kubo.asked && !kubo.up;
	const struct pin_info_text info = {
		.peer = self,
		.peername = pin_text_of(view_peername(c->fs)),
		.ipfs_peer = pin_text_of(kubo.id),
		.error = waits ? pin_text_of(kubo.error)
			       : (struct pin_text){ .p = row->error, .n = row->error_len },
		.status = row->status,
		.since_ns = row->since_ns,
		.attempts = row->attempts,
		.priority = row->priority,
	};
	return pin_info_json_write(&info, out);
}

/* Up to the place where peers follow, and from there on. */
static int render_head(const struct view_row *row, struct buf *out)
{
	char cid[CID_TEXT_MAX + 1];
	size_t n = cid_format(&row->cid, cid);
	int r = buf_str(out, "{");

	if (r == 0)
		r = text_member(out, "\n    ", "cid", cid, n);
	if (r == 0)
		r = write_pin(row, out);
	return r < 0 ? r : buf_str(out, ",\n    \"peer_map\": {");
}

static const char tail[] = "\n    }\n}\n";

/* What is known here. */
static int render(struct call *c, const struct view_row *row, struct buf *out)
{
	int r = render_head(row, out);

	if (r == 0)
		r = write_self(c, row, out);
	return r < 0 ? r : buf_str(out, tail);
}

/* ---- the files ---- */

static int render_pin_status(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns)
{
	struct view_row row;
	int r = view_row(c, node_serial(ino), &row);

	if (r < 0)
		return r;
	*ret_mtime_ns = row.since_ns;
	return render(c, &row, out);
}

static int attr_pin_status(struct call *c, uint64_t ino, struct stat *st)
{
	return text_attr(c, ino, render_pin_status, CLASS_WRITABLE, st);
}

/* Loop's thread. Where the others could not be asked, what is known here is all. */
static void peers_came(struct handle *h, struct cluster_request *rq, int status)
{
	int r = status < 0 ? buf_str(&h->text, rq->text)
			   : buf_append(&h->text, rq->answer.data, rq->answer.len);

	if (r == 0)
		r = buf_str(&h->text, tail);
	atomic_store(&h->opening, false);
}

static int ask_peers(struct call *c, const struct view_row *row, struct handle *h)
{
	struct call_after after = { .reply = REPLY_OPEN, .handle = h, .then = peers_came };
	struct cluster_request *rq = cluster_request_new(CLUSTER_STATUS, 1);
	struct buf own = BUF_INIT(0);
	int r = rq ? render_head(row, &h->text) : -ENOMEM;

	if (r == 0)
		r = write_self(c, row, &own);
	if (r == 0)
		r = buf_terminate(&own);
	if (r < 0) {
		cluster_request_free(rq);
		buf_deinit(&own);
		return r;
	}
	rq->text = (char *)own.data;
	cid_copy(&rq->items[0].pin.cid, &row->cid);
	atomic_store(&h->opening, true);
	r = call_post(c, rq, &after);
	if (r < 0)
		atomic_store(&h->opening, false);
	return r;
}

static int open_pin_status(struct call *c, uint64_t ino, struct handle *h)
{
	struct view_row row;
	int r = view_row(c, node_serial(ino), &row);

	if (r < 0)
		return r;
	cid_copy(&h->cid, &row.cid);
	h->mtime_ns = row.since_ns;
	if ((h->flags & O_ACCMODE) != O_WRONLY && view_others(c->fs)) {
		r = ask_peers(c, &row, h);
		if (r == CALL_LATER)
			return r;
		buf_reset(&h->text);
	}
	return render(c, &row, &h->text);
}

static int recover(struct call *c, const struct cid *cid, const struct call_after *after)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_RECOVER, 1);
	char name[256];

	if (!rq)
		return -ENOMEM;
	cid_copy(&rq->items[0].pin.cid, cid);
	pin_name_format(cid->bytes, cid->len, name);
	snprintf(c->path, sizeof(c->path), "status/%s", name);
	return call_post(c, rq, after);
}

static int touch_pin_status(struct call *c, uint64_t ino, struct handle *h)
{
	struct call_after after = { .reply = REPLY_ATTR, .ino = ino };
	struct view_row row;
	int r = view_row(c, node_serial(ino), &row);

	return r < 0 ? r : recover(c, &row.cid, &after);
}

/* Once for each open file, however many writes its bytes take. */
static int write_pin_status(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off)
{
	struct call_after after = { .reply = REPLY_WRITTEN, .written = n, .handle = h };

	if (h->written)
		return 0;
	h->written = true;
	return recover(c, &h->cid, &after);
}

static int truncate_pin_status(struct call *c, uint64_t ino, struct handle *h, uint64_t size)
{
	return 0;
}

const struct node_ops ops_pin_status = {
	.attr = attr_pin_status,
	.open = open_pin_status,
	.read = text_read,
	.write = write_pin_status,
	.truncate = truncate_pin_status,
	.touch = touch_pin_status,
};

/* ---- the folder ---- */

static int entry_of(struct call *c, const struct view_row *row, uint64_t cookies,
		    struct node_entry *ret)
{
	uint64_t ino = node_id(KIND_PIN_STATUS, row->serial);
	struct buf text = BUF_INIT(0);
	int r = render(c, row, &text);

	view_name(row, ret->name);
	ret->cookie = cookies + row->serial;
	ret->timeout = 0;
	node_stat(c->fs, ino, CLASS_WRITABLE, text.len, row->since_ns, &ret->st);
	buf_deinit(&text);
	return r;
}

static int lookup_status(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	struct view_row row;
	int r = fixed_lookup(c, dir, name, ret);

	if (r != -ENOENT)
		return r;
	r = view_find(c, name, &row);
	return r < 0 ? r : entry_of(c, &row, FIXED_COOKIES, ret);
}

static int next_pin(struct call *c, struct node_list *l, struct node_entry *ret)
{
	struct store_txn *t;
	struct view_row row;
	struct pin_row pin;
	int r = 0;

	if (!l->iter_open) {
		r = call_view(c, &t);
		if (r == 0)
			r = pinset_iter_serials(
			    t, l->cookie > FIXED_COOKIES ? l->cookie - FIXED_COOKIES : 0, &l->iter);
		l->iter_open = r == 0;
	}
	if (r == 0)
		r = pinset_next(&l->iter, &pin);
	if (r == 0)
		r = view_of_pin(c, &pin, &row);
	return r < 0 ? r : entry_of(c, &row, FIXED_COOKIES, ret);
}

static int next_status(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	struct view_row row;
	int r = -ENOENT;

	if (l->cookie < FIXED_NR)
		r = fixed_next(c, dir, l, ret);
	if (r == -ENOENT && l->cookie < UNPIN_COOKIES)
		r = next_pin(c, l, ret);
	if (r != -ENOENT)
		return r;
	r = view_next_unpin(c, l->cookie >= UNPIN_COOKIES ? l->cookie - UNPIN_COOKIES : 0, &l->u[0],
			    &row);
	return r < 0 ? r : entry_of(c, &row, UNPIN_COOKIES, ret);
}

static int create_status(struct call *c, uint64_t dir, const char *name, struct handle *h,
			 struct node_entry *ret)
{
	return call_refuse(c, -ENOENT, "pin is not part of the pinset");
}

static int unlink_status(struct call *c, uint64_t dir, const char *name)
{
	return call_refuse(c, -EPERM,
			   "a status cannot be deleted: to unpin, remove the file in pins/");
}

const struct node_ops ops_status = {
	.attr = fixed_attr,
	.lookup = lookup_status,
	.next = next_status,
	.create = create_status,
	.unlink = unlink_status,
};
