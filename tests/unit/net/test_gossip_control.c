#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/net/gossip_fixture.h"

#define LONG_BYTES GOSSIP_IDONTWANT_AT

/* A message of @n bytes by @author comes from peer 1. */
static void feed_long(struct router *r, unsigned author, uint64_t seqno, size_t n)
{
	static char data[LONG_BYTES + 1];
	struct buf frame = BUF_INIT(0);

	memset(data, 'a', sizeof(data));
	fixture_message(author, seqno, METRICS, data, n, &frame);
	assert_int_equal(0, router_feed_bytes(r, 1, frame.data, frame.len));
	buf_deinit(&frame);
}

/* ---- IHAVE, IWANT ---- */

static void what_was_not_seen_is_asked_for(void **state)
{
	struct router r;

	router_start_among(&r, 4, 2);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 1, METRICS, "a"));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 2,
					"have " METRICS " 5.1 have " METRICS " 5.2 have " HEADS
					" 6.3 have other 6.4"));
	assert_string_equal("2:want 5.2 want 6.3;", router_sent(&r));
	/* Our own are known to us. */
	assert_int_equal(0, gossip_publish(r.g, METRICS, "a", 1, r.now, NULL));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 2, "have " METRICS " 0.1000"));
	assert_string_equal("", router_sent(&r));
	router_stop(&r);
}

/* @n ids from @first on, of author 5, in one frame. */
static void feed_ihave(struct router *r, size_t first, size_t n)
{
	static struct gossip_id ids[20000];
	struct gossip_rpc_control c = { .n_ihave = 1 };
	struct buf frame = BUF_INIT(0);

	assert_true(n <= 20000);
	for (size_t i = 0; i < n; i++) {
		uint32_t seqno = (uint32_t)(first + i);

		memset(&ids[i], 5, sizeof(ids[i]));
		memcpy(ids[i].bytes + 20, &seqno, sizeof(seqno));
	}
	c.ihave[0].topic = (struct gossip_bytes){ (const uint8_t *)METRICS, strlen(METRICS) };
	c.ihave[0].ids = ids;
	c.ihave[0].n = n;
	assert_int_equal(0, gossip_rpc_control(&c, &frame));
	assert_int_equal(0, router_feed_bytes(r, 1, frame.data, frame.len));
	buf_deinit(&frame);
}

/* How many ids the last frame asks for, and takes it away. */
static size_t asked(struct router *r)
{
	const char *at = router_sent(r);
	size_t n = 0;

	while ((at = strstr(at, "want "))) {
		n++;
		at++;
	}
	return n;
}

static void a_peer_is_asked_for_a_bounded_number_between_heartbeats(void **state)
{
	struct router r;

	router_start_among(&r, 4, 2);
	feed_ihave(&r, 0, 4000);
	assert_int_equal(4000, asked(&r));
	feed_ihave(&r, 10000, 7000);
	assert_int_equal(GOSSIP_IHAVE_IDS_MAX - 4000, asked(&r));
	feed_ihave(&r, 20000, 1);
	assert_int_equal(0, asked(&r));
	/* Each for itself. */
	assert_int_equal(0, router_feed(&r, 2, "have " METRICS " 6.1"));
	assert_int_equal(1, asked(&r));
	router_heartbeat(&r);
	router_sent(&r);
	feed_ihave(&r, 30000, 20000);
	assert_int_equal(GOSSIP_IHAVE_IDS_MAX, asked(&r));
	router_stop(&r);
}

static void a_peer_may_say_ihave_a_bounded_number_of_times(void **state)
{
	struct router r;

	router_start_among(&r, 4, 1);
	for (size_t i = 0; i < GOSSIP_IHAVE_RPCS_MAX; i++) {
		feed_ihave(&r, i * 10, 2);
		assert_int_equal(2, asked(&r));
	}
	feed_ihave(&r, 1000, 2);
	assert_int_equal(0, asked(&r));
	/* Other frames do not count. */
	router_heartbeat(&r);
	router_sent(&r);
	for (size_t i = 0; i < 2 * GOSSIP_IHAVE_RPCS_MAX; i++)
		assert_int_equal(0, router_feed(&r, 1, "want 5.1"));
	feed_ihave(&r, 2000, 2);
	assert_int_equal(2, asked(&r));
	router_stop(&r);
}

