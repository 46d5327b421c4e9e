#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/kubo_self.h"

static const char *const lines[] = {
	"/ip4/127.0.0.1/tcp/4001",  "/ip4/10.1.2.3/tcp/4001",
	"/ip4/172.31.0.1/tcp/4001", "/ip4/192.168.1.1/tcp/4001",
	"/ip4/100.64.0.1/tcp/4001", "/ip4/169.254.1.1/tcp/4001",
	"/ip4/0.0.0.0/tcp/4001",    "/ip4/224.0.0.1/udp/4001",
	"/ip6/::1/tcp/4001",        "/ip6/fe80::1/tcp/4001",
	"/ip6/fd00::1/tcp/4001",    "/ip6/2001:db8::1/tcp/4001",
	"/dns4/localhost/tcp/4001", "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
	"/ip4/172.32.0.1/tcp/4001", "/ip4/8.8.8.8/udp/4001/quic-v1",
	"/ip6/2600::1/tcp/4001",    "/dns4/example.org/tcp/4001",
};
#define N_LINES (sizeof(lines) / sizeof(lines[0]))
#define N_PUBLIC 4 /* the last ones */

static void fill(struct tracker_kubo *k)
{
	size_t n = 0;

	*k = (struct tracker_kubo){ 0 };
	for (size_t i = 0; i < N_LINES; i++)
		n += (size_t)snprintf(k->addresses + n, sizeof(k->addresses) - n, "%s\n", lines[i]);
}

static void is_line(const struct multiaddr *a, const char *line)
{
	struct buf text = BUF_INIT(0);

	assert_int_equal(0, multiaddr_format(a, &text));
	assert_int_equal(0, buf_terminate(&text));
	assert_string_equal(line, (char *)text.data);
	buf_deinit(&text);
}

static void all_addresses_are_told_in_their_order(void **state)
{
	struct tracker_kubo k;
	struct multiaddr *v;
	size_t n;

	fill(&k);
	assert_int_equal(0, kubo_self_addresses(&k, false, 100, &v, &n));
	assert_int_equal(N_LINES, n);
	for (size_t i = 0; i < n; i++)
		is_line(&v[i], lines[i]);
	free(v);
}

static void public_ones_can_be_reached_from_anywhere(void **state)
{
	struct tracker_kubo k;
	struct multiaddr *v;
	size_t n;

	fill(&k);
	assert_int_equal(0, kubo_self_addresses(&k, true, 100, &v, &n));
	assert_int_equal(N_PUBLIC, n);
	for (size_t i = 0; i < n; i++)
		is_line(&v[i], lines[N_LINES - N_PUBLIC + i]);
	free(v);
}

static void there_are_no_more_than_asked_for(void **state)
{
	struct tracker_kubo k;
	struct multiaddr *v;
	size_t n;

	fill(&k);
	assert_int_equal(0, kubo_self_addresses(&k, true, 2, &v, &n));
	assert_int_equal(2, n);
	free(v);
	assert_int_equal(0, kubo_self_addresses(&k, false, 0, &v, &n));
	assert_int_equal(0, n);
	free(v);
}

static void what_is_no_address_is_left_out(void **state)
{
	struct tracker_kubo k = { .addresses = "nonsense\n\n/ip4/8.8.8.8/tcp/1\n/ip4/9.9.9.9/tc" };
	struct multiaddr *v;
	size_t n;

	assert_int_equal(0, kubo_self_addresses(&k, false, 100, &v, &n));
	assert_int_equal(1, n);
	is_line(&v[0], "/ip4/8.8.8.8/tcp/1");
	free(v);
}

static void a_peer_id_is_told_where_it_is_one(void **state)
{
	struct tracker_kubo k = { .id = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN" };
	struct peerid id;
	char text[PEERID_TEXT_MAX];

	kubo_self_peer(&k, &id);
	peerid_format(&id, text);
	assert_string_equal(k.id, text);
	snprintf(k.id, sizeof(k.id), "0OIl");
	kubo_self_peer(&k, &id);
	assert_int_equal(0, id.len);
	k.id[0] = '\0';
	kubo_self_peer(&k, &id);
	assert_int_equal(0, id.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_addresses_are_told_in_their_order),
		cmocka_unit_test(public_ones_can_be_reached_from_anywhere),
		cmocka_unit_test(there_are_no_more_than_asked_for),
		cmocka_unit_test(what_is_no_address_is_left_out),
		cmocka_unit_test(a_peer_id_is_told_where_it_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
