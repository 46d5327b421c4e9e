#include "types/dump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "types/dump_options.h"
#include "types/json_scan.h"

void dump_reader_init(struct dump_reader *r)
{
	memset(r, 0, sizeof(*r));
	pin_init(&r->pin);
	buf_init(&r->partial, PIN_BYTES_MAX);
	r->pos = (struct dump_pos){ 1, 1 };
	r->complete = true;
}

void dump_reader_deinit(struct dump_reader *r)
{
	dump_options_clear(&r->options);
	pin_deinit(&r->pin);
	buf_deinit(&r->partial);
}

static int fail_at(struct dump_reader *r, const struct dump_pos *pos, int code, const char *why,
		   struct err *e)
{
	r->failed = true;
	return err_set(e, code, "line %llu, column %llu: %s", (unsigned long long)pos->line,
		       (unsigned long long)pos->column, why);
}

static void advance(struct dump_pos *pos, char c)
{
	pos->column++;
	if (c == '\n') {
		pos->line++;
		pos->column = 1;
	}
}

/* What the reference would leave at values that make no useful pin. Replication factors are the
 * business of whoever knows the configuration. */
static bool fill_defaults(struct pin *p, unsigned given, enum pin_mode mode)
{
	bool filled = p->replication_min == 0 || p->replication_max == 0;

	if (!(given & PIN_KEY_TYPE)) {
		p->type = PIN_TYPE_DATA;
		filled = true;
	}
	if (!(given & PIN_KEY_MAX_DEPTH)) {
		p->max_depth = mode == PIN_MODE_DIRECT ? PIN_DEPTH_DIRECT : PIN_DEPTH_RECURSIVE;
		filled = true;
	}
	return filled;
}

static int hand_out(struct dump_reader *r, unsigned given, enum pin_mode mode, dump_pin_fn fn,
		    void *arg, struct err *e)
{
	int ret;

	r->seen_object = true;
	r->objects++;
	if (fill_defaults(&r->pin, given, mode))
		r->defaulted++;
	ret = fn(arg, &r->pin, e);
	if (ret < 0)
		r->failed = true;
	return ret < 0 ? ret : 0;
}

/* Adds the CID of a refused object to the reason, as far as it can be read. */
static void name_pin(const char *text, size_t n, struct err *e)
{
	struct scan s = { .text = text, .n = n, .line = 1, .column = 1 };
	size_t len = strlen(e->msg);
	struct scan_token key, value;
	bool first = true;
	struct cid cid;

	while (scan_member(&s, &first, &key) > 0) {
		char cid_text[CID_TEXT_MAX + 1];

		if (key.n != 3 || memcmp(key.p, "cid", 3) != 0) {
			if (scan_skip(&s) < 0)
				return;
			continue;
		}
		if (scan_string(&s, &value) < 0 || cid_parse(value.p, value.n, &cid, NULL) < 0)
			return;
		cid_format(&cid, cid_text);
		snprintf(e->msg + len, sizeof(e->msg) - len, " (pin %s)", cid_text);
		return;
	}
}

/* A whole object that is not, or need not be, in canonical form. */
static int general_object(struct dump_reader *r, const char *text, size_t n, dump_pin_fn fn,
			  void *arg, struct err *e)
{
	struct pin_json_keys keys;
	enum pin_mode mode;
	int ret;

	if (!r->seen_object && dump_options_here(text, n)) {
		r->seen_object = true;
		ret = dump_options_parse(text, n, &r->start, &r->options, e);
		r->failed = ret < 0;
		return ret;
	}
	ret = pin_json_decode_at(text, n, r->start.line, r->start.column, &r->pin, &mode, &keys, e);
	if (ret < 0) {
		r->failed = true;
		if (e)
			name_pin(text, n, e);
		return ret;
	}
	if (!cid_defined(&r->pin.cid))
		return fail_at(r, &r->start, -EINVAL, "a pin without a cid", e);
	r->unknown_keys += keys.unknown;
	r->line_len = 0;
	return hand_out(r, keys.given, mode, fn, arg, e);
}

static int object(struct dump_reader *r, const char *text, size_t n, dump_pin_fn fn, void *arg,
		  struct err *e)
{
	if (pin_json_decode_canonical(text, n, &r->pin) && cid_defined(&r->pin.cid)) {
		r->line_len = n + 1;
		return hand_out(r, PIN_KEY_ALL, pin_mode(&r->pin), fn, arg, e);
	}
	return general_object(r, text, n, fn, arg, e);
}

