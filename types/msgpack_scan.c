#include "types/msgpack_scan.h"

#include <errno.h>

/* The head of one object: its own bytes, what follows of raw bytes, what it contains. */
struct head {
	size_t len;
	uint64_t body;
	uint64_t items;
};

enum kind {
	KIND_NONE, /* no msgpack */
	KIND_FIXED,
	KIND_BYTES,
	KIND_EXT,
	KIND_ARRAY,
	KIND_MAP,
};

/* The bytes c0 to df: their kind, and how many bytes of number or value follow. */
static const struct {
	uint8_t kind, bytes;
} kinds[32] = {
	{ KIND_FIXED, 0 },  { KIND_NONE, 0 },  { KIND_FIXED, 0 }, { KIND_FIXED, 0 }, /* nil, bool */
	{ KIND_BYTES, 1 },  { KIND_BYTES, 2 }, { KIND_BYTES, 4 },                    /* bin */
	{ KIND_EXT, 1 },    { KIND_EXT, 2 },   { KIND_EXT, 4 },                      /* ext */
	{ KIND_FIXED, 4 },  { KIND_FIXED, 8 },                                       /* float */
	{ KIND_FIXED, 1 },  { KIND_FIXED, 2 }, { KIND_FIXED, 4 }, { KIND_FIXED, 8 }, /* uint */
	{ KIND_FIXED, 1 },  { KIND_FIXED, 2 }, { KIND_FIXED, 4 }, { KIND_FIXED, 8 }, /* int */
	{ KIND_FIXED, 2 },  { KIND_FIXED, 3 }, { KIND_FIXED, 5 }, { KIND_FIXED, 9 }, /* fixext */
	{ KIND_FIXED, 17 },                                                          /* fixext 16 */
	{ KIND_BYTES, 1 },  { KIND_BYTES, 2 }, { KIND_BYTES, 4 },                    /* str, raw */
	{ KIND_ARRAY, 2 },  { KIND_ARRAY, 4 },                                       /* array */
	{ KIND_MAP, 2 },    { KIND_MAP, 4 },                                         /* map */
};

static uint64_t number(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* 1; 0: cut; -EBADMSG. */
static int long_head(const uint8_t *p, size_t n, struct head *ret)
{
	uint8_t kind = kinds[p[0] - 0xc0].kind, bytes = kinds[p[0] - 0xc0].bytes;

	if (kind == KIND_NONE)
		return -EBADMSG;
	ret->len = 1;
	if (kind == KIND_FIXED) {
		ret->body = bytes;
		return 1;
	}
	ret->len += bytes;
	if (n < ret->len)
		return 0;
	if (kind == KIND_ARRAY)
		ret->items = number(p + 1, bytes);
	else if (kind == KIND_MAP)
		ret->items = 2 * number(p + 1, bytes);
	else
		ret->body = number(p + 1, bytes) + (kind == KIND_EXT);
	return 1;
}

static int head(const uint8_t *p, size_t n, struct head *ret)
{
	uint8_t b = p[0];

	*ret = (struct head){ .len = 1 };
	if (b < 0x80 || b >= 0xe0) /* small integers */
		return 1;
	if (b < 0x90)
		ret->items = 2 * (b & 0x0fu);
	else if (b < 0xa0)
		ret->items = b & 0x0fu;
	else if (b < 0xc0)
		ret->body = b & 0x1fu;
	else
		return long_head(p, n, ret);
	return 1;
}

/* One object more is whole, and with it the containers of which it was the last. */
static void close_one(struct mp_scan *s)
{
	while (s->depth > 0 && --s->left[s->depth - 1] == 0)
		s->depth--;
}

int mp_scan(struct mp_scan *s, const uint8_t *p, size_t n, size_t max)
{
	struct head h;
	int r;

	while (s->items == 0 || s->depth > 0) {
		if (s->at >= n)
			return s->at < max ? 0 : -EFBIG;
		r = head(p + s->at, n - s->at, &h);
		if (r < 0)
			return r;
		/* Each object inside has at least one byte. */
		if (h.len > max - s->at || h.body > max - s->at - h.len ||
		    h.items > max - s->at - h.len)
			return -EFBIG;
		if (r == 0)
			return 0;
		s->at += h.len + (size_t)h.body;
		s->items++;
		if (h.items == 0) {
			close_one(s);
		} else {
			if (s->depth == MSGPACK_DEPTH_MAX)
				return -EBADMSG;
			s->left[s->depth++] = h.items;
		}
	}
	return s->at <= n;
}

int mp_object_size(const uint8_t *p, size_t n, size_t max, size_t *ret_n)
{
	struct mp_scan s = { 0 };
	int r = mp_scan(&s, p, n, max);

	if (r == 1)
		*ret_n = s.at;
	return r;
}
