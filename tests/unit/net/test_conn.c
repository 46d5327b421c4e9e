#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <unistd.h>

#include "tests/lib/pieces.h"
#include "tests/unit/net/conn_fixture.h"

/* Bytes of the upgrade. */
#define DIALER_GREETS (PNET_NONCE + 20 + 8) /* header and proposal */
#define LISTENER_GREETS (PNET_NONCE + 20)   /* header */
#define MESSAGE_1 (2 + 32)

static void assert_open(struct net *n)
{
	assert_true(conn_is_open(n->a.conn));
	assert_true(conn_is_open(n->b.conn));
	assert_true(peerid_equal(conn_peer(n->a.conn), &n->b.id.id));
	assert_true(peerid_equal(conn_peer(n->b.conn), &n->a.id.id));
	assert_true(conn_opened_ms(n->a.conn) > 0);
}

static void assert_why(const struct peer *p, int code, const char *words)
{
	assert_int_equal(code, p->why.code);
	if (!strstr(p->why.msg, words))
		fail_msg("\"%s\" is not in \"%s\"", words, p->why.msg);
}

/* b dials; both are over without having been open. */
static void dial_in_vain(struct net *n)
{
	unsigned a = n->a.closed, b = n->b.closed;

	net_dial(n);
	assert_int_equal(0, conn_opened_ms(n->b.conn));
	assert_null(conn_peer(n->b.conn));
	until(n, n->a.closed == a + 1 && n->b.closed == b + 1);
	assert_int_equal(0, n->a.opened);
	assert_int_equal(0, n->b.opened);
}

/* ---- the upgrade ---- */

static void both_roles_upgrade(void **state)
{
	struct net *n = *state;
	struct sockaddr_in remote;

	net_connect(n);
	assert_open(n);
	assert_memory_equal(conn_remote(n->b.conn), &n->a.at, sizeof(n->a.at));
	memcpy(&remote, conn_remote(n->a.conn), sizeof(remote));
	assert_int_equal(AF_INET, remote.sin_family);
	assert_int_equal(htonl(INADDR_LOOPBACK), remote.sin_addr.s_addr);
	conn_set_arg(n->a.conn, &remote);
	assert_ptr_equal(&remote, conn_arg(n->a.conn));
	assert_null(conn_arg(n->b.conn));
	net_close(n);
	assert_int_equal(1, n->a.closed);
}

static void both_roles_upgrade_without_a_secret(void **state)
{
	struct net *n = *state;

	n->a.ctx.psk = n->b.ctx.psk = NULL;
	net_connect(n);
	assert_open(n);
}

static void one_byte_at_a_time_is_enough(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	proxy_start(n, 1);
	net_connect(n);
	assert_open(n);
	chan_open(&ch, n->b.conn, true);
	assert_int_equal(0, stream_write(ch.s, "abc", 3));
	until(n, n->a.n_chans == 1 && n->a.chans[0].n_got == 3);
	assert_memory_equal(n->a.chans[0].got.data, "abc", 3);
	assert_int_equal(0, stream_write(n->a.chans[0].s, "defg", 4));
	until(n, ch.n_got == 4);
	assert_int_equal(n->proxy->passed[1], conn_bytes_in(n->b.conn));
	assert_true(conn_bytes_out(n->a.conn) >= n->proxy->passed[1]);
	assert_true(conn_bytes_in(n->a.conn) == n->proxy->passed[0]);
	net_close(n);
	chan_clear(&ch);
}

static void pieces_of_any_size_are_enough(void **state)
{
	uint32_t seed = 7;

	for (int i = 0; i < 20; i++) {
		struct net *n;

		assert_int_equal(0, net_setup((void **)&n));
		proxy_start(n, 0);
		net_dial(n);
		while (n->a.opened == 0 || n->b.opened == 0) {
			n->proxy->step = pieces_next(&seed, 200);
			uv_run(&n->loop, UV_RUN_ONCE);
		}
		assert_open(n);
		assert_int_equal(0, net_teardown((void **)&n));
	}
}

/* ---- another network ---- */

/* The first byte that another secret gives is any byte, so often. */
static void another_secret_ends_at_once_and_in_silence(void **state)
{
	struct net *n = *state;
	uint8_t other[32];
	unsigned seen = 0;

	for (unsigned i = 0; i < 100; i++) {
		randombytes_buf(other, sizeof(other));
		n->b.ctx.psk = other;
		dial_in_vain(n);
		assert_true(n->a.why.code == -ENONET || n->a.why.code == -ECONNRESET);
		assert_true(n->b.why.code == -ENONET || n->b.why.code == -ECONNRESET);
		seen += n->a.why.code == -ENONET;
		seen += n->b.why.code == -ENONET;
	}
	assert_true(seen >= 100); /* one of the two, at least, says why */
}

