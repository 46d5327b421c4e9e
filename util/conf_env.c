#include "util/conf_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void conf_env_name(char out[CONF_NAME_MAX], const char *prefix, const char *key)
{
	size_t n = (size_t)snprintf(out, CONF_NAME_MAX, "%s_", prefix);

	for (; *key && n < CONF_NAME_MAX - 1; key++) {
		if (*key != '_')
			out[n++] = (char)toupper((unsigned char)*key);
	}
	out[n] = '\0';
}

/* The words of Go's strconv.ParseBool. */
static json_t *bool_of(const char *text)
{
	static const char *const words[] = { "0", "f", "F", "FALSE", "false", "False",
					     "1", "t", "T", "TRUE",  "true",  "True" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0)
			return i < 6 ? json_false() : json_true();
	}
	return json_string(text);
}

static json_t *number_of(const char *text, bool real)
{
	char *end;
	long long v;
	double d;

	if (*text == '\0' || isspace((unsigned char)*text))
		return json_string(text);
	errno = 0;
	if (real) {
		d = strtod(text, &end);
		return *end || errno ? json_string(text) : json_real(d);
	}
	v = strtoll(text, &end, 0);
	return *end || errno ? json_string(text) : json_integer(v);
}

/* Appends one piece between commas to a list, or as key:value to an object. */
static int piece_add(json_t *out, const char *s, size_t n)
{
	const char *colon;
	char *key;
	int r;

	if (json_is_array(out))
		return json_array_append_new(out, json_stringn(s, n)) ? -ENOMEM : 0;
	colon = memchr(s, ':', n);
	if (!colon || memchr(colon + 1, ':', n - (size_t)(colon + 1 - s)))
		return -EINVAL;
	key = strndup(s, (size_t)(colon - s));
	if (!key)
		return -ENOMEM;
	r = json_object_set_new(out, key, json_stringn(colon + 1, n - (size_t)(colon + 1 - s)));
	free(key);
	return r ? -ENOMEM : 0;
}

static json_t *pieces_of(const char *text, json_t *out)
{
	const char *s = text, *comma;
	int r;

	if (text[strspn(text, " \t\r\n")] == '\0')
		return out;
	do {
		size_t n;

		comma = strchr(s, ',');
		n = comma ? (size_t)(comma - s) : strlen(s);
		r = out ? piece_add(out, s, n) : -ENOMEM;
		s += n + 1;
	} while (r == 0 && comma);
	if (r == 0)
		return out;
	json_decref(out);
	return r == -EINVAL ? json_string(text) : NULL;
}

json_t *conf_env_value(const struct conf_key *k, const char *text)
{
	switch (k->type) {
	case CONF_BOOL:
		return bool_of(text);
	case CONF_INT32:
	case CONF_INT64:
	case CONF_UINT64:
		return number_of(text, false);
	case CONF_DOUBLE:
		return number_of(text, true);
	case CONF_STRINGS:
	case CONF_VALUES:
		return pieces_of(text, json_array());
	case CONF_MAP:
		return pieces_of(text, json_object());
	case CONF_DURATION:
	case CONF_STRING:
	case CONF_VALUE:
	case CONF_HEX:
	case CONF_LISTS:
	case CONF_OBJECT:
	case CONF_OPAQUE:
		return json_string(text);
	}
	return NULL;
}
