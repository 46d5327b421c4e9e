#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ops/batch.h"

#define A "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
#define B "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG"

static int line(const char *text, struct cluster_item *item, struct err *e)
{
	*item = (struct cluster_item){ 0 };
	pin_init(&item->pin);
	return batch_line(text, strlen(text), item, e);
}

static void assert_cid(const struct cluster_item *item, const char *want)
{
	char text[CID_TEXT_MAX + 1];

	cid_format(&item->pin.cid, text);
	assert_string_equal(text, want);
}

/* ---- one line ---- */

static void a_line_is_a_pin_or_an_unpin(void **state)
{
	static const struct {
		const char *text, *cid;
		bool unpin, touch;
		const char *name;
	} cases[] = {
		{ "+" A, A, false, true, "" },
		{ "  +" B " \r", B, false, true, "" },
		{ "-" B, B, true, false, "" },
		{ "-" A "\t", A, true, false, "" },
		{ "+" A " {}", A, false, false, "" },
		{ "+" A "{\"name\":\"x\"}", A, false, false, "x" },
		{ "+" A " {\"name\":\"a b\"} ", A, false, false, "a b" },
		{ "+" A " {\"cid\":\"" A "\",\"name\":\"+\"}", A, false, false, "+" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cluster_item item;
		struct err e = { 0 };

		if (line(cases[i].text, &item, &e) != 1)
			fail_msg("%s: %s", cases[i].text, e.msg);
		assert_cid(&item, cases[i].cid);
		assert_int_equal(item.unpin, cases[i].unpin);
		assert_int_equal(item.touch, cases[i].touch);
		assert_int_equal(item.pin.name.n, strlen(cases[i].name));
		if (item.pin.name.n > 0)
			assert_memory_equal(item.pin.name.p, cases[i].name, item.pin.name.n);
		pin_deinit(&item.pin);
	}
}

static void blank_lines_and_comments_are_passed_over(void **state)
{
	static const char *const lines[] = { "", " ", "\t\r", ("# +" A), "  #", "#" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct cluster_item item;

		assert_int_equal(line(lines[i], &item, NULL), 0);
		pin_deinit(&item.pin);
	}
}

static void bad_lines_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ A, "+CID" },
		{ "+", "must follow" },
		{ "+ " A, "must follow" },
		{ "+foo", "\"foo\" is not a CID" },
		{ "-" A ".json", "is not a CID" },
		{ "-" A " {}", "nothing follows" },
		{ "+" A " name", "" },
		{ "+" A " {\"name\":", "" },
		{ "+" A " {} {}", "" },
		{ "+" A " {\"nmae\":\"x\"}", "did you mean" },
		{ "+" A " {\"cid\":\"" B "\"}", "cid" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cluster_item item;
		struct err e = { 0 };

		if (line(cases[i].text, &item, &e) != -EINVAL)
			fail_msg("%s was taken", cases[i].text);
		if (e.msg[0] == '\0' || !strstr(e.msg, cases[i].reason))
			fail_msg("%s: %s", cases[i].text, e.msg);
		pin_deinit(&item.pin);
	}
}

/* ---- many ---- */

static int setup(void **state)
{
	*state = batch_new("/tmp");
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	batch_free(*state);
	return 0;
}

static int feed(struct batch *b, const char *text, struct err *e)
{
	return batch_feed(b, text, strlen(text), e);
}

static void bytes_may_come_in_any_pieces(void **state)
{
	static const char text[] = "# list\n+" A " {\"name\":\"x\"}\n\n-" B;
	struct cluster_request *rq;

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		for (size_t at = 0; at < strlen(text); at += piece) {
			size_t n = strlen(text) - at < piece ? strlen(text) - at : piece;

			assert_int_equal(batch_feed(*state, text + at, n, NULL), 0);
		}
		assert_int_equal(batch_changes(*state), 1);
		assert_int_equal(batch_check(*state, NULL), 0);
		assert_int_equal(batch_finish(*state, NULL), 0);
		rq = batch_take(*state);
		assert_non_null(rq);
		assert_int_equal(rq->verb, CLUSTER_CHANGE);
		assert_int_equal(rq->n_items, 2);
		assert_cid(&rq->items[0], A);
		assert_memory_equal(rq->items[0].pin.name.p, "x", 1);
		assert_cid(&rq->items[1], B);
		assert_true(rq->items[1].unpin);
		cluster_request_free(rq);
		assert_int_equal(batch_changes(*state), 0);
	}
}

static void a_bad_line_is_named_by_its_number(void **state)
{
	struct err e = { 0 };

	assert_int_equal(feed(*state, "+" A "\n\n+fo", &e), 0);
	assert_int_equal(batch_check(*state, &e), -EINVAL);
	assert_memory_equal(e.msg, "line 3: ", 8);
	e = (struct err){ 0 };
	assert_int_equal(feed(*state, "o\n", &e), -EINVAL);
	assert_memory_equal(e.msg, "line 3: ", 8);
}

static void the_last_line_needs_no_newline_but_must_be_good(void **state)
{
	struct err e = { 0 };

	assert_int_equal(feed(*state, "+" A "\n-nothing", &e), 0);
	assert_int_equal(batch_finish(*state, &e), -EINVAL);
	assert_memory_equal(e.msg, "line 2: ", 8);
}

static void saying_the_same_twice_counts_once(void **state)
{
	assert_int_equal(feed(*state, "+" A "\n-" B "\n+" A "\n-" B "\n", NULL), 0);
	assert_int_equal(batch_changes(*state), 2);
}

