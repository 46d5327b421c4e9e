#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/vectors.h"
#include "types/dump.h"
#include "util/base_enc.h"

#define CID "bafkreih3kfjory2b3mxoxxyv45uhj7x6nv24plp2qi5ue4yuflgbtqqcsu"
#define CID_2 "QmUfPxYhQT9QTBSqLBEQVNtzWeinZxRM53bADZBrWwrnqY"
#define PEER "12D3KooWKCuiYfRSDeKx13qBkgVaYeGKZMZxTzWbAT4NrEoVwW1p"

/* What a callback got: lines, and how many calls until it refuses. */
struct sink {
	struct buf lines;
	size_t refuse_at;
	size_t calls;
};

static int take_line(void *arg, const struct pin *p, struct err *e)
{
	struct sink *s = arg;

	if (s->refuse_at && s->calls + 1 == s->refuse_at)
		return err_set(e, -ECANCELED, "enough");
	s->calls++;
	assert_int_equal(0, pin_json_line(p, &s->lines));
	return buf_byte(&s->lines, '\n');
}

/* Feeds copies of exact size, so that a read behind a piece is seen. */
static int feed(struct dump_reader *r, const char *s, size_t n, struct sink *sink, struct err *e)
{
	char *exact = malloc(n ? n : 1);
	int ret;

	assert_non_null(exact);
	memcpy(exact, s, n);
	ret = dump_reader_feed(r, exact, n, take_line, sink, e);
	free(exact);
	return ret;
}

static void every_split_of_a_dump_gives_the_same_pins(void **state)
{
	struct buf file = vectors_file("dumps/small/export.json");
	const char *text = (char *)file.data;
	size_t n = file.len;

	for (size_t at = 0; at <= n; at++) {
		struct sink sink = { 0 };
		struct dump_reader r;

		dump_reader_init(&r);
		assert_int_equal(0, feed(&r, text, at, &sink, NULL));
		assert_true(r.complete == (at == 0 || text[at - 1] == '\n' || text[at] == '\n'));
		assert_int_equal(0, feed(&r, text + at, n - at, &sink, NULL));
		assert_int_equal(0, dump_reader_finish(&r, NULL));
		assert_int_equal(28, r.objects);
		assert_int_equal(n, sink.lines.len);
		assert_memory_equal(text, sink.lines.data, n);
		dump_reader_deinit(&r);
		buf_deinit(&sink.lines);
	}
	buf_deinit(&file);
}

static void pieces_of_every_size_give_the_same_pins(void **state)
{
	struct buf file = vectors_file("dumps/small/export.json");
	const char *text = (char *)file.data;
	size_t n = file.len;

	for (size_t piece = 1; piece < 1000; piece = piece * 3 / 2 + 1) {
		struct sink sink = { 0 };
		struct dump_reader r;

		dump_reader_init(&r);
		for (size_t at = 0; at < n; at += piece)
			assert_int_equal(
			    0, feed(&r, text + at, at + piece < n ? piece : n - at, &sink, NULL));
		assert_int_equal(0, dump_reader_finish(&r, NULL));
		assert_int_equal(n, sink.lines.len);
		assert_memory_equal(text, sink.lines.data, n);
		dump_reader_deinit(&r);
		buf_deinit(&sink.lines);
	}
	buf_deinit(&file);
}

struct keyed {
	struct buf key, line;
};

struct sorter {
	struct keyed *all;
	size_t n;
};

static int keep_pin(void *arg, const struct pin *p, struct err *e)
{
	struct sorter *s = arg;
	struct keyed *k = &s->all[s->n++];

	*k = (struct keyed){ 0 };
	assert_true(s->n <= 2000);
	assert_int_equal(0, base32_upper_encode(&k->key, p->cid.bytes, p->cid.len));
	assert_int_equal(0, buf_terminate(&k->key));
	assert_int_equal(0, pin_json_line(p, &k->line));
	assert_int_equal(0, buf_byte(&k->line, '\n'));
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	return strcmp((char *)x->key.data, (char *)y->key.data);
}

