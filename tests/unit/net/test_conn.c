#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/conn_fixture.h"

static void assert_open(struct net *n)
{
	assert_true(conn_is_open(n->a.conn));
	assert_true(conn_is_open(n->b.conn));
	assert_true(peerid_equal(conn_peer(n->a.conn), &n->b.id.id));
	assert_true(peerid_equal(conn_peer(n->b.conn), &n->a.id.id));
	assert_true(conn_opened_ms(n->a.conn) > 0);
}

static void both_roles_upgrade(void **state)
{
	struct net *n = *state;
	const struct sockaddr_in *remote;

	net_connect(n);
	assert_open(n);
	remote = (const struct sockaddr_in *)conn_remote(n->b.conn);
	assert_memory_equal(remote, &n->a.at, sizeof(*remote));
	remote = (const struct sockaddr_in *)conn_remote(n->a.conn);
	assert_int_equal(AF_INET, remote->sin_family);
	assert_int_equal(htonl(INADDR_LOOPBACK), remote->sin_addr.s_addr);
	net_close(n);
	assert_int_equal(-ECANCELED, n->a.why.code);
}

static void both_roles_upgrade_without_a_secret(void **state)
{
	struct net *n = *state;

	n->a.ctx.psk = n->b.ctx.psk = NULL;
	net_connect(n);
	assert_open(n);
}

static void what_one_closes_ends_in_order_for_the_other(void **state)
{
	struct net *n = *state;

	net_connect(n);
	conn_close(n->b.conn);
	assert_int_equal(0, n->b.closed); /* not from within */
	conn_close(n->b.conn);
	until(n, !n->a.conn && !n->b.conn);
	assert_int_equal(-ECANCELED, n->b.why.code);
	assert_int_equal(-ECONNRESET, n->a.why.code);
	assert_non_null(strstr(n->a.why.msg, "ended the connection")); /* the go-away came */
	assert_int_equal(1, n->a.closed);
	assert_int_equal(1, n->b.closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
		test(both_roles_upgrade),
		test(both_roles_upgrade_without_a_secret),
		test(what_one_closes_ends_in_order_for_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
