#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/conn_fixture.h"

#define no_streams(n) (conn_streams((n)->a.conn) == 0 && conn_streams((n)->b.conn) == 0)

#define TOKENS (20 + 9) /* of the opener: bytes of the first window */

static const char *const unknown[] = { "/unknown/1" };
static const char *const unknown_first[] = { "/unknown/1", "/test/1", "/unknown/2" };

/* A frame of the stream that b opens with an id of its own. */
static void inject(struct net *n, enum yamux_type type, unsigned flags, uint32_t id,
		   const char *text)
{
	struct yamux_frame f = { .type = (uint8_t)type, .flags = (uint16_t)flags, .id = id };

	f.length = (uint32_t)strlen(text);
	conn_inject(n->b.conn, &f, text, f.length);
}

static void assert_got(const struct chan *ch, const char *text)
{
	assert_int_equal(strlen(text), ch->n_got);
	assert_memory_equal(text, ch->got.data, ch->n_got);
}

/* ---- agreeing ---- */

static void a_stream_carries_bytes_both_ways(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	assert_null(stream_protocol_name(ch.s));
	assert_ptr_equal(n->b.conn, stream_conn(ch.s));
	assert_true(peerid_equal(&n->a.id.id, stream_peer(ch.s)));
	assert_int_equal(0, stream_write(ch.s, "ping", 4));
	until(n, n->a.n_chans == 1 && n->a.chans[0].n_got == 4);
	assert_got(&n->a.chans[0], "ping");
	assert_string_equal("/test/1", ch.agreed); /* before the bytes went */
	assert_int_equal(0, stream_write(n->a.chans[0].s, "pong", 4));
	until(n, ch.n_got == 4);
	assert_got(&ch, "pong");
	chan_close(&ch);
	until(n, n->a.chans[0].eof);
	chan_close(&n->a.chans[0]);
	until(n, no_streams(n));
	chan_clear(&ch);
}

static void the_listener_of_a_connection_opens_streams_too(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	chan_open(&ch, n->a.conn, false);
	assert_int_equal(0, stream_write(ch.s, "ping", 4));
	until(n, n->b.n_chans == 1 && n->b.chans[0].n_got == 4);
	stream_reset(ch.s, YAMUX_RESET_NONE);
	until(n, n->b.chans[0].ended == -ECONNRESET);
}

static void a_lazy_opener_speaks_before_it_hears(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	chan_open(&ch, n->b.conn, true);
	assert_int_equal(0, stream_write(ch.s, "ping", 4));
	until(n, n->a.n_chans == 1 && n->a.chans[0].n_got == 4);
	assert_null(ch.agreed); /* nothing had come back yet */
	until(n, ch.agreed);
	assert_int_equal(0, stream_write(ch.s, "more", 4));
	until(n, n->a.chans[0].n_got == 8);
	assert_got(&n->a.chans[0], "pingmore");
	stream_reset(ch.s, YAMUX_RESET_NONE);
}

static void the_first_protocol_that_is_known_is_agreed_on(void **state)
{
	for (int lazy = 0; lazy <= 1; lazy++) {
		struct chan ch = { 0 };
		struct net *n;

		assert_int_equal(0, net_setup((void **)&n));
		net_connect(n);
		chan_open_as(&ch, n->b.conn, unknown_first, 3, lazy);
		until(n, ch.agreed);
		assert_ptr_equal(ch.agreed, unknown_first[1]);
		assert_int_equal(0, stream_write(ch.s, "x", 1));
		until(n, n->a.n_chans == 1 && n->a.chans[0].n_got == 1);
		stream_reset(ch.s, YAMUX_RESET_NONE);
		assert_int_equal(0, net_teardown((void **)&n));
	}
}

