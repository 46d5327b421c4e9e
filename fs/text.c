#include "fs/text.h"

#include <errno.h>
#include <string.h>

int text_attr(struct call *c, uint64_t ino, text_render render, enum node_class class,
	      struct stat *st)
{
	struct handle *h = handle_of_caller(c, ino);
	struct buf text = BUF_INIT(0);
	int64_t mtime_ns = c->fs->started_ns;
	int r = 0;

	/* A program that has it open gets the size of what it is reading. */
	if (h && !atomic_load(&h->opening)) {
		node_stat(c->fs, ino, class, h->text.len, h->mtime_ns, st);
		return 0;
	}
	r = render(c, ino, &text, &mtime_ns);
	if (r == 0)
		node_stat(c->fs, ino, class, text.len, mtime_ns, st);
	buf_deinit(&text);
	return r;
}

int text_open(struct call *c, uint64_t ino, struct handle *h, text_render render)
{
	h->mtime_ns = c->fs->started_ns;
	return render(c, ino, &h->text, &h->mtime_ns);
}

ssize_t text_read(struct call *c, struct handle *h, void *out, size_t n, uint64_t off)
{
	if (off >= h->text.len)
		return 0;
	if (n > h->text.len - off)
		n = h->text.len - off;
	memcpy(out, h->text.data + off, n);
	return (ssize_t)n;
}

static int add_json(const char *p, size_t n, void *arg)
{
	return buf_append(arg, p, n) < 0 ? -1 : 0;
}

int text_json_new(struct buf *out, json_t *j)
{
	int r;

	if (!j)
		return -ENOMEM;
	r = json_dump_callback(j, add_json, out, JSON_INDENT(4) | JSON_ENCODE_ANY);
	json_decref(j);
	return r < 0 ? -ENOMEM : buf_byte(out, '\n');
}
