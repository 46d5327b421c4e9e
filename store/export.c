/*
 * Rows are rendered in the order of their keys as far as reads come, straight into the reader's
 * memory; a read behind or far ahead of the last one starts at the nearest checkpoint and steps
 * over rows by their stored lengths.
 */
#include "store/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/pinset.h"
#include "types/peer_texts.h"
#include "types/pin_json.h"

#define CHECKPOINT_BYTES (1u << 20) /* of the dump between two places that are remembered */

/* A row, and where its line begins. */
struct checkpoint {
	uint64_t offset, serial;
};

struct export
{
	const struct store_txn *t;
	struct pinset_iter iter;
	bool open; /* iter is in use */
	bool ended;
	uint64_t next;   /* offset of the row that the cursor comes to next */
	struct buf text; /* the line before it, or nothing */
	struct pin pin;
	struct peer_texts peers;
	struct checkpoint *marks; /* ascending */
	size_t n_marks, cap_marks;
};

int export_new(const struct store_txn *t, struct export **ret)
{
	struct export *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->t = t;
	pin_init(&x->pin);
	*ret = x;
	return 0;
}

static void close_cursor(struct export *x)
{
	if (x->open)
		pinset_iter_end(&x->iter);
	x->open = false;
}

void export_free(struct export *x)
{
	if (!x)
		return;
	close_cursor(x);
	buf_deinit(&x->text);
	pin_deinit(&x->pin);
	free(x->marks);
	free(x);
}

/* Remembers where a row begins, when the last such place is far enough behind. */
static int mark(struct export *x, uint64_t serial)
{
	uint64_t last = x->n_marks ? x->marks[x->n_marks - 1].offset : 0;
	struct checkpoint *marks = x->marks;

	if (x->next < last + CHECKPOINT_BYTES)
		return 0;
	if (x->n_marks == x->cap_marks) {
		size_t cap = x->cap_marks ? 2 * x->cap_marks : 64;

		marks = realloc(marks, cap * sizeof(*marks));
		if (!marks)
			return -ENOMEM;
		x->marks = marks;
		x->cap_marks = cap;
	}
	marks[x->n_marks++] = (struct checkpoint){ x->next, serial };
	return 0;
}

/* The next row; x->next is still the offset of its line. 1, 0 at the end, -errno. */
static int next_row(struct export *x, struct pin_row *row)
{
	int r = x->ended ? -ENOENT : pinset_next(&x->iter, row);

	if (r == -ENOENT)
		x->ended = true;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = mark(x, row->serial);
	return r < 0 ? r : 1;
}

/* The last remembered place at or before @offset; the beginning when there is none. */
static const struct checkpoint *nearest(const struct export *x, uint64_t offset)
{
	static const struct checkpoint beginning;
	size_t lo = 0, hi = x->n_marks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (x->marks[mid].offset <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &x->marks[lo - 1] : &beginning;
}

static int open_cursor(struct export *x, const struct checkpoint *from)
{
	struct sortkey key;
	struct pin_row row;
	int r = 0;

	close_cursor(x);
	if (from->serial) {
		r = pinset_row(x->t, from->serial, &row);
		if (r == 0)
			sortkey_of_cid(row.cid, row.cid_len, &key);
	}
	if (r == 0)
		r = pinset_iter_keys(x->t, from->serial ? &key : NULL, &x->iter);
	if (r < 0)
		return r;
	x->open = true;
	x->ended = false;
	x->next = from->offset;
	return 0;
}

/* Appends the line of the pin that was decoded. -EFBIG: no room. */
static int put_line(struct export *x, struct buf *out)
{
	size_t before = out->len;
	int r = pin_json_line_with(&x->pin, &x->peers, out);

	if (r == 0)
		r = buf_byte(out, '\n');
	if (r < 0) {
		out->len = before;
		return r;
	}
	x->next += out->len - before;
	return 0;
}

/* Puts as many lines as fit into @out, and the one after them into the text. */
static int render_some(struct export *x, struct buf *out)
{
	struct pin_row row;
	int r;

	buf_reset(&x->text);
	while ((r = next_row(x, &row)) > 0) {
		r = pinset_decode(&row, &x->pin, NULL);
		if (r < 0)
			return r;
		r = put_line(x, out);
		if (r == -EFBIG)
			return put_line(x, &x->text);
		if (r < 0)
			return r;
	}
	return r;
}

/* Makes the text hold @offset, or be empty when that is the end or beyond. */
static int seek(struct export *x, uint64_t offset)
{
	const struct checkpoint *from = nearest(x, offset);
	struct pin_row row;
	int r;

	buf_reset(&x->text);
	if (!x->open || x->next > offset || from->offset > x->next) {
		r = open_cursor(x, from);
		if (r < 0)
			return r;
	}
	for (;;) {
		r = next_row(x, &row);
		if (r <= 0)
			return r;
		if (x->next + row.line_len > offset)
			break;
		x->next += row.line_len;
	}
	r = pinset_decode(&row, &x->pin, NULL);
	return r < 0 ? r : put_line(x, &x->text);
}

/* As much of what is at @offset as one step gives; 0 at the end. */
static ssize_t read_some(struct export *x, uint64_t offset, uint8_t *out, size_t n)
{
	struct buf lines = { .data = out, .cap = n, .max = n }; /* it never grows */
	uint64_t first = x->next - x->text.len;
	size_t skip, k;
	int r = 0;

	if (!x->open || offset < first || offset > x->next)
		r = seek(x, offset);
	else if (offset == x->next)
		r = render_some(x, &lines);
	if (r < 0) {
		/* The row that failed is behind the cursor and has to fail again. */
		buf_reset(&x->text);
		close_cursor(x);
	}
	if (r < 0 || lines.len > 0)
		return lines.len > 0 ? (ssize_t)lines.len : r;
	first = x->next - x->text.len;
	if (offset < first || offset >= x->next)
		return 0;
	skip = (size_t)(offset - first);
	k = x->text.len - skip < n ? x->text.len - skip : n;
	memcpy(out, x->text.data + skip, k);
	return (ssize_t)k;
}

ssize_t export_read(struct export *x, uint64_t offset, void *out, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t k = read_some(x, offset + have, (uint8_t *)out + have, n - have);

		if (k < 0)
			return have > 0 ? (ssize_t)have : k;
		if (k == 0)
			break;
		have += (size_t)k;
	}
	return (ssize_t)have;
}