static void bytes_wait_for_the_agreement(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	chan_open_as(&ch, n->b.conn, unknown_first, 3, false);
	assert_int_equal(0, stream_write(ch.s, "early", 5));
	stream_shut(ch.s);
	assert_int_equal(5, stream_queued(ch.s));
	until(n, n->a.n_chans == 1 && n->a.chans[0].eof);
	assert_got(&n->a.chans[0], "early");
	stream_reset(ch.s, YAMUX_RESET_NONE);
}

static void who_speaks_nothing_of_it_is_told(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	chan_open_as(&ch, n->b.conn, unknown, 1, false);
	assert_int_equal(0, stream_write(ch.s, "never", 5));
	until(n, ch.ended);
	assert_int_equal(-EPROTONOSUPPORT, ch.ended);
	assert_int_equal(0, n->a.n_chans);
	until(n, no_streams(n));
}

static void a_lazy_opener_that_spoke_to_nobody_is_told(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	chan_open_as(&ch, n->b.conn, unknown_first, 3, true);
	assert_int_equal(0, stream_write(ch.s, "\x05hey\n", 5));
	until(n, ch.ended);
	assert_int_equal(-EPROTONOSUPPORT, ch.ended);
	assert_int_equal(0, n->a.n_chans);
	until(n, no_streams(n));
	assert_true(conn_is_open(n->a.conn) && conn_is_open(n->b.conn));
}

static void a_stream_that_nobody_accepts_is_reset(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	n->a.n_offers = 0;
	chan_open(&ch, n->b.conn, false);
	until(n, ch.ended);
	assert_int_equal(-ECONNRESET, ch.ended);
	until(n, no_streams(n));
}

static void on_accepted_by_nobody(void *arg, struct stream *s)
{
}

static void a_stream_that_nobody_owns_is_reset(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	n->a.offered.accepted = on_accepted_by_nobody;
	chan_open(&ch, n->b.conn, true);
	assert_int_equal(0, stream_write(ch.s, "x", 1));
	until(n, ch.ended);
	assert_int_equal(-ECONNRESET, ch.ended);
	until(n, no_streams(n));
}

static void an_answer_that_does_not_come_is_not_waited_for(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	proxy_start(n, SIZE_MAX);
	net_connect(n);
	n->proxy->step = 0;
	chan_open(&ch, n->b.conn, false);
	net_time(n, STREAM_NEGOTIATE_MS - MARGIN_MS);
	assert_int_equal(0, ch.ended);
	net_time(n, MARGIN_MS);
	until(n, ch.ended);
	assert_int_equal(-ETIMEDOUT, ch.ended);
	n->proxy->step = SIZE_MAX;
	until(n, no_streams(n));
	assert_true(conn_is_open(n->a.conn) && conn_is_open(n->b.conn));
}

static void a_proposal_that_does_not_come_is_not_waited_for(void **state)
{
	struct net *n = *state;

	net_connect(n);
	inject(n, YAMUX_DATA, YAMUX_SYN, 101, "\x13/multistream/1.0.0\n");
	until(n, conn_streams(n->a.conn) == 1);
	net_time(n, STREAM_NEGOTIATE_MS - MARGIN_MS);
	assert_int_equal(1, conn_streams(n->a.conn));
	net_time(n, MARGIN_MS);
	until(n, no_streams(n));
	assert_true(conn_is_open(n->a.conn));
}

static void a_broken_dialogue_resets_the_stream_alone(void **state)
{
	static const struct {
		unsigned flags;
		const char *text;
	} broken[] = { { 0, "GET / HTTP/1.1\r\n\r\n" },
		       { 0, "\x13/multistream/1.0.0\n\x04/test" },
		       { YAMUX_FIN, "\x13/multistream/1.0.0\n\x08/test/1" },
		       { YAMUX_FIN, "" } };
	struct net *n = *state;
	struct chan ch = { 0 };

	net_connect(n);
	for (uint32_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		inject(n, YAMUX_DATA, YAMUX_SYN | broken[i].flags, 101 + 2 * i, broken[i].text);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed);
	assert_int_equal(1, conn_streams(n->a.conn));
	assert_int_equal(1, n->a.n_chans);
	stream_reset(ch.s, YAMUX_RESET_NONE);
}

