#include "fs/ops/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/ops/pins.h"
#include "types/cid_set.h"
#include "util/path.h"

#define LINE_MAX_BYTES (PIN_BYTES_MAX + CID_TEXT_MAX + 64)

struct batch {
	const char *folder;
	struct cluster_item *items; /* while it is held */
	size_t n_items, cap;
	struct buf text; /* the same, as it came */
	int fd;          /* the text, when it is not held any more; else -1 */
	size_t changes;
	struct cid_set seen;
	struct buf part; /* of a line that goes on */
	uint64_t line, bytes;

	/* as a source */
	char *map;
	size_t at;
};

/* What a CID was seen with. */
enum tag {
	TAG_UNPIN = 1,
	TAG_TOUCH,
	TAG_PIN
};

/* ---- one line ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **p, size_t *n)
{
	while (*n > 0 && is_blank(**p))
		++*p, --*n;
	while (*n > 0 && is_blank((*p)[*n - 1]))
		--*n;
}

int batch_line(const char *p, size_t n, struct cluster_item *ret, struct err *e)
{
	struct cid cid;
	size_t len = 0;
	int r;

	trim(&p, &n);
	if (n == 0 || *p == '#')
		return 0;
	if (*p != '+' && *p != '-')
		return err_set(e, -EINVAL, "a line is +CID {options} or -CID");
	ret->unpin = *p == '-';
	p++, n--;
	while (len < n && !is_blank(p[len]) && p[len] != '{')
		len++;
	r = len > 0 ? cid_parse(p, len, &cid, e)
		    : err_set(e, -EINVAL, "a CID must follow the sign at once");
	if (r < 0)
		return r;
	p += len, n -= len;
	trim(&p, &n);
	if (n > 0 && ret->unpin)
		return err_set(e, -EINVAL, "nothing follows the CID that is to be unpinned");
	if (n > 0)
		r = document_parse(&cid, p, n, ret, e);
	else
		cid_copy(&ret->pin.cid, &cid);
	/* Without options a pin that is there keeps its own, as it does when its file is touched.
	 */
	ret->touch = n == 0 && !ret->unpin;
	return r < 0 ? r : 1;
}

/* ---- all of them ---- */

static void init(struct batch *b, const char *folder)
{
	*b = (struct batch){ .folder = folder, .fd = -1 };
	buf_init(&b->text, BATCH_HELD_BYTES);
	buf_init(&b->part, LINE_MAX_BYTES);
	cid_set_init(&b->seen);
}

struct batch *batch_new(const char *folder)
{
	struct batch *b = malloc(sizeof(*b));

	if (b)
		init(b, folder);
	return b;
}

static void drop_items(struct batch *b)
{
	for (size_t i = 0; i < b->n_items; i++)
		pin_deinit(&b->items[i].pin);
	free(b->items);
	b->items = NULL;
	b->n_items = b->cap = 0;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	drop_items(b);
	if (b->map)
		munmap(b->map, b->bytes);
	if (b->fd >= 0)
		close(b->fd);
	cid_set_deinit(&b->seen);
	buf_deinit(&b->text);
	buf_deinit(&b->part);
	free(b);
}

size_t batch_changes(const struct batch *b)
{
	return b->changes;
}

static int grow(struct batch *b)
{
	size_t cap = b->cap ? 2 * b->cap : 16;
	struct cluster_item *items;

	if (b->n_items < b->cap)
		return 0;
	items = realloc(b->items, cap * sizeof(*items));
	if (!items)
		return -ENOMEM;
	b->items = items;
	b->cap = cap;
	return 0;
}

/* From here on the text is kept in a file, and the changes are read from it again. */
static int spill(struct batch *b)
{
	int r;

	b->fd = path_unnamed(b->folder);
	if (b->fd < 0)
		return b->fd;
	r = path_write_all(b->fd, b->text.data, b->text.len);
	buf_deinit(&b->text);
	drop_items(b);
	return r;
}

static int keep_bytes(struct batch *b, const void *p, size_t n)
{
	int r = 0;

	if (b->fd < 0 && b->text.len + n <= BATCH_HELD_BYTES)
		return buf_append(&b->text, p, n);
	if (b->fd < 0)
		r = spill(b);
	return r < 0 ? r : path_write_all(b->fd, p, n);
}

static enum tag tag_of(const struct cluster_item *item)
{
	return item->unpin ? TAG_UNPIN : item->touch ? TAG_TOUCH : TAG_PIN;
}

/* 1: not seen before; 0: it only says again what another line said. */
static int check_seen(struct batch *b, const struct cluster_item *item, struct err *e)
{
	enum tag tag = tag_of(item);
	int before = cid_set_add(&b->seen, &item->pin.cid, tag);

	if (before < 0)
		return err_sys(e, before, "keeping the batch");
	if (before == 0)
		return 1;
	if ((unsigned)before == tag && tag != TAG_PIN)
		return 0;
	return err_set(e, -EINVAL, "the CID stands in an earlier line already");
}

