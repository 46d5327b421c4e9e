#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "net/flood.h"

static struct flood flood;

static int setup(void **state)
{
	memset(&flood, 0, sizeof(flood));
	return 0;
}

static struct flood_key key_of(const char *ip)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct flood_key key;

	if (inet_pton(AF_INET, ip, &four.sin_addr) == 1) {
		flood_key((const struct sockaddr *)&four, &key);
	} else {
		assert_int_equal(1, inet_pton(AF_INET6, ip, &six.sin6_addr));
		flood_key((const struct sockaddr *)&six, &key);
	}
	return key;
}

static bool same(const char *a, const char *b)
{
	const struct flood_key ka = key_of(a), kb = key_of(b);

	return flood_key_equal(&ka, &kb);
}

static bool admit(const char *ip, size_t n, uint64_t now)
{
	const struct flood_key key = key_of(ip);

	return flood_admit(&flood, &key, n, now);
}

static void an_address_is_whoever_has_it(void **state)
{
	assert_true(same("10.0.0.1", "10.0.0.1"));
	assert_false(same("10.0.0.1", "10.0.0.2"));
	assert_true(same("::ffff:10.0.0.1", "10.0.0.1"));
	assert_true(same("2001:db8:0:100::1", "2001:db8:0:1ff:ffff::1"));
	assert_false(same("2001:db8:0:100::1", "2001:db8:0:200::1"));
	assert_false(same("10.0.0.1", "a00:1::"));
	assert_true(same("127.0.0.1", "::1"));
	assert_false(same("127.0.0.1", "126.0.0.1"));
}

static void loopback_is_not_limited(void **state)
{
	for (unsigned i = 0; i < 10 * FLOOD_BURST; i++) {
		assert_true(admit("127.0.0.1", i, 0));
		assert_true(admit("127.1.2.3", i, 0));
		assert_true(admit("::1", i, 0));
		assert_true(admit("::ffff:127.0.0.1", i, 0));
	}
}

static void an_address_has_so_many_at_once(void **state)
{
	assert_true(admit("10.0.0.1", FLOOD_AT_ONCE_MAX - 1, 0));
	assert_false(admit("10.0.0.1", FLOOD_AT_ONCE_MAX, 0));
	assert_true(admit("10.0.0.2", 0, 0));
}

static void a_burst_is_followed_by_a_rate(void **state)
{
	const uint64_t start = 1000000;
	uint64_t now = start;

	for (unsigned i = 0; i < FLOOD_BURST; i++)
		assert_true(admit("10.0.0.1", 0, now));
	assert_false(admit("10.0.0.1", 0, now));
	assert_true(admit("10.0.0.2", 0, now));
	assert_false(admit("10.0.0.1", 0, now + FLOOD_RATE_MS - 1));
	now += FLOOD_RATE_MS; /* those refused cost nothing */
	assert_true(admit("10.0.0.1", 0, now));
	assert_false(admit("10.0.0.1", 0, now));

	now += 1000 * FLOOD_RATE_MS; /* and no more is saved than a burst */
	for (unsigned i = 0; i < FLOOD_BURST; i++)
		assert_true(admit("10.0.0.1", 0, now));
	assert_false(admit("10.0.0.1", 0, now));
}

static void what_is_refused_for_its_number_costs_no_rate(void **state)
{
	for (unsigned i = 0; i < 10 * FLOOD_BURST; i++)
		assert_false(admit("10.0.0.1", FLOOD_AT_ONCE_MAX, 5));
	assert_true(admit("10.0.0.1", 0, 5));
}

static void the_one_that_is_longest_silent_is_forgotten(void **state)
{
	struct flood_key key = { .n = 4 };

	for (unsigned i = 0; i < FLOOD_BURST; i++) {
		assert_true(admit("10.0.0.1", 0, 1));
		assert_true(admit("10.0.0.2", 0, 1));
	}
	assert_false(admit("10.0.0.1", 0, 2));
	for (unsigned i = 0; i < FLOOD_KNOWN_MAX - 1; i++) {
		key.ip[0] = 11;
		key.ip[3] = (uint8_t)i;
		assert_true(flood_admit(&flood, &key, 0, 3));
	}
	assert_false(admit("10.0.0.1", 0, 4));
	assert_true(admit("10.0.0.2", 0, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, setup)
		TEST(an_address_is_whoever_has_it),
		TEST(loopback_is_not_limited),
		TEST(an_address_has_so_many_at_once),
		TEST(a_burst_is_followed_by_a_rate),
		TEST(what_is_refused_for_its_number_costs_no_rate),
		TEST(the_one_that_is_longest_silent_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