static void an_opener_hears_of_a_broken_answer(void **state)
{
	/* a's bytes on the first stream of b, in place of its own answer. */
	static const char *const answers[] = { "\x13/multistream/2.0.0\n", "\x03na\n",
					       "\x13/multistream/1.0.0\n\x08/test/2\n" };

	for (size_t i = 0; i < 3; i++) {
		struct yamux_frame f = { .type = YAMUX_DATA, .id = 1 };
		struct chan ch = { 0 };
		struct net *n;

		assert_int_equal(0, net_setup((void **)&n));
		net_connect(n);
		chan_open(&ch, n->b.conn, true);
		f.length = (uint32_t)strlen(answers[i]);
		conn_inject(n->a.conn, &f, answers[i], f.length);
		until(n, ch.ended);
		assert_int_equal(-EPROTO, ch.ended);
		assert_int_equal(0, net_teardown((void **)&n));
	}
}

/* ---- ending ---- */

static void one_side_can_end_and_still_read(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	assert_int_equal(0, stream_write(ch.s, "question", 8));
	stream_shut(ch.s);
	stream_shut(ch.s);
	assert_int_equal(-EPIPE, stream_write(ch.s, "x", 1));
	until(n, n->a.n_chans == 1 && peer->eof);
	assert_got(peer, "question");
	assert_false(ch.eof);
	assert_int_equal(0, stream_write(peer->s, "answer", 6));
	until(n, ch.n_got == 6);
	assert_int_equal(0, stream_write(peer->s, ", more", 6));
	chan_close(peer);
	until(n, ch.eof);
	assert_got(&ch, "answer, more");
	assert_int_equal(1, conn_streams(n->b.conn)); /* it has an owner */
	chan_close(&ch);
	assert_int_equal(0, conn_streams(n->b.conn));
	until(n, no_streams(n));
	chan_clear(&ch);
}

static void what_was_written_before_the_close_arrives(void **state)
{
	struct net *n = *state;

	net_connect(n);
	for (int lazy = 0; lazy <= 1; lazy++) {
		struct chan ch = { 0 }, *peer = &n->a.chans[lazy];

		chan_open(&ch, n->b.conn, lazy);
		peer->bulk = true;
		chan_send_on(&ch, 3 * YAMUX_WINDOW);
		chan_close(&ch); /* no event comes any more: ch is dead */
		until(n, n->a.n_chans == (size_t)lazy + 1 && peer->eof);
		assert_int_equal(3 * YAMUX_WINDOW, peer->n_got);
		chan_close(peer);
		until(n, no_streams(n));
	}
}

static void what_comes_after_the_close_is_dropped(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed && n->a.n_chans == 1);
	chan_close(&ch);
	chan_send_on(peer, 3 * YAMUX_WINDOW);
	stream_shut(peer->s);
	until(n, peer->eof && stream_queued(peer->s) == 0);
	chan_close(peer);
	until(n, no_streams(n));
	assert_int_equal(0, ch.n_got);
}

static void a_closed_stream_does_not_wait_for_the_peer_for_long(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed && n->a.n_chans == 1);
	chan_close(&ch);
	until(n, peer->eof);
	net_time(n, STREAM_LINGER_MS - MARGIN_MS);
	assert_int_equal(1, conn_streams(n->b.conn));
	assert_int_equal(0, peer->ended);
	net_time(n, MARGIN_MS);
	until(n, peer->ended);
	assert_int_equal(-ECONNRESET, peer->ended);
	until(n, no_streams(n));
}

