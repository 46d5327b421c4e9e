#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/gossip_seen.h"
#include "types/hash.h"

static struct gossip_id id_of(uint64_t n)
{
	struct gossip_id id = { { 0 } };

	memcpy(id.bytes, &n, sizeof(n));
	return id;
}

static bool has(struct gossip_seen *s, uint64_t n, uint64_t now_ms)
{
	struct gossip_id id = id_of(n);

	return gossip_seen_has(s, &id, now_ms);
}

static void add(struct gossip_seen *s, uint64_t n, uint64_t now_ms)
{
	struct gossip_id id = id_of(n);

	assert_false(gossip_seen_has(s, &id, now_ms));
	gossip_seen_add(s, &id, now_ms);
}

static void what_was_added_is_there_for_half_an_hour(void **state)
{
	struct gossip_seen s;

	assert_int_equal(0, gossip_seen_init(&s));
	add(&s, 1, 5000);
	add(&s, 2, 6000);
	assert_true(has(&s, 1, 5000));
	assert_true(has(&s, 1, 5000 + GOSSIP_SEEN_MS - 1));
	assert_false(has(&s, 1, 5000 + GOSSIP_SEEN_MS));
	assert_true(has(&s, 2, 5000 + GOSSIP_SEEN_MS));
	assert_false(has(&s, 2, 6000 + GOSSIP_SEEN_MS));
	assert_int_equal(0, s.n);
	add(&s, 1, 6000 + GOSSIP_SEEN_MS);
	assert_true(has(&s, 1, 6000 + GOSSIP_SEEN_MS));
	gossip_seen_deinit(&s);
}

/* It grows and wraps around all the while: 50 a second are 90000 in half an hour. */
static void expiry_follows_the_order_of_coming(void **state)
{
	struct gossip_seen s;
	uint64_t n = 0;

	assert_int_equal(0, gossip_seen_init(&s));
	for (uint64_t now = 0; now < 2 * GOSSIP_SEEN_MS; now += 1000) {
		for (int i = 0; i < 50; i++)
			add(&s, n++, now);
		assert_true(has(&s, n - 1, now));
		if (now < GOSSIP_SEEN_MS) {
			assert_true(has(&s, 0, now));
			continue;
		}
		assert_int_equal(50 * GOSSIP_SEEN_MS / 1000, s.n);
		assert_true(has(&s, n - s.n, now));
		assert_false(has(&s, n - s.n - 1, now));
	}
	gossip_seen_deinit(&s);
}

static void of_too_many_the_oldest_go(void **state)
{
	struct gossip_seen s;

	assert_int_equal(0, gossip_seen_init(&s));
	for (uint64_t n = 0; n < GOSSIP_SEEN_MAX; n++)
		add(&s, n, 1000);
	assert_true(has(&s, 0, 1000));
	for (uint64_t n = 0; n < 100000; n++) {
		add(&s, GOSSIP_SEEN_MAX + n, 1000);
		assert_int_equal(GOSSIP_SEEN_MAX, s.n);
		assert_false(has(&s, n, 1000));
		assert_true(has(&s, n + 1, 1000));
	}
	for (uint64_t n = 100000; n < GOSSIP_SEEN_MAX + 100000; n++)
		assert_true(has(&s, n, 1000));
	assert_in_range(s.cap, GOSSIP_SEEN_MAX, 2 * GOSSIP_SEEN_MAX);
	gossip_seen_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_there_for_half_an_hour),
		cmocka_unit_test(expiry_follows_the_order_of_coming),
		cmocka_unit_test(of_too_many_the_oldest_go),
	};

	assert_int_equal(0, hash_init());
	return cmocka_run_group_tests_name("gossip_seen", tests, NULL, NULL);
}
