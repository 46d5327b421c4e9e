#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/lib/vectors.h"
#include "tests/unit/net/gossip_fixture.h"

#define BOTH METRICS " +" HEADS
#define GRAFT_BOTH "graft " METRICS " graft " HEADS

static void start(struct router *r)
{
	router_start(r, 4);
	router_subscribe(r, METRICS);
	router_subscribe(r, HEADS);
}

static const struct peerid *id_of(unsigned peer)
{
	return &fixture_identity(peer)->id;
}

static void a_new_stream_begins_with_hello_and_graft(void **state)
{
	struct router r;

	start(&r);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_string_equal("1:+" BOTH ";1:" GRAFT_BOTH ";", router_sent(&r));
	assert_int_equal(1, gossip_mesh(r.g, METRICS));
	assert_int_equal(1, gossip_mesh(r.g, HEADS));
	assert_int_equal(0, gossip_subscribers(r.g, HEADS));
	router_stop(&r);
}

struct recorded {
	json_t *samples;
	size_t next;
};

static bool compare(void *arg, const struct peerid *to, const uint8_t *frame, size_t n)
{
	static const size_t order[] = { 1, 3 }; /* the hello, the GRAFT */
	struct recorded *rec = arg;
	uint8_t want[256];

	assert_true(rec->next < 2);
	assert_int_equal(vectors_hex(json_array_get(rec->samples, order[rec->next++]), "rpc", want,
				     sizeof(want)),
			 n);
	assert_memory_equal(want, frame, n);
	return true;
}

static void they_have_the_recorded_bytes(void **state)
{
	json_t *root = vectors_load("gossipsub.json");
	struct recorded rec = { vectors_array(root, "rpc_samples"), 0 };
	struct router r;

	router_start(&r, 4);
	gossip_free(r.g);
	r.cfg.send = compare;
	r.cfg.arg = &rec;
	assert_int_equal(0, gossip_new(&r.cfg, r.now, &r.g));
	router_subscribe(&r, METRICS);
	router_subscribe(&r, HEADS);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_2));
	assert_int_equal(2, rec.next);
	router_stop(&r);
	json_decref(root);
}

static void floodsub_is_told_no_graft(void **state)
{
	struct router r;

	start(&r);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_FLOOD));
	assert_string_equal("1:+" BOTH ";", router_sent(&r));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	/* It gets what it is subscribed to. */
	assert_int_equal(0, router_feed(&r, 1, "+" METRICS " graft " METRICS));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	assert_int_equal(0, router_feed_message(&r, 2, 3, 1, METRICS, "a"));
	assert_int_equal(0, router_feed_message(&r, 2, 3, 2, HEADS, "b"));
	assert_string_equal("1:msg 3.1=a;", router_sent(&r));
	router_stop(&r);
}

static void who_spoke_first_is_grafted_where_it_is_subscribed(void **state)
{
	struct router r;

	start(&r);
	assert_int_equal(0, router_feed(&r, 1, "+" HEADS));
	assert_int_equal(1, gossip_subscribers(r.g, HEADS));
	assert_string_equal("", router_sent(&r));
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_string_equal("1:+" BOTH ";1:graft " HEADS ";", router_sent(&r));
	router_stop(&r);
}

static void who_is_subscribed_to_less_leaves_the_meshes(void **state)
{
	struct router r;

	start(&r);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_int_equal(0, router_feed(&r, 1, "+" HEADS));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	assert_int_equal(1, gossip_mesh(r.g, HEADS));
	router_sent(&r);
	/* And comes in again as soon as it says so. */
	assert_int_equal(0, router_feed(&r, 1, "+" METRICS));
	assert_string_equal("1:graft " METRICS ";", router_sent(&r));
	assert_int_equal(0, router_feed(&r, 1, "-" HEADS));
	assert_int_equal(0, gossip_mesh(r.g, HEADS));
	assert_int_equal(0, gossip_subscribers(r.g, HEADS));
	assert_int_equal(1, gossip_subscribers(r.g, METRICS));
	router_stop(&r);
}