static void a_closed_stream_waits_while_its_bytes_move(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed && n->a.n_chans == 1);
	peer->bulk = true;
	stream_hold(peer->s);
	chan_send_on(&ch, 3 * YAMUX_WINDOW);
	chan_close(&ch);
	for (size_t i = 1; i <= 3; i++) {
		until(n, peer->n_got == i * YAMUX_WINDOW - TOKENS);
		net_time(n, STREAM_LINGER_MS - MARGIN_MS);
		assert_int_equal(0, peer->ended);
		stream_unhold(peer->s);
		stream_hold(peer->s);
	}
	until(n, peer->eof);
	chan_close(peer);
	until(n, no_streams(n));
}

static void a_closed_stream_whose_bytes_do_not_move_is_reset(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed && n->a.n_chans == 1);
	peer->bulk = true;
	stream_hold(peer->s);
	chan_send_on(&ch, 3 * YAMUX_WINDOW);
	chan_close(&ch);
	until(n, peer->n_got == YAMUX_WINDOW - TOKENS);
	net_time(n, STREAM_LINGER_MS);
	until(n, peer->ended);
	assert_int_equal(-ECONNRESET, peer->ended);
	assert_false(peer->eof);
}

static void a_reset_ends_it_for_both(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 }, *peer = &n->a.chans[0];

	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed && n->a.n_chans == 1);
	stream_reset(peer->s, YAMUX_RESET_PROTOCOL);
	until(n, ch.ended);
	assert_int_equal(-ECONNRESET, ch.ended);
	assert_int_equal(0, peer->ended); /* it did it itself */
	until(n, no_streams(n));
}

/* ---- what owners do in their callbacks ---- */

static void reset_on_data(struct chan *ch, const uint8_t *p, size_t n)
{
	stream_reset(ch->s, YAMUX_RESET_PROTOCOL);
	ch->s = NULL;
}

static void close_on_data(struct chan *ch, const uint8_t *p, size_t n)
{
	assert_int_equal(0, stream_write(ch->s, "bye", 3));
	chan_close(ch);
}

static void end_connection_on_data(struct chan *ch, const uint8_t *p, size_t n)
{
	conn_close(stream_conn(ch->s));
	assert_int_equal(-ECANCELED, ch->ended);
}

static void a_stream_can_end_in_its_own_data(void **state)
{
	void (*const endings[])(struct chan * ch, const uint8_t *p,
				size_t n) = { reset_on_data, close_on_data,
					      end_connection_on_data };

	for (size_t i = 0; i < 3; i++) {
		struct chan ch = { 0 };
		struct net *n;

		assert_int_equal(0, net_setup((void **)&n));
		net_connect(n);
		n->a.chans[0].on_data = endings[i];
		chan_open(&ch, n->b.conn, true);
		assert_int_equal(0, stream_write(ch.s, "x", 1));
		until(n, ch.ended || ch.eof);
		assert_int_equal(endings[i] == close_on_data, ch.eof);
		if (ch.eof) {
			assert_got(&ch, "bye");
			chan_close(&ch);
		}
		assert_int_equal(1, n->a.chans[0].n_got);
		until(n, !n->a.conn || no_streams(n));
		assert_int_equal(0, net_teardown((void **)&n));
		chan_clear(&ch);
	}
}

/* The stream's owner closes the connection, in each of its events. */
static const char *close_at;

static void close_connection(struct chan *ch, const char *event)
{
	if (strcmp(event, close_at) == 0)
		conn_close(stream_conn(ch->s));
}

static void close_connection_on_accept(struct peer *p, struct chan *ch)
{
	conn_close(stream_conn(ch->s));
	assert_int_equal(-ECANCELED, ch->ended);
}

