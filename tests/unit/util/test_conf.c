#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"

struct point {
	long x;
};

struct sample {
	bool flag;
	int32_t number;
	int64_t wide;
	uint64_t size;
	double ratio;
	int64_t wait_ms;
	int64_t soft_ms;
	char *name;
	struct conf_list words;
	struct point point;
	struct {
		struct point *v;
		size_t n;
	} points;
	uint8_t secret[4];
	struct conf_map tags;
	int32_t inner;
};

static int point_parse(const char *s, void *ret, struct err *e)
{
	struct point *p = ret;

	if (*s < '0' || *s > '9')
		return err_set(e, -EINVAL, "no digit in \"%s\"", s);
	p->x = strtol(s, NULL, 10);
	return 0;
}

static const struct conf_codec point_codec = { sizeof(struct point), "a point", point_parse };
static const struct conf_range small = { 1, 9, "from 1 to 9" };
static const struct conf_range above_0 = { 1, INT64_MAX, "above 0" };
static const struct conf_range share = { 0, 1, "between 0 and 1" };

#define ROW(n, t, f, m, ...)                                                                       \
	{                                                                                          \
		.name = n, .type = t, .flags = CONF_STORED | (f),                                  \
		.offset = offsetof(struct sample, m), __VA_ARGS__                                  \
	}

static const struct conf_key deep_keys[] = {
	ROW("inner_key", CONF_INT32, 0, inner, .range = &small, .def = "3"),
	{ .name = NULL },
};

static const struct conf_key keys[] = {
	ROW("flag", CONF_BOOL, CONF_ZERO, flag, .def = "true"),
	ROW("number", CONF_INT32, CONF_ZERO_DEFAULT, number, .range = &small, .def = "5"),
	ROW("wide", CONF_INT64, CONF_OPTIONAL, wide, .def = "7"),
	ROW("size", CONF_UINT64, 0, size),
	ROW("ratio", CONF_DOUBLE, 0, ratio, .range = &share, .def = "0.5"),
	ROW("wait", CONF_DURATION, 0, wait_ms, .range = &above_0, .def = "\"1m0s\""),
	ROW("soft", CONF_DURATION, CONF_LENIENT, soft_ms, .def = "\"2s\""),
	ROW("name", CONF_STRING, 0, name, .choices = "red|blue", .def = "\"red\""),
	ROW("words", CONF_STRINGS, CONF_ONE_OR_MANY, words),
	ROW("point", CONF_VALUE, 0, point, .codec = &point_codec),
	ROW("points", CONF_VALUES, CONF_LENIENT, points, .codec = &point_codec),
	ROW("secret", CONF_HEX, CONF_SECRET, secret, .size = 4),
	ROW("tags", CONF_MAP, CONF_NOT_EMPTY, tags),
	{ .name = "lists", .type = CONF_LISTS },
	{ .name = "deep", .type = CONF_OBJECT, .sub = deep_keys },
	{ .name = "sparse", .type = CONF_INT64, .flags = CONF_SPARSE },
	{ .name = "opaque", .type = CONF_OPAQUE, .flags = CONF_SPARSE },
	{ .name = "full", .type = CONF_STRINGS, .flags = CONF_NOT_EMPTY, .def = "[\"a\"]" },
	{ .name = "quiet", .type = CONF_STRING, .flags = CONF_NO_ENV },
	{ .name = NULL },
};

static int check(void *conf, struct err *e)
{
	struct sample *s = conf;

	if (s->size > 100)
		return err_set(e, -EINVAL, "size: must be at most 100 while flag is set");
	return 0;
}

static const struct conf_section section = { "top.section", "PRE_SECTION", keys, check };

static struct {
	size_t n;
	char last[512];
} warnings;

static void note(void *arg, const char *msg)
{
	warnings.n++;
	snprintf(warnings.last, sizeof(warnings.last), "%s", msg);
}

/* Variables of a test: NULL-terminated name, value, ... */
static const char *const *variables;

static char *look(const char *name)
{
	const char *const *v;

	for (v = variables; v && *v; v += 2) {
		if (strcmp(v[0], name) == 0)
			return (char *)(uintptr_t)v[1];
	}
	return NULL;
}