static void nothing_is_said_behind_a_bad_first_token(void **state)
{
	struct net *n = *state;
	uint8_t other[32] = { 1 };

	proxy_start(n, SIZE_MAX);
	n->b.ctx.psk = other;
	dial_in_vain(n);
	assert_true(n->proxy->passed[0] <= DIALER_GREETS);
	assert_true(n->proxy->passed[1] <= LISTENER_GREETS);
}

static void a_secret_on_one_side_alone_is_another_network(void **state)
{
	struct net *n = *state;

	n->b.ctx.psk = NULL;
	dial_in_vain(n);
	n->b.ctx.psk = n->secret;
	n->a.ctx.psk = NULL;
	dial_in_vain(n);
	assert_int_equal(2, n->a.closed);
}

/* A client that speaks no protocol of ours. */
struct client {
	uv_tcp_t tcp;
	uv_connect_t connect;
	const char *says;
	size_t n_got;
	bool up, end;
};

static void on_client_alloc(uv_handle_t *t, size_t suggested, uv_buf_t *ret)
{
	static char space[65536];

	*ret = uv_buf_init(space, sizeof(space));
}

static void on_client_closed(uv_handle_t *t)
{
	struct client *c = t->data;

	c->end = true;
}

static void on_client_read(uv_stream_t *t, ssize_t n, const uv_buf_t *b)
{
	struct client *c = t->data;

	if (n >= 0) {
		c->n_got += (size_t)n;
		return;
	}
	uv_close((uv_handle_t *)t, on_client_closed);
}

static void on_client_connected(uv_connect_t *connect, int status)
{
	struct client *c = connect->data;
	uv_buf_t b = { .base = (char *)(uintptr_t)c->says, .len = strlen(c->says) };

	assert_int_equal(0, status);
	c->up = true;
	uv_read_start((uv_stream_t *)&c->tcp, on_client_alloc, on_client_read);
	if (b.len > 0)
		assert_int_equal(b.len, uv_try_write((uv_stream_t *)&c->tcp, &b, 1));
}

static void client_start(struct net *n, struct client *c, const char *says)
{
	*c = (struct client){ .says = says };
	assert_int_equal(0, uv_tcp_init(&n->loop, &c->tcp));
	c->tcp.data = c->connect.data = c;
	assert_int_equal(0, uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&n->a.at,
					   on_client_connected));
}