static void an_import_exports_as_the_reference_exports_it(void **state)
{
	struct sorter s = { .all = calloc(2001, sizeof(*s.all)) };
	struct buf got = BUF_INIT(0);
	struct dump_reader r;
	struct buf in = vectors_file("dumps/medium/import.json");
	struct buf want = vectors_file("dumps/medium/export.json");

	dump_reader_init(&r);
	assert_int_equal(0, dump_reader_feed(&r, in.data, in.len, keep_pin, &s, NULL));
	assert_int_equal(0, dump_reader_finish(&r, NULL));
	assert_int_equal(2000, s.n);
	assert_int_equal(0, r.unknown_keys);
	assert_int_equal(0, r.defaulted);
	qsort(s.all, s.n, sizeof(*s.all), by_key);
	for (size_t i = 0; i < s.n; i++) {
		assert_int_equal(0, buf_append(&got, s.all[i].line.data, s.all[i].line.len));
		buf_deinit(&s.all[i].key);
		buf_deinit(&s.all[i].line);
	}
	assert_int_equal(want.len, got.len);
	assert_memory_equal(want.data, got.data, want.len);
	dump_reader_deinit(&r);
	buf_deinit(&got);
	free(s.all);
	buf_deinit(&in);
	buf_deinit(&want);
}

struct default_case {
	const char *json;
	const char *type_and_depth; /* of the line: ..."type":T,"allocations":[],"max_depth":D */
	unsigned defaulted;
};

#define TAIL(t, d) "\"type\":\"" t "\",\"allocations\":[],\"max_depth\":" d ","
#define FACTORS "\"replication_factor_min\":1,\"replication_factor_max\":1,"

static void sparse_objects_get_defaults_that_make_a_useful_pin(void **state)
{
	static const struct default_case cases[] = {
		{ "{\"cid\":\"" CID "\"}", TAIL("pin", "-1"), 1 },
		{ "{\"cid\":{\"/\":\"" CID "\"},\"type\":2}", TAIL("pin", "-1"), 1 },
		{ "{" FACTORS "\"cid\":\"" CID "\"}", TAIL("pin", "-1"), 1 },
		{ "{" FACTORS "\"cid\":\"" CID "\",\"type\":\"pin\",\"max_depth\":-1}",
		  TAIL("pin", "-1"), 0 },
		{ "{\"cid\":\"" CID "\",\"type\":\"pin\",\"max_depth\":-1}", TAIL("pin", "-1"), 1 },
		{ "{" FACTORS "\"cid\":\"" CID "\",\"type\":\"pin\",\"mode\":\"direct\"}",
		  TAIL("pin", "0"), 1 },
		{ "{" FACTORS "\"cid\":\"" CID "\",\"type\":\"pin\",\"mode\":\"recursive\"}",
		  TAIL("pin", "-1"), 1 },
		{ "{" FACTORS "\"cid\":\"" CID
		  "\",\"type\":\"pin\",\"mode\":\"recursive\",\"max_depth\":0}",
		  TAIL("pin", "0"), 0 },
		{ "{" FACTORS "\"cid\":\"" CID
		  "\",\"type\":\"pin\",\"mode\":\"direct\",\"max_depth\":5}",
		  TAIL("pin", "5"), 0 },
		{ "{" FACTORS "\"cid\":\"" CID "\",\"type\":\"pin\",\"max_depth\":null}",
		  TAIL("pin", "-1"), 1 },
		{ "{" FACTORS "\"cid\":\"" CID "\",\"type\":\"\",\"max_depth\":1}",
		  TAIL("shard-pin", "1"), 0 },
		{ "{" FACTORS "\"cid\":\"" CID "\",\"type\":null,\"max_depth\":1}",
		  TAIL("shard-pin", "1"), 0 },
		{ "{" FACTORS "\"cid\":\"" CID "\",\"type\":\"foo\",\"max_depth\":1}",
		  TAIL("bad-type", "1"), 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sink sink = { 0 };
		struct dump_reader r;

		dump_reader_init(&r);
		assert_int_equal(0, feed(&r, cases[i].json, strlen(cases[i].json), &sink, NULL));
		assert_int_equal(1, r.objects);
		assert_int_equal(0, buf_terminate(&sink.lines));
		if (!strstr((char *)sink.lines.data, cases[i].type_and_depth))
			fail_msg("%s: %s", cases[i].json, (char *)sink.lines.data);
		if (r.defaulted != cases[i].defaulted)
			fail_msg("%s: %u defaulted", cases[i].json, (unsigned)r.defaulted);
		dump_reader_deinit(&r);
		buf_deinit(&sink.lines);
	}
}

static void any_white_space_or_none_separates_objects(void **state)
{
	static const char text[] =
	    "\n\r\n {\"cid\":\"" CID "\",\"x\":1}{ \"CID\" :\n\t\"" CID_2
	    "\",\"y\":{\"}\":\"{\"},\"z\":\"\\\"}\"}\n\n{\"cid\":\"" CID "\"}";

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct sink sink = { 0 };
		struct dump_reader r;
		size_t n = sizeof(text) - 1;

		dump_reader_init(&r);
		for (size_t at = 0; at < n; at += piece)
			assert_int_equal(
			    0, feed(&r, text + at, at + piece < n ? piece : n - at, &sink, NULL));
		assert_int_equal(0, dump_reader_finish(&r, NULL));
		assert_int_equal(3, sink.calls);
		assert_int_equal(3, r.unknown_keys);
		dump_reader_deinit(&r);
		buf_deinit(&sink.lines);
	}
}

