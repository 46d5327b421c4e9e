#include "util/conf_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Where the walk is: one object of the section, and the names that lead to it. */
struct walk {
	const struct conf_source *src;
	const char *path; /* "cluster.pubsub" */
	const char *env;  /* "CLUSTER_PUBSUB" */
	bool *by_env;     /* set when a variable was used */
};

static json_t *get_any_case(json_t *obj, const char *name)
{
	json_t *v = json_object_get(obj, name), *member;
	const char *key;

	if (v)
		return v;
	json_object_foreach (obj, key, member) {
		if (strcasecmp(key, name) == 0)
			return member;
	}
	return NULL;
}

json_t *conf_get(json_t *obj, const char *name)
{
	json_t *v = get_any_case(obj, name);

	return json_is_null(v) ? NULL : v;
}

json_t *conf_zero(const struct conf_key *k)
{
	switch (k->type) {
	case CONF_BOOL:
		return json_false();
	case CONF_INT32:
	case CONF_INT64:
	case CONF_UINT64:
		return json_integer(0);
	case CONF_DOUBLE:
		return json_real(0);
	case CONF_DURATION:
		return json_string("0s");
	case CONF_STRING:
	case CONF_VALUE:
	case CONF_HEX:
		return json_string("");
	case CONF_STRINGS:
	case CONF_VALUES:
		return json_array();
	case CONF_MAP:
	case CONF_LISTS:
	case CONF_OBJECT:
	case CONF_OPAQUE:
		return json_null();
	}
	return NULL;
}

bool conf_is_zero(const struct conf_key *k, const json_t *v)
{
	switch (k->type) {
	case CONF_BOOL:
		return json_is_false(v);
	case CONF_INT32:
	case CONF_INT64:
	case CONF_UINT64:
		return json_is_integer(v) && json_integer_value(v) == 0;
	case CONF_DOUBLE:
		return json_is_number(v) && fpclassify(json_number_value(v)) == FP_ZERO;
	case CONF_DURATION:
	case CONF_STRING:
	case CONF_VALUE:
	case CONF_HEX:
		return json_is_string(v) && json_string_length(v) == 0;
	case CONF_STRINGS:
	case CONF_VALUES:
		return (json_is_array(v) && json_array_size(v) == 0) ||
		       (k->flags & CONF_ONE_OR_MANY && json_is_string(v) &&
			json_string_length(v) == 0);
	case CONF_MAP:
	case CONF_LISTS:
	case CONF_OBJECT:
	case CONF_OPAQUE:
		return json_is_null(v);
	}
	return false;
}

json_t *conf_default(const struct conf_key *k)
{
	return k->def ? json_loads(k->def, JSON_DECODE_ANY, NULL) : conf_zero(k);
}

/* The value of one row, in its usual form. *ret stays NULL for a sparse row nobody set. */
static int row_value(const struct conf_key *k, json_t *in, const struct walk *w, json_t **ret,
		     struct err *e)
{
	char name[CONF_NAME_MAX], var[CONF_NAME_MAX];
	const char *text = NULL;
	struct conf_place at = { .src = w->src, .name = name };
	json_t *given = in ? json_incref(conf_get(in, k->name)) : NULL;
	int r = 0;

	*ret = NULL;
	snprintf(name, sizeof(name), "%s.%s", w->path, k->name);
	conf_env_name(var, w->env, k->name);
	if (w->src->getenv && !(k->flags & CONF_NO_ENV))
		text = w->src->getenv(var);
	if (text) {
		json_decref(given);
		given = conf_env_value(k, text);
		at.name = var;
		at.from_env = true;
		*w->by_env = true;
		if (!given)
			return -ENOMEM;
	}
	if (!given && k->flags & CONF_SPARSE) {
		*ret = in ? json_incref(get_any_case(in, k->name)) : NULL; /* null stays null */
		return 0;
	}
	if (!given && in && k->flags & CONF_ZERO) {
		given = conf_zero(k);
		if (!given)
			return -ENOMEM;
	}
	if (given)
		r = conf_check(k, given, &at, ret, e);
	json_decref(given);
	if (r == 0 && !*ret) {
		*ret = conf_default(k);
		r = *ret ? 0 : -ENOMEM;
	}
	return r;
}