static void who_asks_is_given_what_is_kept(void **state)
{
	struct router r;

	router_start_among(&r, 4, 2);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 1, METRICS, "a"));
	assert_int_equal(0, router_feed_message(&r, 1, 5, 2, HEADS, "b"));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 2, "want 5.1 want 5.9 want 5.2"));
	assert_string_equal("2:msg 5.1=a msg 5.2=b;", router_sent(&r));
	/* Ours too, published where nobody was. */
	gossip_peer_down(r.g, &fixture_identity(1)->id);
	gossip_peer_down(r.g, &fixture_identity(2)->id);
	assert_int_equal(0, gossip_publish(r.g, METRICS, "c", 1, r.now, NULL));
	assert_int_equal(0, router_feed(&r, 2, "want 0.1000"));
	assert_string_equal("", router_sent(&r)); /* no stream to say it on */
	assert_int_equal(0, router_up(&r, 2, GOSSIP_1_1));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 2, "want 0.1000 want 0.1000 want 0.1000"));
	assert_string_equal("2:msg 0.1000=c msg 0.1000=c msg 0.1000=c;", router_sent(&r));
	router_stop(&r);
}

static void a_message_is_given_three_times_to_each(void **state)
{
	struct router r;

	router_start_among(&r, 4, 2);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 1, METRICS, "a"));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 1, "want 5.1 want 5.1"));
	assert_string_equal("1:msg 5.1=a msg 5.1=a;", router_sent(&r));
	/* A new stream does not make it more. */
	gossip_peer_down(r.g, &fixture_identity(1)->id);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 1, "want 5.1 want 5.1"));
	assert_string_equal("1:msg 5.1=a;", router_sent(&r));
	assert_int_equal(0, router_feed(&r, 2, "want 5.1"));
	assert_string_equal("2:msg 5.1=a;", router_sent(&r));
	router_stop(&r);
}

static void how_often_is_not_counted_on_by_who_takes_the_place(void **state)
{
	const struct peerid *id = &fixture_identity(1)->id;
	struct router r;

	router_start_among(&r, 4, 1);
	assert_int_equal(0, gossip_publish(r.g, METRICS, "a", 1, r.now, NULL));
	assert_int_equal(0, router_feed(&r, 1, "want 0.1000 want 0.1000 want 0.1000"));
	gossip_peer_down(r.g, id);
	gossip_peer_silent(r.g, id);
	router_heartbeat(&r);
	assert_int_equal(0, router_up(&r, 2, GOSSIP_1_1));
	assert_ptr_equal(&r.g->peers[0], gossip_peer_find(r.g, &fixture_identity(2)->id));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 2, "want 0.1000"));
	assert_string_equal("2:msg 0.1000=a;", router_sent(&r));
	router_stop(&r);
}

static void a_message_is_kept_for_six_heartbeats(void **state)
{
	struct router r;

	router_start_among(&r, 4, 2);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 1, METRICS, "a"));
	for (int i = 0; i < 5; i++)
		router_heartbeat(&r);
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 2, "want 5.1"));
	assert_string_equal("2:msg 5.1=a;", router_sent(&r));
	router_heartbeat(&r);
	assert_int_equal(0, router_feed(&r, 2, "want 5.1"));
	assert_string_equal("", router_sent(&r));
	/* It is not new for that. */
	assert_int_equal(0, router_feed(&r, 2, "have " METRICS " 5.1"));
	assert_string_equal("", router_sent(&r));
	router_stop(&r);
}

static void a_long_answer_is_cut_into_frames(void **state)
{
	static uint8_t data[300000];
	struct buf want = BUF_INIT(0);
	struct router r;
	char text[32];

	router_start_among(&r, 4, 1);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(0, gossip_publish(r.g, METRICS, data, sizeof(data), r.now, NULL));
		snprintf(text, sizeof(text), "want 0.%d", OUR_SEQNO + i);
		fixture_write(text, &want);
	}
	r.quiet = true;
	r.n_sent = 0;
	assert_int_equal(0, router_feed_bytes(&r, 1, want.data, want.len));
	assert_int_equal(4, r.n_sent); /* three in each; the fixture checks the limit */
	buf_deinit(&want);
	router_stop(&r);
}

/* ---- GRAFT, PRUNE ---- */

