#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/err.h"

static void set_returns_the_code_and_keeps_the_words(void **state)
{
	struct err e = { 0 };

	assert_int_equal(-EINVAL, err_set(&e, -EINVAL, "bad %s %d", "thing", 3));
	assert_int_equal(-EINVAL, e.code);
	assert_string_equal("bad thing 3", e.msg);
}

static void wrap_puts_the_context_in_front(void **state)
{
	struct err e = { 0 };

	err_set(&e, -ENOENT, "no file");
	assert_int_equal(-ENOENT, err_wrap(&e, -EIO, "pin %d", 7));
	assert_int_equal(-ENOENT, e.code);
	assert_string_equal("pin 7: no file", e.msg);
	err_wrap(&e, -EIO, "import");
	assert_string_equal("import: pin 7: no file", e.msg);
}

static void wrap_of_an_unset_error_gives_the_text_of_its_code(void **state)
{
	struct err e = { 0 };
	char want[128];

	snprintf(want, sizeof(want), "import: %s", strerror(EIO));
	assert_int_equal(-EIO, err_wrap(&e, -EIO, "import"));
	assert_int_equal(-EIO, e.code);
	assert_string_equal(want, e.msg);
}

static void sys_appends_the_text_of_the_code(void **state)
{
	struct err e = { 0 };
	char want[128];

	snprintf(want, sizeof(want), "opening x: %s", strerror(EACCES));
	assert_int_equal(-EACCES, err_sys(&e, -EACCES, "opening %s", "x"));
	assert_int_equal(-EACCES, e.code);
	assert_string_equal(want, e.msg);
}

static void nobody_has_to_listen(void **state)
{
	assert_int_equal(-EPERM, err_set(NULL, -EPERM, "x"));
	assert_int_equal(-EPERM, err_wrap(NULL, -EPERM, "x"));
	assert_int_equal(-EPERM, err_sys(NULL, -EPERM, "x"));
}

static void long_messages_are_cut_at_their_end(void **state)
{
	char text[2000];
	struct err e = { 0 };

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, -EINVAL, "%s", text);
	assert_int_equal(sizeof(e.msg) - 1, strlen(e.msg));
	err_wrap(&e, -EINVAL, "place");
	assert_int_equal(sizeof(e.msg) - 1, strlen(e.msg));
	assert_memory_equal("place: xxx", e.msg, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_the_code_and_keeps_the_words),
		cmocka_unit_test(wrap_puts_the_context_in_front),
		cmocka_unit_test(wrap_of_an_unset_error_gives_the_text_of_its_code),
		cmocka_unit_test(sys_appends_the_text_of_the_code),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(long_messages_are_cut_at_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