struct error_case {
	const char *text;
	const char *message;
	size_t calls; /* pins handed out before */
};

#define GOOD "{\"cid\":\"" CID "\"}\n"

/* The message must not depend on how the text is cut. */
static void check_error(const struct error_case *c, size_t piece)
{
	size_t n = strlen(c->text);
	struct sink sink = { 0 };
	struct dump_reader r;
	struct err e = { 0 };
	int ret = 0;

	dump_reader_init(&r);
	for (size_t at = 0; ret == 0 && at < n; at += piece)
		ret = feed(&r, c->text + at, at + piece < n ? piece : n - at, &sink, &e);
	if (ret == 0)
		ret = dump_reader_finish(&r, &e);
	assert_int_equal(-EINVAL, ret);
	if (strcmp(c->message, e.msg) != 0)
		fail_msg("pieces of %zu: %s", piece, e.msg);
	assert_int_equal(c->calls, sink.calls);
	assert_int_equal(-EINVAL, feed(&r, GOOD, strlen(GOOD), &sink, &e));
	assert_int_equal(-EINVAL, dump_reader_finish(&r, &e));
	assert_int_equal(c->calls, sink.calls);
	dump_reader_deinit(&r);
	buf_deinit(&sink.lines);
}

static void errors_name_line_and_column_of_the_dump(void **state)
{
	static const struct error_case cases[] = {
		{ GOOD "garbage\n", "line 2, column 1: no object begins here", 1 },
		{ "[{\"cid\":\"" CID "\"}]", "line 1, column 1: no object begins here", 0 },
		{ GOOD GOOD "  {\"name\":\"x\"}", "line 3, column 3: a pin without a cid", 2 },
		{ GOOD "{\"cid\":null}", "line 2, column 1: a pin without a cid", 1 },
		{ GOOD "\n {\"name\":7}", "line 3, column 10: name: not a string", 1 },
		{ GOOD "{\"cid\":\"" CID "\"} {\n\"max_depth\":1.5}",
		  "line 3, column 13: max_depth: not written as an integer", 2 },
		{ GOOD "{\"cid\":\"" CID "\"", "line 2, column 1: the dump ends within this object",
		  1 },
		{ "{\"name\":7,\"x\":[{}],\"cid\":\"" CID "\"}",
		  "line 1, column 9: name: not a string (pin " CID ")", 0 },
		{ GOOD "{\"a\":[}}", "line 2, column 7: '}' where a value was expected", 1 },
		{ GOOD "}", "line 2, column 1: no object begins here", 1 },
		{ "\xef\xbb\xbf{}", "line 1, column 1: no object begins here", 0 },
		{ GOOD "{\"import\":{}}", "line 2, column 1: a pin without a cid", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t piece = 1; piece <= strlen(cases[i].text); piece++)
			check_error(&cases[i], piece);
}

static void nothing_at_all_is_a_complete_dump_without_pins(void **state)
{
	struct sink sink = { 0 };
	struct dump_reader r;

	dump_reader_init(&r);
	assert_true(r.complete);
	assert_int_equal(0, feed(&r, "\n \n", 3, &sink, NULL));
	assert_int_equal(0, dump_reader_finish(&r, NULL));
	assert_true(r.complete);
	assert_int_equal(0, r.objects);
	dump_reader_deinit(&r);
}

static void the_callback_can_end_the_feed(void **state)
{
	struct sink sink = { .refuse_at = 3 };
	struct dump_reader r;
	struct err e = { 0 };
	struct buf file = vectors_file("dumps/small/export.json");
	const char *text = (char *)file.data;
	size_t n = file.len;

	dump_reader_init(&r);
	assert_int_equal(-ECANCELED, feed(&r, text, n, &sink, &e));
	assert_string_equal("enough", e.msg);
	assert_int_equal(2, sink.calls);
	assert_int_equal(-EINVAL, feed(&r, text, n, &sink, NULL));
	assert_int_equal(2, sink.calls);
	dump_reader_deinit(&r);
	buf_deinit(&sink.lines);
	buf_deinit(&file);
}

static void an_object_over_the_limit_is_refused(void **state)
{
	static const size_t pieces[] = { 1000, 37000, PIN_BYTES_MAX, PIN_BYTES_MAX + 1 };
	size_t n = PIN_BYTES_MAX + 1;
	char *text = malloc(n);

	assert_non_null(text);
	memset(text, ' ', n);
	text[0] = '{';
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		size_t piece = pieces[i];
		struct sink sink = { 0 };
		struct dump_reader r;
		struct err e = { 0 };
		int ret = 0;

		dump_reader_init(&r);
		for (size_t at = 0; ret == 0 && at < n; at += piece)
			ret = feed(&r, text + at, at + piece < n ? piece : n - at, &sink, &e);
		assert_int_equal(-EFBIG, ret);
		assert_string_equal("line 1, column 1: an object of over 1 MiB", e.msg);
		dump_reader_deinit(&r);
	}
	free(text);
}