static void a_cid_with_two_meanings_is_refused(void **state)
{
	static const char *const seconds[] = { "-" A "\n", "+" A " {}\n",
					       "+" A "{\"name\":\"y\"}\n" };

	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		struct batch *b = batch_new("/tmp");
		struct err e = { 0 };

		assert_non_null(b);
		assert_int_equal(feed(b, "+" A "\n", &e), 0);
		assert_int_equal(feed(b, seconds[i], &e), -EINVAL);
		assert_non_null(strstr(e.msg, "line 2: the CID stands in an earlier line"));
		batch_free(b);
	}
}

/* A raw block's CID with a digest that holds @i. */
static void numbered_line(unsigned i, char out[128])
{
	snprintf(out, 128, "+f01551220%056x%08x\n", 7u, i);
}

static void feed_numbered(struct batch *b, unsigned n)
{
	struct err e = { 0 };
	char text[128];

	for (unsigned i = 0; i < n; i++) {
		numbered_line(i, text);
		if (feed(b, text, &e) < 0)
			fail_msg("%s", e.msg);
	}
}

static void up_to_the_limit_the_changes_are_held(void **state)
{
	struct cluster_request *rq;

	feed_numbered(*state, BATCH_HELD_CHANGES);
	assert_int_equal(batch_changes(*state), BATCH_HELD_CHANGES);
	rq = batch_take(*state);
	assert_non_null(rq);
	assert_null(rq->source.next);
	assert_int_equal(rq->n_items, BATCH_HELD_CHANGES);
	cluster_request_free(rq);
}

static int next_of(struct cluster_request *rq, struct cluster_item *item)
{
	struct err e = { 0 };
	int r;

	*item = (struct cluster_item){ 0 };
	pin_init(&item->pin);
	r = rq->source.next(rq->source.arg, item, &e);
	if (r < 0)
		fail_msg("%s", e.msg);
	return r;
}

static void more_come_from_a_source_each_once_and_in_order(void **state)
{
	const unsigned n = BATCH_HELD_CHANGES + 100;
	struct cluster_request *rq;
	struct cluster_item item;
	struct cid want;
	char text[128];

	feed_numbered(*state, n);
	assert_int_equal(feed(*state, "# all of them again\n\n", NULL), 0);
	feed_numbered(*state, n);
	assert_int_equal(feed(*state, "-" A, NULL), 0); /* without a newline */
	assert_int_equal(batch_finish(*state, NULL), 0);
	assert_int_equal(batch_changes(*state), n + 1);
	rq = batch_take(*state);
	assert_non_null(rq);
	assert_int_equal(rq->n_items, 0);
	assert_non_null(rq->source.next);
	assert_int_equal(batch_changes(*state), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(next_of(rq, &item), 1);
		numbered_line(i, text);
		assert_int_equal(cid_parse(text + 1, strlen(text) - 2, &want, NULL), 0);
		assert_true(cid_equal(&item.pin.cid, &want));
		pin_deinit(&item.pin);
	}
	assert_int_equal(next_of(rq, &item), 1);
	assert_true(item.unpin);
	pin_deinit(&item.pin);
	assert_int_equal(next_of(rq, &item), 0);
	pin_deinit(&item.pin);
	cluster_request_free(rq);
}

static void many_bytes_go_to_the_file_too(void **state)
{
	static const size_t piece = 64 << 10;
	struct cluster_request *rq;
	char *text = malloc(piece);

	assert_non_null(text);
	memset(text, '#', piece);
	text[piece - 1] = '\n';
	assert_int_equal(feed(*state, "+" A "\n", NULL), 0);
	for (size_t at = 0; at < BATCH_HELD_BYTES; at += piece)
		assert_int_equal(batch_feed(*state, text, piece, NULL), 0);
	free(text);
	assert_int_equal(feed(*state, "+" B "\n", NULL), 0);
	rq = batch_take(*state);
	assert_non_null(rq);
	assert_non_null(rq->source.next);
	assert_true(rq->source.bytes > BATCH_HELD_BYTES);
	cluster_request_free(rq);
}

static void a_second_meaning_is_refused_among_many_too(void **state)
{
	struct err e = { 0 };
	char text[128];

	feed_numbered(*state, BATCH_HELD_CHANGES + 1);
	numbered_line(0, text);
	text[0] = '-';
	assert_int_equal(feed(*state, text, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "line 4098: the CID stands in an earlier line"));
}

static void a_line_longer_than_any_pin_is_refused(void **state)
{
	static const size_t piece = 64 << 10;
	struct err e = { 0 };
	char *text = malloc(piece);
	int r = 0;

	assert_non_null(text);
	memset(text, ' ', piece);
	for (size_t at = 0; r == 0 && at < BATCH_BYTES_MAX; at += piece)
		r = batch_feed(*state, text, piece, &e);
	free(text);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(e.msg, "line 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_pin_or_an_unpin),
		cmocka_unit_test(blank_lines_and_comments_are_passed_over),
		cmocka_unit_test(bad_lines_are_refused_with_the_reason),
		cmocka_unit_test_setup_teardown(bytes_may_come_in_any_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_line_is_named_by_its_number, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_line_needs_no_newline_but_must_be_good,
						setup, teardown),
		cmocka_unit_test_setup_teardown(saying_the_same_twice_counts_once, setup, teardown),
		cmocka_unit_test(a_cid_with_two_meanings_is_refused),
		cmocka_unit_test_setup_teardown(up_to_the_limit_the_changes_are_held, setup,
						teardown),
		cmocka_unit_test_setup_teardown(more_come_from_a_source_each_once_and_in_order,
						setup, teardown),
		cmocka_unit_test_setup_teardown(many_bytes_go_to_the_file_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_meaning_is_refused_among_many_too, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_line_longer_than_any_pin_is_refused, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
