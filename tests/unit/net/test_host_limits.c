/*
 * How many, how fast, how long: strangers that are too much for a host. All come from loopback,
 * which is not limited; the test says from where they seem to come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/net/host_fixture.h"

#define MARGIN_MS 2000 /* real time that a test may take between two times that it sets */
#define STRANGERS 12

static struct sockaddr_in seeming; /* where whoever is accepted comes from; 0: the truth */
static struct stranger strangers[STRANGERS];

const struct sockaddr *__real_conn_remote(const struct conn *c);
const struct sockaddr *__wrap_conn_remote(const struct conn *c);

const struct sockaddr *__wrap_conn_remote(const struct conn *c)
{
	if (seeming.sin_family == AF_INET && !conn_is_dialer(c))
		return (const struct sockaddr *)&seeming;
	return __real_conn_remote(c);
}

static void come_from(const char *ip)
{
	seeming = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(7) };
	assert_int_equal(1, inet_pton(AF_INET, ip, &seeming.sin_addr));
}

static int setup(void **state)
{
	int r = hosts_setup(state);

	memset(&seeming, 0, sizeof(seeming));
	for (size_t i = 0; i < STRANGERS; i++) {
		stranger_start(*state, &strangers[i]);
		stranger_offer_identify(&strangers[i]);
	}
	return r;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < STRANGERS; i++)
		stranger_stop(&strangers[i]);
	return hosts_teardown(state);
}

/* A connection of TCP that says nothing. */
static int knock(const struct node *n)
{
	struct multiaddr a = node_address(n);
	struct targets t = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(0, targets_add_ip(&t, &a));
	assert_int_equal(0, connect(fd, (struct sockaddr *)&t.v[0], sizeof(struct sockaddr_in)));
	return fd;
}

/* ---- from one address ---- */

static void an_address_has_so_many_connections_and_no_more(void **state)
{
	struct hosts *f = *state;

	come_from("10.0.0.1");
	for (unsigned i = 0; i < FLOOD_AT_ONCE_MAX; i++)
		stranger_dial(&strangers[i], f->a);
	until(f, f->a->ups == FLOOD_AT_ONCE_MAX);
	stranger_call(&strangers[8], f->a);
	until(f, strangers[8].closed == 1);
	assert_int_equal(0, strangers[8].opened);
	assert_int_equal(1, node_counts(f->a).refused);

	come_from("10.0.0.2"); /* others may */
	stranger_dial(&strangers[9], f->a);
	come_from("10.0.0.1");
	stranger_hang_up(&strangers[0]); /* and it, when one has gone */
	until(f, f->a->downs == 1);
	stranger_dial(&strangers[10], f->a);
	assert_int_equal(1, node_counts(f->a).refused);
}

static void an_address_connects_so_fast_and_no_faster(void **state)
{
	struct hosts *f = *state;
	int fds[FLOOD_BURST + 2];

	come_from("10.0.0.1");
	for (unsigned i = 0; i < FLOOD_BURST + 2; i++) {
		fds[i] = knock(f->a);
		until(f, node_counts(f->a).accepted + node_counts(f->a).refused == i + 1);
		close(fds[i]);
		until(f, f->a->h->n_conns == 0);
	}
	assert_int_equal(FLOOD_BURST, node_counts(f->a).accepted);
	assert_int_equal(2, node_counts(f->a).refused);
	hosts_time(f, FLOOD_RATE_MS);
	stranger_dial(&strangers[0], f->a);
}

/* Many of them are one address behind a translator, or one machine that runs tests. */
static void loopback_is_not_limited(void **state)
{
	struct hosts *f = *state;

	for (unsigned i = 0; i < STRANGERS; i++)
		stranger_dial(&strangers[i], f->a);
	until(f, f->a->ups == STRANGERS);
	assert_int_equal(0, node_counts(f->a).refused);
}

/* ---- in all ---- */

