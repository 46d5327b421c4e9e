#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/rate.h"

#define BURST 3
#define EVERY_MS 100
#define NOW_MS 5000

static unsigned take(struct rate *r, unsigned n, uint64_t now_ms)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++)
		taken += rate_take(r, BURST, EVERY_MS, now_ms);
	return taken;
}

static void so_many_at_once(void **state)
{
	struct rate r = { 0 };

	assert_int_equal(BURST, take(&r, 100, NOW_MS));
	assert_int_equal(0, take(&r, 100, NOW_MS + EVERY_MS - 1));
}

static void then_one_in_a_time(void **state)
{
	struct rate r = { 0 };

	take(&r, BURST, NOW_MS);
	for (unsigned i = 1; i < 10; i++)
		assert_int_equal(1, take(&r, 100, NOW_MS + i * EVERY_MS));
}

static void after_a_pause_the_burst_is_back_and_no_more(void **state)
{
	struct rate r = { 0 };

	take(&r, 1, NOW_MS);
	assert_int_equal(BURST, take(&r, 100, NOW_MS + 1000 * EVERY_MS));
	assert_int_equal(2, take(&r, 100, NOW_MS + 1002 * EVERY_MS));
}

static void a_burst_of_none_lets_nothing_pass(void **state)
{
	struct rate r = { 0 };

	assert_false(rate_take(&r, 0, EVERY_MS, NOW_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_at_once),
		cmocka_unit_test(then_one_in_a_time),
		cmocka_unit_test(after_a_pause_the_burst_is_back_and_no_more),
		cmocka_unit_test(a_burst_of_none_lets_nothing_pass),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
