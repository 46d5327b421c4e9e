#include "store/bulk_sort.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct sort_entry {
	uint64_t prefix; /* first bytes of the key, as a number that sorts like them */
	uint64_t value;
	uint32_t at; /* of the key */
	uint32_t len;
};

/* In front of each key in the file. */
struct sort_head {
	uint64_t value;
	uint32_t len;
	uint32_t zero;
};

struct sort_cursor {
	uint64_t prefix, value;
	const uint8_t *key;
	uint32_t len;
	const uint8_t *next, *end;
};

static uint64_t prefix_of(const uint8_t *key, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, key, len < 8 ? len : 8);
	return __builtin_bswap64(v);
}

static int compare_keys(const uint8_t *a, uint32_t an, const uint8_t *b, uint32_t bn)
{
	int c = memcmp(a, b, an < bn ? an : bn);

	return c ? c : (an > bn) - (an < bn);
}

int sorter_open(struct sorter *s, const char *folder, size_t limit)
{
	*s = (struct sorter){ .file = BULK_FILE_INIT, .limit = limit };
	return bulk_file_open(&s->file, folder);
}

static void free_run(struct sorter *s)
{
	free(s->entries);
	free(s->keys);
	s->entries = NULL;
	s->keys = NULL;
	s->n = s->cap = s->n_keys = s->cap_keys = 0;
}

void sorter_close(struct sorter *s)
{
	free_run(s);
	free(s->runs);
	bulk_file_close(&s->file);
	*s = (struct sorter){ .file = BULK_FILE_INIT };
}

static int by_key(const void *a, const void *b, void *keys)
{
	const struct sort_entry *x = a, *y = b;
	const uint8_t *base = keys;
	int c;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	c = compare_keys(base + x->at, x->len, base + y->at, y->len);
	return c ? c : (x->value > y->value) - (x->value < y->value);
}

static int write_run(struct sorter *s)
{
	uint64_t *runs = reallocarray(s->runs, s->n_runs + 1, sizeof(*runs));
	int r = runs ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	s->runs = runs;
	qsort_r(s->entries, s->n, sizeof(*s->entries), by_key, s->keys);
	for (size_t i = 0; r == 0 && i < s->n; i++) {
		const struct sort_entry *en = &s->entries[i];
		struct sort_head h = { .value = en->value, .len = en->len };

		r = bulk_file_append(&s->file, &h, sizeof(h));
		if (r == 0)
			r = bulk_file_append(&s->file, s->keys + en->at, en->len);
	}
	s->runs[s->n_runs++] = s->file.size;
	s->n = s->n_keys = 0;
	return r;
}

/* Grows to what the limit allows, so that small sets take little. */
static int grow(void **array, size_t *cap, size_t need, size_t size)
{
	size_t next = *cap ? *cap : 1024;
	void *p;

	while (next < need)
		next *= 2;
	if (next == *cap)
		return 0;
	p = reallocarray(*array, next, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = next;
	return 0;
}

int sorter_add(struct sorter *s, const void *key, size_t len, uint64_t value)
{
	void *entries = s->entries, *keys = s->keys;
	int r = 0;

	if (len > SORT_KEY_MAX)
		return -EFBIG;
	if (s->n > 0 && (s->n + 1) * sizeof(*s->entries) + s->n_keys + len > s->limit)
		r = write_run(s);
	if (r == 0)
		r = grow(&entries, &s->cap, s->n + 1, sizeof(*s->entries));
	s->entries = entries;
	if (r == 0)
		r = grow(&keys, &s->cap_keys, s->n_keys + len, 1);
	s->keys = keys;
	if (r < 0)
		return r;
	memcpy(s->keys + s->n_keys, key, len);
	s->entries[s->n++] = (struct sort_entry){ .prefix = prefix_of(key, len),
						  .value = value,
						  .at = (uint32_t)s->n_keys,
						  .len = (uint32_t)len };
	s->n_keys += len;
	s->total++;
	return 0;
}

int sorter_seal(struct sorter *s)
{
	int r = s->n ? write_run(s) : 0;

	free_run(s);
	return r < 0 ? r : bulk_file_map(&s->file);
}

/* ---- merging ---- */

static bool cursor_load(struct sort_cursor *c)
{
	struct sort_head h;

	if (c->next == c->end)
		return false;
	memcpy(&h, c->next, sizeof(h));
	c->key = c->next + sizeof(h);
	c->len = h.len;
	c->value = h.value;
	c->prefix = prefix_of(c->key, c->len);
	c->next = c->key + c->len;
	return true;
}

static bool before(const struct sort_cursor *a, const struct sort_cursor *b)
{
	int c;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix;
	c = compare_keys(a->key, a->len, b->key, b->len);
	return c ? c < 0 : a->value < b->value;
}

static void sift_down(struct sort_merge *m, size_t i)
{
	struct sort_cursor c = m->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < m->n && before(&m->heap[child + 1], &m->heap[child]))
			child++;
		if (child >= m->n || !before(&m->heap[child], &c))
			break;
		m->heap[i] = m->heap[child];
		i = child;
	}
	m->heap[i] = c;
}

int sort_merge_open(const struct sorter *s, struct sort_merge *ret)
{
	struct sort_cursor *heap = calloc(s->n_runs + 1, sizeof(*heap));
	uint64_t from = 0;

	if (!heap)
		return -ENOMEM;
	*ret = (struct sort_merge){ .heap = heap };
	for (size_t i = 0; i < s->n_runs; from = s->runs[i++]) {
		struct sort_cursor c = { .next = s->file.map + from,
					 .end = s->file.map + s->runs[i] };

		if (cursor_load(&c))
			heap[ret->n++] = c;
	}
	for (size_t i = ret->n / 2; i-- > 0;)
		sift_down(ret, i);
	return 0;
}

int sort_merge_next(struct sort_merge *m, struct sort_item *ret)
{
	struct sort_cursor *top = m->heap;

	if (m->n == 0)
		return 0;
	*ret = (struct sort_item){ .key = top->key, .len = top->len, .value = top->value };
	if (!cursor_load(top))
		*top = m->heap[--m->n];
	if (m->n > 0)
		sift_down(m, 0);
	return 1;
}

void sort_merge_close(struct sort_merge *m)
{
	free(m->heap);
	m->heap = NULL;
	m->n = 0;
}
