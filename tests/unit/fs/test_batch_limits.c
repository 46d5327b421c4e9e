/* A batch at its limits, which are those of the manual: a million changes, 512 MiB of text. */
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
#include "util/path.h"

#define PIECE (64u << 10)
#define LINE_BYTES 75 /* of the lines below, with the newline */

/* ---- the file that a long batch goes to: not written where only its length matters ---- */

static bool drop_bytes;
static uint64_t written;

int __real_path_write_all(int fd, const void *data, size_t len);
int __wrap_path_write_all(int fd, const void *data, size_t len);

int __wrap_path_write_all(int fd, const void *data, size_t len)
{
	written += len;
	return drop_bytes ? 0 : __real_path_write_all(fd, data, len);
}

static int setup(void **state)
{
	drop_bytes = false;
	written = 0;
	*state = batch_new(".");
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	batch_free(*state);
	return 0;
}

/* ---- a million changes ---- */

/* Unpins of raw blocks whose digests hold their number. */
static void numbered_line(unsigned i, char out[LINE_BYTES + 1])
{
	assert_int_equal(LINE_BYTES, snprintf(out, LINE_BYTES + 1, "-f01551220%056x%08x\n", 7u, i));
}

static int feed_numbered(struct batch *b, unsigned from, unsigned to, struct err *e)
{
	static char text[1000 * LINE_BYTES + 1];
	int r = 0;

	while (r == 0 && from < to) {
		size_t n = 0;

		for (; n + LINE_BYTES < sizeof(text) && from < to; n += LINE_BYTES)
			numbered_line(from++, text + n);
		r = batch_feed(b, text, n, e);
	}
	return r;
}

/* Counts what comes, which must be in order. */
static unsigned take_all(struct batch *b)
{
	struct cluster_request *rq = batch_take(b);
	char line[LINE_BYTES + 1];
	struct err e = { 0 };
	unsigned n = 0;
	int r = 1;

	assert_non_null(rq);
	while (r == 1) {
		struct cluster_item item = { 0 };
		struct cid want;

		pin_init(&item.pin);
		r = rq->source.next(rq->source.arg, &item, &e);
		if (r == 1) {
			numbered_line(n++, line);
			assert_int_equal(0, cid_parse(line + 1, LINE_BYTES - 2, &want, NULL));
			assert_true(item.unpin && cid_equal(&want, &item.pin.cid));
		}
		pin_deinit(&item.pin);
	}
	assert_int_equal(0, r);
	cluster_request_free(rq);
	return n;
}

static void a_million_changes_are_taken_however_often_they_are_said(void **state)
{
	struct err e = { 0 };

	if (feed_numbered(*state, 0, BATCH_CHANGES_MAX, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(BATCH_CHANGES_MAX, batch_changes(*state));
	if (feed_numbered(*state, BATCH_CHANGES_MAX - 1, BATCH_CHANGES_MAX, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(BATCH_CHANGES_MAX, batch_changes(*state));
	assert_int_equal(0, batch_finish(*state, &e));
	assert_int_equal(BATCH_CHANGES_MAX, take_all(*state));
}

static void one_change_more_is_refused_with_its_line(void **state)
{
	struct err e = { 0 };

	if (feed_numbered(*state, 0, BATCH_CHANGES_MAX, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(-EFBIG,
			 feed_numbered(*state, BATCH_CHANGES_MAX, BATCH_CHANGES_MAX + 1, &e));
	assert_string_equal("line 1000001: a batch has at most 1000000 changes; write a dump to "
			    "state/import for more",
			    e.msg);
}

/* ---- 512 MiB ---- */

/* Comments, as long as a batch may be. */
static void feed_comments(struct batch *b)
{
	char *text = malloc(PIECE);

	assert_non_null(text);
	memset(text, '#', PIECE);
	text[PIECE - 1] = '\n';
	for (uint64_t at = 0; at < BATCH_BYTES_MAX; at += PIECE)
		assert_int_equal(0, batch_feed(b, text, PIECE, NULL));
	free(text);
}

static void as_many_bytes_as_fit_are_kept(void **state)
{
	drop_bytes = true;
	feed_comments(*state);
	assert_int_equal(BATCH_BYTES_MAX, written);
	assert_int_equal(0, batch_finish(*state, NULL));
	assert_int_equal(0, batch_changes(*state));
}

static void one_byte_more_is_refused_and_not_kept(void **state)
{
	struct err e = { 0 };

	drop_bytes = true;
	feed_comments(*state);
	assert_int_equal(-EFBIG, batch_feed(*state, "\n", 1, &e));
	assert_string_equal("a batch has at most 512 MiB; write a dump to state/import for more",
			    e.msg);
	assert_int_equal(BATCH_BYTES_MAX, written);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_million_changes_are_taken_however_often_they_are_said),
		T(one_change_more_is_refused_with_its_line),
		T(as_many_bytes_as_fit_are_kept),
		T(one_byte_more_is_refused_and_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
