#include "ipfs/stream.h"

#include <errno.h>

void stream_init(struct stream *s, size_t max_value)
{
	*s = (struct stream){ .value = BUF_INIT(max_value) };
}

void stream_deinit(struct stream *s)
{
	buf_deinit(&s->value);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Takes one byte of a value; true when it was the last one. */
static bool step(struct stream *s, char c)
{
	if (s->in_string) {
		if (s->escaped)
			s->escaped = false;
		else if (c == '\\')
			s->escaped = true;
		else if (c == '"')
			s->in_string = false;
		return false;
	}
	switch (c) {
	case '"':
		s->in_string = true;
		return false;
	case '{':
	case '[':
		s->depth++;
		return false;
	case '}':
	case ']':
		s->depth--;
		return s->depth == 0;
	default:
		return false;
	}
}

/* The number of bytes at @p that belong to the value under way, all or up to its end. */
static int scan(struct stream *s, const char *p, size_t n, size_t *ret_len, struct err *e)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (s->depth == 0 && p[i] != '{' && p[i] != '[')
			return err_set(e, -EBADMSG, "not a JSON object in Kubo's answer");
		if (step(s, p[i])) {
			i++;
			break;
		}
		if (s->depth > STREAM_DEPTH_MAX)
			return err_set(e, -EBADMSG, "JSON of Kubo's answer is nested too deeply");
	}
	*ret_len = i;
	return 0;
}

static int emit(struct stream *s, stream_each each, void *arg, struct err *e)
{
	json_error_t je;
	json_t *v;
	int r;

	v = json_loadb((const char *)s->value.data, s->value.len, JSON_REJECT_DUPLICATES, &je);
	buf_reset(&s->value);
	if (!v) {
		if (json_error_code(&je) == json_error_out_of_memory)
			return err_set(e, -ENOMEM, "out of memory");
		return err_set(e, -EBADMSG, "bad JSON in Kubo's answer: %s", je.text);
	}
	r = each(arg, v, e);
	json_decref(v);
	return r < 0 ? r : 0;
}

int stream_feed(struct stream *s, const void *bytes, size_t n, stream_each each, void *arg,
		struct err *e)
{
	const char *p = bytes, *end = p + n;
	size_t len = 0;
	int r;

	while (p < end) {
		if (s->depth == 0 && is_space(*p)) {
			p++;
			continue;
		}
		r = scan(s, p, (size_t)(end - p), &len, e);
		if (r < 0)
			return r;
		r = buf_append(&s->value, p, len);
		if (r < 0)
			return err_set(e, r, "a value in Kubo's answer is longer than %zu bytes",
				       s->value.max);
		p += len;
		if (s->depth > 0)
			break;
		r = emit(s, each, arg, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int stream_end(const struct stream *s, struct err *e)
{
	if (s->depth > 0)
		return err_set(e, -EBADMSG, "unexpected EOF");
	return 0;
}
