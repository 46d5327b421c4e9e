#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/waiting.h"

static void a_change_has_the_configured_time(void **state)
{
	assert_int_equal(waiting_deadline(30000, false, 0), 30000);
	assert_int_equal(waiting_deadline(1000, false, 0), 1000);
}

static void under_a_folders_lock_it_is_less_than_2_s(void **state)
{
	assert_in_range(waiting_deadline(30000, true, 0), 1, 1750);
	assert_int_equal(waiting_deadline(1000, true, 0), 1000);
}

static void a_dump_has_time_by_its_size(void **state)
{
	assert_int_equal(waiting_deadline(30000, false, 1), 30000);
	assert_int_equal(waiting_deadline(30000, true, 400u << 20), 130000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_has_the_configured_time),
		cmocka_unit_test(under_a_folders_lock_it_is_less_than_2_s),
		cmocka_unit_test(a_dump_has_time_by_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