static void who_speaks_something_else_gets_no_answer(void **state)
{
	struct net *n = *state;
	struct client c;

	client_start(n, &c, "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
	until(n, c.end && n->a.closed == 1);
	assert_why(&n->a, -ENONET, "first token");
	assert_true(c.n_got <= LISTENER_GREETS);
}

static void silence_is_waited_for_no_longer_than_the_upgrade_may_take(void **state)
{
	struct net *n = *state;
	struct client c;

	client_start(n, &c, "");
	until(n, c.up && n->a.accepted == 1);
	net_time(n, CONN_UPGRADE_IN_MS - MARGIN_MS);
	assert_int_equal(0, n->a.closed);
	net_time(n, MARGIN_MS);
	until(n, n->a.closed == 1 && c.end);
	assert_why(&n->a, -ETIMEDOUT, "agreeing on security");
	assert_true(c.n_got <= LISTENER_GREETS);
}

static void a_dialogue_without_an_end_is_no_upgrade(void **state)
{
	struct net *n = *state;
	struct client c;

	n->a.ctx.psk = NULL;
	client_start(n, &c, "\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n\x04/no\n");
	until(n, c.n_got == 20 + 4 + 4); /* header and two refusals */
	net_time(n, CONN_UPGRADE_IN_MS);
	until(n, n->a.closed == 1 && c.end);
	assert_why(&n->a, -ETIMEDOUT, "agreeing on security");
}

static void a_broken_dialogue_is_no_other_network(void **state)
{
	struct net *n = *state;
	struct client c;

	n->a.ctx.psk = NULL;
	client_start(n, &c, "\x13/multistream/1.0.0\n\x06/noise");
	until(n, c.end && n->a.closed == 1);
	assert_why(&n->a, -EPROTO, "/noise");
	assert_true(c.n_got <= 20);
}

/* ---- the handshake ---- */

static void another_peer_than_the_expected_is_refused_in_silence(void **state)
{
	struct net *n = *state;

	proxy_start(n, SIZE_MAX);
	peer_dial(&n->b, &n->proxy->at, &n->b.id.id);
	until(n, n->a.closed == 1 && n->b.closed == 1);
	assert_why(&n->b, -EACCES, "expected");
	assert_why(&n->a, -ECONNRESET, "the handshake");
	assert_int_equal(DIALER_GREETS + MESSAGE_1, n->proxy->passed[0]);
	assert_int_equal(0, n->a.opened + n->b.opened);
}

/* The byte at @at of what came from @end is passed on wrong. */
static void corrupt_upgrade(int end, size_t at, int heard_by_a, int heard_by_b)
{
	struct net *n;

	assert_int_equal(0, net_setup((void **)&n));
	proxy_start(n, 1);
	net_dial(n);
	until(n, n->proxy->passed[end] == at);
	n->proxy->corrupt = end;
	until(n, n->a.closed == 1 && n->b.closed == 1);
	assert_int_equal(heard_by_a, n->a.why.code);
	assert_int_equal(heard_by_b, n->b.why.code);
	assert_int_equal(0, n->a.opened);
	assert_int_equal(0, net_teardown((void **)&n));
}

static void a_wrong_byte_in_the_upgrade_ends_it(void **state)
{
	corrupt_upgrade(0, PNET_NONCE, -ENONET, -ECONNRESET);
	corrupt_upgrade(1, PNET_NONCE + 5, -ECONNRESET, -ENONET);
	corrupt_upgrade(0, DIALER_GREETS - 2, -ECONNRESET, -EPROTO); /* /noisX\n is refused */
	corrupt_upgrade(0, DIALER_GREETS, -EPROTO, -ECONNRESET);     /* the length of message 1 */
	corrupt_upgrade(1, LISTENER_GREETS + 8 + 2 + 40, -ECONNRESET, -EPROTO);
}

/* ---- dialling ---- */

static void a_refused_connection_is_said_later(void **state)
{
	struct net *n = *state;
	uv_tcp_t unused;
	struct sockaddr_in nobody;
	int len = sizeof(nobody);

	/* Bound and not listening: nobody else gets it. */
	uv_tcp_init(&n->loop, &unused);
	uv_ip4_addr("127.0.0.1", 0, &nobody);
	assert_int_equal(0, uv_tcp_bind(&unused, (struct sockaddr *)&nobody, 0));
	uv_tcp_getsockname(&unused, (struct sockaddr *)&nobody, &len);
	peer_dial(&n->b, &nobody, &n->a.id.id);
	assert_int_equal(0, n->b.closed);
	until(n, n->b.closed == 1);
	assert_why(&n->b, -ECONNREFUSED, "connecting");
	uv_close((uv_handle_t *)&unused, NULL);
	net_turns(n, 3); /* it lives here */
}

static void a_dial_has_its_own_time(void **state)
{
	struct net *n = *state;

	proxy_start(n, 0); /* accepts, and is silent */
	net_dial(n);
	until(n, n->proxy->up);
	net_time(n, DIAL_MS - MARGIN_MS);
	assert_int_equal(0, n->b.closed);
	net_time(n, MARGIN_MS);
	until(n, n->b.closed == 1);
	assert_why(&n->b, -ETIMEDOUT, "agreeing on security");
	proxy_end(n->proxy);
}

static void what_cannot_be_dialled_is_said_at_once(void **state)
{
	struct net *n = *state;
	struct sockaddr_in6 to = { .sin6_family = AF_UNIX };
	struct err e = { 0 };
	struct conn *c = NULL;

	assert_true(conn_dial(&n->b.ctx, (struct sockaddr *)&to, &n->a.id.id, DIAL_MS, &c, &e) < 0);
	assert_null(c);
	assert_true(e.code < 0);
	net_turns(n, 5);
	assert_int_equal(0, n->b.closed);
}

static void a_dial_can_be_given_up_at_any_time(void **state)
{
	for (unsigned turns = 0; turns < 12; turns++) {
		struct net *n;

		assert_int_equal(0, net_setup((void **)&n));
		net_dial(n);
		net_turns(n, turns);
		conn_close(n->b.conn);
		conn_close(n->b.conn);
		until(n, n->b.closed == 1);
		assert_why(&n->b, -ECANCELED, "by us");
		if (n->a.accepted)
			until(n, n->a.closed == 1);
		assert_int_equal(0, net_teardown((void **)&n));
	}
}

/* ---- the end ---- */

static void what_one_closes_ends_in_order_for_the_other(void **state)
{
	struct net *n = *state;

	net_connect(n);
	conn_close(n->b.conn);
	assert_int_equal(0, n->b.closed); /* not from within */
	conn_close(n->b.conn);
	until(n, !n->a.conn && !n->b.conn);
	assert_why(&n->b, -ECANCELED, "by us");
	assert_why(&n->a, -ECONNRESET, "ended the connection"); /* the go-away came */
	assert_int_equal(1, n->a.closed);
	assert_int_equal(1, n->b.closed);
}

static void close_at_once(struct peer *p, struct conn *c)
{
	conn_close(c);
	assert_int_equal(0, p->closed);
	assert_false(conn_is_open(c));
}

static void a_connection_can_be_closed_as_it_opens(void **state)
{
	for (int who = 1; who <= 3; who++) {
		struct net *n;

		assert_int_equal(0, net_setup((void **)&n));
		n->a.on_open = who & 1 ? close_at_once : NULL;
		n->b.on_open = who & 2 ? close_at_once : NULL;
		net_dial(n);
		until(n, n->a.closed == 1 && n->b.closed == 1);
		assert_int_equal(0, net_teardown((void **)&n));
	}
}

static void a_peer_that_vanishes_ends_the_connection(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	proxy_start(n, SIZE_MAX);
	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, n->a.n_chans == 1);
	proxy_end(n->proxy);
	until(n, n->a.closed == 1 && n->b.closed == 1);
	assert_int_equal(-ECONNRESET, n->a.why.code);
	assert_int_equal(-ECONNRESET, n->b.why.code);
	assert_int_equal(-ECONNRESET, ch.ended);
	assert_int_equal(-ECONNRESET, n->a.chans[0].ended);
}