static void a_topic_that_becomes_ours_later_is_said_to_all(void **state)
{
	struct router r;

	router_start(&r, 4);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_int_equal(0, router_up(&r, 2, GOSSIP_1_1));
	assert_int_equal(0, router_feed(&r, 1, "+" BOTH " -" METRICS " +" METRICS));
	assert_int_equal(0, router_feed(&r, 2, "+" BOTH " -" METRICS));
	assert_string_equal("", router_sent(&r)); /* there was nothing to say yet */
	router_subscribe(&r, METRICS);
	assert_int_equal(1, gossip_subscribers(r.g, METRICS));
	assert_string_equal("1:+" METRICS ";1:graft " METRICS ";2:+" METRICS ";", router_sent(&r));
	router_stop(&r);
}

static void a_flood_of_subscriptions_takes_bounded_memory(void **state)
{
	struct buf frame = BUF_INIT(0);
	struct router r;
	char text[32];

	start(&r);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	for (int i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "+topic-%d", i);
		fixture_write(text, &frame);
	}
	fixture_write("+" METRICS, &frame);
	assert_int_equal(0, router_feed_bytes(&r, 1, frame.data, frame.len));
	assert_int_equal(GOSSIP_SUBSCRIPTIONS_MAX, gossip_peer_find(r.g, id_of(1))->n_others);
	assert_int_equal(1, gossip_subscribers(r.g, METRICS)); /* ours take none */
	router_subscribe(&r, "topic-99");
	router_subscribe(&r, "topic-100");
	assert_int_equal(1, gossip_subscribers(r.g, "topic-99"));
	assert_int_equal(0, gossip_subscribers(r.g, "topic-100"));
	buf_deinit(&frame);
	router_stop(&r);
}

static void a_topic_with_a_long_name_is_not_remembered(void **state)
{
	char text[GOSSIP_TOPIC_TEXT_MAX + 3] = "+";
	struct router r;

	start(&r);
	memset(text + 1, 'a', GOSSIP_TOPIC_TEXT_MAX + 1);
	assert_int_equal(0, router_feed(&r, 1, text));
	assert_int_equal(0, gossip_peer_find(r.g, id_of(1))->n_others);
	text[GOSSIP_TOPIC_TEXT_MAX + 1] = '\0';
	assert_int_equal(0, router_feed(&r, 1, text));
	assert_int_equal(1, gossip_peer_find(r.g, id_of(1))->n_others);
	router_stop(&r);
}

