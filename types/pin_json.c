#include "types/pin_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "types/json_scan.h"
#include "types/pin_json_keys.h"
#include "util/container.h"
#include "util/rfc3339.h"

struct decoder {
	struct scan s;
	struct pin *p;
	enum pin_mode *mode;
	struct pin_json_keys *keys;
	const char *key;           /* being decoded, for messages */
	struct pin_meta *metadata; /* in order of appearance, over all objects of that key */
	size_t n_metadata;
};

static int no_memory(struct decoder *d)
{
	return err_set(d->s.e, -ENOMEM, "out of memory");
}

/* The value at @at is not what the key wants. */
static int bad(struct decoder *d, size_t at, const char *what)
{
	return scan_fail(&d->s, -EINVAL, at, "%s: %s", d->key, what);
}

/* The value of a token, in the pin's arena. */
static int keep_text(struct decoder *d, const struct scan_token *t, struct pin_text *ret)
{
	char *p = pin_alloc(d->p, t->plain ? t->n : 3 * t->n);

	if (!p)
		return no_memory(d);
	ret->p = p;
	ret->n = t->n;
	if (!t->plain)
		ret->n = scan_unquote(t, p);
	else
		memcpy(p, t->p, t->n);
	return 0;
}

static int read_text(struct decoder *d, struct pin_text *ret)
{
	struct scan_token t;
	int r;

	if (scan_peek(&d->s) != SCAN_STRING)
		return bad(d, d->s.at, "not a string");
	r = scan_string(&d->s, &t);
	return r < 0 ? r : keep_text(d, &t, ret);
}

/* A number that is written as an integer, of up to 64 bits with its sign apart. */
static int read_integer(struct decoder *d, bool *ret_negative, uint64_t *ret)
{
	struct scan_token t;
	uint64_t v = 0;
	size_t at, i;
	int r;

	if (scan_peek(&d->s) != SCAN_NUMBER)
		return bad(d, d->s.at, "not a number");
	at = d->s.at;
	r = scan_number(&d->s, &t);
	if (r < 0)
		return r;
	*ret_negative = t.p[0] == '-';
	for (i = *ret_negative; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return bad(d, at, "not written as an integer");
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (unsigned)(t.p[i] - '0'), &v))
			return bad(d, at, "too large");
	}
	*ret = v;
	return 0;
}

/* Cut to 32 bits, as the reference does when it stores the number. */
static int read_int32(struct decoder *d, int32_t *ret)
{
	size_t at = d->s.at;
	bool negative;
	uint64_t v;
	int r = read_integer(d, &negative, &v);

	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + negative)
		return bad(d, at, "too large");
	*ret = (int32_t)(uint32_t)(negative ? -v : v);
	return 0;
}

static int read_time(struct decoder *d, int64_t *ret)
{
	size_t at = d->s.at;
	struct pin_text text = { 0 };
	int r = read_text(d, &text);

	if (r < 0)
		return r;
	if (rfc3339_parse(text.p, text.n, ret) < 0)
		return bad(d, at, "not a time like 2006-01-02T15:04:05Z of the years 1 to 9999");
	if (*ret == RFC3339_UNSET)
		*ret = PIN_TIME_UNSET;
	return 0;
}

/* {"/":"..."}, the form before version 1.0 of the reference. */
static int read_link(struct decoder *d, struct pin_text *ret)
{
	bool first = true, found = false;
	size_t at = d->s.at;
	struct scan_token key;
	int r;

	while ((r = scan_member(&d->s, &first, &key)) > 0) {
		if (key.n != 1 || key.p[0] != '/')
			return bad(d, at, "not a CID");
		r = read_text(d, ret);
		if (r < 0)
			return r;
		found = true;
	}
	if (r == 0 && !found)
		return bad(d, at, "not a CID");
	return r;
}

static int read_cid(struct decoder *d, struct cid *ret)
{
	struct err reason = { 0 };
	struct pin_text text = { 0 };
	size_t at;
	int r;

	if (scan_peek(&d->s) == SCAN_NULL) {
		ret->len = 0;
		return scan_null(&d->s);
	}
	at = d->s.at;
	if (scan_peek(&d->s) == SCAN_OBJECT)
		r = read_link(d, &text);
	else
		r = read_text(d, &text);
	if (r < 0)
		return r;
	if (cid_parse(text.p, text.n, ret, &reason) < 0) {
		ret->len = 0;
		return bad(d, at, reason.msg);
	}
	return 0;
}

/* What a list of texts is made of. */
struct item_kind {
	const char *plural;
	size_t size;
	int (*parse)(const char *s, size_t n, void *ret, struct err *e);
};

static int parse_peer(const char *s, size_t n, void *ret, struct err *e)
{
	return peerid_parse(s, n, ret, e);
}

static int parse_address(const char *s, size_t n, void *ret, struct err *e)
{
	return multiaddr_parse(s, n, ret, e);
}

static const struct item_kind peers = { "peers", sizeof(struct peerid), parse_peer };
static const struct item_kind addresses = { "addresses", sizeof(struct multiaddr), parse_address };