/* Takes the item over where it returns 1; 0: it is not needed. */
static int keep_item(struct batch *b, struct cluster_item *item, struct err *e)
{
	int r = check_seen(b, item, e);

	if (r <= 0)
		return r;
	if (b->changes == BATCH_CHANGES_MAX)
		return err_set(e, -EFBIG,
			       "a batch has at most %d changes; write a dump to state/import for "
			       "more",
			       BATCH_CHANGES_MAX);
	b->changes++;
	r = b->fd < 0 && b->n_items == BATCH_HELD_CHANGES ? spill(b) : 0;
	if (r == 0 && b->fd < 0)
		r = grow(b);
	if (r < 0)
		return err_sys(e, r, "keeping the batch");
	if (b->fd >= 0)
		return 0;
	b->items[b->n_items++] = *item;
	return 1;
}

static int take_line(struct batch *b, const char *p, size_t n, struct err *e)
{
	struct cluster_item item = { 0 };
	int r;

	b->line++;
	pin_init(&item.pin);
	r = batch_line(p, n, &item, e);
	if (r == 1)
		r = keep_item(b, &item, e);
	if (r != 1)
		pin_deinit(&item.pin);
	return r < 0 ? err_wrap(e, r, "line %llu", (unsigned long long)b->line) : 0;
}

static int take_part(struct batch *b, const char *p, size_t n, struct err *e)
{
	int r = buf_append(&b->part, p, n);

	return r < 0 ? err_sys(e, r, "line %llu", (unsigned long long)b->line + 1) : 0;
}

int batch_feed(struct batch *b, const void *bytes, size_t n, struct err *e)
{
	const char *p = bytes, *end;
	int r = 0;

	b->bytes += n;
	if (b->bytes > BATCH_BYTES_MAX)
		return err_set(e, -EFBIG,
			       "a batch has at most %u MiB; write a dump to state/import for more",
			       BATCH_BYTES_MAX >> 20);
	r = keep_bytes(b, bytes, n);
	if (r < 0)
		return err_sys(e, r, "keeping the batch");
	while (r == 0 && n > 0) {
		end = memchr(p, '\n', n);
		if (!end)
			return take_part(b, p, n, e);
		if (b->part.len > 0) {
			r = take_part(b, p, (size_t)(end - p), e);
			if (r == 0)
				r = take_line(b, (const char *)b->part.data, b->part.len, e);
			buf_reset(&b->part);
		} else {
			r = take_line(b, p, (size_t)(end - p), e);
		}
		n -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	return r;
}

int batch_check(const struct batch *b, struct err *e)
{
	struct cluster_item item = { 0 };
	int r;

	if (b->part.len == 0)
		return 0;
	pin_init(&item.pin);
	r = batch_line((const char *)b->part.data, b->part.len, &item, e);
	pin_deinit(&item.pin);
	return r < 0 ? err_wrap(e, r, "line %llu", (unsigned long long)b->line + 1) : 0;
}

int batch_finish(struct batch *b, struct err *e)
{
	int r = 0;

	if (b->part.len > 0)
		r = take_line(b, (const char *)b->part.data, b->part.len, e);
	buf_reset(&b->part);
	return r;
}

/* ---- what the peer gets ---- */

/* The next line of the file that is a change; checked when it came, so only memory can fail. */
static int source_next(void *arg, struct cluster_item *ret, struct err *e)
{
	struct batch *b = arg;
	int r = 0;

	while (r == 0 && b->at < b->bytes) {
		const char *p = b->map + b->at;
		const char *end = memchr(p, '\n', b->bytes - b->at);
		size_t n = end ? (size_t)(end - p) : b->bytes - b->at;

		b->at += n + (end != NULL);
		r = batch_line(p, n, ret, e);
		if (r == 1)
			r = check_seen(b, ret, e);
		if (r == 0) {
			pin_deinit(&ret->pin);
			pin_init(&ret->pin);
		}
	}
	return r;
}

static void source_free(void *arg)
{
	batch_free(arg);
}

static struct cluster_request *take_file(struct batch *b)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 0);
	struct batch *src = rq ? malloc(sizeof(*src)) : NULL;
	void *map = MAP_FAILED;

	if (src)
		map = mmap(NULL, b->bytes, PROT_READ, MAP_PRIVATE, b->fd, 0);
	if (map == MAP_FAILED) {
		cluster_request_free(rq);
		free(src);
		return NULL;
	}
	*src = *b;
	init(b, src->folder);
	src->map = map;
	cid_set_deinit(&src->seen);
	cid_set_init(&src->seen);
	rq->source = (struct cluster_source){
		.next = source_next, .free = source_free, .arg = src, .bytes = src->bytes
	};
	return rq;
}

struct cluster_request *batch_take(struct batch *b)
{
	struct cluster_request *rq;

	if (b->fd >= 0)
		return take_file(b);
	rq = cluster_request_new(CLUSTER_CHANGE, b->n_items);
	if (!rq)
		return NULL;
	/* The pins move with their arenas. */
	for (size_t i = 0; i < b->n_items; i++)
		rq->items[i] = b->items[i];
	b->n_items = 0;
	drop_items(b);
	cid_set_deinit(&b->seen);
	buf_deinit(&b->text);
	buf_deinit(&b->part);
	init(b, b->folder);
	return rq;
}
