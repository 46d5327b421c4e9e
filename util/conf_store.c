#include "util/conf_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/base_enc.h"
#include "util/duration.h"

static size_t element_size(const struct conf_key *k)
{
	return k->type == CONF_VALUES ? k->codec->size : sizeof(char *);
}

static int store_entry(const struct conf_key *k, json_t *v, void *at, struct err *e)
{
	char *s;

	if (k->type == CONF_VALUES)
		return k->codec->parse(json_string_value(v), at, e);
	s = strdup(json_string_value(v));
	if (!s)
		return -ENOMEM;
	memcpy(at, &s, sizeof(s));
	return 0;
}

static int store_list(const struct conf_key *k, json_t *v, void *at, struct err *e)
{
	size_t i, n = json_is_string(v) ? 1 : json_array_size(v);
	struct conf_list list = { 0 };
	int r = 0;

	if (n > 0) {
		list.v = calloc(n, element_size(k));
		if (!list.v)
			return -ENOMEM;
	}
	for (i = 0; i < n && r >= 0; i++) {
		r = store_entry(k, json_is_string(v) ? v : json_array_get(v, i),
				(char *)list.v + i * element_size(k), e);
		list.n = i + (r >= 0);
	}
	memcpy(at, &list, sizeof(list));
	return r < 0 ? r : 0;
}

static int store_map(json_t *v, void *at)
{
	struct conf_map map = { 0 };
	const char *key;
	json_t *member;
	int r = 0;

	if (json_object_size(v) > 0) {
		map.v = calloc(json_object_size(v), sizeof(*map.v));
		if (!map.v)
			return -ENOMEM;
	}
	json_object_foreach (v, key, member) {
		struct conf_pair *p = &map.v[map.n++];

		p->key = strdup(key);
		p->value = strdup(json_string_value(member));
		if (!p->key || !p->value)
			r = -ENOMEM;
	}
	memcpy(at, &map, sizeof(map));
	return r;
}

static int store_duration(const char *text, void *at)
{
	int64_t ns;
	int r = duration_parse(text, &ns);

	if (r < 0)
		return r;
	ns = duration_ms(ns);
	memcpy(at, &ns, sizeof(ns));
	return 0;
}

static int store_string(const char *text, void *at)
{
	char *s = strdup(text);

	if (!s)
		return -ENOMEM;
	memcpy(at, &s, sizeof(s));
	return 0;
}

static void store_number(const struct conf_key *k, json_t *v, void *at)
{
	int64_t n = json_integer_value(v);
	int32_t small = (int32_t)n;
	double d = json_number_value(v);

	if (k->type == CONF_INT32)
		memcpy(at, &small, sizeof(small));
	else if (k->type == CONF_DOUBLE)
		memcpy(at, &d, sizeof(d));
	else
		memcpy(at, &n, sizeof(n));
}

static int store_value(const struct conf_key *k, json_t *v, void *at, struct err *e)
{
	bool b = json_is_true(v);
	int r;

	switch (k->type) {
	case CONF_BOOL:
		memcpy(at, &b, sizeof(b));
		return 0;
	case CONF_INT32:
	case CONF_INT64:
	case CONF_UINT64:
	case CONF_DOUBLE:
		store_number(k, v, at);
		return 0;
	case CONF_DURATION:
		return store_duration(json_string_value(v), at);
	case CONF_STRING:
		return store_string(json_string_value(v), at);
	case CONF_STRINGS:
	case CONF_VALUES:
		return store_list(k, v, at, e);
	case CONF_VALUE:
		if (json_string_length(v) == 0)
			return 0;
		return k->codec->parse(json_string_value(v), at, e);
	case CONF_HEX:
		r = base16_decode(json_string_value(v), json_string_length(v), at, k->size);
		return r < 0 ? r : 0;
	case CONF_MAP:
		return store_map(v, at);
	case CONF_LISTS:
	case CONF_OBJECT:
	case CONF_OPAQUE:
		return 0;
	}
	return -EINVAL;
}

static int store_rows(const struct conf_key *keys, json_t *doc, char *conf, struct err *e)
{
	const struct conf_key *k;
	int r = 0;

	for (k = keys; k->name && r == 0; k++) {
		json_t *v = json_object_get(doc, k->name);

		if (k->type == CONF_OBJECT) {
			r = store_rows(k->sub, v, conf, e);
		} else if (k->flags & CONF_STORED) {
			json_t *def = v ? NULL : conf_default(k);

			r = v || def ? store_value(k, v ? v : def, conf + k->offset, e) : -ENOMEM;
			json_decref(def);
		}
	}
	return r;
}

int conf_store(const struct conf_section *s, json_t *doc, const struct conf_source *src, void *conf,
	       struct err *e)
{
	struct err why = { 0 };
	int r = store_rows(s->keys, doc, conf, e);

	if (r < 0)
		return err_sys(e, r, "%s: %s", src->file, s->path);
	r = s->check ? s->check(conf, &why) : 0;
	return r < 0 ? err_set(e, r, "%s: %s.%s", src->file, s->path, why.msg) : 0;
}

static void clear_list(const struct conf_key *k, void *at)
{
	struct conf_list list;
	size_t i;

	memcpy(&list, at, sizeof(list));
	for (i = 0; k->type == CONF_STRINGS && i < list.n; i++)
		free(((char **)list.v)[i]);
	free(list.v);
	memset(at, 0, sizeof(list));
}

static void clear_map(void *at)
{
	struct conf_map map;
	size_t i;

	memcpy(&map, at, sizeof(map));
	for (i = 0; i < map.n; i++) {
		free(map.v[i].key);
		free(map.v[i].value);
	}
	free(map.v);
	memset(at, 0, sizeof(map));
}

static void clear_rows(const struct conf_key *keys, char *conf)
{
	const struct conf_key *k;
	char *s;

	for (k = keys; k->name; k++) {
		char *at = conf + k->offset;

		if (k->type == CONF_OBJECT)
			clear_rows(k->sub, conf);
		if (!(k->flags & CONF_STORED))
			continue;
		if (k->type == CONF_STRINGS || k->type == CONF_VALUES) {
			clear_list(k, at);
		} else if (k->type == CONF_MAP) {
			clear_map(at);
		} else if (k->type == CONF_HEX) {
			explicit_bzero(at, k->size);
		} else if (k->type == CONF_STRING) {
			memcpy(&s, at, sizeof(s));
			free(s);
			s = NULL;
			memcpy(at, &s, sizeof(s));
		}
	}
}

void conf_clear(const struct conf_section *s, void *conf)
{
	clear_rows(s->keys, conf);
}
