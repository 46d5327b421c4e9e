/* by-name/<name>/<cid>.json: links to the pins of a name. */
#include <errno.h>
#include <string.h>

#include "fs/ops/pins.h"

/* ---- the folder of names ---- */

static int name_entry(struct call *c, uint64_t number, const char *name, size_t n,
		      struct node_entry *ret)
{
	if (n >= sizeof(ret->name))
		return -ENAMETOOLONG;
	memcpy(ret->name, name, n);
	ret->name[n] = '\0';
	ret->cookie = number;
	ret->timeout = 0;
	return fixed_attr(c, node_id(KIND_NAME, number), &ret->st);
}

static int lookup_by_name(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	struct store_txn *t;
	uint64_t number;
	int r = call_view(c, &t);

	if (r == 0)
		r = names_find(t, name, strlen(name), &number);
	return r < 0 ? r : name_entry(c, number, name, strlen(name), ret);
}

static int next_by_name(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	struct store_txn *t;
	uint64_t number, count;
	const char *name;
	size_t n;
	int r = call_view(c, &t);

	if (r == 0)
		r = names_next(t, l->cookie, &number, &name, &n, &count);
	return r < 0 ? r : name_entry(c, number, name, n, ret);
}

const struct node_ops ops_by_name = {
	.attr = fixed_attr,
	.lookup = lookup_by_name,
	.next = next_by_name,
};

/* ---- one name ---- */

static int attr_name(struct call *c, uint64_t ino, struct stat *st)
{
	struct store_txn *t;
	const char *name;
	uint64_t count;
	size_t n;
	int r = call_view(c, &t);

	if (r == 0)
		r = names_get(t, node_serial(ino), &name, &n, &count);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	return fixed_attr(c, ino, st);
}

static void link_entry(struct call *c, const struct pin_row *row, struct node_entry *ret)
{
	pin_name_format(row->cid, row->cid_len, ret->name);
	ret->cookie = row->serial;
	ret->timeout = 0;
	node_stat(c->fs, node_id(KIND_NAME_LINK, row->serial), CLASS_LINK,
		  strlen("../../pins/") + strlen(ret->name), row->timestamp * 1000000000, &ret->st);
}

static int lookup_name(struct call *c, uint64_t dir, const char *name, struct node_entry *ret)
{
	struct store_txn *t;
	struct pin_row row;
	uint64_t serial;
	int r = call_view(c, &t);

	if (r == 0)
		r = pin_name_find(t, name, &row);
	if (r == 0)
		r = names_next_pin(t, node_serial(dir), row.serial - 1, &serial);
	if (r == 0 && serial != row.serial)
		r = -ENOENT;
	if (r == 0)
		link_entry(c, &row, ret);
	return r;
}

static int next_name(struct call *c, uint64_t dir, struct node_list *l, struct node_entry *ret)
{
	struct store_txn *t;
	struct pin_row row;
	uint64_t serial;
	int r = call_view(c, &t);

	if (r == 0)
		r = names_next_pin(t, node_serial(dir), l->cookie, &serial);
	if (r == 0)
		r = pinset_row(t, serial, &row);
	if (r == 0)
		link_entry(c, &row, ret);
	return r;
}

static int unlink_name(struct call *c, uint64_t dir, const char *name)
{
	struct store_txn *t;
	const char *folder;
	uint64_t count;
	size_t n;

	if (call_view(c, &t) == 0 && names_get(t, node_serial(dir), &folder, &n, &count) == 0)
		snprintf(c->path, sizeof(c->path), "by-name/%.*s/%.50s", (int)(n > 200 ? 200 : n),
			 folder, name);
	return call_refuse(c, -EPERM,
			   "nothing can be deleted through a view: to unpin, remove the file in "
			   "pins/");
}

const struct node_ops ops_name = {
	.attr = attr_name,
	.lookup = lookup_name,
	.next = next_name,
	.unlink = unlink_name,
};

/* ---- the links ---- */

static int link_row(struct call *c, uint64_t ino, struct pin_row *row)
{
	struct store_txn *t;
	int r = call_view(c, &t);

	if (r == 0)
		r = pinset_row(t, node_serial(ino), row);
	return r == -ENOENT ? -ESTALE : r;
}

static int attr_name_link(struct call *c, uint64_t ino, struct stat *st)
{
	struct node_entry en;
	struct pin_row row;
	int r = link_row(c, ino, &row);

	if (r < 0)
		return r;
	link_entry(c, &row, &en);
	*st = en.st;
	return 0;
}

static int readlink_name_link(struct call *c, uint64_t ino, struct buf *out)
{
	char name[256];
	struct pin_row row;
	int r = link_row(c, ino, &row);

	if (r < 0)
		return r;
	pin_name_format(row.cid, row.cid_len, name);
	return buf_printf(out, "../../pins/%s", name);
}

const struct node_ops ops_name_link = {
	.attr = attr_name_link,
	.readlink = readlink_name_link,
};