static void a_connection_can_be_closed_in_any_event_of_a_stream(void **state)
{
	static const char *const events[] = { "agreed", "eof", "drained", "ended", "accepted" };

	for (size_t i = 0; i < 5; i++) {
		struct chan ch = { .on_event = close_connection }, other = { 0 };
		struct net *n;

		assert_int_equal(0, net_setup((void **)&n));
		net_connect(n);
		close_at = events[i];
		if (strcmp(close_at, "accepted") == 0)
			n->a.on_accepted = close_connection_on_accept;
		n->a.chans[0].bulk = true;
		chan_open(&ch, n->b.conn, true);
		chan_send_on(&ch, STREAM_QUEUE_MAX + 2 * YAMUX_WINDOW);
		assert_true(ch.to_send > 0);
		until(n, n->a.n_chans == 1 || n->a.closed);
		if (strcmp(close_at, "eof") == 0)
			chan_close(&n->a.chans[0]);
		if (strcmp(close_at, "ended") == 0)
			stream_reset(n->a.chans[0].s, YAMUX_RESET_NONE);
		if (n->b.conn)
			chan_open(&other, n->b.conn, false);
		until(n, n->a.closed == 1 && n->b.closed == 1);
		assert_true(ch.ended == -ECANCELED || ch.ended == -ECONNRESET);
		assert_true(!other.s);
		assert_int_equal(0, net_teardown((void **)&n));
	}
}

static void take_others_along(struct chan *ch, const char *event)
{
	struct stream *s;

	assert_string_equal("ended", event);
	if (ch->other && ch->other->s) {
		stream_reset(ch->other->s, YAMUX_RESET_NONE);
		ch->other->s = NULL;
	}
	/* A dead stream takes no harm, and a closed connection no new one. */
	assert_int_equal(-EPIPE, stream_write(ch->s, "x", 1));
	stream_shut(ch->s);
	stream_close(ch->s);
	stream_reset(ch->s, YAMUX_RESET_NONE);
	stream_unhold(ch->s);
	assert_int_equal(-ENOTCONN,
			 stream_open(stream_conn(ch->s), unknown, 1, false, &chan_ops, ch, &s));
}

static void streams_end_with_their_connection(void **state)
{
	struct chan chans[5] = { 0 };
	struct net *n = *state;

	net_connect(n);
	for (size_t i = 0; i < 5; i++) {
		chan_open(&chans[i], n->b.conn, i % 2);
		chans[i].on_event = i == 1 ? take_others_along : NULL;
	}
	chans[1].other = &chans[2]; /* the next in the list */
	until(n, n->a.n_chans == 5);
	for (size_t i = 0; i < 5; i++)
		chans[i].on_event = i == 1 ? take_others_along : NULL;
	conn_close(n->b.conn);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(i == 2 ? 0 : -ECANCELED, chans[i].ended);
	until(n, n->a.closed == 1 && n->b.closed == 1);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(-ECONNRESET, n->a.chans[i].ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
		test(a_stream_carries_bytes_both_ways),
		test(the_listener_of_a_connection_opens_streams_too),
		test(a_lazy_opener_speaks_before_it_hears),
		cmocka_unit_test(the_first_protocol_that_is_known_is_agreed_on),
		test(bytes_wait_for_the_agreement),
		test(who_speaks_nothing_of_it_is_told),
		test(a_lazy_opener_that_spoke_to_nobody_is_told),
		test(a_stream_that_nobody_accepts_is_reset),
		test(a_stream_that_nobody_owns_is_reset),
		test(an_answer_that_does_not_come_is_not_waited_for),
		test(a_proposal_that_does_not_come_is_not_waited_for),
		test(a_broken_dialogue_resets_the_stream_alone),
		cmocka_unit_test(an_opener_hears_of_a_broken_answer),
		test(one_side_can_end_and_still_read),
		test(what_was_written_before_the_close_arrives),
		test(what_comes_after_the_close_is_dropped),
		test(a_closed_stream_does_not_wait_for_the_peer_for_long),
		test(a_closed_stream_waits_while_its_bytes_move),
		test(a_closed_stream_whose_bytes_do_not_move_is_reset),
		test(a_reset_ends_it_for_both),
		cmocka_unit_test(a_stream_can_end_in_its_own_data),
		cmocka_unit_test(a_connection_can_be_closed_in_any_event_of_a_stream),
		test(streams_end_with_their_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
