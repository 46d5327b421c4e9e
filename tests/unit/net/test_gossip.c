#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "tests/lib/vectors.h"
#include "tests/unit/net/gossip_fixture.h"

static void a_configuration_out_of_range_is_refused(void **state)
{
	struct gossip_config good, c;
	struct gossip *g;
	struct router r;

	router_start(&r, 4);
	good = r.cfg;
	router_stop(&r);
#define REFUSES(field, value)                                                                      \
	do {                                                                                       \
		c = good;                                                                          \
		c.field = (value);                                                                 \
		assert_int_equal(-EINVAL, gossip_new(&c, 0, &g));                                  \
	} while (0)
	REFUSES(d_factor, 0);
	REFUSES(heartbeat_ms, 0);
	REFUSES(heartbeat_ms, UINT64_MAX);
	REFUSES(history_length, 0);
	REFUSES(history_gossip, good.history_length + 1);
#undef REFUSES
	c = good;
	c.d_factor = UINT32_MAX;
	assert_int_equal(0, gossip_new(&c, 0, &g));
	gossip_free(g);
	gossip_free(NULL);
}

static void a_topic_has_a_name_that_is_not_taken(void **state)
{
	char name[GOSSIP_TOPIC_TEXT_MAX + 2];
	static char names[GOSSIP_TOPICS_MAX][8];
	struct gossip_topic t = { .name = "" };
	struct router r;

	router_start(&r, 4);
	assert_int_equal(-EINVAL, gossip_subscribe(r.g, &t));
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	t.name = name;
	assert_int_equal(-EINVAL, gossip_subscribe(r.g, &t));
	name[sizeof(name) - 2] = '\0';
	assert_int_equal(0, gossip_subscribe(r.g, &t));
	assert_int_equal(-EEXIST, gossip_subscribe(r.g, &t));
	for (size_t i = 1; i < GOSSIP_TOPICS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "t%zu", i);
		t.name = names[i];
		assert_int_equal(0, gossip_subscribe(r.g, &t));
	}
	t.name = "more";
	assert_int_equal(-ENOSPC, gossip_subscribe(r.g, &t));
	router_stop(&r);
}

/* ---- our own messages ---- */

static void a_published_message_goes_to_the_mesh_signed(void **state)
{
	struct router r;
	size_t reached = 7;

	router_start_among(&r, 4, 3);
	assert_int_equal(0, gossip_publish(r.g, METRICS, "one", 3, r.now, &reached));
	assert_int_equal(3, reached);
	assert_string_equal("1:msg 0.1000=one;2:msg 0.1000=one;3:msg 0.1000=one;", router_sent(&r));
	assert_int_equal(0, gossip_publish(r.g, HEADS, "", 0, r.now, NULL));
	assert_string_equal("1:msg 0.1001=;2:msg 0.1001=;3:msg 0.1001=;", router_sent(&r));
	assert_string_equal("", router_delivered(&r));
	assert_int_equal(2, router_counts(&r).published);
	assert_int_equal(1001, gossip_seqno(r.g));
	router_stop(&r);
}

/* What alice said when it was recorded, said again by this router as alice. */
static void a_published_message_has_the_recorded_bytes(void **state)
{
	json_t *root = vectors_load("gossipsub.json"), *v;
	struct identity alice;
	uint8_t want[1024], data[256];
	size_t i;

	fixture_signer(root, &alice);
	json_array_foreach (vectors_array(root, "cases"), i, v) {
		struct router r;
		size_t n;

		router_start(&r, 4);
		gossip_free(r.g);
		r.cfg.self = &alice;
		r.cfg.seqno = strtoull(vectors_str(v, "seqno"), NULL, 16);
		r.quiet = true;
		assert_int_equal(0, gossip_new(&r.cfg, r.now, &r.g));
		router_subscribe(&r, vectors_str(v, "topic"));
		assert_int_equal(0, router_up(&r, 1, GOSSIP_1_1));
		n = vectors_hex(v, "data", data, sizeof(data));
		assert_int_equal(
		    0, gossip_publish(r.g, vectors_str(v, "topic"), data, n, r.now, NULL));
		n = vectors_hex(v, "rpc", want, sizeof(want));
		assert_int_equal(n, r.last.len);
		assert_memory_equal(want, r.last.data, n);
		router_stop(&r);
	}
	identity_clear(&alice);
	json_decref(root);
}