static const struct conf_source source = { .file = "file.json", .getenv = look, .warn = note };

/* @in: JSON text, or NULL for a missing section. */
static int normalize(const char *in, json_t **ret, bool *env, struct err *e)
{
	json_t *v = in ? json_loads(in, 0, NULL) : NULL;
	int r;

	assert_true(!in || v);
	warnings.n = 0;
	r = conf_normalize(&section, v, &source, ret, env, e);
	json_decref(v);
	return r;
}

static void assert_normal(const char *in, const char *path, const char *want)
{
	json_t *doc = NULL, *expected = json_loads(want, JSON_DECODE_ANY, NULL);
	struct err e = { 0 };

	if (normalize(in, &doc, NULL, &e) < 0)
		fail_msg("%s: %s", in, e.msg);
	if (!json_equal(json_object_get(doc, path), expected))
		fail_msg("%s: %s is not %s", in, path, want);
	json_decref(expected);
	json_decref(doc);
}

static void assert_refused(const char *in, const char *msg)
{
	struct err e = { 0 };
	json_t *doc = NULL;

	assert_int_equal(normalize(in, &doc, NULL, &e), -EINVAL);
	assert_string_equal(e.msg, msg);
	assert_null(doc);
}

static void a_missing_section_has_every_default_in_the_order_of_the_table(void **state)
{
	static const char want[] =
	    "{\"flag\":true,\"number\":5,\"size\":0,\"ratio\":0.5,\"wait\":\"1m0s\","
	    "\"soft\":\"2s\",\"name\":\"red\",\"words\":[],\"point\":\"\",\"points\":[],"
	    "\"secret\":\"\",\"tags\":null,\"lists\":null,\"deep\":{\"inner_key\":3},"
	    "\"full\":[\"a\"],\"quiet\":\"\"}";
	json_t *doc = NULL;
	char *text;

	assert_int_equal(normalize(NULL, &doc, NULL, NULL), 0);
	text = json_dumps(doc, JSON_COMPACT);
	assert_string_equal(text, want);
	free(text);
	json_decref(doc);
}

static void missing_null_and_zero_mean_what_the_row_says(void **state)
{
	assert_normal("{}", "flag", "false"); /* CONF_ZERO */
	assert_normal("{\"flag\": null}", "flag", "false");
	assert_normal("{}", "number", "5");
	assert_normal("{\"number\": 0}", "number", "5"); /* CONF_ZERO_DEFAULT */
	assert_normal("{\"wait\": \"\"}", "wait", "\"1m0s\"");
	assert_normal("{\"deep\": {}}", "deep", "{\"inner_key\": 3}");
}

static void values_get_their_usual_form(void **state)
{
	assert_normal("{\"wait\": \"90m\"}", "wait", "\"1h30m0s\"");
	assert_normal("{\"words\": [\"one\"]}", "words", "\"one\"");
	assert_normal("{\"words\": \"\"}", "words", "[]");
	assert_normal("{\"words\": [\"one\", \"two\"]}", "words", "[\"one\", \"two\"]");
	assert_normal("{\"secret\": \"ABcd0123\"}", "secret", "\"abcd0123\"");
	assert_normal("{\"opaque\": [1, {}]}", "opaque", "[1, {}]");
	assert_normal("{\"opaque\": null}", "opaque", "null");
}

static void optional_keys_are_left_out_while_they_have_their_default(void **state)
{
	json_t *doc = NULL;

	assert_int_equal(normalize("{\"wide\": 7}", &doc, NULL, NULL), 0);
	assert_null(json_object_get(doc, "wide"));
	assert_null(json_object_get(doc, "sparse"));
	json_decref(doc);
	assert_normal("{\"wide\": 8, \"sparse\": 0}", "wide", "8");
	assert_normal("{\"wide\": 8, \"sparse\": 0}", "sparse", "0");
}

static void the_case_of_a_key_does_not_matter(void **state)
{
	assert_normal("{\"NumBer\": 2}", "number", "2");
	assert_normal("{\"DEEP\": {\"Inner_Key\": 4}}", "deep", "{\"inner_key\": 4}");
	assert_int_equal(warnings.n, 0);
}