static void a_graft_takes_into_the_mesh(void **state)
{
	struct router r;

	router_start(&r, 4);
	router_subscribe(&r, METRICS);
	router_subscribe(&r, HEADS);
	assert_int_equal(0, router_feed(&r, 1, "+" METRICS));
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_int_equal(0, gossip_mesh(r.g, HEADS));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 1, "graft " HEADS " graft other graft " METRICS));
	assert_string_equal("", router_sent(&r));
	assert_int_equal(1, gossip_mesh(r.g, HEADS));
	router_stop(&r);
}

/* Of one that we cannot speak to yet; it is told as soon as we can. */
static void a_graft_before_our_stream_is_kept(void **state)
{
	struct router r;

	router_start(&r, 1);
	router_subscribe(&r, METRICS);
	assert_int_equal(0, router_feed(&r, 1, "+" METRICS " graft " METRICS));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	for (unsigned p = 2; p < 10; p++) {
		assert_int_equal(0, router_up(&r, p, GOSSIP_1_1));
		assert_int_equal(0, router_feed(&r, p, "+" METRICS));
	}
	assert_int_equal(5, gossip_mesh(r.g, METRICS));
	router_sent(&r);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_string_equal("1:+" METRICS ";1:graft " METRICS ";", router_sent(&r));
	assert_int_equal(6, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void a_prune_takes_out_of_the_mesh_for_as_long_as_it_says(void **state)
{
	struct router r;

	router_start_among(&r, 4, 1);
	router_heartbeat(&r);
	assert_int_equal(0, router_feed(&r, 1, "prune " METRICS " 35 prune other 60"));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	assert_int_equal(1, gossip_mesh(r.g, HEADS));
	for (int i = 0; i < 3; i++) {
		router_heartbeat(&r);
		assert_string_equal("", router_sent(&r));
	}
	router_heartbeat(&r); /* 40 s later at least */
	assert_string_equal("1:graft " METRICS ";", router_sent(&r));
	assert_int_equal(1, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void a_prune_that_names_no_time_is_for_a_minute(void **state)
{
	uint64_t from;
	struct router r;

	router_start_among(&r, 4, 1);
	from = r.now;
	assert_int_equal(0, router_feed(&r, 1, "prune " METRICS " 0"));
	while (*router_sent(&r) == '\0')
		router_heartbeat(&r);
	assert_in_range(r.now - from, GOSSIP_PRUNE_BACKOFF_MS + GOSSIP_BACKOFF_SLACK_MS,
			GOSSIP_PRUNE_BACKOFF_MS + 2 * HEARTBEAT_MS);
	router_stop(&r);
}

static void nobody_may_ask_to_be_left_alone_for_ever(void **state)
{
	uint64_t from;
	struct router r;

	router_start_among(&r, 4, 1);
	from = r.now;
	assert_int_equal(0, router_feed(&r, 1, "prune " METRICS " 18446744073709551615"));
	while (*router_sent(&r) == '\0')
		router_heartbeat(&r);
	assert_in_range(r.now - from, GOSSIP_BACKOFF_MAX_MS, GOSSIP_BACKOFF_MAX_MS + 20000);
	router_stop(&r);
}

static void a_graft_within_the_backoff_is_pruned(void **state)
{
	struct router r;

	router_start_among(&r, 4, 1);
	assert_int_equal(0, router_feed(&r, 1, "prune " METRICS " 60"));
	r.now += 59999;
	assert_int_equal(0, router_feed(&r, 1, "graft " METRICS " graft " METRICS));
	assert_string_equal("1:prune " METRICS " 60;", router_sent(&r));
	assert_int_equal(0, gossip_mesh(r.g, METRICS));
	/* That began it anew. */
	r.now += 59999;
	assert_int_equal(0, router_feed(&r, 1, "graft " METRICS));
	assert_string_equal("1:prune " METRICS " 60;", router_sent(&r));
	r.now += 60000;
	assert_int_equal(0, router_feed(&r, 1, "graft " METRICS));
	assert_string_equal("", router_sent(&r));
	assert_int_equal(1, gossip_mesh(r.g, METRICS));
	router_stop(&r);
}

static void coming_back_does_not_end_a_backoff(void **state)
{
	const struct peerid *id = &fixture_identity(1)->id;
	struct router r;

	router_start_among(&r, 4, 1);
	assert_int_equal(0, router_feed(&r, 1, "prune " METRICS " 60"));
	gossip_peer_down(r.g, id);
	gossip_peer_silent(r.g, id);
	router_heartbeat(&r);
	router_heartbeat(&r);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
	assert_string_equal("1:+" METRICS " +" HEADS ";1:graft " HEADS ";", router_sent(&r));
	router_stop(&r);
}

static void version_1_0_is_told_no_backoff(void **state)
{
	struct router r;

	router_start_among(&r, 4, 0);
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_0));
	assert_int_equal(0, router_feed(&r, 1, "prune " METRICS " 60 +" METRICS));
	router_sent(&r);
	assert_int_equal(0, router_feed(&r, 1, "graft " METRICS));
	assert_string_equal("1:prune " METRICS " 0;", router_sent(&r));
	router_stop(&r);
}

/* ---- IDONTWANT ---- */

static void of_a_long_message_the_mesh_is_told_that_we_have_it(void **state)
{
	const char *sent;
	struct router r;

	router_start_among(&r, 4, 3);
	assert_int_equal(0, router_up(&r, 3, GOSSIP_1_1));
	assert_int_equal(0, router_up(&r, 4, GOSSIP_1_2)); /* not subscribed */
	assert_int_equal(0, router_feed(&r, 4, "+other"));
	router_sent(&r);
	feed_long(&r, 9, 1, LONG_BYTES - 1);
	assert_null(strstr(router_sent(&r), "dontwant"));
	feed_long(&r, 9, 2, LONG_BYTES);
	sent = router_sent(&r);
	assert_int_equal(0, strncmp(sent, "2:dontwant 9.2;2:msg 9.2=aaa", 28));
	assert_null(strstr(sent, "1:"));
	assert_null(strstr(sent, "3:dontwant"));
	assert_non_null(strstr(sent, "3:msg"));
	assert_null(strstr(sent, "4:"));
	router_stop(&r);
}

static void a_long_message_that_is_not_new_or_not_signed_is_not_told(void **state)
{
	static char data[LONG_BYTES];
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 3);
	feed_long(&r, 9, 1, LONG_BYTES);
	router_sent(&r);
	feed_long(&r, 9, 1, LONG_BYTES);
	fixture_message(9, 2, METRICS, data, sizeof(data), &frame);
	frame.data[frame.len - 1] ^= 1;
	assert_int_equal(0, router_feed_bytes(&r, 1, frame.data, frame.len));
	assert_string_equal("", router_sent(&r));
	buf_deinit(&frame);
	router_stop(&r);
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

/* The reference reads no IHAVE behind ten frames with control. */
static void who_needs_our_ihave_is_not_kept_from_it_by_idontwant(void **state)
{
	const char *sent;
	struct router r;
	uint64_t seqno = 0;

	router_start_among(&r, 4, 3);
	assert_int_equal(0, router_feed(&r, 2, "prune " HEADS " 3600"));
	for (int beat = 0; beat < 2; beat++) {
		for (int i = 0; i < 20; i++)
			feed_long(&r, 9, ++seqno, LONG_BYTES);
		sent = router_sent(&r);
		assert_int_equal(GOSSIP_IDONTWANT_SAID_MAX, count(sent, "2:dontwant"));
		assert_int_equal(20, count(sent, "2:msg"));
		assert_int_equal(20, count(sent, "3:dontwant")); /* in both meshes */
		assert_int_equal(0, router_feed_message(&r, 1, 5, seqno, HEADS, "a"));
		router_sent(&r);
		router_heartbeat(&r);
		assert_int_equal(1, count(router_sent(&r), "2:have " HEADS));
	}
	router_stop(&r);
}

static void what_a_peer_does_not_want_it_is_not_sent(void **state)
{
	struct router r;

	router_start_among(&r, 4, 3);
	assert_int_equal(0, router_feed(&r, 2, "dontwant 5.1"));
	assert_int_equal(0, router_feed_message(&r, 1, 5, 1, METRICS, "a"));
	assert_string_equal("3:msg 5.1=a;", router_sent(&r));
	assert_int_equal(0, router_feed(&r, 2, "want 5.1"));
	assert_string_equal("", router_sent(&r));
	assert_int_equal(0, router_feed_message(&r, 1, 5, 2, METRICS, "b"));
	assert_string_equal("2:msg 5.2=b;3:msg 5.2=b;", router_sent(&r));
	/* It holds for three heartbeats. */
	assert_int_equal(0, router_feed(&r, 2, "dontwant 5.3 dontwant 5.4"));
	router_heartbeat(&r);
	router_heartbeat(&r);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 3, METRICS, "c"));
	assert_string_equal("3:msg 5.3=c;", router_sent(&r));
	router_heartbeat(&r);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 4, METRICS, "d"));
	assert_string_equal("2:msg 5.4=d;3:msg 5.4=d;", router_sent(&r));
	router_stop(&r);
}