static void a_wrong_byte_later_ends_the_connection(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };
	size_t passed;

	proxy_start(n, SIZE_MAX);
	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed);
	passed = n->proxy->passed[1];
	n->proxy->corrupt = 0;
	assert_int_equal(0, stream_write(ch.s, "x", 1));
	until(n, n->a.closed == 1 && n->b.closed == 1);
	assert_why(&n->a, -EPROTO, "Noise");
	assert_int_equal(-ECONNRESET, n->b.why.code);
	assert_int_equal(passed, n->proxy->passed[1]); /* nothing of ours after it */
	assert_int_equal(0, n->a.chans[0].n_got);
}

static void a_broken_frame_is_answered_by_a_go_away(void **state)
{
	struct net *n = *state;

	net_connect(n);
	conn_inject(n->b.conn, &(struct yamux_frame){ .type = 9 }, NULL, 0);
	until(n, n->a.closed == 1 && n->b.closed == 1);
	assert_why(&n->a, -EPROTO, "unknown type");
	assert_why(&n->b, -ECONNRESET, "ended the connection (0x1)");
}

/* ---- time ---- */

static void a_keepalive_is_answered_and_measured(void **state)
{
	struct net *n = *state;

	net_connect(n);
	assert_int_equal(0, conn_rtt_ms(n->b.conn));
	for (int i = 0; i < 4; i++) {
		net_time(n, YAMUX_KEEPALIVE_MS);
		until(n, conn_rtt_ms(n->a.conn) > 0 && conn_rtt_ms(n->b.conn) > 0);
	}
	assert_open(n);
}

static void a_peer_that_answers_no_more_is_given_up(void **state)
{
	struct net *n = *state;
	struct chan ch = { 0 };

	proxy_start(n, SIZE_MAX);
	net_connect(n);
	chan_open(&ch, n->b.conn, false);
	until(n, ch.agreed);
	proxy_deaf(n->proxy);
	net_time(n, YAMUX_KEEPALIVE_MS);
	net_time(n, YAMUX_PONG_MS - MARGIN_MS);
	assert_int_equal(0, n->b.closed);
	net_time(n, MARGIN_MS);
	until(n, n->a.closed == 1 && n->b.closed == 1);
	assert_int_equal(-ETIMEDOUT, n->a.why.code);
	assert_int_equal(-ETIMEDOUT, n->b.why.code);
	assert_int_equal(-ECONNRESET, ch.ended);
	proxy_end(n->proxy);
}