static void only_so_many_handshakes_go_on_at_a_time(void **state)
{
	int fds[HOST_UPGRADING_MAX + 1];
	struct hosts *f = *state;
	char byte;

	for (unsigned i = 0; i < HOST_UPGRADING_MAX + 1; i++)
		fds[i] = knock(f->a);
	until(f, node_counts(f->a).refused == 1);
	assert_int_equal(HOST_UPGRADING_MAX, node_counts(f->a).accepted);
	/* Not a byte was said to it. */
	until(f, f->a->h->n_conns == HOST_UPGRADING_MAX);
	assert_int_equal(0, read(fds[HOST_UPGRADING_MAX], &byte, 1));
	hosts_time(f, CONN_UPGRADE_IN_MS);
	until(f, f->a->h->n_conns == 0);
	stranger_dial(&strangers[0], f->a);
	for (unsigned i = 0; i < HOST_UPGRADING_MAX + 1; i++)
		close(fds[i]);
}

static void there_are_so_many_connections_and_no_more(void **state)
{
	struct hosts *f = *state;

	f->a->h->n_links += HOST_CONNECTIONS_MAX - 1;
	stranger_dial(&strangers[0], f->a);
	stranger_call(&strangers[1], f->a);
	until(f, strangers[1].closed == 1);
	assert_int_equal(0, strangers[1].opened);
	f->a->h->n_links -= HOST_CONNECTIONS_MAX - 1;
	stranger_dial(&strangers[1], f->a);
}

static void a_peer_has_so_many_connections_and_no_more(void **state)
{
	struct stranger *st = &strangers[0];
	struct hosts *f = *state;

	for (unsigned i = 0; i < HOST_PER_PEER_MAX; i++)
		stranger_dial(st, f->a);
	until(f, f->a->h->n_links == HOST_PER_PEER_MAX);
	stranger_dial(st, f->a);
	until(f, st->closed == 1);
	assert_int_equal(1, node_counts(f->a).refused);
	assert_int_equal(HOST_PER_PEER_MAX, f->a->h->n_links);
	until(f, f->a->ups == 1);
	assert_int_equal(1, host_count(f->a->h));
	host_disconnect(f->a->h, &st->id.id);
	until(f, st->closed == HOST_PER_PEER_MAX + 1 && f->a->downs == 1);
	assert_int_equal(1, f->a->ups);
}

/* ---- trimming ---- */

static void restart_with(struct hosts *f, uint32_t high, uint32_t low, uint64_t grace_ms)
{
	node_stop(f->a);
	f->a->opt.high_water = high;
	f->a->opt.low_water = low;
	f->a->opt.grace_ms = grace_ms;
	node_start(f->a);
}

static bool is_connected(const struct hosts *f, unsigned i)
{
	return host_is_connected(f->a->h, &strangers[i].id.id);
}

