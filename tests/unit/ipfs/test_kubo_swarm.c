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

static void swarm_connect_escapes_the_address(void **state)
{
	static const struct http_fake_step steps[] = {
		{ FAKE_HEAD, .n = 200 },
		{ FAKE_CHUNK, "{\"Strings\":[\"connect 12D3 success\"]}\n" },
		{ FAKE_END },
	};
	struct fix *f = *state;
	struct got g = { .f = f };
	struct multiaddr a;
	const char *text = "/ip4/127.0.0.1/tcp/4001";

	http_fake_route(f->fake, "/api/v0/swarm/connect", steps);
	fix_open(f);
	assert_int_equal(multiaddr_parse(text, strlen(text), &a, NULL), 0);
	assert_int_equal(kubo_swarm_connect(f->kubo, &a, got_done, &g, NULL), 0);
	wants_ok(&g);
	wants_request(f, "swarm/connect?arg=%2Fip4%2F127.0.0.1%2Ftcp%2F4001");
}

#define PEER_A "12D3KooWAiuDqrAu34MJemTVcjU4AtGeryEYP7BRcPRvQtkK87sm"
#define PEER_B "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
#define PEER(id)                                                                                   \
	"{\"Addr\":\"/ip4/10.0.0.1/tcp/4001\",\"Peer\":\"" id "\",\"Identify\":{\"ID\":\"\"}}"

static void peers_say(struct fix *f, struct http_fake_step steps[3], const char *body)
{
	steps[0] = (struct http_fake_step){ FAKE_HEAD, .n = 200 };
	steps[1] = (struct http_fake_step){ FAKE_CHUNK, .text = body };
	steps[2] = (struct http_fake_step){ FAKE_END };
	http_fake_route(f->fake, "/api/v0/swarm/peers", steps);
	fix_open(f);
}

static void swarm_peers_are_told_in_kubos_order(void **state)
{
	struct fix *f = *state;
	struct http_fake_step steps[3];
	struct got g = { .f = f };
	char text[PEERID_TEXT_MAX];

	peers_say(f, steps, "{\"Peers\":[" PEER(PEER_B) "," PEER(PEER_A) "]}\n");
	assert_int_equal(kubo_swarm_peers(f->kubo, got_peers, &g, NULL), 0);
	wants_ok(&g);
	wants_request(f, "swarm/peers");
	assert_int_equal(g.n_peers, 2);
	peerid_format(&g.peers[0], text);
	assert_string_equal(text, PEER_B);
	peerid_format(&g.peers[1], text);
	assert_string_equal(text, PEER_A);
}

static void a_kubo_without_connections_has_no_peers(void **state)
{
	struct fix *f = *state;
	struct http_fake_step steps[3];
	struct got g = { .f = f, .n_peers = 99 };

	peers_say(f, steps, "{\"Peers\":null}\n");
	assert_int_equal(kubo_swarm_peers(f->kubo, got_peers, &g, NULL), 0);
	wants_ok(&g);
	assert_int_equal(g.n_peers, 0);
}

static void peers_that_make_no_sense_are_refused(void **state)
{
	static const char *const bodies[] = {
		"{}\n",
		"{\"Peers\":{}}\n",
		"{\"Peers\":[{\"Addr\":\"/ip4/10.0.0.1\"}]}\n",
		"{\"Peers\":[" PEER(PEER_A) "," PEER("nobody") "]}\n",
		"{\"Peers\":null}\n{\"Peers\":null}\n",
		"",
	};
	struct fix *f = *state;
	struct http_fake_step steps[3];

	peers_say(f, steps, "");
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct got g = { .f = f, .n_peers = 99 };

		steps[1].text = bodies[i];
		if (!bodies[i][0])
			steps[1] = (struct http_fake_step){ FAKE_END };
		assert_int_equal(kubo_swarm_peers(f->kubo, got_peers, &g, NULL), 0);
		fix_wait(f, &g.done);
		assert_int_equal(g.status, -EBADMSG);
		assert_int_equal(g.n_peers, 0);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(swarm_connect_escapes_the_address),
		T(swarm_peers_are_told_in_kubos_order),
		T(a_kubo_without_connections_has_no_peers),
		T(peers_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
