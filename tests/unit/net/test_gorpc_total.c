/* Bytes of calls that wait, of many callers together. The network is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "net/gorpc.h"
#include "tests/fakes/host_fake.h"

#define CALLERS 20
#define BEGUN (4000u << 10) /* bytes of an argument that is not whole */
#define PIECE 65536

static void argument(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	fail();
}

static bool allowed(void *arg, const struct peerid *peer, const struct gorpc_method *m)
{
	return true;
}

static const struct gorpc_method method = { "T", "One", false, argument, NULL };
static const struct gorpc_config config = { .methods = &method,
					    .n_methods = 1,
					    .allowed = allowed };

struct bench {
	uv_loop_t loop;
	struct host *host;
	struct gorpc *g;
};

static void start(struct bench *b)
{
	assert_int_equal(0, uv_loop_init(&b->loop));
	b->host = host_fake_new();
	assert_int_equal(0, gorpc_new(b->host, &b->loop, &config, &b->g, NULL));
}

static void stop(struct bench *b)
{
	gorpc_close(b->g, NULL, NULL);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	host_fake_close(b->host);
	assert_int_equal(0, uv_loop_close(&b->loop));
}

/* T.One with a part of a large argument. */
static struct stream *begin(struct bench *b, uint8_t caller, size_t n)
{
	static const char call[] = "\x82\xa4Name\xa1T\xa6Method\xa3One\xdb\x00\x3f\xff\x00";
	static const uint8_t bytes[PIECE];
	struct peerid id;
	struct stream *s;

	peerid_from_ed25519((uint8_t[32]){ caller }, &id);
	s = host_fake_inbound(b->host, &id, GORPC_PROTOCOL);
	stream_fake_data(s, call, sizeof(call) - 1);
	for (size_t at = 0; at < n && stream_fake_state(s) == STREAM_OPEN; at += PIECE)
		stream_fake_data(s, bytes, PIECE);
	return s;
}

static void bytes_that_wait_are_limited_of_all_callers_together(void **state)
{
	struct stream *greedy[CALLERS], *modest;
	size_t open = 0;
	struct bench b;

	start(&b);
	modest = begin(&b, CALLERS + 1, PIECE);
	for (uint8_t i = 0; i < CALLERS; i++)
		greedy[i] = begin(&b, i + 1, BEGUN);
	for (size_t i = 0; i < CALLERS; i++)
		open += stream_fake_state(greedy[i]) == STREAM_OPEN;
	assert_int_equal(GORPC_BYTES_MAX / BEGUN, open);
	assert_int_equal(STREAM_OPEN, stream_fake_state(modest));
	stop(&b);
}

static void what_is_over_makes_room_for_others(void **state)
{
	struct stream *first[CALLERS], *second[CALLERS];
	size_t n = GORPC_BYTES_MAX / BEGUN;
	struct bench b;

	start(&b);
	for (uint8_t i = 0; i < n; i++)
		first[i] = begin(&b, i + 1, BEGUN);
	for (size_t i = 0; i < n; i++)
		stream_fake_end(first[i], -ECONNRESET);
	for (uint8_t i = 0; i < n; i++)
		second[i] = begin(&b, i + 1, BEGUN);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(STREAM_OPEN, stream_fake_state(second[i]));
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_that_wait_are_limited_of_all_callers_together),
		cmocka_unit_test(what_is_over_makes_room_for_others),
	};

	return cmocka_run_group_tests_name("gorpc_total", tests, NULL, NULL);
}
