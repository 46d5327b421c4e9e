#include "types/pin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/container.h"

#define CHUNK_MIN 4096
#define GROW_FIRST 8 /* a power of two */
#define ALIGNMENT _Alignof(max_align_t)

struct chunk {
	struct chunk *next;
	size_t size, used; /* of data */
	_Alignas(max_align_t) unsigned char data[];
};

struct pin_arena {
	struct chunk *first, *cur; /* chunks after cur are empty */
};

void pin_init(struct pin *p)
{
	memset(p, 0, sizeof(*p));
}

void pin_reset(struct pin *p)
{
	/* The storage behind the lengths is large and is left as it is. */
	p->cid.len = 0;
	p->reference.len = 0;
	p->pin_update.len = 0;
	p->type = PIN_TYPE_BAD;
	p->replication_min = 0;
	p->replication_max = 0;
	p->max_depth = 0;
	p->name = (struct pin_text){ 0 };
	p->shard_size = 0;
	p->expire_at = PIN_TIME_UNSET;
	p->timestamp = PIN_TIME_UNSET;
	p->metadata = NULL;
	p->n_metadata = 0;
	p->allocations = NULL;
	p->n_allocations = 0;
	p->user_allocations = NULL;
	p->n_user_allocations = 0;
	p->origins = NULL;
	p->n_origins = 0;
	if (p->arena) {
		p->arena->cur = p->arena->first;
		p->arena->first->used = 0;
	}
}

void pin_deinit(struct pin *p)
{
	if (p->arena) {
		struct chunk *c = p->arena->first;

		while (c) {
			struct chunk *next = c->next;

			free(c);
			c = next;
		}
		free(p->arena);
	}
	pin_init(p);
}

static struct chunk *chunk_new(size_t size)
{
	struct chunk *c = malloc(sizeof(*c) + size);

	if (!c)
		return NULL;
	c->next = NULL;
	c->size = size;
	c->used = 0;
	return c;
}

static int arena_open(struct pin *p)
{
	struct pin_arena *a;

	if (p->arena)
		return 0;
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->first = chunk_new(CHUNK_MIN);
	if (!a->first) {
		free(a);
		return -ENOMEM;
	}
	a->cur = a->first;
	p->arena = a;
	return 0;
}

/* Moves on to a chunk with room for @n bytes, kept from an earlier pin or new. */
static int arena_advance(struct pin_arena *a, size_t n)
{
	struct chunk *c;

	while (a->cur->next) {
		a->cur = a->cur->next;
		a->cur->used = 0;
		if (n <= a->cur->size)
			return 0;
	}
	c = chunk_new(n > a->cur->size * 2 ? n : a->cur->size * 2);
	if (!c)
		return -ENOMEM;
	a->cur->next = c;
	a->cur = c;
	return 0;
}

void *pin_alloc(struct pin *p, size_t n)
{
	struct chunk *c;
	void *ret;

	if (n > SIZE_MAX / 4 || arena_open(p) < 0)
		return NULL;
	n = (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	c = p->arena->cur;
	if (n > c->size - c->used) {
		if (arena_advance(p->arena, n) < 0)
			return NULL;
		c = p->arena->cur;
	}
	ret = c->data + c->used;
	c->used += n;
	return memset(ret, 0, n);
}

void *pin_grow(struct pin *p, void *array, size_t n, size_t size)
{
	void *ret;

	/* The array is full at 8, 16, 32 and so on. */
	if (n != 0 && (n < GROW_FIRST || (n & (n - 1)) != 0))
		return array;
	ret = pin_alloc(p, (n ? 2 * n : GROW_FIRST) * size);
	if (ret && n)
		memcpy(ret, array, n * size);
	return ret;
}

static int text_cmp(const struct pin_text *a, const struct pin_text *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int r = n ? memcmp(a->p, b->p, n) : 0;

	if (r != 0)
		return r;
	return (a->n > b->n) - (a->n < b->n);
}

/* One pass of a merge sort that keeps the order of equal keys: runs of @width become twice that. */
static void merge_pass(const struct pin_meta *from, struct pin_meta *to, size_t n, size_t width)
{
	for (size_t lo = 0; lo < n; lo += 2 * width) {
		size_t mid = lo + width < n ? lo + width : n;
		size_t hi = lo + 2 * width < n ? lo + 2 * width : n;
		size_t i = lo, j = mid;

		for (size_t k = lo; k < hi; k++) {
			if (i < mid && (j >= hi || text_cmp(&from[i].key, &from[j].key) <= 0))
				to[k] = from[i++];
			else
				to[k] = from[j++];
		}
	}
}

static bool metadata_sorted(const struct pin_meta *all, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (text_cmp(&all[i - 1].key, &all[i].key) >= 0)
			return false;
	return true;
}

int pin_set_metadata(struct pin *p, struct pin_meta *all, size_t n)
{
	size_t kept = 0;

	if (!metadata_sorted(all, n)) {
		struct pin_meta *other = pin_alloc(p, n * sizeof(*all));

		if (!other)
			return -ENOMEM;
		for (size_t width = 1; width < n; width *= 2) {
			struct pin_meta *swap = all;

			merge_pass(all, other, n, width);
			all = other;
			other = swap;
		}
		for (size_t i = 0; i < n; i++) {
			if (kept > 0 && text_cmp(&all[kept - 1].key, &all[i].key) == 0)
				kept--;
			all[kept++] = all[i];
		}
		n = kept;
	}
	p->metadata = n ? all : NULL;
	p->n_metadata = n;
	return 0;
}

static int copy_text(struct pin *dst, struct pin_text *to, const struct pin_text *from)
{
	char *p;

	*to = (struct pin_text){ 0 };
	if (from->n == 0)
		return 0;
	p = pin_alloc(dst, from->n);
	if (!p)
		return -ENOMEM;
	memcpy(p, from->p, from->n);
	to->p = p;
	to->n = from->n;
	return 0;
}

/* A copy of @n bytes of an array in @dst's arena; NULL in @ret for none. */
static int copy_array(struct pin *dst, void **ret, const void *from, size_t n)
{
	*ret = NULL;
	if (n == 0)
		return 0;
	*ret = pin_alloc(dst, n);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, from, n);
	return 0;
}

