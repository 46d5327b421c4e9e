/* Hosts that are friends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/net/host_fixture.h"

/* ---- connecting ---- */

static struct node *waited_for;
static const struct peerid *waited_peer;

static void done_when_up(void *arg, const struct peerid *peer, int status, const struct err *why)
{
	assert_int_equal(1, waited_for->ups);
	assert_true(peerid_equal(peer, waited_peer));
	assert_true(host_speaks(waited_for->h, peer, "/test/1"));
	call_done(arg, peer, status, why);
}

static void whoever_connects_is_told_when_the_peer_is_up(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	waited_for = f->b;
	waited_peer = node_id(f->a);
	node_learn(f->b, f->a);
	assert_int_equal(0, host_connect(f->b->h, node_id(f->a), done_when_up, &call));
	assert_int_equal(0, call.n); /* never from within */
	until(f, call.n > 0 && f->a->ups > 0);
	assert_int_equal(1, call.n);
	assert_int_equal(0, call.status);
	assert_int_equal(1, f->a->ups);
	assert_true(peerid_equal(&f->a->last, node_id(f->b)));
	assert_int_equal(1, host_count(f->a->h));
	assert_int_equal(1, host_count(f->b->h));
	assert_int_equal(1, node_counts(f->a).accepted);
	assert_int_equal(1, node_counts(f->b).dialled);
	assert_int_equal(0, node_counts(f->b).dial_failures);
}

static void peers_know_each_other_by_identify(void **state)
{
	struct hosts *f = *state;
	char text[64];
	uint16_t port;

	node_join(f->b, f->a);
	assert_string_equal("test/1", host_agent(f->a->h, node_id(f->b)));
	assert_true(host_speaks(f->a->h, node_id(f->b), PING_PROTOCOL));
	assert_true(host_speaks(f->a->h, node_id(f->b), IDENTIFY_PUSH_PROTOCOL));
	assert_false(host_speaks(f->a->h, node_id(f->b), "/test/2"));
	assert_false(host_speaks(f->a->h, node_id(f->b), "/test/"));
	assert_false(host_speaks(f->a->h, node_id(f->b), ""));
	assert_string_equal("", host_agent(f->a->h, node_id(f->c)));
	assert_false(host_speaks(f->a->h, node_id(f->c), "/test/1"));

	/* Where the dialler listens, which its socket does not tell. */
	assert_int_equal(0, multiaddr_tcp(&f->b->listen, text, sizeof(text), &port, NULL));
	snprintf(text, sizeof(text), "/ip4/127.0.0.1/tcp/%u", port);
	assert_true(node_knows(f->a, node_id(f->b), text));
}

