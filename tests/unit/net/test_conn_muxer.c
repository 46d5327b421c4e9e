/* Peers that do not settle the muxer in the handshake agree on it behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/conn_fixture.h"

bool __real_noise_has_yamux(const struct noise *n);
bool __wrap_noise_has_yamux(const struct noise *n);

static const struct peerid *settled_with; /* the peer whose muxer is settled nevertheless */

bool __wrap_noise_has_yamux(const struct noise *n)
{
	assert_true(__real_noise_has_yamux(n));
	return settled_with && peerid_equal(settled_with, noise_peer(n));
}

/* A stream's bytes behind the proposal, lazily, and back. */
static void speak(struct net *n)
{
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	chan_open(&ch, n->b.conn, true);
	assert_int_equal(0, stream_write(ch.s, "ping", 4));
	until(n, n->a.n_chans == 1 && peer->n_got == 4);
	assert_int_equal(0, stream_write(peer->s, "pong", 4));
	until(n, ch.n_got == 4);
	assert_memory_equal("pong", ch.got.data, 4);
	net_close(n);
	assert_int_equal(-ECANCELED, ch.ended);
	chan_clear(&ch);
}

static void both_roles_agree_on_yamux_behind_the_handshake(void **state)
{
	struct net *n = *state;

	net_connect(n);
	speak(n);
}

static void they_do_so_byte_by_byte(void **state)
{
	struct net *n = *state;

	proxy_start(n, 1);
	net_connect(n);
	speak(n);
}

static void open_a_stream(struct peer *p, struct conn *c)
{
	struct chan *ch = &p->chans[p->n_chans++];

	chan_open(ch, c, true);
	assert_int_equal(0, stream_write(ch->s, "at once", 7));
}

static void what_comes_behind_the_agreement_is_of_yamux(void **state)
{
	struct net *n = *state;

	n->a.on_open = n->b.on_open = open_a_stream;
	net_connect(n);
	until(n, n->a.n_chans == 2 && n->b.n_chans == 2);
	until(n, n->a.chans[1].n_got == 7 && n->b.chans[1].n_got == 7);
}

static void sides_that_disagree_part(void **state)
{
	struct net *n = *state;

	settled_with = &n->b.id.id; /* a takes it as settled, b does not */
	net_dial(n);
	until(n, n->a.closed == 1 && n->b.closed == 1);
	assert_int_equal(0, n->b.opened);
	assert_int_equal(-EPROTO, n->a.why.code); /* a proposal is no frame */
	assert_int_equal(-EPROTO, n->b.why.code); /* and a go-away no token */
	assert_non_null(strstr(n->b.why.msg, "/yamux/1.0.0"));
	settled_with = NULL;
}

static void the_muxer_is_agreed_on_within_the_time_of_the_upgrade(void **state)
{
	struct net *n = *state;

	proxy_start(n, 1);
	net_dial(n);
	until(n, n->b.conn->phase == CONN_MUXER);
	n->proxy->step = 0;
	net_time(n, DIAL_MS);
	until(n, n->b.closed == 1);
	assert_int_equal(-ETIMEDOUT, n->b.why.code);
	assert_non_null(strstr(n->b.why.msg, "agreeing on a muxer"));
	proxy_end(n->proxy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
		test(both_roles_agree_on_yamux_behind_the_handshake),
		test(they_do_so_byte_by_byte),
		test(what_comes_behind_the_agreement_is_of_yamux),
		test(sides_that_disagree_part),
		test(the_muxer_is_agreed_on_within_the_time_of_the_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