static void what_cannot_be_published_uses_no_number(void **state)
{
	static uint8_t zeros[GOSSIP_RPC_MAX + 1];
	size_t most = GOSSIP_RPC_MAX;
	struct router r;

	router_start_among(&r, 4, 1);
	r.quiet = true;
	assert_int_equal(-ENOENT, gossip_publish(r.g, "other", "a", 1, r.now, NULL));
	assert_int_equal(-EFBIG, gossip_publish(r.g, METRICS, zeros, sizeof(zeros), r.now, NULL));
	assert_int_equal(OUR_SEQNO - 1, gossip_seqno(r.g));
	while (gossip_publish(r.g, METRICS, zeros, most, r.now, NULL) == -EFBIG)
		most--;
	assert_int_equal(GOSSIP_RPC_MAX, r.last.len);
	assert_int_equal(OUR_SEQNO, gossip_seqno(r.g));
	router_stop(&r);
}

static void a_full_queue_is_not_reached(void **state)
{
	struct router r;
	size_t reached;

	router_start_among(&r, 4, 2);
	r.full = true;
	assert_int_equal(0, gossip_publish(r.g, METRICS, "a", 1, r.now, &reached));
	assert_int_equal(0, reached);
	assert_int_equal(2, router_counts(&r).dropped);
	router_stop(&r);
}

static void flood_publishing_reaches_all_subscribers(void **state)
{
	struct router r;
	size_t reached;

	router_start(&r, 1);
	r.cfg.flood_publish = true;
	gossip_free(r.g);
	assert_int_equal(0, gossip_new(&r.cfg, r.now, &r.g));
	router_subscribe(&r, METRICS);
	for (unsigned p = 1; p <= 20; p++) {
		assert_int_equal(0, router_up(&r, p, GOSSIP_1_1));
		assert_int_equal(0, router_feed(&r, p, p < 20 ? "+" METRICS : "+other"));
	}
	assert_int_equal(5, gossip_mesh(r.g, METRICS));
	assert_int_equal(0, gossip_publish(r.g, METRICS, "a", 1, r.now, &reached));
	assert_int_equal(19, reached);
	/* What is not ours goes to the mesh alone: the author is none of it. */
	router_sent(&r);
	r.n_sent = 0;
	assert_int_equal(0, router_feed_message(&r, 20, 21, 1, METRICS, "b"));
	assert_int_equal(5, r.n_sent);
	router_stop(&r);
}

/* ---- messages of others ---- */

static void a_new_message_is_delivered_and_passed_on(void **state)
{
	struct router r;

	router_start_among(&r, 4, 4);
	/* Neither to the neighbour nor to the author. */
	assert_int_equal(0, router_feed_message(&r, 2, 3, 1, METRICS, "one"));
	assert_string_equal("3 via 2:one;", router_delivered(&r));
	assert_string_equal("1:msg 3.1=one;4:msg 3.1=one;", router_sent(&r));
	/* An author that is no neighbour. */
	assert_int_equal(0, router_feed_message(&r, 1, 9, 1, HEADS, "two"));
	assert_string_equal("9 via 1:two;", router_delivered(&r));
	assert_string_equal("2:msg 9.1=two;3:msg 9.1=two;4:msg 9.1=two;", router_sent(&r));
	assert_int_equal(2, router_counts(&r).delivered);
	router_stop(&r);
}