static int read_item(struct decoder *d, const struct item_kind *kind, void **items, size_t n)
{
	struct err reason = { 0 };
	struct pin_text text = { 0 };
	size_t at;
	int r;

	scan_peek(&d->s);
	at = d->s.at;
	r = read_text(d, &text);
	if (r < 0)
		return r;
	if (n == PIN_LIST_MAX)
		return scan_fail(&d->s, -EFBIG, at, "%s: too many %s", d->key, kind->plural);
	*items = pin_grow(d->p, *items, n, kind->size);
	if (!*items)
		return no_memory(d);
	if (kind->parse(text.p, text.n, (char *)*items + n * kind->size, &reason) < 0)
		return bad(d, at, reason.msg);
	return 0;
}

static int read_list(struct decoder *d, const struct item_kind *kind, void **ret, size_t *ret_n)
{
	void *items = NULL;
	bool first = true;
	size_t n = 0;
	int r;

	while ((r = scan_element(&d->s, &first)) > 0) {
		r = read_item(d, kind, &items, n++);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret = items;
	*ret_n = n;
	return 0;
}

static int read_peers(struct decoder *d, struct peerid **ret, size_t *ret_n)
{
	void *items;
	int r = read_list(d, &peers, &items, ret_n);

	if (r == 0)
		*ret = items;
	return r;
}

static int read_origins(struct decoder *d)
{
	void *items;
	int r = read_list(d, &addresses, &items, &d->p->n_origins);

	if (r == 0)
		d->p->origins = items;
	return r;
}

static int read_metadata(struct decoder *d)
{
	struct scan_token key;
	bool first = true;
	int r;

	while ((r = scan_member(&d->s, &first, &key)) > 0) {
		struct pin_meta *m;

		if (d->n_metadata == PIN_LIST_MAX)
			return scan_fail(&d->s, -EFBIG, d->s.at, "metadata: too many entries");
		d->metadata = pin_grow(d->p, d->metadata, d->n_metadata, sizeof(*m));
		if (!d->metadata)
			return no_memory(d);
		m = &d->metadata[d->n_metadata];
		*m = (struct pin_meta){ 0 };
		r = keep_text(d, &key, &m->key);
		if (r == 0 && scan_peek(&d->s) == SCAN_NULL)
			r = scan_null(&d->s);
		else if (r == 0)
			r = read_text(d, &m->value);
		if (r < 0)
			return r;
		d->n_metadata++;
	}
	return r;
}

static bool text_is(const struct pin_text *t, const char *s)
{
	return t->n == strlen(s) && memcmp(t->p, s, t->n) == 0;
}

static int read_mode(struct decoder *d)
{
	struct pin_text text = { 0 };
	int r = read_text(d, &text);

	if (r == 0)
		*d->mode = text_is(&text, "direct") ? PIN_MODE_DIRECT : PIN_MODE_RECURSIVE;
	return r;
}

/* The reference takes "", "all" and null as every type at once, and stores that as shard. */
static enum pin_type type_of_text(const struct pin_text *text)
{
	if (text->n == 0 || text_is(text, "all"))
		return PIN_TYPE_SHARD;
	for (enum pin_type t = PIN_TYPE_DATA; t <= PIN_TYPE_SHARD; t++)
		if (text_is(text, pin_type_name(t)))
			return t;
	return PIN_TYPE_BAD;
}

/* Before version 1.0 of the reference a type was written as one bit, or all of them. */
static int read_type_number(struct decoder *d, enum pin_type *ret)
{
	size_t at = d->s.at;
	bool negative;
	uint64_t v;
	int r = read_integer(d, &negative, &v);

	if (r < 0)
		return r;
	for (unsigned t = PIN_TYPE_BAD; !negative && t <= PIN_TYPE_SHARD; t++) {
		if (v != 1u << t)
			continue;
		*ret = (enum pin_type)t;
		return 0;
	}
	if (negative || v != 30)
		return bad(d, at, "not a type");
	*ret = PIN_TYPE_SHARD;
	return 0;
}

static int read_type(struct decoder *d)
{
	struct pin_text text = { 0 };
	int r;

	if (scan_peek(&d->s) == SCAN_NULL) {
		d->p->type = PIN_TYPE_SHARD;
		return scan_null(&d->s);
	}
	if (scan_peek(&d->s) == SCAN_NUMBER)
		return read_type_number(d, &d->p->type);
	r = read_text(d, &text);
	if (r == 0)
		d->p->type = type_of_text(&text);
	return r;
}

static int read_shard_size(struct decoder *d)
{
	size_t at = d->s.at;
	bool negative;
	uint64_t v;
	int r = read_integer(d, &negative, &v);

	if (r < 0)
		return r;
	if (negative)
		return bad(d, at, "negative");
	d->p->shard_size = v;
	return 0;
}

/* Null clears what can be absent and leaves everything else as it is. */
static int read_null(struct decoder *d, unsigned bit)
{
	struct pin *p = d->p;

	if (bit == PIN_KEY_METADATA)
		d->n_metadata = 0;
	else if (bit == PIN_KEY_ORIGINS)
		p->n_origins = 0;
	else if (bit == PIN_KEY_ALLOCATIONS)
		p->n_allocations = 0;
	else if (bit == PIN_KEY_USER_ALLOCATIONS)
		p->n_user_allocations = 0;
	return scan_null(&d->s);
}

static int read_value(struct decoder *d, unsigned bit)
{
	struct pin *p = d->p;

	switch (bit) {
	case PIN_KEY_REPLICATION_MIN:
		return read_int32(d, &p->replication_min);
	case PIN_KEY_REPLICATION_MAX:
		return read_int32(d, &p->replication_max);
	case PIN_KEY_NAME:
		return read_text(d, &p->name);
	case PIN_KEY_MODE:
		return read_mode(d);
	case PIN_KEY_SHARD_SIZE:
		return read_shard_size(d);
	case PIN_KEY_USER_ALLOCATIONS:
		return read_peers(d, &p->user_allocations, &p->n_user_allocations);
	case PIN_KEY_EXPIRE_AT:
		return read_time(d, &p->expire_at);
	case PIN_KEY_METADATA:
		return read_metadata(d);
	case PIN_KEY_PIN_UPDATE:
		return read_cid(d, &p->pin_update);
	case PIN_KEY_ORIGINS:
		return read_origins(d);
	case PIN_KEY_CID:
		return read_cid(d, &p->cid);
	case PIN_KEY_TYPE:
		return read_type(d);
	case PIN_KEY_ALLOCATIONS:
		return read_peers(d, &p->allocations, &p->n_allocations);
	case PIN_KEY_MAX_DEPTH:
		return read_int32(d, &p->max_depth);
	case PIN_KEY_REFERENCE:
		return read_cid(d, &p->reference);
	case PIN_KEY_TIMESTAMP:
		return read_time(d, &p->timestamp);
	default:
		return -EINVAL;
	}
}

static bool is_cid_key(unsigned bit)
{
	return bit == PIN_KEY_CID || bit == PIN_KEY_PIN_UPDATE || bit == PIN_KEY_REFERENCE;
}

static int read_known(struct decoder *d, unsigned index)
{
	unsigned bit = 1u << index;

	d->key = pin_json_key_name(index);
	if (scan_peek(&d->s) == SCAN_NULL && bit != PIN_KEY_TYPE && !is_cid_key(bit))
		return read_null(d, bit);
	if (scan_peek(&d->s) != SCAN_NULL || bit == PIN_KEY_TYPE)
		d->keys->given |= bit;
	return read_value(d, bit);
}

/* Copies what fits, cut between two characters. */
static void cut_text(char *to, size_t cap, const struct pin_text *from)
{
	size_t n = from->n < cap ? from->n : cap - 1;

	while (n > 0 && n < from->n && ((unsigned char)from->p[n] & 0xc0) == 0x80)
		n--;
	memcpy(to, from->p, n);
	to[n] = 0;
}

static int read_unknown(struct decoder *d, const struct pin_text *key)
{
	struct pin_json_keys *keys = d->keys;

	if (keys->unknown++ == 0) {
		cut_text(keys->first_unknown, sizeof(keys->first_unknown), key);
		snprintf(keys->nearest, sizeof(keys->nearest), "%s", pin_json_nearest(key));
	}
	return scan_skip(&d->s);
}

static int read_pin(struct decoder *d)
{
	struct scan_token token;
	bool first = true;
	int r;

	while ((r = scan_member(&d->s, &first, &token)) > 0) {
		struct pin_text key = { 0 };
		int index;

		r = keep_text(d, &token, &key);
		if (r < 0)
			return r;
		index = pin_json_key(&key);
		r = index < 0 ? read_unknown(d, &key) : read_known(d, (unsigned)index);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : scan_finish(&d->s);
}

int pin_json_decode_at(const char *text, size_t n, uint64_t line, uint64_t column, struct pin *p,
		       enum pin_mode *mode, struct pin_json_keys *keys, struct err *e)
{
	struct decoder d = {
		.s = { .text = text, .n = n, .line = line, .column = column, .e = e },
		.p = p,
		.mode = mode,
		.keys = keys,
	};
	int r;

	pin_reset(p);
	*mode = PIN_MODE_RECURSIVE;
	*keys = (struct pin_json_keys){ 0 };
	if (n > PIN_BYTES_MAX)
		return scan_fail(&d.s, -EFBIG, 0, "a pin of over %u bytes", PIN_BYTES_MAX);
	r = read_pin(&d);
	if (r == 0 && pin_set_metadata(p, d.metadata, d.n_metadata) < 0)
		r = no_memory(&d);
	return r;
}

int pin_json_decode(const char *text, size_t n, struct pin *p, enum pin_mode *mode,
		    struct pin_json_keys *keys, struct err *e)
{
	return pin_json_decode_at(text, n, 1, 1, p, mode, keys, e);
}
