#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/conn_fixture.h"

#define TOKENS (20 + 9) /* of the opener: bytes of the first window */
#define MUCH (10u << 20)

static void open_pair(struct net *n, struct chan *ch)
{
	size_t before = n->a.n_chans;

	chan_open(ch, n->b.conn, false);
	until(n, ch->agreed && n->a.n_chans == before + 1);
	ch->bulk = n->a.chans[before].bulk = true;
}

static void ten_megabytes_go_both_ways_at_once(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	open_pair(n, &ch);
	chan_send_on(&ch, MUCH);
	chan_send_on(peer, MUCH);
	assert_true(ch.to_send > 0 && peer->to_send > 0); /* more than the queue takes */
	until(n, ch.n_got == MUCH && peer->n_got == MUCH);
	assert_true(ch.drained > 0 && peer->drained > 0);
	assert_int_equal(0, stream_queued(ch.s));
	assert_true(conn_bytes_out(n->b.conn) > MUCH);
	assert_true(conn_bytes_in(n->b.conn) > MUCH);
	assert_true(conn_bytes_in(n->b.conn) < MUCH + MUCH / 100);
	chan_close(&ch);
	chan_close(peer);
	until(n, conn_streams(n->a.conn) == 0 && conn_streams(n->b.conn) == 0);
}

#define SOME 20

static void many_streams_share_a_connection(void **state)
{
	struct chan chans[SOME] = { 0 };
	struct net *n = *state;

	net_connect(n);
	for (size_t i = 0; i < SOME; i++)
		open_pair(n, &chans[i]);
	for (size_t i = 0; i < SOME; i++) {
		chan_send_on(&chans[i], MUCH / SOME);
		chan_send_on(&n->a.chans[i], MUCH / SOME);
	}
	for (size_t i = 0; i < SOME; i++)
		until(n, chans[i].n_got == MUCH / SOME && n->a.chans[i].n_got == MUCH / SOME);
	net_close(n);
}

static void a_held_stream_gives_no_credit_and_stops_no_other(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, other = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	open_pair(n, &ch);
	open_pair(n, &other);
	stream_hold(peer->s);
	chan_send_on(&ch, 3 * YAMUX_WINDOW);
	chan_send_on(&other, MUCH);
	until(n, n->a.chans[1].n_got == MUCH);
	assert_int_equal(YAMUX_WINDOW - TOKENS, peer->n_got);
	assert_int_equal(2 * YAMUX_WINDOW + TOKENS, stream_queued(ch.s));
	stream_unhold(peer->s);
	until(n, peer->n_got == 3 * YAMUX_WINDOW);
	net_close(n);
}

static void hold_at_once(struct chan *ch, const uint8_t *p, size_t n)
{
	stream_hold(ch->s);
}

static void bytes_are_held_that_came_with_the_decision(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	open_pair(n, &ch);
	peer->on_data = hold_at_once;
	chan_send_on(&ch, 3 * YAMUX_WINDOW);
	until(n, peer->n_got == YAMUX_WINDOW - TOKENS);
	net_turns(n, 20);
	assert_int_equal(YAMUX_WINDOW - TOKENS, peer->n_got);
	stream_unhold(peer->s);
	until(n, peer->n_got == 2 * YAMUX_WINDOW - TOKENS);
	stream_reset(peer->s, YAMUX_RESET_NONE); /* held */
	until(n, ch.ended);
}

/* ---- the queue ---- */

static uint8_t zeros[STREAM_QUEUE_MAX + 1];

static void a_full_queue_refuses_and_tells_when_half_is_free(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	open_pair(n, &ch);
	peer->bulk = false; /* zeros are no chan_byte */
	stream_hold(peer->s);
	assert_int_equal(-EFBIG, stream_write(ch.s, zeros, sizeof(zeros)));
	assert_int_equal(0, stream_write(ch.s, zeros, STREAM_QUEUE_MAX));
	until(n, stream_queued(ch.s) == STREAM_QUEUE_MAX - YAMUX_WINDOW + TOKENS);
	assert_int_equal(0, stream_write(ch.s, zeros, YAMUX_WINDOW - TOKENS));
	assert_int_equal(STREAM_QUEUE_MAX, stream_queued(ch.s));
	assert_int_equal(-EAGAIN, stream_write(ch.s, zeros, 1));
	assert_int_equal(-EAGAIN, stream_write(ch.s, zeros, 1));
	assert_int_equal(0, stream_write(ch.s, zeros, 0));
	net_turns(n, 20);
	assert_int_equal(0, ch.drained);
	stream_unhold(peer->s);
	until(n, ch.drained == 1);
	assert_true(stream_queued(ch.s) > 0);
	until(n, peer->n_got == STREAM_QUEUE_MAX + YAMUX_WINDOW - TOKENS);
	net_turns(n, 5);
	assert_int_equal(1, ch.drained);
	stream_reset(ch.s, YAMUX_RESET_NONE);
}