static void above_the_high_water_mark_the_least_used_go(void **state)
{
	struct talk talks[2];
	struct hosts *f = *state;

	restart_with(f, 5, 3, 0);
	for (unsigned i = 0; i < 5; i++) {
		stranger_dial(&strangers[i], f->a);
		until(f, f->a->ups == i + 1);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(0, stream_open(strangers[2 * i + 1].conn, test_protocol, 1, false,
						&talk_ops, memset(&talks[i], 0, sizeof(*talks)),
						&talks[i].s));
	until(f, talks[0].agreed && talks[1].agreed);
	hosts_turns(f, 20); /* identify's streams are over */
	assert_int_equal(5, host_count(f->a->h));
	stranger_call(&strangers[5], f->a);
	until(f, f->a->downs >= 3 && f->a->h->n_links == 3);
	assert_true(is_connected(f, 1) && is_connected(f, 3) && is_connected(f, 5));
	assert_false(is_connected(f, 0) || is_connected(f, 2) || is_connected(f, 4));
	assert_int_equal(0, talks[0].ended | talks[1].ended);
	talk_close(&talks[0]);
	talk_close(&talks[1]);
}

/* Those that are closing already are not there any more: none goes for them. */
static void no_more_go_than_are_too_many(void **state)
{
	struct hosts *f = *state;

	restart_with(f, 7, 6, 0);
	for (unsigned i = 0; i < 7; i++) {
		stranger_dial(&strangers[i], f->a);
		until(f, f->a->ups == i + 1);
	}
	links_trim(f->a->h);
	assert_int_equal(7, host_count(f->a->h));
	f->a->h->opt.high_water = 6;
	for (unsigned i = 0; i < 3; i++) { /* in one turn of the loop */
		links_trim(f->a->h);
		assert_int_equal(6, host_count(f->a->h));
	}
	until(f, f->a->h->n_links == 6);
}

static void young_connections_are_spared(void **state)
{
	struct hosts *f = *state;

	restart_with(f, 3, 1, 30000);
	for (unsigned i = 0; i < 4; i++)
		stranger_dial(&strangers[i], f->a);
	until(f, f->a->ups == 4);
	hosts_time(f, 30000 - MARGIN_MS);
	stranger_dial(&strangers[4], f->a);
	until(f, f->a->ups == 5);
	assert_int_equal(5, host_count(f->a->h));
	hosts_time(f, HOST_LOOK_MS); /* they are not for long, also when none comes */
	until(f, host_count(f->a->h) == 1);
}

static void peers_that_are_kept_are_spared(void **state)
{
	struct hosts *f = *state;

	restart_with(f, 3, 0, 0);
	host_keep(f->a->h, &strangers[0].id.id);
	host_keep(f->a->h, &strangers[2].id.id);
	for (unsigned i = 0; i < 3; i++) {
		stranger_dial(&strangers[i], f->a);
		until(f, f->a->ups == i + 1);
	}
	stranger_call(&strangers[3], f->a);
	until(f, f->a->h->n_links == 2 && strangers[3].closed == 1);
	assert_true(is_connected(f, 0) && is_connected(f, 2));
}

static size_t count_kept(const struct host *h)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &h->peers)
		n += container_of(it, struct peer, item)->kept;
	return n;
}

static void only_so_many_are_kept_and_those_that_came_first_stay(void **state)
{
	struct hosts *f = *state;
	struct peerid id;

	host_keep(f->a->h, &strangers[0].id.id);
	for (uint32_t i = 1; i < HOST_KEPT_MAX + 100; i++) {
		uint8_t key[32] = { 0 };

		memcpy(key, &i, sizeof(i));
		peerid_from_ed25519(key, &id);
		host_keep(f->a->h, &id);
		hosts_time(f, 0);
	}
	assert_int_equal(HOST_KEPT_MAX, count_kept(f->a->h));
	assert_true(peer_find(f->a->h, &strangers[0].id.id)->kept);
	assert_true(peer_find(f->a->h, &id)->kept);
	host_disconnect(f->a->h, &strangers[0].id.id);
	assert_int_equal(HOST_KEPT_MAX - 1, count_kept(f->a->h));
}

static void without_a_mark_none_goes(void **state)
{
	struct hosts *f = *state;

	restart_with(f, 0, 0, 0);
	for (unsigned i = 0; i < STRANGERS; i++)
		stranger_dial(&strangers[i], f->a);
	until(f, f->a->ups == STRANGERS);
	hosts_time(f, HOST_LOOK_MS);
	hosts_turns(f, 10);
	assert_int_equal(STRANGERS, host_count(f->a->h));
}

/* ---- pings ---- */

static const char *const ping_protocol[] = { PING_PROTOCOL };

static void ping_open(struct talk *t, struct stranger *st)
{
	*t = (struct talk){ 0 };
	assert_int_equal(0, stream_open(st->conn, ping_protocol, 1, false, &talk_ops, t, &t->s));
}

