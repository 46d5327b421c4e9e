#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/net/gossip_fixture.h"

static void add_peer(struct router *r, unsigned peer, bool outbound, const char *says)
{
	assert_int_equal(
	    0, gossip_peer_up(r->g, &fixture_identity(peer)->id, GOSSIP_1_2, outbound, r->now));
	assert_int_equal(0, router_feed(r, peer, says));
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

static bool in_mesh(struct router *r, unsigned peer)
{
	return gossip_peer_find(r->g, &fixture_identity(peer)->id)->mesh & 1;
}

static void start(struct router *r, unsigned d_factor)
{
	router_start(r, d_factor);
	router_subscribe(r, METRICS);
}

static void heartbeats_begin_soon_and_come_at_intervals(void **state)
{
	uint64_t first, next;
	struct router r;

	start(&r, 4);
	first = gossip_deadline(r.g);
	assert_int_equal(GOSSIP_FIRST_HEARTBEAT_MS, first - r.now);
	gossip_tick(r.g, first - 1);
	assert_int_equal(first, gossip_deadline(r.g));
	for (int i = 0; i < 100; i++) {
		gossip_tick(r.g, first);
		next = gossip_deadline(r.g);
		assert_in_range(next - first, HEARTBEAT_MS, HEARTBEAT_MS + HEARTBEAT_MS / 16);
		first = next;
	}
	router_stop(&r);
}

static void a_new_peer_is_grafted_while_the_mesh_is_below_its_least(void **state)
{
	struct router r;

	start(&r, 4);
	for (unsigned p = 1; p <= 40; p++)
		add_peer(&r, p, false, "+" METRICS);
	assert_int_equal(20, gossip_mesh(r.g, METRICS));
	assert_int_equal(20, count(router_sent(&r), "graft"));
	/* That is enough also at the heartbeat. */
	router_heartbeat(&r);
	assert_int_equal(20, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void below_the_least_the_mesh_is_filled_to_its_degree(void **state)
{
	struct router r;

	start(&r, 4);
	for (unsigned p = 1; p <= 40; p++)
		add_peer(&r, p, false, "+" METRICS);
	gossip_peer_down(r.g, &fixture_identity(1)->id);
	assert_int_equal(19, gossip_mesh(r.g, METRICS));
	router_sent(&r);
	router_heartbeat(&r);
	assert_int_equal(24, gossip_mesh(r.g, METRICS));
	assert_int_equal(5, count(router_sent(&r), "graft"));
	router_stop(&r);
}

static void only_subscribers_are_grafted_at_the_heartbeat(void **state)
{
	struct router r;

	start(&r, 4);
	add_peer(&r, 1, false, "+other");
	assert_int_equal(0, router_up(&r, 2, GOSSIP_FLOOD));
	assert_int_equal(0, router_feed(&r, 2, "+" METRICS));
	router_heartbeat(&r);
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

/* 50 GRAFTs: from 48 on only those that we dialled are let in. */
static void a_full_mesh_takes_none_but_those_we_dialled(void **state)
{
	struct router r;

	start(&r, 4);
	for (unsigned p = 1; p <= 50; p++)
		add_peer(&r, p, false, "+" METRICS " graft " METRICS);
	assert_int_equal(48, gossip_mesh(r.g, METRICS));
	assert_int_equal(2, count(router_sent(&r), "prune " METRICS " 60"));
	assert_false(in_mesh(&r, 50));
	add_peer(&r, 51, true, "+" METRICS " graft " METRICS);
	assert_true(in_mesh(&r, 51));
	assert_int_equal(49, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void a_mesh_too_large_is_pruned_and_keeps_those_we_dialled(void **state)
{
	const char *sent;
	struct router r;

	start(&r, 4);
	for (unsigned p = 1; p <= 50; p++)
		add_peer(&r, p, p % 6 == 0, "+" METRICS " graft " METRICS);
	assert_in_range(gossip_mesh(r.g, METRICS), 48, 50);
	router_sent(&r);
	router_heartbeat(&r);
	assert_int_equal(24, gossip_mesh(r.g, METRICS));
	sent = router_sent(&r);
	assert_in_range(count(sent, "prune " METRICS " 60"), 24, 26);
	assert_int_equal(0, count(sent, "graft"));
	for (unsigned p = 6; p <= 48; p += 6)
		assert_true(in_mesh(&r, p)); /* eight */
	/* Who was pruned is let in again after a minute. */
	for (unsigned p = 1; p <= 50; p++)
		if (!in_mesh(&r, p)) {
			assert_int_equal(0, router_feed(&r, p, "graft " METRICS));
			assert_false(in_mesh(&r, p));
			r.now += 60000;
			assert_int_equal(0, router_feed(&r, p, "graft " METRICS));
			assert_true(in_mesh(&r, p));
			break;
		}
	router_stop(&r);
}

/* What is pruned is chosen at random: those who came last are not always the ones. */
static void whom_a_prune_meets_is_random(void **state)
{
	unsigned kept[51] = { 0 };

	for (int i = 0; i < 20; i++) {
		struct router r;

		start(&r, 4);
		r.quiet = true;
		for (unsigned p = 1; p <= 48; p++)
			add_peer(&r, p, false, "+" METRICS " graft " METRICS);
		router_heartbeat(&r);
		for (unsigned p = 1; p <= 48; p++)
			kept[p] += in_mesh(&r, p);
		router_stop(&r);
	}
	for (unsigned p = 1; p <= 48; p++)
		assert_in_range(kept[p], 1, 19);
}

static void some_that_we_dialled_are_grafted_on_top(void **state)
{
	struct router r;

	start(&r, 4);
	for (unsigned p = 1; p <= 20; p++)
		add_peer(&r, p, false, "+" METRICS);
	for (unsigned p = 21; p <= 40; p++)
		add_peer(&r, p, true, "+" METRICS);
	assert_int_equal(20, gossip_mesh(r.g, METRICS));
	router_heartbeat(&r);
	assert_int_equal(28, gossip_mesh(r.g, METRICS)); /* Dout is 8 */
	router_heartbeat(&r);
	assert_int_equal(28, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void a_graft_that_is_not_taken_is_tried_again(void **state)
{
	struct router r;

	start(&r, 4);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	r.full = true;
	assert_int_equal(0, router_feed(&r, 1, "+other"));
	assert_int_equal(0, router_feed(&r, 1, "+" METRICS));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	router_heartbeat(&r);
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	r.full = false;
	router_sent(&r);
	router_heartbeat(&r);
	assert_string_equal("1:graft " METRICS ";", router_sent(&r));
	assert_int_equal(1, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

/* ---- IHAVE ---- */

/* Subscribed to @topics, and in no mesh for a minute. */
static void add_outsider(struct router *r, unsigned peer, const char *subscribes)
{
	add_peer(r, peer, false, subscribes);
	assert_int_equal(0, router_feed(r, peer, "prune " METRICS " 3600 prune " HEADS " 3600"));
}

static void those_outside_the_mesh_are_told_ids_of_two_heartbeats(void **state)
{
	struct router r;

	router_start_among(&r, 4, 1);
	add_outsider(&r, 2, "+" METRICS " +" HEADS);
	add_outsider(&r, 3, "+" HEADS);
	assert_int_equal(0, router_up(&r, 4, GOSSIP_FLOOD));
	assert_int_equal(0, router_feed(&r, 4, "+" METRICS));
	assert_int_equal(0, router_feed_message(&r, 1, 5, 1, METRICS, "a"));
	router_sent(&r);
	router_heartbeat(&r);
	assert_string_equal("2:have " METRICS " 5.1;", router_sent(&r));
	assert_int_equal(0, router_feed_message(&r, 1, 5, 2, HEADS, "a"));
	router_sent(&r);
	router_heartbeat(&r);
	assert_string_equal("2:have " METRICS " 5.1 have " HEADS " 5.2;3:have " HEADS " 5.2;",
			    router_sent(&r));
	router_heartbeat(&r);
	assert_string_equal("2:have " HEADS " 5.2;3:have " HEADS " 5.2;", router_sent(&r));
	router_heartbeat(&r);
	assert_string_equal("", router_sent(&r));
	router_stop(&r);
}

/* 12 at 2 x 6; a quarter of 60 is more, of 40 less. */
static void so_many_are_told(void **state)
{
	struct router r;

	start(&r, 2);
	for (unsigned p = 1; p <= 40; p++)
		add_outsider(&r, p, "+" METRICS);
	assert_int_equal(0, gossip_publish(r.g, METRICS, "a", 1, r.now, NULL));
	router_sent(&r);
	router_heartbeat(&r);
	assert_int_equal(12, count(router_sent(&r), "have"));
	for (unsigned p = 41; p <= 60; p++)
		add_outsider(&r, p, "+" METRICS);
	router_sent(&r);
	router_heartbeat(&r);
	assert_int_equal(15, count(router_sent(&r), "have"));
	router_stop(&r);
}

static void no_more_ids_are_told_than_a_peer_takes(void **state)
{
	struct router r;

	router_start_among(&r, 4, 0);
	add_outsider(&r, 1, "+" METRICS " +" HEADS);
	for (int i = 0; i < 6000; i++) {
		assert_int_equal(0, gossip_publish(r.g, METRICS, "a", 1, r.now, NULL));
		if (i < 10)
			assert_int_equal(0, gossip_publish(r.g, HEADS, "a", 1, r.now, NULL));
	}
	router_sent(&r);
	router_heartbeat(&r);
	assert_int_equal(GOSSIP_IHAVE_IDS_MAX / 2 + 10, count(router_sent(&r), "have"));
	router_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heartbeats_begin_soon_and_come_at_intervals),
		cmocka_unit_test(a_new_peer_is_grafted_while_the_mesh_is_below_its_least),
		cmocka_unit_test(below_the_least_the_mesh_is_filled_to_its_degree),
		cmocka_unit_test(only_subscribers_are_grafted_at_the_heartbeat),
		cmocka_unit_test(a_full_mesh_takes_none_but_those_we_dialled),
		cmocka_unit_test(a_mesh_too_large_is_pruned_and_keeps_those_we_dialled),
		cmocka_unit_test(whom_a_prune_meets_is_random),
		cmocka_unit_test(some_that_we_dialled_are_grafted_on_top),
		cmocka_unit_test(a_graft_that_is_not_taken_is_tried_again),
		cmocka_unit_test(those_outside_the_mesh_are_told_ids_of_two_heartbeats),
		cmocka_unit_test(so_many_are_told),
		cmocka_unit_test(no_more_ids_are_told_than_a_peer_takes),
	};

	return cmocka_run_group_tests_name("gossip_mesh", tests, NULL, NULL);
}
