/* What a host says of where it is. The interfaces of this machine are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/net/host_fixture.h"

#define FACES_MAX 8

static const char *faces[FACES_MAX + 1]; /* addresses, as text */

int __wrap_uv_interface_addresses(uv_interface_address_t **ret, int *ret_n);
void __wrap_uv_free_interface_addresses(uv_interface_address_t *v, int n);

int __wrap_uv_interface_addresses(uv_interface_address_t **ret, int *ret_n)
{
	uv_interface_address_t *v = calloc(FACES_MAX, sizeof(*v));
	int n = 0;

	assert_non_null(v);
	for (; faces[n]; n++)
		if (uv_ip4_addr(faces[n], 0, &v[n].address.address4) < 0)
			assert_int_equal(0, uv_ip6_addr(faces[n], 0, &v[n].address.address6));
	*ret = v;
	*ret_n = n;
	return 0;
}

void __wrap_uv_free_interface_addresses(uv_interface_address_t *v, int n)
{
	free(v);
}

/* The listener's port stands for "PORT". */
static const char *with_port(const struct hosts *f, const char *text, char out[128])
{
	const char *at = strstr(text, "PORT");
	const struct sockaddr_in *four = (struct sockaddr_in *)&f->a->h->listeners[0]->at;

	if (!at)
		return text;
	snprintf(out, 128, "%.*s%u%s", (int)(at - text), text, ntohs(four->sin_port), at + 4);
	return out;
}

