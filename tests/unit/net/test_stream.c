#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/conn_fixture.h"

static void a_stream_carries_bytes_both_ways(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	assert_int_equal(0, stream_write(ch.s, "ping", 4));
	until(n, n->a.n_chans == 1 && n->a.chans[0].n_got == 4);
	assert_memory_equal(n->a.chans[0].got.data, "ping", 4);
	assert_string_equal(ch.agreed, "/test/1");
	assert_int_equal(0, stream_write(n->a.chans[0].s, "pong", 4));
	until(n, ch.n_got == 4);
	assert_memory_equal(ch.got.data, "pong", 4);
	chan_close(&ch);
	until(n, n->a.chans[0].eof);
	chan_close(&n->a.chans[0]);
	until(n, conn_streams(n->a.conn) == 0 && conn_streams(n->b.conn) == 0);
	chan_clear(&ch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
		test(a_stream_carries_bytes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
