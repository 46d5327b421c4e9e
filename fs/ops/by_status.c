/*
 * status/by/<status>/: links to the pins in one status on this peer, for every status and the
 * unions error and queued. They follow the store's index by status; what is being pinned this
 * moment is told by the tracker, and what leaves Kubo by the list of unpins.
 */
#include <errno.h>
#include <string.h>

#include "fs/ops/views.h"
#include "types/status.h"

enum {
	UNION_ERROR = STATUS_NR,
	UNION_QUEUED,
	BY_NR
};

static const char *by_name(uint64_t by)
{
	switch (by) {
	case UNION_ERROR:
		return "error";
	case UNION_QUEUED:
		return "queued";
	default:
		return status_name((enum status)by);
	}
}

static uint32_t by_set(uint64_t by)
{
	const char *name = by_name(by);

	return status_set(name, strlen(name));
}

/* ---- the folder of folders ---- */

static int by_entry(struct call *c, uint64_t by, struct node_entry *ret)
{
	node_entry_set(ret, by_name(by), by + 1, 1.0);
	return fixed_attr(c, node_id(KIND_BY_STATUS, by), &ret->st);
}

static int lookup_by(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	for (uint64_t by = 0; by < BY_NR; by++)
		if (strcmp(name, by_name(by)) == 0)
			return by_entry(c, by, ret);
	return -ENOENT;
}

static int next_by(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	return l->cookie < BY_NR ? by_entry(c, l->cookie, ret) : -ENOENT;
}

const struct node_ops ops_by = {
	.attr = fixed_attr,
	.lookup = lookup_by,
	.next = next_by,
};

/* ---- one of them ---- */

/*
 * A place in a listing: the lists of the statuses in the set one behind the other, each ordered by
 * rank and serial, then the list of unpins. Cookie: list + 1 << 58 | rank << 57 | serial.
 */
#define LIST_SHIFT 58
#define RANK_BIT (1ULL << 57)
#define LIST_UNPINS STATUS_NR

static uint64_t make_cookie(unsigned list, uint8_t rank, uint64_t serial)
{
	return (uint64_t)(list + 1) << LIST_SHIFT | (rank ? RANK_BIT : 0) | serial;
}

static int link_entry(struct call *c, const struct view_row *row, uint64_t cookie,
		      struct node_entry *ret)
{
	view_name(row, ret->name);
	ret->cookie = cookie;
	ret->timeout = 0;
	node_stat(c->fs, node_id(KIND_STATUS_LINK, row->serial), CLASS_LINK,
		  strlen("../../../pins/") + strlen(ret->name), row->since_ns, &ret->st);
	return 0;
}

/* The next of a status as it is stored, but for what is being pinned, whose list is another. */
static int next_stored(struct call *c, enum status status, struct status_place *place,
		       struct view_row *ret)
{
	struct pin_row pin;
	int r;

	do {
		r = status_next(c->txn, status, place);
		if (r == 0)
			r = pinset_row(c->txn, place->serial, &pin);
		if (r == 0)
			r = view_of_pin(c, &pin, ret);
	} while (r == 0 && ret->status != status);
	return r;
}

static int next_pinning(struct call *c, struct status_place *place, struct view_row *ret)
{
	struct tracker *t = cluster_tracker(c->fs->cluster);
	struct pin_row pin;
	int r;

	if (!t)
		return -ENOENT;
	do {
		r = tracker_next_pinning(t, place->serial, &place->serial);
		if (r < 0)
			return r;
		r = pinset_row(c->txn, place->serial, &pin);
		if (r == 0)
			r = view_of_pin(c, &pin, ret);
	} while (r == -ENOENT || (r == 0 && ret->status != STATUS_PINNING));
	return r;
}

static int next_unpin(struct call *c, uint32_t set, uint64_t after, uint64_t *end,
		      struct view_row *ret)
{
	int r;

	do {
		r = view_next_unpin(c, after, end, ret);
		if (r == 0)
			after = ret->serial;
	} while (r == 0 && !(set & 1u << ret->status));
	return r;
}

static int next_in_list(struct call *c, unsigned list, struct status_place *place,
			struct view_row *ret)
{
	if (list == STATUS_PINNING)
		return next_pinning(c, place, ret);
	return next_stored(c, (enum status)list, place, ret);
}

static int next_by_status(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	uint32_t set = by_set(node_serial(dir));
	unsigned list = l->cookie ? (unsigned)(l->cookie >> LIST_SHIFT) - 1 : 0;
	struct status_place place = { .rank = l->cookie & RANK_BIT ? 1 : 0,
				      .serial = l->cookie & (RANK_BIT - 1) };
	struct view_row row;
	struct store_txn *t;
	int r = call_view(c, &t);

	for (; r == 0 && list < LIST_UNPINS; list++) {
		if (set & 1u << list) {
			r = next_in_list(c, list, &place, &row);
			if (r == 0)
				return link_entry(c, &row,
						  make_cookie(list, place.rank, row.serial), ret);
			r = r == -ENOENT ? 0 : r;
		}
		place = (struct status_place){ 0 };
	}
	if (r == 0)
		r = next_unpin(c, set, place.serial, &l->u[0], &row);
	return r < 0 ? r : link_entry(c, &row, make_cookie(LIST_UNPINS, 0, row.serial), ret);
}

static int lookup_by_status(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	struct view_row row;
	int r = view_find(c, name, &row);

	if (r == 0 && !(by_set(node_serial(dir)) & 1u << row.status))
		r = -ENOENT;
	return r < 0 ? r : link_entry(c, &row, 0, ret);
}

static int unlink_by_status(struct call *c, uint64_t dir, const char *name)
{
	snprintf(c->path, sizeof(c->path), "status/by/%s/%.200s", by_name(node_serial(dir)), name);
	return call_refuse(c, -EPERM,
			   "nothing can be deleted through a view: to unpin, remove the file in "
			   "pins/");
}

const struct node_ops ops_by_status = {
	.attr = fixed_attr,
	.lookup = lookup_by_status,
	.next = next_by_status,
	.unlink = unlink_by_status,
};

/* ---- the links ---- */

static int attr_status_link(struct call *c, uint64_t ino, struct stat *st)
{
	struct node_entry en;
	struct view_row row;
	int r = view_row(c, node_serial(ino), &row);

	if (r < 0)
		return r;
	link_entry(c, &row, 0, &en);
	*st = en.st;
	return 0;
}

static int readlink_status_link(struct call *c, uint64_t ino, struct buf *out)
{
	char name[256];
	struct view_row row;
	int r = view_row(c, node_serial(ino), &row);

	if (r < 0)
		return r;
	view_name(&row, name);
	return buf_printf(out, "../../../pins/%s", name);
}

const struct node_ops ops_status_link = {
	.attr = attr_status_link,
	.readlink = readlink_status_link,
};