static void check(struct hosts *f, const char *const *want)
{
	size_t n;
	const struct multiaddr *v = host_addresses(f->a->h, &n);
	char text[128];
	size_t i = 0;

	for (; want[i]; i++) {
		struct multiaddr a = address_of(with_port(f, want[i], text));

		if (i >= n || !multiaddr_equal(&a, &v[i]))
			fail_msg("\"%s\" is not announced there", want[i]);
	}
	assert_int_equal(i, n);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void restart_at(struct hosts *f, const char *listen)
{
	node_stop(f->a);
	f->a->listen = address_of(listen);
	node_start(f->a);
	f->a->listen = address_of(listen); /* not what the fixture made of it */
}

static int setup(void **state)
{
	memset(faces, 0, sizeof(faces));
	return hosts_setup(state);
}

static void any_address_is_those_of_the_interfaces(void **state)
{
	struct hosts *f = *state;

	faces[0] = "127.0.0.1";
	faces[1] = "::1";
	faces[2] = "10.1.2.3";
	faces[3] = "fe80::1";
	faces[4] = "2001:db8::1";
	faces[5] = "192.168.0.1";
	faces[6] = "10.1.2.3"; /* of two interfaces */
	restart_at(f, "/ip4/0.0.0.0/tcp/0");
	check(f, LIST("/ip4/10.1.2.3/tcp/PORT", "/ip4/192.168.0.1/tcp/PORT",
		      "/ip4/127.0.0.1/tcp/PORT"));
}

static void any_address_of_ipv6_leaves_out_link_local_ones(void **state)
{
	struct hosts *f = *state;
	uv_tcp_t probe;
	struct sockaddr_in6 at;
	int r;

	assert_int_equal(0, uv_tcp_init(&f->loop, &probe));
	assert_int_equal(0, uv_ip6_addr("::1", 0, &at));
	r = uv_tcp_bind(&probe, (struct sockaddr *)&at, 0);
	uv_close((uv_handle_t *)&probe, NULL);
	hosts_turns(f, 2);
	if (r < 0)
		skip(); /* this machine has no IPv6 */
	faces[0] = "::1";
	faces[1] = "10.1.2.3";
	faces[2] = "fe80::1";
	faces[3] = "2001:db8::1";
	restart_at(f, "/ip6/::/tcp/0");
	check(f, LIST("/ip6/2001:db8::1/tcp/PORT", "/ip6/::1/tcp/PORT"));
	f->a->listen = address_of("/ip6/::1/tcp/0");
	node_stop(f->a);
	node_start(f->a);
	check(f, LIST("/ip6/::1/tcp/PORT"));
	node_join(f->b, f->a); /* and it can be dialled there */
}

static void one_address_is_announced_as_it_is(void **state)
{
	struct hosts *f = *state;

	faces[0] = "10.1.2.3";
	check(f, LIST("/ip4/127.0.0.1/tcp/PORT"));
	f->a->opt.n_listen = 0;
	node_stop(f->a);
	node_start(f->a);
	assert_int_equal(0, f->a->h->n_addresses);
}

static void what_is_configured_stands_in_for_all(void **state)
{
	struct multiaddr some[2] = { address_of("/dns4/a.example/tcp/9096"),
				     address_of("/ip4/1.2.3.4/tcp/9096") };
	struct hosts *f = *state;

	f->a->opt.announce = some;
	f->a->opt.n_announce = 2;
	restart_at(f, "/ip4/127.0.0.1/tcp/0");
	check(f, LIST("/dns4/a.example/tcp/9096", "/ip4/1.2.3.4/tcp/9096"));
}

static void what_is_not_to_be_announced_is_not(void **state)
{
	struct multiaddr no[3] = { address_of("/ip4/127.0.0.0/ipcidr/8"),
				   address_of("/ip4/10.1.0.0/ipcidr/16"),
				   address_of("/ip4/1.2.3.4/tcp/9096") };
	struct multiaddr some[3] = { address_of("/ip4/1.2.3.4/tcp/9096"),
				     address_of("/ip4/1.2.3.4/tcp/9097"),
				     address_of("/ip4/10.1.5.5/tcp/9097") };
	struct hosts *f = *state;

	faces[0] = "127.0.0.1";
	faces[1] = "10.1.2.3";
	faces[2] = "10.2.2.3";
	f->a->opt.no_announce = no;
	f->a->opt.n_no_announce = 3;
	restart_at(f, "/ip4/0.0.0.0/tcp/0");
	check(f, LIST("/ip4/10.2.2.3/tcp/PORT"));
	f->a->opt.announce = some;
	f->a->opt.n_announce = 3;
	restart_at(f, "/ip4/0.0.0.0/tcp/0");
	check(f, LIST("/ip4/1.2.3.4/tcp/9097"));
}

static void so_many_addresses_are_announced_and_no_more(void **state)
{
	static struct multiaddr some[HOST_ANNOUNCED_MAX + 1];
	struct hosts *f = *state;
	char text[64];
	size_t n;

	for (unsigned i = 0; i < HOST_ANNOUNCED_MAX + 1; i++) {
		snprintf(text, sizeof(text), "/ip4/10.0.0.1/tcp/%u", i);
		some[i] = address_of(text);
	}
	f->a->opt.announce = some;
	f->a->opt.n_announce = HOST_ANNOUNCED_MAX + 1;
	restart_at(f, "/ip4/127.0.0.1/tcp/0");
	host_addresses(f->a->h, &n);
	assert_int_equal(HOST_ANNOUNCED_MAX, n);
}

/* Peers are dialled by where they are, not by what they announce. */
static void join(struct hosts *f)
{
	node_learn(f->a, f->b);
	node_connect(f->a, f->b, NULL);
	until(f, f->a->ups == 1 && f->b->ups == 1);
}

static bool b_knows(struct hosts *f, const char *address)
{
	char text[128];

	return node_knows(f->b, node_id(f->a), with_port(f, address, text));
}

static void a_change_is_pushed(void **state)
{
	struct hosts *f = *state;

	faces[0] = "127.0.0.1";
	faces[1] = "10.1.2.3";
	restart_at(f, "/ip4/0.0.0.0/tcp/0");
	join(f);
	assert_true(b_knows(f, "/ip4/10.1.2.3/tcp/PORT"));
	assert_true(b_knows(f, "/ip4/127.0.0.1/tcp/PORT"));
	faces[1] = "10.9.9.9";
	hosts_time(f, HOST_LOOK_MS);
	until(f, b_knows(f, "/ip4/10.9.9.9/tcp/PORT"));
	assert_false(b_knows(f, "/ip4/10.1.2.3/tcp/PORT"));
	assert_int_equal(0, f->b->changes); /* what it speaks is the same */
}

/* Whoever listens on more than a message holds says what fits. */
static void addresses_that_do_not_fit_are_left_out(void **state)
{
	static struct multiaddr some[40];
	struct hosts *f = *state;
	char text[256];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "/dns4/%0200u/tcp/%u", i, i);
		some[i] = address_of(text);
	}
	f->a->opt.announce = some;
	f->a->opt.n_announce = 40;
	restart_at(f, "/ip4/127.0.0.1/tcp/0");
	join(f);
	snprintf(text, sizeof(text), "/dns4/%0200u/tcp/%u", 0, 0);
	assert_true(node_knows(f->b, node_id(f->a), text));
	snprintf(text, sizeof(text), "/dns4/%0200u/tcp/%u", 25, 25);
	assert_false(node_knows(f->b, node_id(f->a), text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, hosts_teardown)
		TEST(any_address_is_those_of_the_interfaces),
		TEST(any_address_of_ipv6_leaves_out_link_local_ones),
		TEST(one_address_is_announced_as_it_is),
		TEST(what_is_configured_stands_in_for_all),
		TEST(what_is_not_to_be_announced_is_not),
		TEST(so_many_addresses_are_announced_and_no_more),
		TEST(a_change_is_pushed),
		TEST(addresses_that_do_not_fit_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
