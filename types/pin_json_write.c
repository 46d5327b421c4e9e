#include <errno.h>
#include <string.h>

#include "types/pin_json.h"
#include "util/json_write.h"
#include "util/rfc3339.h"

#define TIME_UNSET_TEXT "\"0001-01-01T00:00:00Z\""
#define INDENT "    "

/* Appends go to nothing after the first failure, which stays in err. */
struct writer {
	struct buf *out;
	int err;
};

/* buf_append for the many short pieces of a line, of a length the compiler knows. */
static inline void put(struct writer *w, const char *s, size_t n)
{
	struct buf *out = w->out;

	if (w->err < 0)
		return;
	if (!out->data || out->cap - out->len < n) {
		w->err = buf_append(out, s, n);
		return;
	}
	memcpy(out->data + out->len, s, n);
	out->len += n;
}

#define PUT(w, literal) put(w, literal, sizeof(literal) - 1)

static void put_int(struct writer *w, int64_t v)
{
	if (w->err == 0)
		w->err = json_write_int(w->out, v);
}

static void put_text(struct writer *w, const struct pin_text *t)
{
	if (w->err == 0)
		w->err = json_write_string(w->out, t->p, t->n);
}

static void put_time(struct writer *w, int64_t t)
{
	char text[RFC3339_LEN + 2];

	if (t == PIN_TIME_UNSET) {
		PUT(w, TIME_UNSET_TEXT);
		return;
	}
	if (rfc3339_format(t, text + 1) < 0) {
		w->err = w->err < 0 ? w->err : -ERANGE;
		return;
	}
	text[0] = '"';
	text[sizeof(text) - 1] = '"';
	put(w, text, sizeof(text));
}

static void put_cid(struct writer *w, const struct cid *c)
{
	char text[CID_TEXT_MAX + 3];
	size_t n;

	if (!cid_defined(c)) {
		PUT(w, "null");
		return;
	}
	text[0] = '"';
	n = cid_format(c, text + 1);
	text[n + 1] = '"';
	put(w, text, n + 2);
}

static void put_peers(struct writer *w, const struct peerid *ids, size_t n)
{
	PUT(w, "[");
	for (size_t i = 0; i < n; i++) {
		char text[PEERID_TEXT_MAX + 3];
		size_t len = peerid_format(&ids[i], text + 2);

		text[0] = ',';
		text[1] = '"';
		text[len + 2] = '"';
		if (i)
			put(w, text, len + 3);
		else
			put(w, text + 1, len + 2);
	}
	PUT(w, "]");
}

static void put_origin(struct writer *w, const struct multiaddr *a)
{
	struct buf text = BUF_INIT(0);

	if (w->err == 0)
		w->err = multiaddr_format(a, &text);
	if (w->err == 0)
		w->err = json_write_string(w->out, (const char *)text.data, text.len);
	buf_deinit(&text);
}

static void put_origins(struct writer *w, const struct pin *p)
{
	PUT(w, "[");
	for (size_t i = 0; i < p->n_origins; i++) {
		if (i)
			PUT(w, ",");
		put_origin(w, &p->origins[i]);
	}
	PUT(w, "]");
}

static void put_metadata(struct writer *w, const struct pin *p)
{
	if (p->n_metadata == 0) {
		PUT(w, "null");
		return;
	}
	for (size_t i = 0; i < p->n_metadata; i++) {
		put(w, i ? "," : "{", 1);
		put_text(w, &p->metadata[i].key);
		PUT(w, ":");
		put_text(w, &p->metadata[i].value);
	}
	PUT(w, "}");
}

static void put_type(struct writer *w, enum pin_type t)
{
	const char *name = pin_type_name(t);

	PUT(w, "\"");
	put(w, name, strlen(name));
	PUT(w, "\"");
}

/* The keys of the options, which the reference keeps in a struct of their own. */
static void put_options(struct writer *w, const struct pin *p)
{
	PUT(w, "{\"replication_factor_min\":");
	put_int(w, p->replication_min);
	PUT(w, ",\"replication_factor_max\":");
	put_int(w, p->replication_max);
	PUT(w, ",\"name\":");
	put_text(w, &p->name);
	if (pin_mode(p) == PIN_MODE_DIRECT)
		PUT(w, ",\"mode\":\"direct\",\"shard_size\":");
	else
		PUT(w, ",\"mode\":\"recursive\",\"shard_size\":");
	if (w->err == 0)
		w->err = json_write_uint(w->out, p->shard_size);
	PUT(w, ",\"user_allocations\":null,\"expire_at\":");
	put_time(w, p->expire_at);
	PUT(w, ",\"metadata\":");
	put_metadata(w, p);
	PUT(w, ",\"pin_update\":");
	put_cid(w, &p->pin_update);
	PUT(w, ",\"origins\":");
	put_origins(w, p);
}

int pin_json_line(const struct pin *p, struct buf *out)
{
	struct writer w = { .out = out };
	size_t start = out->len;

	put_options(&w, p);
	PUT(&w, ",\"cid\":");
	put_cid(&w, &p->cid);
	PUT(&w, ",\"type\":");
	put_type(&w, p->type);
	PUT(&w, ",\"allocations\":");
	put_peers(&w, p->allocations, p->n_allocations);
	PUT(&w, ",\"max_depth\":");
	put_int(&w, p->max_depth);
	PUT(&w, ",\"reference\":");
	put_cid(&w, &p->reference);
	PUT(&w, ",\"timestamp\":");
	put_time(&w, p->timestamp);
	PUT(&w, "}");
	if (w.err < 0)
		out->len = start;
	return w.err;
}

static void new_line(struct writer *w, size_t depth)
{
	PUT(w, "\n");
	while (depth-- > 0)
		PUT(w, INDENT);
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
static void indent(struct writer *w, const char *s, const char *end)
{
	size_t depth = 0, n;

	for (; s < end; s += n) {
		n = *s == '"' ? string_len(s) : 1;
		if (*s == '[' && s[1] == ']')
			n = 2;
		else if (*s == '}' || *s == ']')
			new_line(w, --depth);
		put(w, s, n);
		if (*s == ',')
			new_line(w, depth);
		else if (*s == ':')
			PUT(w, " ");
		else if (n == 1 && (*s == '{' || *s == '['))
			new_line(w, ++depth);
	}
	PUT(w, "\n");
}

int pin_json_document(const struct pin *p, struct buf *out)
{
	struct writer w = { .out = out };
	struct buf line = BUF_INIT(0);
	size_t start = out->len;

	w.err = pin_json_line(p, &line);
	if (w.err == 0)
		indent(&w, (const char *)line.data, (const char *)line.data + line.len);
	if (w.err < 0)
		out->len = start;
	buf_deinit(&line);
	return w.err;
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
