/*
 * The fast half of decoding: dump lines exactly as pin_json_line writes them. Every token is
 * checked to be the one that the writer would have chosen for its value, so that what is accepted
 * here is what writes back to the same bytes, and the general decoder agrees about it.
 */
#include <string.h>

#include "types/json_scan.h"
#include "types/pin_json.h"
#include "util/rfc3339.h"
#include "util/utf8.h"

#define TIME_UNSET_TEXT "0001-01-01T00:00:00Z"

struct cursor {
	const char *p, *end;
	struct pin *pin;
};

static inline bool take(struct cursor *c, const char *s, size_t n)
{
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, s, n) != 0)
		return false;
	c->p += n;
	return true;
}

#define TAKE(c, literal) take(c, literal, sizeof(literal) - 1)

/* Digits without a zero in front. */
static bool take_uint(struct cursor *c, uint64_t *ret)
{
	const char *start = c->p;
	uint64_t v = 0;

	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (unsigned)(*c->p - '0'), &v))
			return false;
	*ret = v;
	return c->p > start && (*start != '0' || c->p == start + 1);
}

static bool take_int32(struct cursor *c, int32_t *ret)
{
	bool negative = TAKE(c, "-");
	uint64_t v;

	if (!take_uint(c, &v) || v > (uint64_t)INT32_MAX + negative || (negative && v == 0))
		return false;
	*ret = (int32_t)(negative ? -(int64_t)v : (int64_t)v);
	return true;
}

/* Characters that the writer copies: not a control, not one of " & < > and the backslash. */
static const bool copied[256] = {
	[' '] = true, ['!'] = true,         ['#' ... '%'] = true,  ['\'' ... ';'] = true,
	['='] = true, ['?' ... '['] = true, [']' ... 0x7f] = true,
};

/* Bytes of the character or escape at the cursor if it is the writer's form; 0 if not. */
static size_t canonical_len(const struct cursor *c)
{
	const uint8_t *p = (const uint8_t *)c->p;
	size_t n = (size_t)(c->end - c->p), len;

	if (*p >= 0x80) {
		len = utf8_len(p, n);
		/* U+2028 and U+2029 are escaped. */
		return len == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8 ? 0 : len;
	}
	if (*p != '\\' || n < 2)
		return 0;
	if (p[1] != 'u')
		return p[1] != 0 && strchr("\"\\nrtbf", p[1]) ? 2 : 0;
	if (n < 6)
		return 0;
	if (memcmp(p + 2, "003c", 4) == 0 || memcmp(p + 2, "003e", 4) == 0 ||
	    memcmp(p + 2, "0026", 4) == 0 || memcmp(p + 2, "2028", 4) == 0 ||
	    memcmp(p + 2, "2029", 4) == 0)
		return 6;
	/* Other controls, those with a short escape apart. */
	if (p[2] != '0' || p[3] != '0' || (p[4] != '0' && p[4] != '1'))
		return 0;
	if (p[4] == '0' && p[5] != 0 && strchr("89acd", p[5]))
		return 0;
	return (p[5] >= '0' && p[5] <= '9') || (p[5] >= 'a' && p[5] <= 'f') ? 6 : 0;
}

/* A quoted string; one without escapes stays where it is. */
static bool take_text(struct cursor *c, struct pin_text *ret)
{
	struct scan_token t = { .plain = true };
	char *copy;

	if (!TAKE(c, "\""))
		return false;
	t.p = c->p;
	for (;;) {
		size_t len;

		while (c->p < c->end && copied[(uint8_t)*c->p])
			c->p++;
		if (c->p == c->end)
			return false;
		if (*c->p == '"')
			break;
		t.plain = t.plain && *c->p != '\\';
		len = canonical_len(c);
		if (len == 0)
			return false;
		c->p += len;
	}
	t.n = (size_t)(c->p++ - t.p);
	ret->p = t.p;
	ret->n = t.n;
	if (t.plain)
		return true;
	copy = pin_alloc(c->pin, t.n);
	if (!copy)
		return false;
	ret->p = copy;
	ret->n = scan_unquote(&t, copy); /* a canonical escape is never shorter than its value */
	return true;
}

/* A quoted token of printable ASCII, without its quotes. */
static bool take_token(struct cursor *c, const char **ret, size_t *ret_n)
{
	const char *quote;

	if (!TAKE(c, "\""))
		return false;
	quote = memchr(c->p, '"', (size_t)(c->end - c->p));
	if (!quote)
		return false;
	*ret = c->p;
	*ret_n = (size_t)(quote - c->p);
	c->p = quote + 1;
	return true;
}

static bool take_time(struct cursor *c, int64_t *ret)
{
	const char *s;

	if (TAKE(c, "\"" TIME_UNSET_TEXT "\"")) {
		*ret = PIN_TIME_UNSET;
		return true;
	}
	if ((size_t)(c->end - c->p) < RFC3339_LEN + 2)
		return false;
	s = c->p + 1;
	if (s[-1] != '"' || s[RFC3339_LEN - 1] != 'Z' || s[RFC3339_LEN] != '"' ||
	    rfc3339_parse(s, RFC3339_LEN, ret) < 0)
		return false;
	c->p += RFC3339_LEN + 2;
	/* The epoch reads as unset, which the writer shows as the year 1. */
	return *ret != PIN_TIME_UNSET;
}