static void unknown_keys_warn_with_their_place(void **state)
{
	assert_normal("{\"deep\": {\"other\": 1}}", "deep", "{\"inner_key\": 3}");
	assert_int_equal(warnings.n, 1);
	assert_string_equal(warnings.last,
			    "file.json: top.section.deep.other: unknown key, ignored");
}

#define AT "file.json: top.section."
#define LIKE ", written like \"1h30m\" or \"500ms\""

static void every_kind_of_wrong_value_is_named(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"flag\": 1}", AT "flag: must be true or false" },
		{ "{\"number\": \"1\"}", AT "number: must be a number from 1 to 9" },
		{ "{\"number\": 1.5}", AT "number: must be a number from 1 to 9" },
		{ "{\"number\": 10}", AT "number: must be a number from 1 to 9" },
		{ "{\"number\": false}", AT "number: must be a number from 1 to 9" },
		{ "{\"wide\": []}", AT "wide: must be a number" },
		{ "{\"size\": -1}", AT "size: must be a number >= 0" },
		{ "{\"ratio\": 1}", AT "ratio: must be a number between 0 and 1" },
		{ "{\"ratio\": 0.0}", AT "ratio: must be a number between 0 and 1" },
		{ "{\"wait\": 5}", AT "wait: must be a duration above 0" LIKE },
		{ "{\"wait\": \"5\"}", AT "wait: must be a duration above 0" LIKE },
		{ "{\"wait\": \"0s\"}", AT "wait: must be a duration above 0" LIKE },
		{ "{\"name\": \"green\"}", AT "name: must be one of red|blue" },
		{ "{\"name\": 5}", AT "name: must be one of red|blue" },
		{ "{\"words\": 5}", AT "words: must be a string or a list of strings" },
		{ "{\"words\": [5]}", AT "words: must be a string or a list of strings" },
		{ "{\"point\": 5}", AT "point: must be a point" },
		{ "{\"point\": \"x\"}", AT "point: must be a point: no digit in \"x\"" },
		{ "{\"points\": \"1\"}", AT "points: must be a list, each a point" },
		{ "{\"points\": [1]}", AT "points: must be a list, each a point" },
		{ "{\"secret\": \"abc\"}", AT "secret: must be 8 hexadecimal digits" },
		{ "{\"secret\": \"abcd\"}", AT "secret: must be 8 hexadecimal digits" },
		{ "{\"secret\": \"abcdabcdab\"}", AT "secret: must be 8 hexadecimal digits" },
		{ "{\"secret\": \"zzzzzzzz\"}", AT "secret: must be 8 hexadecimal digits" },
		{ "{\"tags\": {}}", AT "tags: must be an object of strings with at least one "
				       "entry, or null" },
		{ "{\"tags\": {\"a\": 1}}", AT "tags: must be an object of strings with at least "
					       "one entry, or null" },
		{ "{\"lists\": {\"a\": \"b\"}}",
		  AT "lists: must be an object of lists of strings" },
		{ "{\"deep\": 5}", AT "deep: must be an object" },
		{ "{\"deep\": {\"inner_key\": 0}}",
		  AT "deep.inner_key: must be a number from 1 to 9" },
		{ "{\"opaque\": 5}", AT "opaque: must be an object or a list" },
		{ "{\"full\": []}", AT "full: must be a list of strings with at least one entry" },
		{ "[]", "file.json: top.section: must be an object" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i][0], cases[i][1]);
}

static void numbers_end_where_their_type_ends(void **state)
{
	static const struct conf_key narrow[] = { { .name = "n", .type = CONF_INT32 },
						  { .name = NULL } };
	const struct conf_section s = { "s", "S", narrow, NULL };
	json_t *in = json_pack("{s:I}", "n", (json_int_t)INT32_MAX), *doc = NULL;

	assert_int_equal(conf_normalize(&s, in, &source, &doc, NULL, NULL), 0);
	json_decref(doc);
	json_object_set_new(in, "n", json_integer((json_int_t)INT32_MAX + 1));
	assert_int_equal(conf_normalize(&s, in, &source, &doc, NULL, NULL), -EINVAL);
	json_decref(in);
}

