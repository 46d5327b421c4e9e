/* state/export: the dump, generated while it is read. One open is one consistent state. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/ops/state.h"
#include "store/export.h"
#include "util/clock.h"
#include "util/path.h"

#define EXPORTS_MAX 64 /* open at once */

/* What the kernel is told is the newest open dump of the asking program, else the present one: so
 * that a program which asks for the size after opening is never cut short. */
static int attr_export(struct call *c, uint64_t ino, struct stat *st)
{
	struct handle *h = handle_of_caller(c, ino);
	const struct store_info *info = h && h->view ? store_info(h->view) : call_info(c);

	if (!info)
		return -EMFILE;
	node_stat(c->fs, ino, CLASS_DUMP, info->export_bytes, info->changed_ns, st);
	return 0;
}

static unsigned open_exports(struct fs *fs)
{
	struct list *it;
	unsigned n = 0;

	list_each (it, &fs->handles)
		n += container_of(it, struct handle, link)->view != NULL;
	return n;
}

static int open_export(struct call *c, uint64_t ino, struct handle *h)
{
	int r;

	if (open_exports(c->fs) >= EXPORTS_MAX)
		return call_refuse(c, -EBUSY, "%d dumps are open already", EXPORTS_MAX);
	r = store_read(c->fs->store, &h->view);
	if (r < 0) {
		h->view = NULL;
		return call_refuse(c, r, "reading the state");
	}
	r = export_new(h->view, &h->export);
	return r < 0 ? call_refuse(c, r, "reading the state") : 0;
}

static ssize_t read_export(struct call *c, struct handle *h, void *out, size_t n, uint64_t off)
{
	return export_read(h->export, off, out, n);
}

static void release_export(struct handle *h)
{
	export_free(h->export);
	if (h->view)
		store_read_end(h->view);
	h->export = NULL;
	h->view = NULL;
}

const struct node_ops ops_export = {
	.attr = attr_export,
	.open = open_export,
	.read = read_export,
	.release = release_export,
};