/* The bytes up to and with the end of the object that is open, or all @n. Brackets of both kinds
 * count alike: whether they match is for the decoder to say. */
static size_t scan_object(struct dump_reader *r, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		advance(&r->pos, c);
		if (r->escaped) {
			r->escaped = false;
		} else if (r->in_string) {
			r->escaped = c == '\\';
			r->in_string = c != '"';
		} else if (c == '"') {
			r->in_string = true;
		} else if (c == '{' || c == '[') {
			r->depth++;
		} else if ((c == '}' || c == ']') && --r->depth == 0) {
			return i + 1;
		}
	}
	return n;
}

static int fail_append(struct dump_reader *r, int code, struct err *e)
{
	if (code == -EFBIG)
		return fail_at(r, &r->start, code, "an object of over 1 MiB", e);
	r->failed = true;
	return err_set(e, code, "out of memory");
}

/* A dump in the form this program writes: the line at @s as one object, without a copy. Returns the
 * bytes used, 0 for every other text. */
static int canonical_line(struct dump_reader *r, const char *s, size_t n, dump_pin_fn fn, void *arg,
			  struct err *e)
{
	const char *end;
	size_t len;
	int ret;

	/* Only where a line begins, so that one long line is not searched for its end time and
	 * again. */
	if (r->pos.column != 1)
		return 0;
	end = memchr(s, '\n', n < PIN_BYTES_MAX ? n : PIN_BYTES_MAX);
	len = end ? (size_t)(end - s) : 0;
	if (!end || !pin_json_decode_canonical(s, len, &r->pin) || !cid_defined(&r->pin.cid))
		return 0;
	r->line_len = len + 1;
	ret = hand_out(r, PIN_KEY_ALL, pin_mode(&r->pin), fn, arg, e);
	r->pos.column += len;
	return ret < 0 ? ret : (int)len;
}

/* An object begins at @s. Returns the bytes used. */
static int begin_object(struct dump_reader *r, const char *s, size_t n, dump_pin_fn fn, void *arg,
			struct err *e)
{
	size_t len;
	int ret;

	r->start = r->pos;
	ret = canonical_line(r, s, n, fn, arg, e);
	if (ret != 0)
		return ret;
	if (n > INT32_MAX)
		n = INT32_MAX;
	len = scan_object(r, s, n);
	if (r->depth == 0) {
		ret = object(r, s, len, fn, arg, e);
		return ret < 0 ? ret : (int)len;
	}
	r->complete = false;
	buf_reset(&r->partial);
	ret = buf_append(&r->partial, s, len);
	return ret < 0 ? fail_append(r, ret, e) : (int)len;
}

/* The object in partial goes on at @s. Returns the bytes used. */
static int continue_object(struct dump_reader *r, const char *s, size_t n, dump_pin_fn fn,
			   void *arg, struct err *e)
{
	size_t len = scan_object(r, s, n < INT32_MAX ? n : INT32_MAX);
	int ret = buf_append(&r->partial, s, len);

	if (ret < 0)
		return fail_append(r, ret, e);
	if (r->depth > 0)
		return (int)len;
	r->complete = true;
	ret = object(r, (const char *)r->partial.data, r->partial.len, fn, arg, e);
	return ret < 0 ? ret : (int)len;
}

int dump_reader_feed(struct dump_reader *r, const void *data, size_t n, dump_pin_fn fn, void *arg,
		     struct err *e)
{
	const char *s = data;

	if (r->failed)
		return err_set(e, -EINVAL, "the dump has failed before");
	while (n > 0) {
		int used;

		if (r->depth > 0) {
			used = continue_object(r, s, n, fn, arg, e);
		} else if (*s == '{') {
			used = begin_object(r, s, n, fn, arg, e);
		} else if (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n') {
			advance(&r->pos, *s);
			used = 1;
		} else {
			used = fail_at(r, &r->pos, -EINVAL, "no object begins here", e);
		}
		if (used < 0)
			return used;
		s += used;
		n -= (size_t)used;
	}
	return 0;
}

int dump_reader_finish(struct dump_reader *r, struct err *e)
{
	if (r->failed)
		return err_set(e, -EINVAL, "the dump has failed before");
	if (r->depth > 0)
		return fail_at(r, &r->start, -EINVAL, "the dump ends within this object", e);
	return 0;
}