static void a_message_is_passed_on_byte_for_byte(void **state)
{
	json_t *root = vectors_load("gossipsub.json"), *v;
	uint8_t bytes[1024];
	struct router r;
	size_t i;

	router_start_among(&r, 4, 2);
	r.quiet = true;
	r.n_sent = 0;
	json_array_foreach (vectors_array(root, "cases"), i, v) {
		size_t n = vectors_hex(v, "rpc", bytes, sizeof(bytes));

		assert_int_equal(0, router_feed_bytes(&r, 1, bytes, n));
		assert_int_equal(i + 1, r.n_delivered);
		assert_int_equal(i + 1, r.n_sent);
		assert_int_equal(n, r.last.len);
		assert_memory_equal(bytes, r.last.data, n);
	}
	router_stop(&r);
	json_decref(root);
}

static void a_message_is_taken_once(void **state)
{
	struct router r;

	router_start_among(&r, 4, 3);
	assert_int_equal(0, router_feed_message(&r, 1, 3, 1, METRICS, "one"));
	assert_string_equal("3 via 1:one;", router_delivered(&r));
	assert_string_equal("2:msg 3.1=one;", router_sent(&r));
	for (unsigned p = 1; p <= 3; p++)
		assert_int_equal(0, router_feed_message(&r, p, 3, 1, METRICS, "one"));
	assert_string_equal("", router_delivered(&r));
	assert_string_equal("", router_sent(&r));
	assert_int_equal(3, router_counts(&r).duplicates);
	/* Half an hour later it is new. */
	r.now += GOSSIP_SEEN_MS;
	assert_int_equal(0, router_feed_message(&r, 1, 3, 1, METRICS, "one"));
	assert_string_equal("3 via 1:one;", router_delivered(&r));
	router_stop(&r);
}

static void several_messages_of_a_frame_are_taken_in_order(void **state)
{
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 2);
	fixture_message(3, 1, METRICS, "a", 1, &frame);
	fixture_message(3, 2, "other", "b", 1, &frame);
	fixture_message(4, 1, HEADS, "c", 1, &frame);
	assert_int_equal(0, router_feed_bytes(&r, 1, frame.data, frame.len));
	assert_string_equal("3 via 1:a;4 via 1:c;", router_delivered(&r));
	buf_deinit(&frame);
	router_stop(&r);
}

static void assert_nothing_comes_of(struct router *r, const struct buf *frame)
{
	assert_int_equal(0, router_feed_bytes(r, 1, frame->data, frame->len));
	assert_string_equal("", router_delivered(r));
	assert_string_equal("", router_sent(r));
}

static void a_foreign_topic_is_not_taken(void **state)
{
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 2);
	fixture_message(3, 1, "other", "a", 1, &frame);
	assert_nothing_comes_of(&r, &frame);
	assert_int_equal(1, router_counts(&r).rejected);
	buf_deinit(&frame);
	router_stop(&r);
}

static void what_claims_to_be_ours_is_not_taken(void **state)
{
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 2);
	fixture_message(0, 1, METRICS, "a", 1, &frame);
	assert_nothing_comes_of(&r, &frame);
	assert_int_equal(1, router_counts(&r).rejected);
	buf_deinit(&frame);
	router_stop(&r);
}

/* A frame of a message of @from, where it is the signature that names who wrote it. */
static void forge(const struct gossip_bytes *from, unsigned signer, struct buf *frame)
{
	uint8_t seqno[8] = { 0 }, signature[64];
	struct gossip_message m = {
		.from = *from,
		.data = { (const uint8_t *)"a", 1 },
		.seqno = { seqno, sizeof(seqno) },
		.topic = { (const uint8_t *)METRICS, strlen(METRICS) },
	};

	buf_reset(frame);
	assert_int_equal(0, gossip_message_sign(&m, fixture_identity(signer), signature));
	assert_int_equal(0, gossip_rpc_message(&m, frame));
}