static bool take_cid(struct cursor *c, struct cid *ret)
{
	const char *s;
	size_t n;

	if (TAKE(c, "null"))
		return true;
	if (!take_token(c, &s, &n) || n < 2)
		return false;
	if (s[0] == 'Q')
		return cid_parse(s, n, ret, NULL) == 0 && cid_version(ret) == 0;
	if (s[0] != 'b')
		return false;
	for (size_t i = 1; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			return false;
	return cid_parse(s, n, ret, NULL) == 0 && cid_version(ret) == 1;
}

static bool take_mode(struct cursor *c, enum pin_mode *ret)
{
	*ret = PIN_MODE_RECURSIVE;
	if (TAKE(c, "\"recursive\""))
		return true;
	*ret = PIN_MODE_DIRECT;
	return TAKE(c, "\"direct\"");
}

static bool take_type(struct cursor *c, enum pin_type *ret)
{
	const char *s;
	size_t n;

	*ret = PIN_TYPE_DATA;
	if (TAKE(c, "\"pin\""))
		return true;
	if (!take_token(c, &s, &n))
		return false;
	for (enum pin_type t = PIN_TYPE_BAD; t <= PIN_TYPE_SHARD; t++) {
		*ret = t;
		if (n == strlen(pin_type_name(t)) && memcmp(s, pin_type_name(t), n) == 0)
			return true;
	}
	return false;
}

static bool take_peers(struct cursor *c)
{
	struct pin *p = c->pin;

	if (!TAKE(c, "["))
		return false;
	while (!TAKE(c, "]")) {
		const char *s;
		size_t n;

		if (p->n_allocations == PIN_LIST_MAX || (p->n_allocations && !TAKE(c, ",")))
			return false;
		/* The texts of peer IDs in base58; there are others. */
		if (!take_token(c, &s, &n) || n < 2 || (s[0] != '1' && s[0] != 'Q'))
			return false;
		p->allocations =
		    pin_grow(p, p->allocations, p->n_allocations, sizeof(*p->allocations));
		if (!p->allocations ||
		    peerid_parse(s, n, &p->allocations[p->n_allocations++], NULL) < 0)
			return false;
	}
	return true;
}

/* The text of an address is canonical if it is what the address prints as. */
static bool canonical_origin(const struct multiaddr *a, const struct pin_text *text)
{
	struct buf again = BUF_INIT(0);
	bool ret = multiaddr_format(a, &again) == 0 && again.len == text->n &&
		   memcmp(again.data, text->p, text->n) == 0;

	buf_deinit(&again);
	return ret;
}

static bool take_origins(struct cursor *c)
{
	struct pin *p = c->pin;

	if (!TAKE(c, "["))
		return false;
	while (!TAKE(c, "]")) {
		struct multiaddr *a;
		struct pin_text text;

		if (p->n_origins == PIN_LIST_MAX || (p->n_origins && !TAKE(c, ",")) ||
		    !take_text(c, &text))
			return false;
		p->origins = pin_grow(p, p->origins, p->n_origins, sizeof(*p->origins));
		if (!p->origins)
			return false;
		a = &p->origins[p->n_origins++];
		if (multiaddr_parse(text.p, text.n, a, NULL) < 0 || !canonical_origin(a, &text))
			return false;
	}
	return true;
}

static bool ascending(const struct pin_text *a, const struct pin_text *b)
{
	int r = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return r < 0 || (r == 0 && a->n < b->n);
}

static bool take_metadata(struct cursor *c)
{
	struct pin *p = c->pin;

	if (TAKE(c, "null"))
		return true;
	if (!TAKE(c, "{"))
		return false;
	do {
		struct pin_meta *m;

		if (p->n_metadata == PIN_LIST_MAX)
			return false;
		p->metadata = pin_grow(p, p->metadata, p->n_metadata, sizeof(*m));
		if (!p->metadata)
			return false;
		m = &p->metadata[p->n_metadata];
		if (!take_text(c, &m->key) || !TAKE(c, ":") || !take_text(c, &m->value))
			return false;
		if (p->n_metadata++ > 0 && !ascending(&m[-1].key, &m->key))
			return false;
	} while (TAKE(c, ","));
	return TAKE(c, "}");
}

static bool take_options(struct cursor *c, enum pin_mode *mode)
{
	struct pin *p = c->pin;

	return TAKE(c, "{\"replication_factor_min\":") && take_int32(c, &p->replication_min) &&
	       TAKE(c, ",\"replication_factor_max\":") && take_int32(c, &p->replication_max) &&
	       TAKE(c, ",\"name\":") && take_text(c, &p->name) && TAKE(c, ",\"mode\":") &&
	       take_mode(c, mode) && TAKE(c, ",\"shard_size\":") && take_uint(c, &p->shard_size) &&
	       TAKE(c, ",\"user_allocations\":null,\"expire_at\":") &&
	       take_time(c, &p->expire_at) && TAKE(c, ",\"metadata\":") && take_metadata(c) &&
	       TAKE(c, ",\"pin_update\":") && take_cid(c, &p->pin_update) &&
	       TAKE(c, ",\"origins\":") && take_origins(c);
}

bool pin_json_decode_canonical(const char *text, size_t n, struct pin *p)
{
	struct cursor c = { text, text + n, p };
	enum pin_mode mode;

	pin_reset(p);
	return n <= PIN_BYTES_MAX && take_options(&c, &mode) && TAKE(&c, ",\"cid\":") &&
	       take_cid(&c, &p->cid) && TAKE(&c, ",\"type\":") && take_type(&c, &p->type) &&
	       TAKE(&c, ",\"allocations\":") && take_peers(&c) && TAKE(&c, ",\"max_depth\":") &&
	       take_int32(&c, &p->max_depth) && TAKE(&c, ",\"reference\":") &&
	       take_cid(&c, &p->reference) && TAKE(&c, ",\"timestamp\":") &&
	       take_time(&c, &p->timestamp) && TAKE(&c, "}") && c.p == c.end && pin_mode(p) == mode;
}
