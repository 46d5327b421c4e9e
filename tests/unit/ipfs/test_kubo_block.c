#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ipfs/kubo_fixture.h"
#include "util/container.h"

#define RAW "bafkreifxewo4hitlmtocsbd63qwqc3uxkhcqvy3fryuhadu2ifncs3riqa" /* of "block one" */

static void key_is(struct fix *f, struct http_fake_step steps[3], const char *body)
{
	steps[0] = (struct http_fake_step){ FAKE_HEAD, .n = 200 };
	steps[1] = (struct http_fake_step){ FAKE_CHUNK, .text = body };
	steps[2] = (struct http_fake_step){ FAKE_END };
	http_fake_route(f->fake, "/api/v0/block/put", steps);
	fix_open(f);
}

static void cid_is(const char *text, struct cid *ret)
{
	assert_int_equal(cid_parse(text, strlen(text), ret, NULL), 0);
}

static void the_form_holds_the_block(struct fix *f, const char *data, size_t n)
{
	static const char type[] = "Content-Type: application/octet-stream\r\n\r\n";
	size_t len;
	const char *body = http_fake_body(f->fake, &len);
	const char *at = memmem(body, len, type, strlen(type));

	assert_non_null(memmem(body, len, "name=\"file\"", 11));
	assert_non_null(at);
	at += strlen(type);
	assert_true(body + len - at > (ptrdiff_t)n);
	assert_memory_equal(at, data, n);
	assert_memory_equal(at + n, "\r\n--", 4);
}

static void a_block_is_put_with_the_codec_and_hash_of_its_cid(void **state)
{
	static const struct {
		const char *cid, *key, *path;
	} cases[] = {
		{ RAW, RAW, "block/put?cid-codec=85&mhtype=sha2-256&mhlen=32" },
		/* Kubo answers with a CIDv1, whatever was asked for. */
		{ "QmX4Pgvi62L3h6hxrJPUVhssLgdYjHEeGif5kSAe3iTJSK",
		  "bafybeiebr3t6j52k223epyd4a6ijp2555lg23y26yadq6tvzlxbfhgc4ya",
		  "block/put?cid-codec=112&mhtype=sha2-256&mhlen=32" },
		{ "bafybgfe5nnhmihs4pga4k4xhbnfzs24sxuhxjdi",
		  "bafybgfe5nnhmihs4pga4k4xhbnfzs24sxuhxjdi",
		  "block/put?cid-codec=112&mhtype=sha2-512&mhlen=20" },
		{ "bafykbzacebugfutjir6qie7apo5shpry32ruwfi762uytd5g3u2gk7tpscndq",
		  "bafykbzacebugfutjir6qie7apo5shpry32ruwfi762uytd5g3u2gk7tpscndq",
		  "block/put?cid-codec=112&mhtype=blake2b-256&mhlen=32" },
	};
	static const char data[] = "a\r\n--b\0lock";
	struct fix *f = *state;
	struct http_fake_step steps[3];
	char body[256] = "";

	key_is(f, steps, body);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct got g = { .f = f };
		struct cid cid;

		cid_is(cases[i].cid, &cid);
		snprintf(body, sizeof(body), "{\"Key\":\"%s\",\"Size\":9}\n", cases[i].key);
		assert_int_equal(
		    kubo_block_put(f->kubo, &cid, data, sizeof(data), got_done, &g, NULL), 0);
		wants_ok(&g);
		wants_request(f, cases[i].path);
		the_form_holds_the_block(f, data, sizeof(data));
	}
}

static void a_block_may_be_empty_or_large(void **state)
{
	static const size_t sizes[] = { 0, 1, 100000, 2 << 20 };
	struct fix *f = *state;
	struct http_fake_step steps[3];
	char *data = calloc(1, 2 << 20);
	struct cid cid;

	assert_non_null(data);
	key_is(f, steps, "{\"Key\":\"" RAW "\",\"Size\":9}\n");
	cid_is(RAW, &cid);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct got g = { .f = f };

		assert_int_equal(kubo_block_put(f->kubo, &cid, sizes[i] ? data : NULL, sizes[i],
						got_done, &g, NULL),
				 0);
		wants_ok(&g);
	}
	free(data);
}

static void a_block_of_another_cid_is_told(void **state)
{
	struct fix *f = *state;
	struct http_fake_step steps[3];
	struct got g = { .f = f };

	key_is(f, steps, "{\"Key\":\"" RAW "\",\"Size\":9}\n");
	assert_int_equal(kubo_block_put(f->kubo, &f->b, "x", 1, got_done, &g, NULL), 0);
	fix_wait(f, &g.done);
	assert_int_equal(g.status, -EBADMSG);
	assert_string_equal(g.err.msg, "the block is not that of its CID, but of " RAW);
}

static void a_hash_without_a_name_is_not_asked_for(void **state)
{
	static const uint8_t bytes[] = { 1, 0x55, 0xd5, 1, 2, 7, 7 }; /* MD5 */
	struct fix *f = *state;
	struct http_fake_step steps[3];
	struct cid cid;

	key_is(f, steps, "{}");
	assert_int_equal(cid_from_bytes(bytes, sizeof(bytes), &cid, NULL), 0);
	assert_int_equal(kubo_block_put(f->kubo, &cid, "x", 1, got_done, NULL, NULL), -EOPNOTSUPP);
	assert_int_equal(http_fake_requests(f->fake), 0);
}

static void a_put_that_is_given_up_ends_once(void **state)
{
	static const struct http_fake_step hang[] = { { FAKE_HANG } };
	struct fix *f = *state;
	struct got g = { .f = f };
	struct cid cid;

	http_fake_route(f->fake, "/api/v0/block/put", hang);
	fix_open(f);
	cid_is(RAW, &cid);
	assert_int_equal(kubo_block_put(f->kubo, &cid, "x", 1, got_done, &g, &g.call), 0);
	while (http_fake_requests(f->fake) == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	kubo_cancel(g.call);
	assert_int_equal(g.done, 0);
	fix_wait(f, &g.done);
	assert_int_equal(g.status, -ECANCELED);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_block_is_put_with_the_codec_and_hash_of_its_cid),
		T(a_block_may_be_empty_or_large),
		T(a_block_of_another_cid_is_told),
		T(a_hash_without_a_name_is_not_asked_for),
		T(a_put_that_is_given_up_ends_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