static void a_connection_that_is_there_is_used(void **state)
{
	struct hosts *f = *state;
	struct call calls[3] = { 0 };

	node_learn(f->b, f->a);
	node_connect(f->b, f->a, &calls[0]);
	node_connect(f->b, f->a, &calls[1]);
	until(f, calls[0].n + calls[1].n == 2);
	node_connect(f->b, f->a, &calls[2]);
	assert_int_equal(0, calls[2].n);
	until(f, calls[2].n == 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(0, calls[i].status);
	until(f, f->a->ups == 1);
	node_connect(f->a, f->b, &calls[2]); /* by the other's dial */
	until(f, calls[2].n == 2);
	assert_int_equal(1, node_counts(f->b).dialled);
	assert_int_equal(0, node_counts(f->a).dialled);
	assert_int_equal(1, f->b->ups);
}

static void who_dial_each_other_at_once_get_two_connections(void **state)
{
	struct hosts *f = *state;
	struct call calls[2] = { 0 };

	node_learn(f->a, f->b);
	node_learn(f->b, f->a);
	node_connect(f->a, f->b, &calls[0]);
	node_connect(f->b, f->a, &calls[1]);
	until(f, f->a->h->n_links == 2 && f->b->h->n_links == 2);
	until(f, calls[0].n == 1 && calls[1].n == 1);
	hosts_turns(f, 20);
	assert_int_equal(0, calls[0].status | calls[1].status);
	assert_int_equal(1, calls[0].n * calls[1].n);
	assert_int_equal(1, f->a->ups);
	assert_int_equal(1, f->b->ups);
	assert_int_equal(1, host_count(f->a->h));

	/* One of them is enough. */
	conn_close(container_of(f->a->h->links.next, struct link, item)->conn);
	until(f, f->a->h->n_links == 1 && f->b->h->n_links == 1);
	assert_int_equal(0, f->a->downs + f->b->downs);
	assert_true(host_speaks(f->a->h, node_id(f->b), "/test/1"));
	conn_close(container_of(f->a->h->links.next, struct link, item)->conn);
	until(f, f->a->downs == 1 && f->b->downs == 1);
}

/* ---- streams ---- */

static void streams_go_both_ways(void **state)
{
	struct hosts *f = *state;
	struct talk ab, ba;

	node_join(f->b, f->a);
	talk_open(&ab, f->a, node_id(f->b));
	talk_open(&ba, f->b, node_id(f->a));
	assert_int_equal(0, stream_write(ab.s, "from a", 6));
	assert_int_equal(0, stream_write(ba.s, "from b", 6));
	until(f, ab.n == 6 && ba.n == 6);
	assert_string_equal("from a", f->b->talks[0].got);
	assert_string_equal("from a", ab.got);
	assert_string_equal("from b", f->a->talks[0].got);
	assert_true(peerid_equal(node_id(f->a), stream_peer(f->b->talks[0].s)));
	talk_close(&ab);
	talk_close(&ba);
	until(f, f->a->talks[0].eof && f->b->talks[0].eof);
	talk_close(&f->a->talks[0]);
	talk_close(&f->b->talks[0]);
}

static void a_stream_needs_a_connection(void **state)
{
	struct hosts *f = *state;
	struct talk t = { 0 };

	node_learn(f->b, f->a);
	assert_int_equal(-ENOTCONN,
			 host_open(f->b->h, node_id(f->a), test_protocol, 1, &talk_ops, &t, &t.s));
	node_join(f->b, f->a);
	host_disconnect(f->b->h, node_id(f->a));
	assert_false(host_is_connected(f->b->h, node_id(f->a)));
	assert_int_equal(-ENOTCONN,
			 host_open(f->b->h, node_id(f->a), test_protocol, 1, &talk_ops, &t, &t.s));
}

/* ---- the end of connections ---- */

static void disconnecting_tells_both_sides(void **state)
{
	struct hosts *f = *state;
	struct talk t;

	node_join(f->b, f->a);
	talk_open(&t, f->b, node_id(f->a));
	until(f, t.agreed);
	host_disconnect(f->b->h, node_id(f->a));
	assert_int_equal(-ECANCELED, t.ended);
	until(f, f->a->downs == 1 && f->b->downs == 1);
	assert_int_equal(-ECONNRESET, f->a->talks[0].ended);
	assert_int_equal(0, host_count(f->a->h) + host_count(f->b->h));
	host_disconnect(f->b->h, node_id(f->a));
	host_disconnect(f->b->h, node_id(f->c));
}

/* The connection that goes is not taken for one that is there. */
static void connecting_follows_disconnecting_at_once(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	node_join(f->b, f->a);
	host_disconnect(f->b->h, node_id(f->a));
	node_connect(f->b, f->a, &call);
	until(f, call.n == 1);
	assert_int_equal(0, call.status);
	assert_true(host_is_connected(f->b->h, node_id(f->a)));
	assert_int_equal(2, node_counts(f->b).dialled);
}

static void what_a_peer_said_is_known_for_a_while_after_it_went(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };

	node_join(f->b, f->a);
	host_disconnect(f->b->h, node_id(f->a));
	until(f, f->a->downs == 1);
	node_connect(f->a, f->b, &call);
	until(f, call.n == 1);
	assert_int_equal(0, call.status);
	host_disconnect(f->b->h, node_id(f->a));
	until(f, f->a->downs == 2);
	hosts_time(f, ADDRBOOK_AFTERWARDS_MS);
	node_connect(f->a, f->b, &call);
	until(f, call.n == 2);
	assert_int_equal(-EHOSTUNREACH, call.status);
}