static void a_short_author_is_never_passed_on(void **state)
{
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 2);
	for (size_t n = 0; n < GOSSIP_FROM_MIN; n++) {
		struct gossip_bytes from = { fixture_identity(3)->id.bytes, n };

		forge(&from, 3, &frame);
		assert_nothing_comes_of(&r, &frame);
	}
	assert_int_equal(GOSSIP_FROM_MIN, router_counts(&r).malformed);
	buf_deinit(&frame);
	router_stop(&r);
}

static void a_forged_author_is_not_passed_on(void **state)
{
	struct gossip_bytes from = { fixture_identity(3)->id.bytes, fixture_identity(3)->id.len };
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 2);
	forge(&from, 4, &frame);
	assert_nothing_comes_of(&r, &frame);
	assert_int_equal(1, router_counts(&r).bad_signature);
	/* The true one, of the same id, is not kept out by it. */
	forge(&from, 3, &frame);
	assert_int_equal(0, router_feed_bytes(&r, 1, frame.data, frame.len));
	assert_string_equal("3 via 1:a;", router_delivered(&r));
	assert_string_equal("2:msg 3.0=a;", router_sent(&r));
	buf_deinit(&frame);
	router_stop(&r);
}

static void an_unsigned_message_is_not_passed_on(void **state)
{
	uint8_t seqno[8] = { 0 };
	struct gossip_message m = {
		.from = { fixture_identity(3)->id.bytes, fixture_identity(3)->id.len },
		.data = { (const uint8_t *)"a", 1 },
		.seqno = { seqno, sizeof(seqno) },
		.topic = { (const uint8_t *)METRICS, strlen(METRICS) },
	};
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 2);
	assert_int_equal(0, gossip_rpc_message(&m, &frame));
	assert_nothing_comes_of(&r, &frame);
	assert_int_equal(1, router_counts(&r).bad_signature);
	buf_deinit(&frame);
	router_stop(&r);
}

static void who_sends_many_bad_signatures_is_not_read_until_the_heartbeat(void **state)
{
	struct gossip_bytes from = { fixture_identity(3)->id.bytes, fixture_identity(3)->id.len };
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start_among(&r, 4, 2);
	forge(&from, 4, &frame);
	for (int i = 0; i < GOSSIP_BAD_SIGNATURES_MAX + 10; i++)
		assert_nothing_comes_of(&r, &frame);
	assert_int_equal(GOSSIP_BAD_SIGNATURES_MAX, router_counts(&r).bad_signature);
	assert_int_equal(10, router_counts(&r).dropped);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 1, METRICS, "good"));
	assert_string_equal("", router_delivered(&r));
	assert_int_equal(0, router_feed_message(&r, 2, 5, 1, METRICS, "good"));
	assert_string_equal("5 via 2:good;", router_delivered(&r));
	router_heartbeat(&r);
	assert_int_equal(0, router_feed_message(&r, 1, 5, 2, METRICS, "good"));
	assert_string_equal("5 via 1:good;", router_delivered(&r));
	buf_deinit(&frame);
	router_stop(&r);
}

static void an_untrusted_author_is_not_passed_on(void **state)
{
	struct router r;

	router_start_among(&r, 4, 3);
	r.reject = 2;
	/* The author counts, not the neighbour. */
	assert_int_equal(0, router_feed_message(&r, 1, 2, 1, HEADS, "a"));
	assert_string_equal("", router_delivered(&r));
	assert_string_equal("", router_sent(&r));
	assert_int_equal(0, router_feed_message(&r, 2, 1, 1, HEADS, "b"));
	assert_string_equal("1 via 2:b;", router_delivered(&r));
	assert_string_equal("3:msg 1.1=b;", router_sent(&r));
	/* Nor is it kept for those who ask. */
	assert_int_equal(0, router_feed(&r, 3, "want 2.1"));
	assert_string_equal("", router_sent(&r));
	/* The other topic is everybody's. */
	assert_int_equal(0, router_feed_message(&r, 1, 2, 2, METRICS, "c"));
	assert_string_equal("2 via 1:c;", router_delivered(&r));
	/* It was looked at once: the second time it is known. */
	assert_int_equal(0, router_feed_message(&r, 3, 2, 1, HEADS, "a"));
	assert_int_equal(1, router_counts(&r).rejected);
	assert_int_equal(1, router_counts(&r).duplicates);
	router_stop(&r);
}

