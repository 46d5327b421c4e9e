#include "fs/ops/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/pins.h"

#define LINE_MAX_BYTES (PIN_BYTES_MAX + CID_TEXT_MAX + 64)
#define SLOTS (2 * BATCH_CHANGES_MAX) /* a power of two */

struct batch {
	struct cluster_item *items;
	size_t n, cap;
	uint16_t
	    slots[SLOTS]; /* index + 1 of the item with a CID, by its last bytes; open addressing */
	struct buf part;  /* of a line that goes on */
	uint64_t line, bytes;
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

struct batch *batch_new(void)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b)
		buf_init(&b->part, LINE_MAX_BYTES);
	return b;
}

static void clear(struct batch *b)
{
	free(b->items);
	b->items = NULL;
	b->n = b->cap = 0;
	b->bytes = b->line = 0;
	memset(b->slots, 0, sizeof(b->slots));
	buf_deinit(&b->part);
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++)
		pin_deinit(&b->items[i].pin);
	clear(b);
	free(b);
}

size_t batch_changes(const struct batch *b)
{
	return b->n;
}

static int grow(struct batch *b)
{
	size_t cap = b->cap ? 2 * b->cap : 16;
	struct cluster_item *items;

	if (b->n < b->cap)
		return 0;
	items = realloc(b->items, cap * sizeof(*items));
	if (!items)
		return -ENOMEM;
	b->items = items;
	b->cap = cap;
	return 0;
}

/* The slot of a CID: the one of the item that has it, or a free one. */
static uint16_t *slot_of(struct batch *b, const struct cid *cid)
{
	size_t n = cid->len < 4 ? cid->len : 4;
	uint32_t hash = 0;

	memcpy(&hash, cid->bytes + cid->len - n, n);
	for (;; hash++) {
		uint16_t *slot = &b->slots[hash % SLOTS];

		if (*slot == 0 || cid_equal(&b->items[*slot - 1].pin.cid, cid))
			return slot;
	}
}

/* Puts the item in place, or drops one that only says again what another said. */
static int keep_item(struct batch *b, struct cluster_item *item, struct err *e)
{
	uint16_t *slot = slot_of(b, &item->pin.cid);
	const struct cluster_item *old = *slot ? &b->items[*slot - 1] : NULL;
	int r;

	if (old && ((old->unpin && item->unpin) || (old->touch && item->touch))) {
		pin_deinit(&item->pin);
		return 0;
	}
	if (old)
		return err_set(e, -EINVAL, "the CID stands in an earlier line already");
	if (b->n == BATCH_CHANGES_MAX)
		return err_set(e, -EFBIG,
			       "a batch has at most %d changes; write a dump to state/import for "
			       "more",
			       BATCH_CHANGES_MAX);
	r = grow(b);
	if (r < 0)
		return err_sys(e, r, "keeping the batch");
	b->items[b->n++] = *item;
	*slot = (uint16_t)b->n;
	return 0;
}

static int take_line(struct batch *b, const char *p, size_t n, struct err *e)
{
	struct cluster_item item = { 0 };
	int r;

	b->line++;
	pin_init(&item.pin);
	r = batch_line(p, n, &item, e);
	if (r == 1) {
		r = keep_item(b, &item, e);
		if (r == 0)
			return 0;
	}
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

struct cluster_request *batch_take(struct batch *b)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, b->n);

	if (!rq)
		return NULL;
	/* The pins move with their arenas. */
	for (size_t i = 0; i < b->n; i++)
		rq->items[i] = b->items[i];
	clear(b);
	return rq;
}
