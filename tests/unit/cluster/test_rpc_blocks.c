#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/rpc_fixture.h"

static struct gorpc_call *open_stream(struct fix *f)
{
	return gorpc_fake_call(f->rpc, &f->friend, "IPFSConnector", "BlockStream");
}

static void send_block(struct gorpc_call *c, unsigned i, size_t n)
{
	uint8_t *data = calloc(1, n + 1);
	struct rpc_node node = { .data = data, .len = n, .cumulative_size = n };
	struct buf out = BUF_INIT(0);

	assert_non_null(data);
	store_fix_cid(i, &node.cid);
	assert_int_equal(0, rpc_node_encode(&node, &out));
	gorpc_fake_argument(c, out.data, out.len);
	buf_deinit(&out);
	free(data);
}

static void blocks_are_put_in_their_order(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = open_stream(f);
	struct cid last;

	send_block(c, 1, 100);
	send_block(c, 2, 0);
	send_block(c, 3, 1000);
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_PUT)); /* one at a time */
	gorpc_fake_argument(c, NULL, 0);
	assert_int_equal(GORPC_FAKE_OPEN, gorpc_fake_state(c));
	fix_finished(f, c);
	assert_int_equal(0, gorpc_fake_values(c));
	assert_int_equal(3, kubo_fake_calls(f->kubo, KUBO_FAKE_PUT));
	assert_int_equal(1100, kubo_fake_put_bytes(f->kubo));
	store_fix_cid(3, &last);
	assert_true(cid_equal(&last, kubo_fake_put_last(f->kubo)));
	gorpc_fake_free(c);
}

static void no_block_at_all_is_a_good_end(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = open_stream(f);

	gorpc_fake_argument(c, NULL, 0);
	assert_int_equal(GORPC_FAKE_FINISHED, gorpc_fake_state(c));
	gorpc_fake_free(c);
}

static void the_end_waits_for_the_last_block_that_is_sent_late(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = open_stream(f);

	send_block(c, 1, 10);
	fix_until(f, kubo_fake_put_bytes(f->kubo) == 10);
	assert_int_equal(GORPC_FAKE_OPEN, gorpc_fake_state(c));
	send_block(c, 2, 10);
	fix_until(f, kubo_fake_put_bytes(f->kubo) == 20);
	gorpc_fake_argument(c, NULL, 0);
	assert_int_equal(GORPC_FAKE_FINISHED, gorpc_fake_state(c));
	gorpc_fake_free(c);
}

static void a_caller_that_is_too_fast_is_held(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = open_stream(f);
	unsigned i = 0;

	for (unsigned times = 1; times <= 3; times++) {
		kubo_fake_hold(f->kubo, KUBO_FAKE_PUT, true);
		while (!gorpc_fake_is_held(c)) {
			assert_true(i < 20 * times);
			send_block(c, i++, 100000);
		}
		assert_true(i > 5 * times);
		fix_turn(f);
		assert_true(gorpc_fake_is_held(c));
		kubo_fake_hold(f->kubo, KUBO_FAKE_PUT, false);
		fix_until(f, !gorpc_fake_is_held(c));
	}
	gorpc_fake_argument(c, NULL, 0);
	fix_finished(f, c);
	assert_int_equal(100000 * i, kubo_fake_put_bytes(f->kubo));
	gorpc_fake_free(c);
}

static void small_blocks_are_held_too(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = open_stream(f);
	unsigned i = 0;

	kubo_fake_hold(f->kubo, KUBO_FAKE_PUT, true);
	while (!gorpc_fake_is_held(c)) {
		assert_true(i < 10000);
		send_block(c, i++, 0);
	}
	gorpc_fake_free(c);
}

static void a_block_that_kubo_refuses_ends_it(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = open_stream(f);

	kubo_fake_fail(f->kubo, KUBO_FAKE_PUT, -EREMOTEIO, "too large");
	send_block(c, 1, 10);
	send_block(c, 2, 10);
	fix_failed(f, c, "putting a block: too large");
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_PUT));
}

