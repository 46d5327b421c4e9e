#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ipfs/stream.h"
#include "util/container.h"

#define LIMIT 64

/* The values seen, as compact text, one per line. */
struct seen {
	struct buf text;
	int stop_at; /* the value at which each fails, from 1 */
	int n;
};

static int see(void *arg, json_t *v, struct err *e)
{
	struct seen *s = arg;
	char *text = json_dumps(v, JSON_COMPACT);

	assert_non_null(text);
	assert_int_equal(buf_printf(&s->text, "%s\n", text), 0);
	free(text);
	if (++s->n == s->stop_at)
		return err_set(e, -ECANCELED, "enough");
	return 0;
}

/* Feeds @text in pieces of @step bytes, then ends. */
static int feed(const char *text, size_t len, size_t step, struct seen *s, struct err *e)
{
	struct stream st;
	size_t at, n;
	int r = 0;

	stream_init(&st, LIMIT);
	for (at = 0; at < len && r == 0; at += n) {
		/* A copy of its own, so that a read beyond the piece is seen. */
		char *piece;

		n = len - at < step ? len - at : step;
		piece = malloc(n);
		assert_non_null(piece);
		memcpy(piece, text + at, n);
		r = stream_feed(&st, piece, n, see, s, e);
		free(piece);
	}
	if (r == 0)
		r = stream_end(&st, e);
	stream_deinit(&st);
	return r;
}

static const struct {
	const char *in, *out;
} good[] = {
	{ "", "" },
	{ " \r\n\t", "" },
	{ "{}", "{}\n" },
	{ "{}\n", "{}\n" },
	{ "{}{}[]{}", "{}\n{}\n[]\n{}\n" },
	{ "{\"Progress\":20,\"Bytes\":3001143}\n{\"Pins\":[\"Qm\"]}\n",
	  "{\"Progress\":20,\"Bytes\":3001143}\n{\"Pins\":[\"Qm\"]}\n" },
	{ "{\"a\":\"}\"} {\"b\":\"{[\"}", "{\"a\":\"}\"}\n{\"b\":\"{[\"}\n" },
	{ "{\"a\":\"\\\"}\"}\n", "{\"a\":\"\\\"}\"}\n" },
	{ "{\"a\":\"\\\\\"}{\"b\":1}", "{\"a\":\"\\\\\"}\n{\"b\":1}\n" },
	{ "{\n \"a\" : [ 1 , { } ]\n}\n", "{\"a\":[1,{}]}\n" },
	{ "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]\n" },
};

static void cuts_values_however_the_bytes_are_split(void **state)
{
	size_t i, step;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		size_t len = strlen(good[i].in);

		for (step = 1; step <= len + 1; step++) {
			struct seen s = { 0 };
			struct err e = { 0 };

			assert_int_equal(feed(good[i].in, len, step, &s, &e), 0);
			assert_int_equal(e.code, 0);
			assert_int_equal(buf_terminate(&s.text), 0);
			assert_string_equal((char *)s.text.data, good[i].out);
			buf_deinit(&s.text);
		}
	}
}

static const struct {
	const char *in;
	int r;
	int values; /* before the failure */
} bad[] = {
	{ "7", -EBADMSG, 0 },
	{ "null", -EBADMSG, 0 },
	{ "\"a\"", -EBADMSG, 0 },
	{ "}", -EBADMSG, 0 },
	{ "]", -EBADMSG, 0 },
	{ "<html>", -EBADMSG, 0 },
	{ "{}x{}", -EBADMSG, 1 },
	{ "{},{}", -EBADMSG, 1 },
	{ "{}]", -EBADMSG, 1 },
	{ "{]", -EBADMSG, 0 },
	{ "[}", -EBADMSG, 0 },
	{ "{\"a\"}", -EBADMSG, 0 },
	{ "{a:1}", -EBADMSG, 0 },
	{ "{\"a\":1,\"a\":2}", -EBADMSG, 0 },
	{ "{\"a\":99999999999999999999}", -EBADMSG, 0 },
	{ "{\"a\":\"\xff\"}", -EBADMSG, 0 },
	{ "{\"a\":\"\\ud800\"}", -EBADMSG, 0 },
	{ "{", -EBADMSG, 0 },
	{ "{}\n{\"a\":\"", -EBADMSG, 1 },
	{ "{\"a\":\"\\", -EBADMSG, 0 },
	{ "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", -EBADMSG, 0 },
};

static void refuses_what_is_no_sequence_of_objects(void **state)
{
	size_t i, step;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		size_t len = strlen(bad[i].in);

		for (step = 1; step <= len; step++) {
			struct seen s = { 0 };
			struct err e = { 0 };

			assert_int_equal(feed(bad[i].in, len, step, &s, &e), bad[i].r);
			assert_int_equal(e.code, bad[i].r);
			assert_int_equal(s.n, bad[i].values);
			buf_deinit(&s.text);
		}
	}
}

static void refuses_a_zero_byte_inside_a_value(void **state)
{
	struct seen s = { 0 };

	assert_int_equal(feed("{\"a\":\0}", 7, 7, &s, NULL), -EBADMSG);
	assert_int_equal(s.n, 0);
}

/* {"a":"xxx..."} of exactly @len bytes. */
static char *value_of(size_t len)
{
	char *v = malloc(len + 1);

	assert_non_null(v);
	memset(v, 'x', len);
	memcpy(v, "{\"a\":\"", 6);
	memcpy(v + len - 2, "\"}", 3);
	return v;
}

static void bounds_each_value_and_not_their_sum(void **state)
{
	struct seen s = { 0 };
	char *fits = value_of(LIMIT), *over = value_of(LIMIT + 1), *two;
	size_t step;

	two = malloc(2 * LIMIT + 1);
	assert_non_null(two);
	memcpy(two, fits, LIMIT);
	memcpy(two + LIMIT, fits, LIMIT + 1);
	for (step = 1; step <= (size_t)LIMIT * 2; step++) {
		s.n = 0;
		assert_int_equal(feed(two, (size_t)LIMIT * 2, step, &s, NULL), 0);
		assert_int_equal(s.n, 2);
		assert_int_equal(feed(over, LIMIT + 1, step, &s, NULL), -EFBIG);
		assert_int_equal(s.n, 2);
	}
	buf_deinit(&s.text);
	free(two);
	free(fits);
	free(over);
}

static void stops_at_the_value_that_is_refused(void **state)
{
	struct seen s = { .stop_at = 2 };
	struct err e = { 0 };

	assert_int_equal(feed("{}{}{}", 6, 6, &s, &e), -ECANCELED);
	assert_string_equal(e.msg, "enough");
	assert_int_equal(s.n, 2);
	buf_deinit(&s.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_values_however_the_bytes_are_split),
		cmocka_unit_test(refuses_what_is_no_sequence_of_objects),
		cmocka_unit_test(refuses_a_zero_byte_inside_a_value),
		cmocka_unit_test(bounds_each_value_and_not_their_sum),
		cmocka_unit_test(stops_at_the_value_that_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