static void a_peer_that_is_kept_is_dialled_again(void **state)
{
	struct hosts *f = *state;

	node_learn(f->b, f->a);
	host_keep(f->b->h, node_id(f->a));
	until(f, f->b->ups == 1);
	node_stop(f->a);
	until(f, f->b->downs == 1);
	node_start(f->a);
	hosts_time(f, 2000);
	assert_int_equal(1, node_counts(f->b).dialled); /* not too soon */
	hosts_time(f, 5000);
	until(f, f->b->ups == 2);
}

static void a_peer_that_is_not_there_is_dialled_more_and_more_seldom(void **state)
{
	struct hosts *f = *state;
	uint64_t passed = 0, last = 0;

	node_learn(f->b, f->a);
	node_stop(f->a);
	host_keep(f->b->h, node_id(f->a));
	for (unsigned dials = 1; dials <= 12; dials++) {
		uint64_t want = 5000ull << (dials - 1);

		while (node_counts(f->b).dial_failures < dials) {
			hosts_time(f, 100);
			passed += 100;
		}
		if (dials == 1) {
			last = passed;
			continue;
		}
		want /= 2;
		if (want > 300000)
			want = 300000;
		assert_in_range(passed - last, want * 3 / 4 - 200, want * 5 / 4 + 500);
		last = passed;
	}
	hosts_time(f, 10 * ADDRBOOK_HOUR_MS); /* and never forgotten */
	assert_true(node_counts(f->b).dial_failures >= 12);
	node_start(f->a);
	hosts_time(f, 400000);
	until(f, f->b->ups == 1);
}

/* Apart for longer than either remembers what the other said. */
static void peers_that_are_kept_find_each_other_after_hours(void **state)
{
	struct hosts *f = *state;
	struct multiaddr at = node_address(f->a);

	assert_int_equal(0, host_learn(f->b->h, node_id(f->a), &at, HOST_TTL_HOUR));
	host_keep(f->b->h, node_id(f->a));
	until(f, f->b->ups == 1);
	node_stop(f->a);
	until(f, f->b->downs == 1);
	for (unsigned i = 0; i < 30; i++)
		hosts_time(f, 300000);
	node_start(f->a);
	hosts_time(f, 400000);
	until(f, f->b->ups == 2);
}

static void disconnecting_ends_keeping(void **state)
{
	struct hosts *f = *state;

	node_learn(f->b, f->a);
	host_keep(f->b->h, node_id(f->a));
	until(f, f->b->ups == 1);
	host_disconnect(f->b->h, node_id(f->a));
	until(f, f->b->downs == 1);
	for (unsigned i = 0; i < 10; i++)
		hosts_time(f, 300000);
	assert_int_equal(1, node_counts(f->b).dialled);
	host_keep(f->b->h, node_id(f->a)); /* it can begin again */
	until(f, f->b->ups == 2);
}

/* ---- what cannot be ---- */

static void nobody_connects_with_itself(void **state)
{
	struct hosts *f = *state;
	struct multiaddr at = node_address(f->a);
	struct call call = { 0 };

	assert_int_equal(0, host_learn(f->a->h, node_id(f->a), &at, HOST_TTL_PERMANENT));
	assert_int_equal(-EINVAL, host_connect(f->a->h, node_id(f->a), call_done, &call));
	host_keep(f->a->h, node_id(f->a));
	host_disconnect(f->a->h, node_id(f->a));
	hosts_time(f, 10000);
	assert_int_equal(0, node_counts(f->a).dialled);
	assert_int_equal(0, call.n);
}

/* As when the identity was copied to another machine. */
static void whoever_has_our_identity_is_refused(void **state)
{
	struct hosts *f = *state;
	struct stranger twin;

	stranger_start(f, &twin);
	twin.ctx.self = &f->a->id;
	stranger_dial(&twin, f->a);
	until(f, twin.closed == 1);
	assert_int_equal(0, host_count(f->a->h));
	assert_int_equal(0, f->a->ups);
	stranger_stop(&twin);
}

