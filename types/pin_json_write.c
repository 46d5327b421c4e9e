/*
 * A bound first, then bytes into memory that is known to be large enough.
 */
#include "types/pin_json.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "util/json_write.h"
#include "util/rfc3339.h"

#define TIME_UNSET_TEXT "\"0001-01-01T00:00:00Z\""
#define INDENT "    "

/* Of a line: all keys, numbers, times and CIDs, and the brackets of lists and texts. */
#define FIXED_MAX (512 + 3 * CID_TEXT_MAX)
#define PEER_MAX (PEERID_TEXT_MAX + 3) /* its text, quotes, a comma */

static char *put(char *to, const char *s, size_t n)
{
	memcpy(to, s, n);
	return to + n;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static char *put_text(char *to, const struct pin_text *t)
{
	return json_put_string(to, t->p, t->n);
}

static bool has_text(int64_t t)
{
	return t == PIN_TIME_UNSET || (t >= RFC3339_UNSET && t <= RFC3339_MAX);
}

static char *put_time(char *to, int64_t t)
{
	if (t == PIN_TIME_UNSET)
		return PUT(to, TIME_UNSET_TEXT);
	*to++ = '"';
	rfc3339_format(t, to);
	return PUT(to + RFC3339_LEN, "\"");
}

static char *put_cid(char *to, const struct cid *c)
{
	if (!cid_defined(c))
		return PUT(to, "null");
	*to++ = '"';
	to += cid_format(c, to);
	return PUT(to, "\"");
}

static char *put_peer(char *to, const struct peerid *id, struct peer_texts *texts)
{
	const char *text;
	size_t n;

	if (!texts)
		return to + peerid_format(id, to);
	text = peer_texts_get(texts, id, &n);
	return put(to, text, n);
}

static char *put_peers(char *to, const struct pin *p, struct peer_texts *texts)
{
	*to++ = '[';
	for (size_t i = 0; i < p->n_allocations; i++) {
		if (i)
			*to++ = ',';
		*to++ = '"';
		to = put_peer(to, &p->allocations[i], texts);
		*to++ = '"';
	}
	return PUT(to, "]");
}

static char *put_metadata(char *to, const struct pin *p)
{
	if (p->n_metadata == 0)
		return PUT(to, "null");
	for (size_t i = 0; i < p->n_metadata; i++) {
		*to++ = i ? ',' : '{';
		to = put_text(to, &p->metadata[i].key);
		*to++ = ':';
		to = put_text(to, &p->metadata[i].value);
	}
	return PUT(to, "}");
}

static char *put_type(char *to, enum pin_type t)
{
	const char *name = pin_type_name(t);

	*to++ = '"';
	to = put(to, name, strlen(name));
	return PUT(to, "\"");
}

/* The keys of the options, which the reference keeps in a struct of their own. */
static char *put_options(char *to, const struct pin *p, const struct buf *origins)
{
	to = PUT(to, "{\"replication_factor_min\":");
	to = json_put_int(to, p->replication_min);
	to = PUT(to, ",\"replication_factor_max\":");
	to = json_put_int(to, p->replication_max);
	to = PUT(to, ",\"name\":");
	to = put_text(to, &p->name);
	if (pin_mode(p) == PIN_MODE_DIRECT)
		to = PUT(to, ",\"mode\":\"direct\",\"shard_size\":");
	else
		to = PUT(to, ",\"mode\":\"recursive\",\"shard_size\":");
	to = json_put_uint(to, p->shard_size);
	to = PUT(to, ",\"user_allocations\":null,\"expire_at\":");
	to = put_time(to, p->expire_at);
	to = PUT(to, ",\"metadata\":");
	to = put_metadata(to, p);
	to = PUT(to, ",\"pin_update\":");
	to = put_cid(to, &p->pin_update);
	to = PUT(to, ",\"origins\":[");
	if (origins->len > 0)
		to = put(to, (const char *)origins->data, origins->len);
	return PUT(to, "]");
}

static char *put_line(char *to, const struct pin *p, const struct buf *origins,
		      struct peer_texts *texts)
{
	to = put_options(to, p, origins);
	to = PUT(to, ",\"cid\":");
	to = put_cid(to, &p->cid);
	to = PUT(to, ",\"type\":");
	to = put_type(to, p->type);
	to = PUT(to, ",\"allocations\":");
	to = put_peers(to, p, texts);
	to = PUT(to, ",\"max_depth\":");
	to = json_put_int(to, p->max_depth);
	to = PUT(to, ",\"reference\":");
	to = put_cid(to, &p->reference);
	to = PUT(to, ",\"timestamp\":");
	to = put_time(to, p->timestamp);
	return PUT(to, "}");
}

static size_t line_max(const struct pin *p, size_t origins)
{
	size_t n = FIXED_MAX + JSON_STRING_MAX(p->name.n) + origins + p->n_allocations * PEER_MAX;

	for (size_t i = 0; i < p->n_metadata; i++)
		n += JSON_STRING_MAX(p->metadata[i].key.n) +
		     JSON_STRING_MAX(p->metadata[i].value.n) + 2;
	return n;
}

/* The entries of the list, whose lengths nothing bounds beforehand. */
static int write_origins(const struct pin *p, struct buf *out)
{
	struct buf text = BUF_INIT(0);
	int r = 0;

	for (size_t i = 0; i < p->n_origins && r == 0; i++) {
		buf_reset(&text);
		r = multiaddr_format(&p->origins[i], &text);
		if (r == 0 && i)
			r = buf_byte(out, ',');
		if (r == 0)
			r = json_write_string(out, (const char *)text.data, text.len);
	}
	buf_deinit(&text);
	return r;
}

int pin_json_line_with(const struct pin *p, struct peer_texts *texts, struct buf *out)
{
	struct buf origins = BUF_INIT(0);
	size_t max;
	int r;

	if (!has_text(p->expire_at) || !has_text(p->timestamp))
		return -ERANGE;
	r = write_origins(p, &origins);
	max = line_max(p, origins.len);
	if (r == 0)
		r = buf_reserve(out, max);
	if (r == 0) {
		char *to = (char *)out->data + out->len, *end = put_line(to, p, &origins, texts);

		assert(end <= to + max);
		out->len += (size_t)(end - to);
	}
	buf_deinit(&origins);
	return r;
}

int pin_json_line(const struct pin *p, struct buf *out)
{
	return pin_json_line_with(p, NULL, out);
}

static char *new_line(char *to, size_t depth)
{
	*to++ = '\n';
	while (depth-- > 0)
		to = PUT(to, INDENT);
	return to;
}

/* Bytes of the string at @s with its quotes; it is well formed. */
static size_t string_len(const char *s)
{
	size_t n = 1;

	while (s[n] != '"')
		n += s[n] == '\\' ? 2 : 1;
	return n + 1;
}

/* Lays out the compact JSON of a pin with one value a line. Empty arrays stay on theirs. */
static char *indent(char *to, const char *s, const char *end)
{
	size_t depth = 0, n;

	for (; s < end; s += n) {
		n = *s == '"' ? string_len(s) : 1;
		if (*s == '[' && s[1] == ']')
			n = 2;
		else if (*s == '}' || *s == ']')
			to = new_line(to, --depth);
		to = put(to, s, n);
		if (*s == ',')
			to = new_line(to, depth);
		else if (*s == ':')
			*to++ = ' ';
		else if (n == 1 && (*s == '{' || *s == '['))
			to = new_line(to, ++depth);
	}
	return PUT(to, "\n");
}

int pin_json_document(const struct pin *p, struct buf *out)
{
	struct buf line = BUF_INIT(0);
	size_t len;
	int r = pin_json_line(p, &line);

	len = pin_json_document_len(p, line.len);
	if (r == 0)
		r = buf_reserve(out, len);
	if (r == 0) {
		char *to = (char *)out->data + out->len;
		const char *s = (const char *)line.data;

		to = indent(to, s, s + line.len);
		assert(to == (char *)out->data + out->len + len);
		out->len += len;
	}
	buf_deinit(&line);
	return r;
}

/* What indent adds to a list of @n entries. */
static size_t list_indent(size_t n, size_t per_entry)
{
	size_t one = 1 + 2 * (sizeof(INDENT) - 1) + per_entry;

	return n ? n * one + 1 + (sizeof(INDENT) - 1) : 0;
}

size_t pin_json_document_len(const struct pin *p, size_t line)
{
	size_t keys = 16 * (1 + (sizeof(INDENT) - 1) + 1); /* new line, indent, space after ":" */

	return line + keys + 2 + list_indent(p->n_allocations, 0) + list_indent(p->n_origins, 0) +
	       list_indent(p->n_metadata, 1);
}