static void pings_are_answered(void **state)
{
	static const char bytes[] = "thirty-two bytes of no importance";
	struct hosts *f = *state;
	struct talk t;

	stranger_dial(&strangers[0], f->a);
	ping_open(&t, &strangers[0]);
	assert_int_equal(0, stream_write(t.s, bytes, PING_BYTES - 1));
	until(f, t.agreed);
	hosts_turns(f, 10);
	assert_int_equal(0, t.n);
	assert_int_equal(0, stream_write(t.s, bytes + PING_BYTES - 1, 1));
	until(f, t.n == PING_BYTES);
	assert_memory_equal(bytes, t.got, PING_BYTES);
	assert_int_equal(0, stream_write(t.s, bytes, PING_BYTES));
	until(f, t.n == 2 * PING_BYTES);
	stream_shut(t.s);
	until(f, t.eof);
	talk_close(&t);
	assert_true(list_empty(&f->a->h->pings));
}

static void a_peer_has_so_many_pings_and_no_more(void **state)
{
	struct talk talks[PING_ACCEPTED_MAX + 1], other;
	struct hosts *f = *state;

	stranger_dial(&strangers[0], f->a);
	stranger_dial(&strangers[1], f->a);
	for (unsigned i = 0; i < PING_ACCEPTED_MAX; i++) {
		ping_open(&talks[i], &strangers[0]);
		until(f, talks[i].agreed);
	}
	ping_open(&talks[PING_ACCEPTED_MAX], &strangers[0]);
	until(f, talks[PING_ACCEPTED_MAX].ended);
	ping_open(&other, &strangers[1]);
	until(f, other.agreed);
	talk_close(&talks[0]);
	until(f, f->a->h->pings.next->next->next == &f->a->h->pings); /* two are left */
	ping_open(&talks[0], &strangers[0]);
	until(f, talks[0].agreed);
	talk_close(&talks[0]);
	talk_close(&talks[1]);
	talk_close(&other);
	until(f, list_empty(&f->a->h->pings));
}

static void an_idle_ping_is_ended(void **state)
{
	static const char bytes[PING_BYTES] = { 0 };
	struct hosts *f = *state;
	struct talk t;

	stranger_dial(&strangers[0], f->a);
	ping_open(&t, &strangers[0]);
	until(f, t.agreed && !list_empty(&f->a->h->pings));
	hosts_time(f, PING_IDLE_MS - MARGIN_MS);
	assert_int_equal(0, stream_write(t.s, bytes, PING_BYTES));
	until(f, t.n == PING_BYTES);
	hosts_time(f, MARGIN_MS);
	hosts_turns(f, 10);
	assert_false(t.eof);
	hosts_time(f, PING_IDLE_MS);
	until(f, t.eof);
	talk_close(&t);
}

static void pings_have_an_end(void **state)
{
	static const char bytes[PING_BYTES] = { 0 };
	struct hosts *f = *state;
	unsigned rounds = 0;
	struct talk t;

	stranger_dial(&strangers[0], f->a);
	ping_open(&t, &strangers[0]);
	until(f, t.agreed);
	while (!t.eof) {
		assert_int_equal(0, stream_write(t.s, bytes, PING_BYTES));
		rounds++;
		until(f, t.n == rounds * PING_BYTES || t.eof);
		hosts_time(f, PING_IDLE_MS / 2);
		hosts_turns(f, 10);
	}
	assert_in_range(rounds, 5, PING_TOTAL_MS / (PING_IDLE_MS / 2));
	talk_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(an_address_has_so_many_connections_and_no_more),
		TEST(an_address_connects_so_fast_and_no_faster),
		TEST(loopback_is_not_limited),
		TEST(only_so_many_handshakes_go_on_at_a_time),
		TEST(there_are_so_many_connections_and_no_more),
		TEST(a_peer_has_so_many_connections_and_no_more),
		TEST(above_the_high_water_mark_the_least_used_go),
		TEST(no_more_go_than_are_too_many),
		TEST(young_connections_are_spared),
		TEST(peers_that_are_kept_are_spared),
		TEST(only_so_many_are_kept_and_those_that_came_first_stay),
		TEST(without_a_mark_none_goes),
		TEST(pings_are_answered),
		TEST(a_peer_has_so_many_pings_and_no_more),
		TEST(an_idle_ping_is_ended),
		TEST(pings_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