static void a_malformed_frame_is_told_and_counted(void **state)
{
	struct router r;

	router_start_among(&r, 4, 1);
	assert_int_equal(-EBADMSG, router_feed_bytes(&r, 1, "\x12\x05", 2));
	assert_int_equal(1, router_counts(&r).malformed);
	assert_int_equal(0, router_feed_bytes(&r, 1, "", 0));
	assert_int_equal(1, router_counts(&r).malformed);
	router_stop(&r);
}

static void answer_at_once(void *arg, const struct peerid *author, const struct peerid *from,
			   const uint8_t *p, size_t n)
{
	struct router *r = arg;

	assert_int_equal(0, gossip_publish(r->g, "ping", "pong", 4, r->now, NULL));
	gossip_peer_down(r->g, from);
}

/* The neighbour goes away in the middle of its own frame. */
static void a_message_may_be_answered_from_within(void **state)
{
	struct gossip_topic t = { .name = "ping", .message = answer_at_once };
	struct buf frame = BUF_INIT(0);
	struct router r;

	router_start(&r, 4);
	t.arg = &r;
	assert_int_equal(0, gossip_subscribe(r.g, &t));
	assert_int_equal(0, router_up(&r, 1, GOSSIP_1_2));
	router_sent(&r);
	fixture_message(2, 1, "ping", "a", 1, &frame);
	fixture_message(2, 2, "ping", "b", 1, &frame);
	fixture_write("want 0.1000 graft ping", &frame);
	assert_int_equal(0, router_feed_bytes(&r, 1, frame.data, frame.len));
	assert_string_equal("1:msg 0.1000=pong;", router_sent(&r));
	assert_int_equal(OUR_SEQNO + 1, gossip_seqno(r.g));
	buf_deinit(&frame);
	router_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_out_of_range_is_refused),
		cmocka_unit_test(a_topic_has_a_name_that_is_not_taken),
		cmocka_unit_test(a_published_message_goes_to_the_mesh_signed),
		cmocka_unit_test(a_published_message_has_the_recorded_bytes),
		cmocka_unit_test(what_cannot_be_published_uses_no_number),
		cmocka_unit_test(a_full_queue_is_not_reached),
		cmocka_unit_test(flood_publishing_reaches_all_subscribers),
		cmocka_unit_test(a_new_message_is_delivered_and_passed_on),
		cmocka_unit_test(a_message_is_passed_on_byte_for_byte),
		cmocka_unit_test(a_message_is_taken_once),
		cmocka_unit_test(several_messages_of_a_frame_are_taken_in_order),
		cmocka_unit_test(a_foreign_topic_is_not_taken),
		cmocka_unit_test(what_claims_to_be_ours_is_not_taken),
		cmocka_unit_test(a_short_author_is_never_passed_on),
		cmocka_unit_test(a_forged_author_is_not_passed_on),
		cmocka_unit_test(an_unsigned_message_is_not_passed_on),
		cmocka_unit_test(who_sends_many_bad_signatures_is_not_read_until_the_heartbeat),
		cmocka_unit_test(an_untrusted_author_is_not_passed_on),
		cmocka_unit_test(a_malformed_frame_is_told_and_counted),
		cmocka_unit_test(a_message_may_be_answered_from_within),
	};

	return cmocka_run_group_tests_name("gossip", tests, NULL, NULL);
}