static int copy_metadata(struct pin *dst, const struct pin *src)
{
	void *copy;
	int r = copy_array(dst, &copy, src->metadata, src->n_metadata * sizeof(*src->metadata));

	if (r < 0)
		return r;
	dst->metadata = copy;
	dst->n_metadata = src->n_metadata;
	for (size_t i = 0; i < src->n_metadata; i++) {
		r = copy_text(dst, &dst->metadata[i].key, &src->metadata[i].key);
		if (r == 0)
			r = copy_text(dst, &dst->metadata[i].value, &src->metadata[i].value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_arrays(struct pin *dst, const struct pin *src)
{
	void *allocations, *user, *origins;
	int r;

	r = copy_array(dst, &allocations, src->allocations,
		       src->n_allocations * sizeof(*src->allocations));
	if (r == 0)
		r = copy_array(dst, &user, src->user_allocations,
			       src->n_user_allocations * sizeof(*src->user_allocations));
	if (r == 0)
		r = copy_array(dst, &origins, src->origins, src->n_origins * sizeof(*src->origins));
	if (r < 0)
		return r;
	dst->allocations = allocations;
	dst->n_allocations = src->n_allocations;
	dst->user_allocations = user;
	dst->n_user_allocations = src->n_user_allocations;
	dst->origins = origins;
	dst->n_origins = src->n_origins;
	return 0;
}

int pin_copy(struct pin *dst, const struct pin *src)
{
	int r;

	pin_reset(dst);
	cid_copy(&dst->cid, &src->cid);
	cid_copy(&dst->reference, &src->reference);
	cid_copy(&dst->pin_update, &src->pin_update);
	dst->type = src->type;
	dst->replication_min = src->replication_min;
	dst->replication_max = src->replication_max;
	dst->max_depth = src->max_depth;
	dst->shard_size = src->shard_size;
	dst->expire_at = src->expire_at;
	dst->timestamp = src->timestamp;
	r = copy_text(dst, &dst->name, &src->name);
	if (r == 0)
		r = copy_metadata(dst, src);
	if (r == 0)
		r = copy_arrays(dst, src);
	if (r < 0)
		pin_reset(dst);
	return r;
}

static bool peers_equal(const struct peerid *a, size_t n_a, const struct peerid *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!peerid_equal(&a[i], &b[i]))
			return false;
	return true;
}

static bool metadata_equal(const struct pin *a, const struct pin *b)
{
	if (a->n_metadata != b->n_metadata)
		return false;
	for (size_t i = 0; i < a->n_metadata; i++)
		if (text_cmp(&a->metadata[i].key, &b->metadata[i].key) != 0 ||
		    text_cmp(&a->metadata[i].value, &b->metadata[i].value) != 0)
			return false;
	return true;
}

static bool origins_equal(const struct pin *a, const struct pin *b)
{
	if (a->n_origins != b->n_origins)
		return false;
	for (size_t i = 0; i < a->n_origins; i++) {
		const struct multiaddr *x = &a->origins[i], *y = &b->origins[i];

		if (x->len != y->len || memcmp(x->bytes, y->bytes, x->len) != 0)
			return false;
	}
	return true;
}

bool pin_equal_but_time(const struct pin *a, const struct pin *b)
{
	return cid_equal(&a->cid, &b->cid) && a->type == b->type &&
	       a->replication_min == b->replication_min &&
	       a->replication_max == b->replication_max && a->max_depth == b->max_depth &&
	       text_cmp(&a->name, &b->name) == 0 && a->shard_size == b->shard_size &&
	       a->expire_at == b->expire_at && cid_equal(&a->reference, &b->reference) &&
	       cid_equal(&a->pin_update, &b->pin_update) && metadata_equal(a, b) &&
	       origins_equal(a, b) &&
	       peers_equal(a->allocations, a->n_allocations, b->allocations, b->n_allocations);
}

enum pin_mode pin_mode(const struct pin *p)
{
	return p->max_depth == PIN_DEPTH_DIRECT ? PIN_MODE_DIRECT : PIN_MODE_RECURSIVE;
}

const char *pin_mode_name(enum pin_mode m)
{
	return m == PIN_MODE_DIRECT ? "direct" : "recursive";
}

const char *pin_type_name(enum pin_type t)
{
	static const char *const names[] = {
		[PIN_TYPE_BAD] = "bad-type",    [PIN_TYPE_DATA] = "pin",
		[PIN_TYPE_META] = "meta-pin",   [PIN_TYPE_CLUSTERDAG] = "clusterdag-pin",
		[PIN_TYPE_SHARD] = "shard-pin",
	};

	/* Types of a newer peer are kept as their number. */
	return (unsigned)t < ARRAY_LEN(names) ? names[t] : names[PIN_TYPE_BAD];
}

bool pin_is_for(const struct pin *p, const struct peerid *self)
{
	if (p->replication_min == -1 && p->replication_max == -1)
		return true;
	for (size_t i = 0; i < p->n_allocations; i++)
		if (peerid_equal(&p->allocations[i], self))
			return true;
	return false;
}