static bool is_sent(struct router *r, uint64_t seqno)
{
	assert_int_equal(0, router_feed_message(r, 1, 5, seqno, METRICS, "a"));
	return *router_sent(r) != '\0';
}

static void what_is_not_wanted_is_bounded(void **state)
{
	struct buf frame = BUF_INIT(0);
	struct router r;
	char text[32];

	router_start_among(&r, 4, 2);
	for (int i = 1; i <= GOSSIP_IDONTWANT_IDS_MAX + 1; i++) {
		snprintf(text, sizeof(text), "dontwant 5.%d", i);
		fixture_write(text, &frame);
	}
	assert_int_equal(0, router_feed_bytes(&r, 2, frame.data, frame.len));
	assert_false(is_sent(&r, GOSSIP_IDONTWANT_IDS_MAX));
	assert_true(is_sent(&r, GOSSIP_IDONTWANT_IDS_MAX + 1));
	/* More frames than are read until the heartbeat; the oldest of those read go. */
	for (int i = 1; i <= GOSSIP_IDONTWANT_RPCS_MAX; i++) {
		snprintf(text, sizeof(text), "dontwant 5.%d", 1000 + i);
		assert_int_equal(0, router_feed(&r, 2, text));
	}
	assert_true(is_sent(&r, 1000 + GOSSIP_IDONTWANT_RPCS_MAX));
	assert_false(is_sent(&r, 1000 + GOSSIP_IDONTWANT_RPCS_MAX - 1));
	assert_false(is_sent(&r, 1000 + GOSSIP_IDONTWANT_RPCS_MAX - GOSSIP_UNWANTED_MAX));
	assert_true(is_sent(&r, 1000 + GOSSIP_IDONTWANT_RPCS_MAX - GOSSIP_UNWANTED_MAX - 1));
	router_heartbeat(&r);
	assert_int_equal(0, router_feed(&r, 2, "dontwant 5.5000"));
	assert_false(is_sent(&r, 5000));
	buf_deinit(&frame);
	router_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_seen_is_asked_for),
		cmocka_unit_test(a_peer_is_asked_for_a_bounded_number_between_heartbeats),
		cmocka_unit_test(a_peer_may_say_ihave_a_bounded_number_of_times),
		cmocka_unit_test(who_asks_is_given_what_is_kept),
		cmocka_unit_test(a_message_is_given_three_times_to_each),
		cmocka_unit_test(how_often_is_not_counted_on_by_who_takes_the_place),
		cmocka_unit_test(a_message_is_kept_for_six_heartbeats),
		cmocka_unit_test(a_long_answer_is_cut_into_frames),
		cmocka_unit_test(a_graft_takes_into_the_mesh),
		cmocka_unit_test(a_graft_before_our_stream_is_kept),
		cmocka_unit_test(a_prune_takes_out_of_the_mesh_for_as_long_as_it_says),
		cmocka_unit_test(a_prune_that_names_no_time_is_for_a_minute),
		cmocka_unit_test(nobody_may_ask_to_be_left_alone_for_ever),
		cmocka_unit_test(a_graft_within_the_backoff_is_pruned),
		cmocka_unit_test(coming_back_does_not_end_a_backoff),
		cmocka_unit_test(version_1_0_is_told_no_backoff),
		cmocka_unit_test(of_a_long_message_the_mesh_is_told_that_we_have_it),
		cmocka_unit_test(a_long_message_that_is_not_new_or_not_signed_is_not_told),
		cmocka_unit_test(who_needs_our_ihave_is_not_kept_from_it_by_idontwant),
		cmocka_unit_test(what_a_peer_does_not_want_it_is_not_sent),
		cmocka_unit_test(what_is_not_wanted_is_bounded),
	};

	return cmocka_run_group_tests_name("gossip_control", tests, NULL, NULL);
}
