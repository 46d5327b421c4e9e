/*
 * Sections of a configuration file, described by tables: one row per key says how the value is
 * written in JSON, what is allowed, what it is by default and where it goes in a struct.
 *
 * Two steps. conf_normalize() takes what a person wrote and gives the section in full: defaults
 * filled in, environment on top, every value checked and written in its usual form, keys in the
 * order of the table. conf_store() copies such a section into the module's struct. What is shown
 * or written back is always the normalized document, so nothing is lost on the way.
 *
 * The rules are those of the Go program whose files we share: null is the same as absent, the case
 * of keys does not matter, a key that is missing from a section that is there can mean something
 * else than in a section that is missing as a whole (CONF_ZERO). Pure functions; any thread.
 * Source: ipfs-cluster 1.1.6 config/util.go, envconfig (kelseyhightower), Go encoding/json.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define CONF_NAME_MAX 192 /* bytes of "section.key.key" or of a variable's name, with the zero */

enum conf_type {
	CONF_BOOL,     /* bool */
	CONF_INT32,    /* int32_t */
	CONF_INT64,    /* int64_t */
	CONF_UINT64,   /* uint64_t; JSON integers of this program end at 2^63 - 1 */
	CONF_DOUBLE,   /* double */
	CONF_DURATION, /* int64_t milliseconds, rounded up; text as Go writes it */
	CONF_STRING,   /* char *, never NULL */
	CONF_STRINGS,  /* struct conf_list of char * */
	CONF_VALUE,    /* what the row's codec makes of a string */
	CONF_VALUES,   /* struct conf_list of such values */
	CONF_HEX,      /* uint8_t[size]; "" leaves it zero */
	CONF_MAP,      /* struct conf_map: an object of strings */
	CONF_LISTS,    /* an object of lists of strings; never stored */
	CONF_OBJECT,   /* the rows of @sub */
	CONF_OPAQUE,   /* any JSON object or list; never stored */
};

enum conf_flag {
	CONF_STORED = 1 << 0, /* has a place in the struct */
	CONF_ZERO =
	    1 << 1, /* missing in a section that is there: the type's zero, not the default */
	CONF_ZERO_DEFAULT = 1 << 2, /* zero or empty stands for the default */
	CONF_OPTIONAL = 1 << 3,     /* not written while it has its default */
	CONF_SPARSE = 1 << 4,       /* not written when nobody set it */
	CONF_SECRET = 1 << 5,       /* not shown */
	CONF_ONE_OR_MANY = 1 << 6,  /* a list that may be written as one string */
	CONF_NOT_EMPTY = 1 << 7,    /* a list or object needs an entry; a string a character */
	CONF_NONZERO = 1 << 8,
	CONF_LENIENT = 1 << 9, /* a senseless duration or list entry is warned of, not refused */
	CONF_NO_ENV = 1 << 10, /* no variable stands for it */
};

/* @text follows "must be a number" or "must be a duration". Durations: nanoseconds. Doubles lie
 * strictly between the limits. */
struct conf_range {
	int64_t min, max;
	const char *text;
};

/* Values that are written as a string. */
struct conf_codec {
	size_t size;
	const char *what; /* "a multiaddress" */
	int (*parse)(const char *s, void *ret, struct err *e);
};

struct conf_key {
	const char *name;
	enum conf_type type;
	unsigned flags;
	size_t offset;                  /* with CONF_STORED */
	size_t size;                    /* CONF_HEX: bytes */
	const struct conf_range *range; /* NULL: what the type holds */
	const struct conf_codec *codec;
	const char *choices;        /* CONF_STRING: "a|b" */
	const char *def;            /* JSON text; NULL: the type's zero */
	const struct conf_key *sub; /* CONF_OBJECT: rows up to one without name */
};

struct conf_section {
	const char *path;            /* "consensus.crdt" */
	const char *env;             /* "CLUSTER_CRDT" */
	const struct conf_key *keys; /* up to a row without name */
	/* Rules between keys and derived members; NULL when there are none. Messages begin with the
	 * key's name within the section. */
	int (*check)(void *conf, struct err *e);
};

struct conf_list {
	void *v; /* one allocation of n elements; strings have allocations of their own */
	size_t n;
};

struct conf_pair {
	char *key, *value;
};

struct conf_map {
	struct conf_pair *v;
	size_t n;
};

/* Where values come from and where warnings go. */
struct conf_source {
	const char *file;                         /* for messages: "service.json" */
	char *(*getenv)(const char *name);        /* NULL: no environment */
	void (*warn)(void *arg, const char *msg); /* may be NULL */
	void *arg;
};

/* The section in full from @in (borrowed; NULL or JSON null: the section is missing). On 0 the
 * caller owns *ret. *ret_env (may be NULL) says whether the environment had a say. -EINVAL. */
int conf_normalize(const struct conf_section *s, json_t *in, const struct conf_source *src,
		   json_t **ret, bool *ret_env, struct err *e);
/* Fills the zeroed struct @conf from a normalized section and runs the check. The caller clears
 * @conf also after a failure. */
int conf_store(const struct conf_section *s, json_t *doc, const struct conf_source *src, void *conf,
	       struct err *e);
/* Frees what conf_store allocated; the struct is zero again where it did. */
void conf_clear(const struct conf_section *s, void *conf);
/* A copy of a normalized section with its secrets replaced by CONF_HIDDEN. NULL: no memory. */
json_t *conf_public(const struct conf_section *s, json_t *doc);
#define CONF_HIDDEN "XXX_hidden_XXX"

/* The member of @obj, whatever the case of its name; NULL when absent or null. Borrowed. */
json_t *conf_get(json_t *obj, const char *name);