static void what_is_no_block_ends_it(void **state)
{
	static const char *const bad[] = { "\x05", "\x81\xa1"
						   "d\xa1x" /* no CID */ };
	struct fix *f = *state;

	for (unsigned i = 0; i < 4; i++) {
		struct gorpc_call *c = open_stream(f);

		if (i & 1)
			send_block(c, 1, 10); /* which Kubo is at */
		gorpc_fake_argument(c, bad[i / 2], strlen(bad[i / 2]));
		assert_int_equal(GORPC_FAKE_FAILED, gorpc_fake_state(c));
		gorpc_fake_free(c);
		fix_until(f, kubo_fake_open(f->kubo) == 0);
	}
}

static void whoever_sends_may_go_at_any_time(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = open_stream(f);

	gorpc_fake_free(c); /* before anything */
	kubo_fake_hold(f->kubo, KUBO_FAKE_PUT, true);
	c = open_stream(f);
	send_block(c, 1, 1000);
	send_block(c, 2, 1000);
	fix_turn(f);
	gorpc_fake_free(c); /* with one in Kubo and one that waits */
	fix_until(f, kubo_fake_open(f->kubo) == 0);
	kubo_fake_hold(f->kubo, KUBO_FAKE_PUT, false);
	c = open_stream(f);
	send_block(c, 3, 10);
	fix_until(f, kubo_fake_open(f->kubo) == 0);
	gorpc_fake_free(c); /* with nothing left to do */
	kubo_fake_hold(f->kubo, KUBO_FAKE_PUT, true);
	c = open_stream(f);
	send_block(c, 4, 1000);
	send_block(c, 5, 1000);
	fix_close(f); /* Kubo lives longer */
	assert_int_equal(GORPC_FAKE_GONE, gorpc_fake_state(c));
	gorpc_fake_free(c);
}

/* Each brings our metrics, and with them the question how full Kubo is. */
static void the_end_of_a_stream_is_work_of_kubo(void **state)
{
	struct fix *f = *state;
	unsigned before = kubo_fake_calls(f->kubo, KUBO_FAKE_STAT);
	struct gorpc_call *c = open_stream(f);

	f->kubo_config.informer_trigger_interval = 1;
	send_block(c, 1, 10);
	fix_until(f, kubo_fake_open(f->kubo) == 0);
	assert_int_equal(before, kubo_fake_calls(f->kubo, KUBO_FAKE_STAT));
	gorpc_fake_argument(c, NULL, 0);
	fix_finished(f, c);
	gorpc_fake_free(c);
	assert_int_equal(before + 1, kubo_fake_calls(f->kubo, KUBO_FAKE_STAT));
	fix_until(f, kubo_fake_open(f->kubo) == 0);
	c = open_stream(f);
	send_block(c, 2, 10);
	gorpc_fake_free(c); /* Kubo is at it */
	fix_until(f, kubo_fake_open(f->kubo) == 0);
	assert_int_equal(before + 2, kubo_fake_calls(f->kubo, KUBO_FAKE_STAT));
	assert_int_equal(0, tracker_gc(f->cluster->tracker, NULL));
	fix_until(f, kubo_fake_calls(f->kubo, KUBO_FAKE_STAT) == before + 3);
	fix_until(f, kubo_fake_open(f->kubo) == 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(blocks_are_put_in_their_order),
		T(no_block_at_all_is_a_good_end),
		T(the_end_waits_for_the_last_block_that_is_sent_late),
		T(a_caller_that_is_too_fast_is_held),
		T(small_blocks_are_held_too),
		T(a_block_that_kubo_refuses_ends_it),
		T(what_is_no_block_ends_it),
		T(whoever_sends_may_go_at_any_time),
		T(the_end_of_a_stream_is_work_of_kubo),
	};

	return cmocka_run_group_tests_name("rpc_blocks", tests, NULL, NULL);
}