/* Fills what the kernel takes of a connection whose other end does not read. */
static void fill_socket(struct net *n, struct chan *chans, size_t n_chans)
{
	size_t before;

	proxy_deaf(n->proxy);
	for (size_t i = 0; i < n_chans; i++)
		chan_send_on(&chans[i], YAMUX_WINDOW);
	do {
		before = uv_stream_get_write_queue_size((uv_stream_t *)&n->b.conn->tcp);
		net_turns(n, 3);
	} while (before != uv_stream_get_write_queue_size((uv_stream_t *)&n->b.conn->tcp));
	assert_true(before > 0);
}

static void open_many(struct net *n, struct chan *chans, size_t n_chans)
{
	for (size_t i = 0; i < n_chans; i++)
		chan_open(&chans[i], n->b.conn, false);
	until(n, n->a.n_chans == n_chans);
	for (size_t i = 0; i < n_chans; i++)
		until(n, chans[i].agreed);
}

#define MANY 200
#define LOOK_MS (CONN_WRITE_STALL_MS / 4) /* from one look at a write to the next */

static void a_peer_that_does_not_read_is_given_up(void **state)
{
	static struct chan chans[MANY];
	struct net *n = *state;

	memset(chans, 0, sizeof(chans));
	proxy_start(n, SIZE_MAX);
	net_connect(n);
	open_many(n, chans, MANY);
	fill_socket(n, chans, MANY);
	for (int i = 0; i < 3; i++)
		net_time(n, LOOK_MS);
	assert_int_equal(0, n->b.closed);
	net_time(n, LOOK_MS);
	net_time(n, LOOK_MS); /* if the first one found what the socket had taken at once */
	until(n, n->b.closed == 1);
	assert_why(&n->b, -ETIMEDOUT, "does not read");
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(-ECONNRESET, chans[i].ended);
	proxy_end(n->proxy);
}

static void a_slow_reader_is_no_dead_one(void **state)
{
	static struct chan chans[MANY];
	struct net *n = *state;

	memset(chans, 0, sizeof(chans));
	proxy_start(n, SIZE_MAX);
	net_connect(n);
	open_many(n, chans, MANY);
	fill_socket(n, chans, MANY);
	for (int i = 0; i < 12; i++) {
		size_t had = uv_stream_get_write_queue_size((uv_stream_t *)&n->b.conn->tcp);

		if (i % 4 == 3) { /* now and then it reads */
			proxy_read_some(n->proxy);
			until(n, uv_stream_get_write_queue_size((uv_stream_t *)&n->b.conn->tcp) !=
				     had);
		}
		net_time(n, LOOK_MS);
		assert_int_equal(0, n->b.closed);
	}
	proxy_end(n->proxy);
	until(n, n->b.closed == 1);
}

static void a_loop_that_stood_still_is_no_fault_of_the_peer(void **state)
{
	struct net *n = *state;
	struct client c;

	client_start(n, &c, "");
	until(n, c.up && n->a.accepted == 1);
	net_time(n, CONN_WRITE_STALL_MS + MARGIN_MS); /* with a write that is as good as done */
	assert_int_equal(0, n->a.closed);
	net_close(n);
	until(n, c.end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
		test(both_roles_upgrade),
		test(both_roles_upgrade_without_a_secret),
		test(one_byte_at_a_time_is_enough),
		cmocka_unit_test(pieces_of_any_size_are_enough),
		test(another_secret_ends_at_once_and_in_silence),
		test(nothing_is_said_behind_a_bad_first_token),
		test(a_secret_on_one_side_alone_is_another_network),
		test(who_speaks_something_else_gets_no_answer),
		test(silence_is_waited_for_no_longer_than_the_upgrade_may_take),
		test(a_dialogue_without_an_end_is_no_upgrade),
		test(a_broken_dialogue_is_no_other_network),
		test(another_peer_than_the_expected_is_refused_in_silence),
		cmocka_unit_test(a_wrong_byte_in_the_upgrade_ends_it),
		test(a_refused_connection_is_said_later),
		test(a_dial_has_its_own_time),
		test(what_cannot_be_dialled_is_said_at_once),
		cmocka_unit_test(a_dial_can_be_given_up_at_any_time),
		test(what_one_closes_ends_in_order_for_the_other),
		cmocka_unit_test(a_connection_can_be_closed_as_it_opens),
		test(a_peer_that_vanishes_ends_the_connection),
		test(a_wrong_byte_later_ends_the_connection),
		test(a_broken_frame_is_answered_by_a_go_away),
		test(a_keepalive_is_answered_and_measured),
		test(a_peer_that_answers_no_more_is_given_up),
		test(a_peer_that_does_not_read_is_given_up),
		test(a_slow_reader_is_no_dead_one),
		test(a_loop_that_stood_still_is_no_fault_of_the_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
