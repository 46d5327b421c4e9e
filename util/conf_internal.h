/*
 * What the files of util/conf share: the name of a value in messages, checks of one value, values
 * from the environment. Private to util/conf*.c.
 */
#pragma once

#include "util/conf.h"

/* One value under inspection. */
struct conf_place {
	const struct conf_source *src;
	const char *name; /* "cluster.secret", or the variable's name */
	bool from_env;
};

/* The value in its usual form; a new reference in *ret. Sets *ret to NULL and returns 0 where the
 * default has to be used instead (CONF_LENIENT). -EINVAL names place and rule. */
int conf_check(const struct conf_key *k, json_t *in, const struct conf_place *at, json_t **ret,
	       struct err *e);
bool conf_is_zero(const struct conf_key *k, const json_t *v);
/* New reference: the row's default, or its type's zero. NULL: no memory. */
json_t *conf_default(const struct conf_key *k);
json_t *conf_zero(const struct conf_key *k);
/* "must be ...", for people. */
int conf_wrong(const struct conf_key *k, const struct conf_place *at, struct err *e);
void conf_warn(const struct conf_source *src, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The text of a variable as JSON of the row's type, or as a plain string when it is not of that
 * type, so that the check refuses it. NULL: no memory. */
json_t *conf_env_value(const struct conf_key *k, const char *text);
/* "@prefix_NAME": upper case without underscores. */
void conf_env_name(char out[CONF_NAME_MAX], const char *prefix, const char *key);
