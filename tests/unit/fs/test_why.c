#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/why.h"
#include "util/clock.h"

static int64_t now(void)
{
	return 1795435200LL * NS_PER_S;
}

static int setup(void **state)
{
	clock_fake(now);
	*state = why_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	clock_fake(NULL);
	why_free(*state);
	return 0;
}

static void assert_why(struct why *w, uid_t uid, const char *want)
{
	struct buf b = BUF_INIT(0);

	assert_int_equal(why_render(w, uid, &b), 0);
	assert_int_equal(buf_terminate(&b), 0);
	assert_string_equal((const char *)b.data, want);
	buf_deinit(&b);
}

static void a_refusal_is_one_line_of_words(void **state)
{
	why_add(*state, 1000, "cp", "pins/x", -EINVAL, "the name is not a CID");
	assert_why(*state, 1000,
		   "2026-11-23T12:00:00Z cp pins/x: Invalid argument: the name is not a CID\n");
}

static void repeats_collapse_into_a_count_with_the_last_path(void **state)
{
	why_add(*state, 1000, "rm", "pins/a", -EPERM, "the brake");
	why_add(*state, 1000, "rm", "pins/b", -EPERM, "the brake");
	why_add(*state, 1000, "rm", "pins/c", -EPERM, "the brake");
	assert_why(
	    *state, 1000,
	    "2026-11-23T12:00:00Z rm pins/c: Operation not permitted: the brake (3 times)\n");
}

static void another_program_user_error_or_reason_is_another_line(void **state)
{
	why_add(*state, 0, "rm", "a", -EPERM, "r");
	why_add(*state, 0, "mv", "a", -EPERM, "r");
	why_add(*state, 0, "mv", "a", -EBUSY, "r");
	why_add(*state, 0, "mv", "a", -EBUSY, "s");
	why_add(*state, 7, "mv", "a", -EBUSY, "s");
	assert_why(*state, 0,
		   "2026-11-23T12:00:00Z mv a: Device or resource busy: s\n"
		   "2026-11-23T12:00:00Z mv a: Device or resource busy: s\n"
		   "2026-11-23T12:00:00Z mv a: Device or resource busy: r\n"
		   "2026-11-23T12:00:00Z mv a: Operation not permitted: r\n"
		   "2026-11-23T12:00:00Z rm a: Operation not permitted: r\n");
}

static void a_user_sees_only_his_own_and_root_all(void **state)
{
	why_add(*state, 1, "a", "p", -EPERM, "one");
	why_add(*state, 2, "b", "p", -EPERM, "two");
	assert_why(*state, 1, "2026-11-23T12:00:00Z a p: Operation not permitted: one\n");
	assert_why(*state, 2, "2026-11-23T12:00:00Z b p: Operation not permitted: two\n");
	assert_why(*state, 0,
		   "2026-11-23T12:00:00Z b p: Operation not permitted: two\n"
		   "2026-11-23T12:00:00Z a p: Operation not permitted: one\n");
}

static void only_the_last_64_are_shown(void **state)
{
	struct buf b = BUF_INIT(0);
	char reason[32];
	size_t lines = 0;

	for (int i = 0; i < 300; i++) {
		snprintf(reason, sizeof(reason), "reason %d.", i);
		why_add(*state, 1, "a", "p", -EPERM, reason);
	}
	assert_int_equal(why_render(*state, 1, &b), 0);
	assert_int_equal(buf_terminate(&b), 0);
	for (const char *p = (const char *)b.data; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 64);
	assert_non_null(strstr((const char *)b.data, "reason 299."));
	assert_non_null(strstr((const char *)b.data, "reason 236."));
	assert_null(strstr((const char *)b.data, "reason 235."));
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_refusal_is_one_line_of_words, setup, teardown),
		cmocka_unit_test_setup_teardown(repeats_collapse_into_a_count_with_the_last_path,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
		    another_program_user_error_or_reason_is_another_line, setup, teardown),
		cmocka_unit_test_setup_teardown(a_user_sees_only_his_own_and_root_all, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_the_last_64_are_shown, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