#define FULL (STREAM_QUEUE_TOTAL_MAX / STREAM_QUEUE_MAX)

static void all_queues_have_a_limit_together(void **state)
{
	struct chan chans[FULL + 2] = { 0 };
	struct net *n = *state;
	struct chan *more = &chans[FULL], *last = &chans[FULL + 1];

	net_connect(n);
	for (size_t i = 0; i < FULL + 2; i++) {
		open_pair(n, &chans[i]);
		n->a.chans[i].bulk = false;
		stream_hold(n->a.chans[i].s);
	}
	for (size_t i = 0; i < FULL; i++) {
		assert_int_equal(0, stream_write(chans[i].s, zeros, STREAM_QUEUE_MAX));
		until(n, stream_queued(chans[i].s) == STREAM_QUEUE_MAX - YAMUX_WINDOW + TOKENS);
		assert_int_equal(0, stream_write(chans[i].s, zeros, YAMUX_WINDOW - TOKENS));
		assert_int_equal(STREAM_QUEUE_MAX, stream_queued(chans[i].s));
	}
	assert_int_equal(-EAGAIN, stream_write(more->s, zeros, 1));
	assert_int_equal(-EAGAIN, stream_write(last->s, zeros, 1));
	stream_reset(last->s, YAMUX_RESET_NONE); /* waits no more */
	net_turns(n, 20);
	assert_int_equal(0, more->drained);
	stream_reset(chans[0].s, YAMUX_RESET_NONE);
	assert_int_equal(0, more->drained); /* not from within */
	until(n, more->drained == 1);
	assert_int_equal(0, stream_write(more->s, zeros, STREAM_QUEUE_MAX));
	net_close(n);
	assert_int_equal(-ECANCELED, more->ended);

	/* All of it is free again. */
	n->a.opened = n->b.opened = 0;
	net_connect(n);
	memset(more, 0, sizeof(*more));
	chan_open(more, n->b.conn, false);
	assert_int_equal(0, stream_write(more->s, zeros, STREAM_QUEUE_MAX));
	net_close(n);
}

/* ---- how many ---- */

static void no_more_streams_are_opened_than_a_peer_takes(void **state)
{
	static struct chan chans[STREAM_OPENED_MAX], more;
	struct net *n = *state;

	memset(chans, 0, sizeof(chans));
	memset(&more, 0, sizeof(more));
	net_connect(n);
	for (size_t i = 0; i < STREAM_OPENED_MAX; i++)
		chan_open(&chans[i], n->b.conn, false);
	assert_int_equal(
	    -EMFILE, stream_open(n->b.conn, chan_protocol, 1, false, &chan_ops, &more, &more.s));
	until(n, n->a.n_chans == STREAM_OPENED_MAX);
	assert_int_equal(STREAM_OPENED_MAX, conn_streams(n->b.conn));
	/* The other side has its own. */
	chan_open(&more, n->a.conn, false);
	until(n, more.agreed);
	stream_reset(more.s, YAMUX_RESET_NONE);
	stream_reset(chans[7].s, YAMUX_RESET_NONE);
	memset(&more, 0, sizeof(more));
	chan_open(&more, n->b.conn, false);
	until(n, more.agreed);
	assert_int_equal(0, chans[0].ended);
}

static void a_peer_that_opens_more_is_refused_the_surplus(void **state)
{
	struct net *n = *state;

	net_connect(n);
	for (uint32_t i = 0; i < 300; i++) {
		struct yamux_frame f = { .type = YAMUX_WINDOW_UPDATE, .flags = YAMUX_SYN };

		f.id = 1001 + 2 * i;
		conn_inject(n->b.conn, &f, NULL, 0);
	}
	until(n, conn_streams(n->a.conn) == YAMUX_INBOUND_MAX);
	net_turns(n, 20);
	assert_int_equal(YAMUX_INBOUND_MAX, conn_streams(n->a.conn));
	/* They are told to nobody, and go by themselves. */
	net_time(n, STREAM_NEGOTIATE_MS);
	until(n, conn_streams(n->a.conn) == 0);
	assert_true(conn_is_open(n->a.conn) && conn_is_open(n->b.conn));
	assert_int_equal(0, n->a.n_chans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
		test(ten_megabytes_go_both_ways_at_once),
		test(many_streams_share_a_connection),
		test(a_held_stream_gives_no_credit_and_stops_no_other),
		test(bytes_are_held_that_came_with_the_decision),
		test(a_full_queue_refuses_and_tells_when_half_is_free),
		test(all_queues_have_a_limit_together),
		test(no_more_streams_are_opened_than_a_peer_takes),
		test(a_peer_that_opens_more_is_refused_the_surplus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
