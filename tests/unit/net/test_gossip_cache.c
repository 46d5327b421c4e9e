#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/gossip_cache.h"
#include "types/hash.h"

static struct gossip_id id_of(unsigned n)
{
	struct gossip_id id = { { 0 } };

	memcpy(id.bytes + 16, &n, sizeof(n));
	return id;
}

static struct gossip_cached *find(struct gossip_cache *c, unsigned n)
{
	struct gossip_id id = id_of(n);

	return gossip_cache_find(c, &id);
}

static void add(struct gossip_cache *c, unsigned n, unsigned topic, size_t size)
{
	struct gossip_id id = id_of(n);
	uint8_t *frame = calloc(1, size);

	assert_non_null(frame);
	memcpy(frame, &n, sizeof(n));
	gossip_cache_add(c, &id, topic, frame, size);
	free(frame);
}

/* The numbers of the ids, newest first. */
static const char *ids(struct gossip_cache *c, unsigned topic, unsigned heartbeats)
{
	static char text[256];
	struct buf found = BUF_INIT(0);
	size_t at = 0;

	text[0] = '\0';
	gossip_cache_ids(c, topic, heartbeats, &found);
	for (size_t i = 0; i < found.len; i += sizeof(struct gossip_id)) {
		unsigned n;

		memcpy(&n, found.data + i + 16, sizeof(n));
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%u ", n);
	}
	buf_deinit(&found);
	return text;
}

static void a_message_is_kept_for_the_heartbeats_given(void **state)
{
	struct gossip_cache c;

	gossip_cache_init(&c);
	add(&c, 1, 0, 10);
	for (int i = 0; i < 5; i++) {
		assert_non_null(find(&c, 1));
		assert_int_equal(10, find(&c, 1)->n);
		assert_int_equal(1, find(&c, 1)->frame[0]);
		gossip_cache_shift(&c, 6);
	}
	add(&c, 2, 0, 20);
	assert_non_null(find(&c, 1));
	gossip_cache_shift(&c, 6);
	assert_null(find(&c, 1));
	assert_non_null(find(&c, 2));
	assert_int_equal(1, c.n);
	gossip_cache_deinit(&c);
}

static void ids_are_of_one_topic_and_the_last_heartbeats(void **state)
{
	struct gossip_cache c;

	gossip_cache_init(&c);
	assert_string_equal("", ids(&c, 0, 2));
	add(&c, 1, 0, 10);
	add(&c, 2, 1, 10);
	gossip_cache_shift(&c, 6);
	add(&c, 3, 0, 10);
	add(&c, 4, 0, 10);
	assert_string_equal("4 3 1 ", ids(&c, 0, 2));
	assert_string_equal("4 3 ", ids(&c, 0, 1));
	assert_string_equal("", ids(&c, 0, 0));
	assert_string_equal("2 ", ids(&c, 1, 2));
	gossip_cache_shift(&c, 6);
	assert_string_equal("4 3 ", ids(&c, 0, 2));
	assert_string_equal("", ids(&c, 1, 2));
	assert_non_null(find(&c, 2));
	gossip_cache_deinit(&c);
}

static void a_peer_is_given_a_message_three_times(void **state)
{
	struct gossip_cache c;

	gossip_cache_init(&c);
	add(&c, 1, 0, 10);
	for (size_t slot = 0; slot < GOSSIP_PEERS_MAX; slot++) {
		for (int i = 0; i < GOSSIP_IWANT_TIMES_MAX; i++)
			assert_true(gossip_cache_ask(find(&c, 1), slot));
		assert_false(gossip_cache_ask(find(&c, 1), slot));
	}
	gossip_cache_forget(&c, 5);
	assert_true(gossip_cache_ask(find(&c, 1), 5));
	for (size_t slot = 0; slot < GOSSIP_PEERS_MAX; slot++)
		assert_int_equal(slot == 5, gossip_cache_ask(find(&c, 1), slot));
	gossip_cache_deinit(&c);
}

static void of_too_many_bytes_the_oldest_go(void **state)
{
	struct gossip_cache c;

	gossip_cache_init(&c);
	for (unsigned n = 0; n < 100; n++) {
		add(&c, n, 0, 1u << 20);
		assert_true(c.bytes <= GOSSIP_CACHE_BYTES_MAX);
		assert_non_null(find(&c, n));
	}
	assert_int_equal(15, c.n);
	assert_non_null(find(&c, 85));
	assert_null(find(&c, 84));
	/* Small ones count with what is kept of each. */
	for (unsigned n = 1000; n < 200000; n++)
		add(&c, n, 0, 4);
	assert_true(c.bytes <= GOSSIP_CACHE_BYTES_MAX);
	assert_in_range(c.n, 1, GOSSIP_CACHE_BYTES_MAX / sizeof(struct gossip_cached));
	gossip_cache_deinit(&c);
	assert_int_equal(0, c.bytes);
	assert_int_equal(0, c.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_kept_for_the_heartbeats_given),
		cmocka_unit_test(ids_are_of_one_topic_and_the_last_heartbeats),
		cmocka_unit_test(a_peer_is_given_a_message_three_times),
		cmocka_unit_test(of_too_many_bytes_the_oldest_go),
	};

	assert_int_equal(0, hash_init());
	return cmocka_run_group_tests_name("gossip_cache", tests, NULL, NULL);
}