static void lenient_rows_warn_and_go_on(void **state)
{
	assert_normal("{\"soft\": \"soon\"}", "soft", "\"2s\"");
	assert_int_equal(warnings.n, 1);
	assert_string_equal(warnings.last,
			    AT "soft: must be a duration" LIKE "; the default is used");
	assert_normal("{\"points\": [\"1\", \"x\", \"2\"]}", "points", "[\"1\", \"2\"]");
	assert_string_equal(warnings.last,
			    AT "points: must be a list, each a point; the entry is skipped");
}

static void variables_override_the_file(void **state)
{
	static const char *const cases[][4] = {
		{ "PRE_SECTION_FLAG", "T", "flag", "true" },
		{ "PRE_SECTION_FLAG", "False", "flag", "false" },
		{ "PRE_SECTION_NUMBER", "0x7", "number", "7" },
		{ "PRE_SECTION_NUMBER", "011", "number", "9" },
		{ "PRE_SECTION_RATIO", "0.25", "ratio", "0.25" },
		{ "PRE_SECTION_WAIT", "2m", "wait", "\"2m0s\"" },
		{ "PRE_SECTION_NAME", "blue", "name", "\"blue\"" },
		{ "PRE_SECTION_WORDS", "a,b", "words", "[\"a\", \"b\"]" },
		{ "PRE_SECTION_WORDS", "a", "words", "\"a\"" },
		{ "PRE_SECTION_WORDS", " ", "words", "[]" },
		{ "PRE_SECTION_POINTS", "1,2", "points", "[\"1\", \"2\"]" },
		{ "PRE_SECTION_TAGS", "a:b,c:d", "tags", "{\"a\": \"b\", \"c\": \"d\"}" },
		{ "PRE_SECTION_DEEP_INNERKEY", "9", "deep", "{\"inner_key\": 9}" },
		{ "PRE_SECTION_SPARSE", "-5", "sparse", "-5" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const env[] = { cases[i][0], cases[i][1], NULL };

		variables = env;
		assert_normal("{\"flag\": true, \"number\": 1, \"words\": [\"x\", \"y\"]}",
			      cases[i][2], cases[i][3]);
		variables = NULL;
	}
}

static void a_wrong_variable_is_named_instead_of_the_file(void **state)
{
	static const char *const cases[][3] = {
		{ "PRE_SECTION_NUMBER", "abc", "PRE_SECTION_NUMBER: must be a number from 1 to 9" },
		{ "PRE_SECTION_NUMBER", "", "PRE_SECTION_NUMBER: must be a number from 1 to 9" },
		{ "PRE_SECTION_NUMBER", "99999999999999999999",
		  "PRE_SECTION_NUMBER: must be a number from 1 to 9" },
		{ "PRE_SECTION_FLAG", "yes", "PRE_SECTION_FLAG: must be true or false" },
		{ "PRE_SECTION_SECRET", "hunter2",
		  "PRE_SECTION_SECRET: must be 8 hexadecimal digits" },
		{ "PRE_SECTION_TAGS", "a:b:c",
		  "PRE_SECTION_TAGS: must be pairs key:value with commas between with at least "
		  "one entry, or null" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const env[] = { cases[i][0], cases[i][1], NULL };

		variables = env;
		assert_refused("{}", cases[i][2]);
		variables = NULL;
	}
}

static void variables_of_other_names_do_nothing(void **state)
{
	static const char *const env[] = {
		"PRE_SECTION_INNER_KEY", "9", "PRE_SECTION_QUIET", "x", "SECTION_NUMBER", "9", NULL
	};
	json_t *with = NULL, *without = NULL;
	bool by_env = true;

	assert_int_equal(normalize(NULL, &without, NULL, NULL), 0);
	variables = env;
	assert_int_equal(normalize(NULL, &with, &by_env, NULL), 0);
	variables = NULL;
	assert_false(by_env);
	assert_true(json_equal(with, without));
	json_decref(with);
	json_decref(without);
}

static void store_fills_the_struct(void **state)
{
	static const char text[] =
	    "{\"flag\": true, \"number\": 9, \"wide\": -5, \"size\": 100, \"ratio\": 0.75, "
	    "\"wait\": \"1500us\", \"soft\": \"-3s\", \"name\": \"blue\", \"words\": \"one\", "
	    "\"point\": \"17\", \"points\": [\"1\", \"2\"], \"secret\": \"01020304\", "
	    "\"tags\": {\"k\": \"v\"}, \"deep\": {\"inner_key\": 8}}";
	struct sample s = { 0 };
	json_t *doc = NULL;

	assert_int_equal(normalize(text, &doc, NULL, NULL), 0);
	assert_int_equal(conf_store(&section, doc, &source, &s, NULL), 0);
	assert_true(s.flag);
	assert_int_equal(s.number, 9);
	assert_int_equal(s.wide, -5);
	assert_int_equal(s.size, 100);
	assert_true(s.ratio > 0.74 && s.ratio < 0.76);
	assert_int_equal(s.wait_ms, 2);
	assert_int_equal(s.soft_ms, -3000);
	assert_string_equal(s.name, "blue");
	assert_int_equal(s.words.n, 1);
	assert_string_equal(((char **)s.words.v)[0], "one");
	assert_int_equal(s.point.x, 17);
	assert_int_equal(s.points.n, 2);
	assert_int_equal(s.points.v[1].x, 2);
	assert_memory_equal(s.secret, "\1\2\3\4", 4);
	assert_int_equal(s.tags.n, 1);
	assert_string_equal(s.tags.v[0].key, "k");
	assert_string_equal(s.tags.v[0].value, "v");
	assert_int_equal(s.inner, 8);
	conf_clear(&section, &s);
	assert_null(s.name);
	assert_int_equal(s.secret[0], 0);
	conf_clear(&section, &s);
	json_decref(doc);
}

static void store_takes_defaults_for_what_was_left_out(void **state)
{
	struct sample s = { 0 };
	json_t *doc = NULL;

	assert_int_equal(normalize(NULL, &doc, NULL, NULL), 0);
	assert_int_equal(conf_store(&section, doc, &source, &s, NULL), 0);
	assert_int_equal(s.wide, 7);
	conf_clear(&section, &s);
	json_decref(doc);
}

static void rules_between_keys_name_file_and_section(void **state)
{
	struct sample s = { 0 };
	struct err e = { 0 };
	json_t *doc = NULL;

	assert_int_equal(normalize("{\"size\": 101}", &doc, NULL, NULL), 0);
	assert_int_equal(conf_store(&section, doc, &source, &s, &e), -EINVAL);
	assert_string_equal(e.msg, AT "size: must be at most 100 while flag is set");
	conf_clear(&section, &s);
	json_decref(doc);
}

static void secrets_are_not_shown(void **state)
{
	json_t *doc = NULL, *shown;

	assert_int_equal(normalize("{\"secret\": \"01020304\"}", &doc, NULL, NULL), 0);
	shown = conf_public(&section, doc);
	assert_string_equal(json_string_value(json_object_get(shown, "secret")), CONF_HIDDEN);
	assert_string_equal(json_string_value(json_object_get(doc, "secret")), "01020304");
	json_decref(shown);
	json_decref(doc);
	assert_int_equal(normalize(NULL, &doc, NULL, NULL), 0);
	shown = conf_public(&section, doc);
	assert_string_equal(json_string_value(json_object_get(shown, "secret")), "");
	json_decref(shown);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_section_has_every_default_in_the_order_of_the_table),
		cmocka_unit_test(missing_null_and_zero_mean_what_the_row_says),
		cmocka_unit_test(values_get_their_usual_form),
		cmocka_unit_test(optional_keys_are_left_out_while_they_have_their_default),
		cmocka_unit_test(the_case_of_a_key_does_not_matter),
		cmocka_unit_test(unknown_keys_warn_with_their_place),
		cmocka_unit_test(every_kind_of_wrong_value_is_named),
		cmocka_unit_test(numbers_end_where_their_type_ends),
		cmocka_unit_test(lenient_rows_warn_and_go_on),
		cmocka_unit_test(variables_override_the_file),
		cmocka_unit_test(a_wrong_variable_is_named_instead_of_the_file),
		cmocka_unit_test(variables_of_other_names_do_nothing),
		cmocka_unit_test(store_fills_the_struct),
		cmocka_unit_test(store_takes_defaults_for_what_was_left_out),
		cmocka_unit_test(rules_between_keys_name_file_and_section),
		cmocka_unit_test(secrets_are_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