static void the_first_object_can_set_options(void **state)
{
	static const char text[] =
	    " {\"import\": {\"method\":\"merge\",\"peerset\":\"single\","
	    "\"replication_factor_min\":-1,\"replication_factor_max\":12,\"allocations\":[\"" PEER
	    "\",\"" PEER "\"]}}\n" GOOD;
	struct sink sink = { 0 };
	struct dump_reader r;

	dump_reader_init(&r);
	assert_int_equal(0, feed(&r, text, strlen(text), &sink, NULL));
	assert_int_equal(1, r.objects);
	assert_int_equal(1, sink.calls);
	assert_string_equal("merge", r.options.method);
	assert_string_equal("single", r.options.peerset);
	assert_int_equal(-1, r.options.replication_min);
	assert_int_equal(12, r.options.replication_max);
	assert_true(r.options.has_allocations);
	assert_int_equal(2, r.options.n_allocations);
	dump_reader_deinit(&r);
	buf_deinit(&sink.lines);
}

static void options_are_empty_where_not_given(void **state)
{
	static const char *const texts[] = { GOOD, "{\"import\":{}}" GOOD };

	for (size_t i = 0; i < 2; i++) {
		struct sink sink = { 0 };
		struct dump_reader r;

		dump_reader_init(&r);
		assert_int_equal(0, feed(&r, texts[i], strlen(texts[i]), &sink, NULL));
		assert_string_equal("", r.options.method);
		assert_string_equal("", r.options.peerset);
		assert_int_equal(0, r.options.replication_min);
		assert_int_equal(0, r.options.replication_max);
		assert_false(r.options.has_allocations);
		dump_reader_deinit(&r);
		buf_deinit(&sink.lines);
	}
}

static void an_option_that_means_nothing_is_refused(void **state)
{
	static const struct error_case cases[] = {
		{ "{\"import\":{\"method\":\"move\"}}",
		  "line 1, column 21: import: unknown word \"move\"", 0 },
		{ "{\"import\":{\"peerset\":1}}",
		  "line 1, column 22: '1' where a string was expected", 0 },
		{ "{\"import\":{\n\"mehtod\":\"merge\"}}",
		  "line 2, column 10: import: unknown key \"mehtod\"", 0 },
		{ "{\"import\":{\"replication_factor_min\":1.5}}",
		  "line 1, column 37: import: bad replication factor", 0 },
		{ "{\"import\":{\"replication_factor_min\":-2}}",
		  "line 1, column 37: import: bad replication factor", 0 },
		{ "{\"import\":{\"allocations\":[\"x\"]}}",
		  "line 1, column 27: import: allocations: \"x\" is not a peer ID: neither base58 "
		  "nor "
		  "a CID",
		  0 },
		{ "{\"import\":[]}", "line 1, column 11: '[' where an object was expected", 0 },
		{ "{\"import\":{},\"cid\":\"" CID "\"}",
		  "line 1, column 20: a key beside \"import\"", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		check_error(&cases[i], strlen(cases[i].text));
		check_error(&cases[i], 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_of_a_dump_gives_the_same_pins),
		cmocka_unit_test(pieces_of_every_size_give_the_same_pins),
		cmocka_unit_test(an_import_exports_as_the_reference_exports_it),
		cmocka_unit_test(sparse_objects_get_defaults_that_make_a_useful_pin),
		cmocka_unit_test(any_white_space_or_none_separates_objects),
		cmocka_unit_test(errors_name_line_and_column_of_the_dump),
		cmocka_unit_test(nothing_at_all_is_a_complete_dump_without_pins),
		cmocka_unit_test(the_callback_can_end_the_feed),
		cmocka_unit_test(an_object_over_the_limit_is_refused),
		cmocka_unit_test(the_first_object_can_set_options),
		cmocka_unit_test(options_are_empty_where_not_given),
		cmocka_unit_test(an_option_that_means_nothing_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