static int walk_object(const struct conf_key *keys, json_t *in, const struct walk *w, json_t **ret,
		       struct err *e);

static int row_object(const struct conf_key *k, json_t *in, const struct walk *w, json_t **ret,
		      struct err *e)
{
	json_t *sub = in ? conf_get(in, k->name) : NULL;
	char path[CONF_NAME_MAX], env[CONF_NAME_MAX];
	struct walk below = { w->src, path, env, w->by_env };
	int r;

	snprintf(path, sizeof(path), "%s.%s", w->path, k->name);
	conf_env_name(env, w->env, k->name);
	r = walk_object(k->sub, sub, &below, ret, e);
	if (r == 0 && !sub && k->flags & CONF_SPARSE && json_object_size(*ret) == 0) {
		json_decref(*ret);
		*ret = NULL;
	}
	return r;
}

/* 1, 0 or -ENOMEM. */
static int is_default(const struct conf_key *k, const json_t *v)
{
	json_t *def = conf_default(k);
	int same = def ? json_equal(def, v) : -ENOMEM;

	json_decref(def);
	return same;
}

static void warn_unknown(const struct conf_key *keys, json_t *in, const struct walk *w)
{
	const struct conf_key *k;
	const char *name;
	json_t *v;

	json_object_foreach (in, name, v) {
		for (k = keys; k->name; k++) {
			if (strcasecmp(k->name, name) == 0)
				break;
		}
		if (!k->name)
			conf_warn(w->src, "%s: %s.%.64s: unknown key, ignored", w->src->file,
				  w->path, name);
	}
}

static int walk_object(const struct conf_key *keys, json_t *in, const struct walk *w, json_t **ret,
		       struct err *e)
{
	const struct conf_key *k;
	json_t *out, *v;
	int r = 0;

	if (in && !json_is_object(in))
		return err_set(e, -EINVAL, "%s: %s: must be an object", w->src->file, w->path);
	out = json_object();
	if (!out)
		return -ENOMEM;
	for (k = keys; k->name; k++) {
		v = NULL;
		r = k->type == CONF_OBJECT ? row_object(k, in, w, &v, e)
					   : row_value(k, in, w, &v, e);
		if (r < 0)
			goto out;
		if (!v)
			continue;
		r = k->flags & CONF_OPTIONAL ? is_default(k, v) : 0;
		if (r != 0)
			json_decref(v);
		if (r < 0)
			goto out;
		if (r == 1)
			continue;
		if (json_object_set_new(out, k->name, v) < 0) {
			r = -ENOMEM;
			goto out;
		}
	}
	warn_unknown(keys, in, w);
	*ret = json_incref(out);
out:
	json_decref(out);
	return r;
}

int conf_normalize(const struct conf_section *s, json_t *in, const struct conf_source *src,
		   json_t **ret, bool *ret_env, struct err *e)
{
	bool by_env = false;
	struct walk w = { src, s->path, s->env, &by_env };
	json_t *out = NULL;
	int r;

	r = walk_object(s->keys, json_is_null(in) ? NULL : in, &w, &out, e);
	if (r == -ENOMEM)
		return err_sys(e, r, "%s: %s", src->file, s->path);
	if (r < 0)
		return r;
	*ret = out;
	if (ret_env)
		*ret_env = by_env;
	return 0;
}

static int hide(const struct conf_key *keys, json_t *doc)
{
	const struct conf_key *k;

	for (k = keys; k->name; k++) {
		json_t *v = conf_get(doc, k->name);

		if (!v)
			continue;
		if (k->type == CONF_OBJECT && hide(k->sub, v) < 0)
			return -ENOMEM;
		if (k->flags & CONF_SECRET && !conf_is_zero(k, v) &&
		    json_object_set_new(doc, k->name, json_string(CONF_HIDDEN)) < 0)
			return -ENOMEM;
	}
	return 0;
}

json_t *conf_public(const struct conf_section *s, json_t *doc)
{
	json_t *copy = json_deep_copy(doc);

	if (copy && hide(s->keys, copy) < 0) {
		json_decref(copy);
		return NULL;
	}
	return copy;
}