static void what_cannot_be_listened_on_is_told(void **state)
{
	struct hosts *f = *state;
	struct multiaddr some[3] = { address_of("/ip4/127.0.0.1/udp/1/quic-v1"), f->a->listen,
				     address_of("/ip4/127.0.0.1/tcp/0") };
	struct host *h = NULL;
	struct err e = { 0 };

	/* Taken by a. */
	f->c->opt.listen = some;
	f->c->opt.n_listen = 2;
	assert_int_equal(-EADDRINUSE, host_new(&f->c->opt, &h, &e));
	assert_null(h);
	assert_non_null(strstr(e.msg, "/ip4/127.0.0.1/tcp/"));

	/* One is enough; those of other kinds, or none at all, are no failure. */
	f->c->opt.n_listen = 3;
	node_start(f->c);
	node_join(f->a, f->c);
	node_stop(f->c);
	f->c->opt.n_listen = 1;
	node_start(f->c);
	node_join(f->c, f->b);
	node_stop(f->c);
	f->c->opt.n_listen = 0;
	node_start(f->c);
	node_join(f->c, f->b);
}

static void only_so_many_protocols_can_be_served(void **state)
{
	struct hosts *f = *state;
	const struct stream_protocol p = { .name = "/test/2" };

	for (size_t i = f->a->h->n_offers; i < HOST_PROTOCOLS_MAX; i++)
		assert_int_equal(0, host_serve(f->a->h, &p));
	assert_int_equal(-ENOSPC, host_serve(f->a->h, &p));
}

/* ---- all of them ---- */

static bool count_two(void *arg, const struct peerid *peer)
{
	return ++*(unsigned *)arg < 2;
}

static void three_hosts_know_each_other(void **state)
{
	struct hosts *f = *state;
	unsigned n = 0;

	node_start(f->c);
	node_join(f->a, f->b);
	node_join(f->b, f->c);
	node_join(f->c, f->a);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(2, host_count(f->nodes[i].h));
		assert_int_equal(2, f->nodes[i].ups);
	}
	host_each(f->a->h, count_two, &n);
	assert_int_equal(2, n);
	node_stop(f->c);
	until(f, f->a->downs == 1 && f->b->downs == 1);
	n = 0;
	host_each(f->a->h, count_two, &n);
	assert_int_equal(1, n);
	assert_true(host_speaks(f->a->h, node_id(f->b), "/test/1"));
}

static bool are_equal(const struct node *a, const struct node *b)
{
	return node_counts(a).bytes_in == node_counts(b).bytes_out &&
	       node_counts(b).bytes_in == node_counts(a).bytes_out;
}

static void bytes_are_counted(void **state)
{
	struct hosts *f = *state;
	uint64_t before;

	node_join(f->b, f->a);
	until(f, are_equal(f->a, f->b));
	before = node_counts(f->a).bytes_in;
	assert_true(before > 500);
	host_disconnect(f->b->h, node_id(f->a));
	until(f, f->a->downs == 1 && f->b->downs == 1);
	assert_true(node_counts(f->a).bytes_in > before); /* a go-away */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, hosts_setup, hosts_teardown)
		TEST(whoever_connects_is_told_when_the_peer_is_up),
		TEST(peers_know_each_other_by_identify),
		TEST(a_connection_that_is_there_is_used),
		TEST(who_dial_each_other_at_once_get_two_connections),
		TEST(streams_go_both_ways),
		TEST(a_stream_needs_a_connection),
		TEST(disconnecting_tells_both_sides),
		TEST(connecting_follows_disconnecting_at_once),
		TEST(what_a_peer_said_is_known_for_a_while_after_it_went),
		TEST(a_peer_that_is_kept_is_dialled_again),
		TEST(a_peer_that_is_not_there_is_dialled_more_and_more_seldom),
		TEST(peers_that_are_kept_find_each_other_after_hours),
		TEST(disconnecting_ends_keeping),
		TEST(nobody_connects_with_itself),
		TEST(whoever_has_our_identity_is_refused),
		TEST(what_cannot_be_listened_on_is_told),
		TEST(only_so_many_protocols_can_be_served),
		TEST(three_hosts_know_each_other),
		TEST(bytes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