static void a_stream_opened_again_begins_anew(void **state)
{
	struct router r;

	router_start_among(&r, 4, 2);
	gossip_peer_down(r.g, id_of(1));
	assert_int_equal(1, gossip_mesh(r.g, METRICS));
	assert_int_equal(2, gossip_subscribers(r.g, METRICS)); /* it is still heard */
	assert_int_equal(0, router_feed_message(&r, 2, 3, 1, METRICS, "a"));
	assert_string_equal("", router_sent(&r));
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_string_equal("1:+" BOTH ";1:" GRAFT_BOTH ";", router_sent(&r));
	/* Without having been down, too. */
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_string_equal("1:+" BOTH ";1:" GRAFT_BOTH ";", router_sent(&r));
	assert_int_equal(2, gossip_mesh(r.g, METRICS));
	/* As floodsub it is in no mesh. */
	assert_int_equal(0, router_up(&r, 1, GOSSIP_FLOOD));
	assert_int_equal(1, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void a_silent_peer_says_anew_what_it_is_subscribed_to(void **state)
{
	struct router r;

	router_start_among(&r, 4, 1);
	gossip_peer_silent(r.g, id_of(1));
	assert_int_equal(0, gossip_subscribers(r.g, METRICS));
	assert_int_equal(1, gossip_mesh(r.g, METRICS));
	assert_int_equal(0, router_feed(&r, 1, "+" HEADS));
	assert_int_equal(0, gossip_subscribers(r.g, METRICS));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	assert_int_equal(1, gossip_subscribers(r.g, HEADS));
	router_stop(&r);
}

static void a_hello_that_is_not_taken_leaves_the_peer_down(void **state)
{
	struct router r;

	start(&r);
	r.full = true;
	assert_int_equal(-EAGAIN, router_up(&r, 1, GOSSIP_1_1));
	r.full = false;
	router_heartbeat(&r);
	assert_string_equal("", router_sent(&r));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void a_subscription_that_was_not_taken_is_said_at_the_heartbeat(void **state)
{
	struct router r;

	router_start(&r, 4);
	router_subscribe(&r, METRICS);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	router_sent(&r);
	r.full = true;
	router_subscribe(&r, HEADS);
	r.full = false;
	router_heartbeat(&r);
	assert_string_equal("1:+" BOTH ";", router_sent(&r));
	router_heartbeat(&r);
	assert_string_equal("", router_sent(&r));
	router_stop(&r);
}

static void of_too_many_peers_the_last_are_refused(void **state)
{
	struct router r;
	struct peerid id;
	uint8_t key[32] = { 0 };

	start(&r);
	r.cfg.arg = &r;
	r.quiet = true;
	for (unsigned i = 0; i <= GOSSIP_PEERS_MAX; i++) {
		key[0] = (uint8_t)i;
		key[1] = (uint8_t)(i >> 8);
		peerid_from_ed25519(key, &id);
		assert_int_equal(i < GOSSIP_PEERS_MAX ? 0 : -ENOSPC,
				 gossip_peer_up(r.g, &id, GOSSIP_1_1, false, r.now));
	}
	/* Its frames are not read. */
	assert_int_equal(0, gossip_feed(r.g, &id, (const uint8_t *)"\x12", 1, r.now, NULL));
	assert_int_equal(1, router_counts(&r).dropped);
	/* Whoever goes makes room. */
	key[0] = key[1] = 1;
	peerid_from_ed25519(key, &id);
	gossip_peer_down(r.g, &id);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_int_equal(-ENOSPC, router_up(&r, 2, GOSSIP_1_1));
	router_stop(&r);
}

static void who_is_gone_is_forgotten_at_the_heartbeat(void **state)
{
	struct router r;

	router_start_among(&r, 4, 1);
	gossip_peer_down(r.g, id_of(1));
	router_heartbeat(&r);
	assert_non_null(gossip_peer_find(r.g, id_of(1)));
	gossip_peer_silent(r.g, id_of(1));
	router_heartbeat(&r);
	assert_null(gossip_peer_find(r.g, id_of(1)));
	gossip_peer_down(r.g, id_of(1));
	gossip_peer_silent(r.g, id_of(1));
	router_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_stream_begins_with_hello_and_graft),
		cmocka_unit_test(they_have_the_recorded_bytes),
		cmocka_unit_test(floodsub_is_told_no_graft),
		cmocka_unit_test(who_spoke_first_is_grafted_where_it_is_subscribed),
		cmocka_unit_test(who_is_subscribed_to_less_leaves_the_meshes),
		cmocka_unit_test(a_topic_that_becomes_ours_later_is_said_to_all),
		cmocka_unit_test(a_flood_of_subscriptions_takes_bounded_memory),
		cmocka_unit_test(a_topic_with_a_long_name_is_not_remembered),
		cmocka_unit_test(a_stream_opened_again_begins_anew),
		cmocka_unit_test(a_silent_peer_says_anew_what_it_is_subscribed_to),
		cmocka_unit_test(a_hello_that_is_not_taken_leaves_the_peer_down),
		cmocka_unit_test(a_subscription_that_was_not_taken_is_said_at_the_heartbeat),
		cmocka_unit_test(of_too_many_peers_the_last_are_refused),
		cmocka_unit_test(who_is_gone_is_forgotten_at_the_heartbeat),
	};

	return cmocka_run_group_tests_name("gossip_peer", tests, NULL, NULL);
}
