#include "util/conf_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/base_enc.h"
#include "util/buf.h"
#include "util/duration.h"

#define HEX_BYTES_MAX 64
#define WANT_MAX 256

void conf_warn(const struct conf_source *src, const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	if (!src->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	src->warn(src->arg, msg);
}

/* What is allowed, as it goes behind "must be ". */
static void want(const struct conf_key *k, bool env, char out[WANT_MAX])
{
	const char *range = k->range ? k->range->text : "";
	const char *gap = k->range ? " " : "";
	const char *what = k->codec ? k->codec->what : "";
	const char *fill = k->flags & CONF_NOT_EMPTY ? " that is not empty" : "";
	const char *some = k->flags & CONF_NOT_EMPTY ? " with at least one entry" : "";
	bool one = k->flags & CONF_ONE_OR_MANY;

	switch (k->type) {
	case CONF_BOOL:
		snprintf(out, WANT_MAX, "true or false");
		break;
	case CONF_INT32:
	case CONF_INT64:
		snprintf(out, WANT_MAX, "a number%s%s", gap, range);
		break;
	case CONF_UINT64:
		snprintf(out, WANT_MAX, "a number %s", k->range ? range : ">= 0");
		break;
	case CONF_DOUBLE:
		snprintf(out, WANT_MAX, "a number%s%s", gap, range);
		break;
	case CONF_DURATION:
		snprintf(out, WANT_MAX, "a duration%s%s%s, written like \"1h30m\" or \"500ms\"",
			 gap, range, k->flags & CONF_NONZERO ? " other than 0" : "");
		break;
	case CONF_STRING:
		if (k->choices)
			snprintf(out, WANT_MAX, "one of %s", k->choices);
		else
			snprintf(out, WANT_MAX, "a string%s", fill);
		break;
	case CONF_STRINGS:
		snprintf(out, WANT_MAX, "%sa list of strings%s", one ? "a string or " : "", some);
		break;
	case CONF_VALUE:
		snprintf(out, WANT_MAX, "%s", what);
		break;
	case CONF_VALUES:
		snprintf(out, WANT_MAX, one ? "%s or a list of such%s" : "a list, each %s%s", what,
			 some);
		break;
	case CONF_HEX:
		snprintf(out, WANT_MAX, "%zu hexadecimal digits", 2 * k->size);
		break;
	case CONF_MAP:
		snprintf(out, WANT_MAX, "%s%s",
			 env ? "pairs key:value with commas between" : "an object of strings",
			 k->flags & CONF_NOT_EMPTY ? " with at least one entry, or null" : "");
		break;
	case CONF_LISTS:
		snprintf(out, WANT_MAX, "an object of lists of strings");
		break;
	case CONF_OBJECT:
		snprintf(out, WANT_MAX, "an object");
		break;
	case CONF_OPAQUE:
		snprintf(out, WANT_MAX, "an object or a list");
		break;
	}
}

int conf_wrong(const struct conf_key *k, const struct conf_place *at, struct err *e)
{
	char text[WANT_MAX];

	want(k, at->from_env, text);
	return err_set(e, -EINVAL, "%s%s%s: must be %s", at->from_env ? "" : at->src->file,
		       at->from_env ? "" : ": ", at->name, text);
}

/* conf_wrong, and what the codec said. */
static int wrong_because(const struct conf_key *k, const struct conf_place *at,
			 const struct err *why, struct err *e)
{
	struct err rule = { 0 };

	conf_wrong(k, at, &rule);
	return err_set(e, -EINVAL, "%s: %s", rule.msg, why->msg);
}

/* A warning in the words of conf_wrong, and what is done about it. */
static void lenient(const struct conf_key *k, const struct conf_place *at, const char *then)
{
	struct err e = { 0 };

	conf_wrong(k, at, &e);
	conf_warn(at->src, "%s; %s", e.msg, then);
}

static bool in_range(const struct conf_key *k, int64_t v)
{
	if (k->flags & CONF_NONZERO && v == 0)
		return false;
	if (k->type == CONF_INT32 && (v < INT32_MIN || v > INT32_MAX))
		return false;
	if (k->type == CONF_UINT64 && v < 0)
		return false;
	return !k->range || (v >= k->range->min && v <= k->range->max);
}

static bool real_in_range(const struct conf_key *k, double v)
{
	return !k->range || (v > (double)k->range->min && v < (double)k->range->max);
}

static bool chosen(const char *choices, const char *s)
{
	size_t n = strlen(s);

	while (*choices) {
		size_t len = strcspn(choices, "|");

		if (len == n && memcmp(choices, s, n) == 0)
			return true;
		choices += len + (choices[len] == '|');
	}
	return false;
}

static bool value_ok(const struct conf_key *k, const char *s, struct err *why)
{
	_Alignas(max_align_t) char room[1024];

	assert(k->codec->size <= sizeof(room));
	return k->codec->parse(s, room, why) >= 0;
}

static int check_duration(const struct conf_key *k, json_t *in, const struct conf_place *at,
			  json_t **ret, struct err *e)
{
	char text[DURATION_TEXT_MAX];
	int64_t ns;

	*ret = NULL;
	if (!json_is_string(in))
		return conf_wrong(k, at, e);
	if (json_string_length(in) == 0) /* as good as absent */
		return 0;
	if (duration_parse(json_string_value(in), &ns) < 0) {
		if (!(k->flags & CONF_LENIENT))
			return conf_wrong(k, at, e);
		lenient(k, at, "the default is used");
		return 0;
	}
	if (ns == 0 && k->flags & CONF_ZERO_DEFAULT)
		return 0;
	if (!in_range(k, ns))
		return conf_wrong(k, at, e);
	duration_format(ns, text);
	*ret = json_string(text);
	return *ret ? 0 : -ENOMEM;
}

static int check_string(const struct conf_key *k, json_t *in, const struct conf_place *at,
			json_t **ret, struct err *e)
{
	const char *s = json_string_value(in);
	struct err why = { 0 };

	if (!s || strlen(s) != json_string_length(in))
		return conf_wrong(k, at, e);
	if (k->flags & CONF_NOT_EMPTY && *s == '\0')
		return conf_wrong(k, at, e);
	if (k->choices && !chosen(k->choices, s))
		return conf_wrong(k, at, e);
	if (k->type == CONF_VALUE && *s && !value_ok(k, s, &why))
		return wrong_because(k, at, &why, e);
	*ret = json_incref(in);
	return 0;
}

static int check_hex(const struct conf_key *k, json_t *in, const struct conf_place *at,
		     json_t **ret, struct err *e)
{
	struct buf text = BUF_INIT(2 * HEX_BYTES_MAX + 1);
	uint8_t bytes[HEX_BYTES_MAX];
	int n, r = 0;

	assert(k->size <= sizeof(bytes));
	if (!json_is_string(in))
		return conf_wrong(k, at, e);
	n = base16_decode(json_string_value(in), json_string_length(in), bytes, k->size);
	if (n < 0 || (n != 0 && (size_t)n != k->size))
		return conf_wrong(k, at, e);
	if (n > 0)
		r = base16_encode(&text, bytes, (size_t)n);
	if (r == 0) {
		*ret = json_stringn(text.data ? (char *)text.data : "", text.len);
		r = *ret ? 0 : -ENOMEM;
	}
	explicit_bzero(bytes, sizeof(bytes));
	buf_deinit(&text);
	return r;
}

/* One entry of a list. 1: leave it out. */
static int check_entry(const struct conf_key *k, const json_t *in, const struct conf_place *at,
		       struct err *e)
{
	const char *s = json_string_value(in);
	struct err why = { 0 };

	if (!s || strlen(s) != json_string_length(in))
		return conf_wrong(k, at, e);
	if (k->type != CONF_VALUES || value_ok(k, s, &why))
		return 0;
	if (k->flags & CONF_LENIENT) {
		lenient(k, at, "the entry is skipped");
		return 1;
	}
	return wrong_because(k, at, &why, e);
}

static int check_list(const struct conf_key *k, json_t *in, const struct conf_place *at,
		      json_t **ret, struct err *e)
{
	json_t *out, *item;
	size_t i;
	int r = 0;

	if (!json_is_array(in) && !(k->flags & CONF_ONE_OR_MANY && json_is_string(in)))
		return conf_wrong(k, at, e);
	out = json_array();
	if (!out)
		return -ENOMEM;
	if (json_string_length(in) > 0) { /* "" is the empty list */
		r = check_entry(k, in, at, e);
		if (r == 0)
			json_array_append(out, in);
	}
	json_array_foreach (in, i, item) {
		r = check_entry(k, item, at, e);
		if (r < 0)
			break;
		if (r == 0)
			json_array_append(out, item);
	}
	if (r >= 0 && json_array_size(out) == 0 && k->flags & CONF_NOT_EMPTY)
		r = conf_wrong(k, at, e);
	if (r < 0) {
		json_decref(out);
		return r;
	}
	if (k->flags & CONF_ONE_OR_MANY && json_array_size(out) == 1) {
		*ret = json_incref(json_array_get(out, 0));
		json_decref(out);
	} else {
		*ret = out;
	}
	return 0;
}

static bool all_strings(const json_t *list)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(list))
		return false;
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return false;
	}
	return true;
}

