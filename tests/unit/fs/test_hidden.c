#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/hidden.h"

#define RM 100
#define OTHER 200
#define UNKNOWN 0
#define EXPORT 0
#define IMPORT 1
#define LAST_NAME 63

static void a_name_is_hidden_from_who_removed_it_alone(void **state)
{
	struct hidden h = { 0 };

	hidden_add(&h, RM, EXPORT, 0);
	assert_true(hidden_has(&h, RM, EXPORT, 1));
	assert_false(hidden_has(&h, OTHER, EXPORT, 1));
	assert_false(hidden_has(&h, UNKNOWN, EXPORT, 1));
	assert_false(hidden_has(&h, RM, IMPORT, 1));
}

static void each_process_has_names_of_its_own(void **state)
{
	struct hidden h = { 0 };

	hidden_add(&h, RM, EXPORT, 0);
	hidden_add(&h, OTHER, IMPORT, 0);
	hidden_add(&h, RM, LAST_NAME, 0);
	assert_true(hidden_has(&h, RM, EXPORT, 1));
	assert_true(hidden_has(&h, RM, LAST_NAME, 1));
	assert_false(hidden_has(&h, RM, IMPORT, 1));
	assert_true(hidden_has(&h, OTHER, IMPORT, 1));
	assert_false(hidden_has(&h, OTHER, EXPORT, 1));
}

static void names_are_back_when_the_process_rested(void **state)
{
	struct hidden h = { 0 };

	hidden_add(&h, RM, EXPORT, 0);
	hidden_add(&h, RM, IMPORT, HIDDEN_FOR_MS);
	assert_true(hidden_has(&h, RM, EXPORT, 2 * HIDDEN_FOR_MS));
	assert_false(hidden_has(&h, RM, EXPORT, 2 * HIDDEN_FOR_MS + 1));
	assert_false(hidden_has(&h, RM, IMPORT, 2 * HIDDEN_FOR_MS + 1));
	/* What it removed then does not come with what it removes now. */
	hidden_add(&h, RM, IMPORT, 3 * HIDDEN_FOR_MS);
	assert_false(hidden_has(&h, RM, EXPORT, 3 * HIDDEN_FOR_MS));
}

static void processes_that_cannot_be_told_apart_are_one(void **state)
{
	struct hidden h = { 0 };

	assert_false(hidden_has(&h, UNKNOWN, EXPORT, 0));
	hidden_add(&h, UNKNOWN, EXPORT, 0);
	assert_true(hidden_has(&h, UNKNOWN, EXPORT, 1));
	assert_false(hidden_has(&h, RM, EXPORT, 1));
}

static void something_is_hidden_until_the_last_rested(void **state)
{
	struct hidden h = { 0 };

	assert_false(hidden_any(&h, 0));
	hidden_add(&h, RM, EXPORT, 0);
	hidden_add(&h, OTHER, EXPORT, 10);
	assert_true(hidden_any(&h, HIDDEN_FOR_MS + 5));
	assert_false(hidden_any(&h, HIDDEN_FOR_MS + 11));
}

static void a_new_name_is_shown_to_all(void **state)
{
	struct hidden h = { 0 };

	hidden_add(&h, RM, EXPORT, 0);
	hidden_add(&h, RM, IMPORT, 0);
	hidden_add(&h, OTHER, IMPORT, 0);
	hidden_show(&h, IMPORT);
	assert_false(hidden_has(&h, RM, IMPORT, 1));
	assert_false(hidden_has(&h, OTHER, IMPORT, 1));
	assert_true(hidden_has(&h, RM, EXPORT, 1));
	hidden_clear(&h);
	assert_false(hidden_any(&h, 1));
}

static void of_too_many_the_one_that_rested_longest_gives_way(void **state)
{
	struct hidden h = { 0 };

	for (pid_t i = 0; i < HIDDEN_PROCESSES; i++)
		hidden_add(&h, RM + i, EXPORT, i);
	hidden_add(&h, RM, IMPORT, HIDDEN_PROCESSES); /* not the first any more */
	hidden_add(&h, OTHER, EXPORT, HIDDEN_PROCESSES);
	assert_true(hidden_has(&h, OTHER, EXPORT, HIDDEN_PROCESSES));
	for (pid_t i = 0; i < HIDDEN_PROCESSES; i++)
		assert_int_equal(i != 1, hidden_has(&h, RM + i, EXPORT, HIDDEN_PROCESSES));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_hidden_from_who_removed_it_alone),
		cmocka_unit_test(each_process_has_names_of_its_own),
		cmocka_unit_test(names_are_back_when_the_process_rested),
		cmocka_unit_test(processes_that_cannot_be_told_apart_are_one),
		cmocka_unit_test(something_is_hidden_until_the_last_rested),
		cmocka_unit_test(a_new_name_is_shown_to_all),
		cmocka_unit_test(of_too_many_the_one_that_rested_longest_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