static int check_map(const struct conf_key *k, json_t *in, const struct conf_place *at,
		     json_t **ret, struct err *e)
{
	const char *name;
	json_t *v;

	if (json_is_null(in)) {
		*ret = json_incref(in);
		return 0;
	}
	if (!json_is_object(in))
		return conf_wrong(k, at, e);
	if (k->flags & CONF_NOT_EMPTY && json_object_size(in) == 0)
		return conf_wrong(k, at, e);
	json_object_foreach (in, name, v) {
		if (k->type == CONF_MAP ? !json_is_string(v) : !all_strings(v))
			return conf_wrong(k, at, e);
	}
	*ret = json_incref(in);
	return 0;
}

static int check_plain(const struct conf_key *k, json_t *in, const struct conf_place *at,
		       json_t **ret, struct err *e)
{
	bool ok = false;

	if (k->type == CONF_BOOL)
		ok = json_is_boolean(in);
	else if (k->type == CONF_DOUBLE)
		ok = json_is_number(in) && real_in_range(k, json_number_value(in));
	else if (k->type == CONF_OPAQUE)
		ok = json_is_object(in) || json_is_array(in) || json_is_null(in);
	else
		ok = json_is_integer(in) && in_range(k, json_integer_value(in));
	if (!ok)
		return conf_wrong(k, at, e);
	*ret = json_incref(in);
	return 0;
}

int conf_check(const struct conf_key *k, json_t *in, const struct conf_place *at, json_t **ret,
	       struct err *e)
{
	*ret = NULL;
	if (k->flags & CONF_ZERO_DEFAULT && conf_is_zero(k, in))
		return 0;
	switch (k->type) {
	case CONF_BOOL:
	case CONF_INT32:
	case CONF_INT64:
	case CONF_UINT64:
	case CONF_DOUBLE:
	case CONF_OPAQUE:
		return check_plain(k, in, at, ret, e);
	case CONF_DURATION:
		return check_duration(k, in, at, ret, e);
	case CONF_STRING:
	case CONF_VALUE:
		return check_string(k, in, at, ret, e);
	case CONF_HEX:
		return check_hex(k, in, at, ret, e);
	case CONF_STRINGS:
	case CONF_VALUES:
		return check_list(k, in, at, ret, e);
	case CONF_MAP:
	case CONF_LISTS:
		return check_map(k, in, at, ret, e);
	case CONF_OBJECT:
		return conf_wrong(k, at, e); /* objects are walked, never checked as a value */
	}
	return -EINVAL;
}
