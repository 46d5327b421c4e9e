#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "util/buf.h"

static void appends_add_up(void **state)
{
	struct buf b = { 0 };

	assert_int_equal(0, buf_append(&b, NULL, 0));
	assert_null(b.data);
	assert_int_equal(0, buf_append(&b, "ab", 2));
	assert_int_equal(0, buf_byte(&b, 'c'));
	assert_int_equal(0, buf_str(&b, "de"));
	assert_int_equal(0, buf_printf(&b, "%d-%s", 42, "x"));
	assert_int_equal(0, buf_terminate(&b));
	assert_int_equal(9, b.len);
	assert_string_equal("abcde42-x", (const char *)b.data);
	buf_deinit(&b);
}

static void growth_keeps_the_content(void **state)
{
	struct buf b = BUF_INIT(0);

	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(0, buf_byte(&b, (uint8_t)(i * 7)));
	assert_int_equal(100000, b.len);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal((uint8_t)(i * 7), b.data[i]);
	buf_deinit(&b);
}

static void the_limit_can_be_reached_but_not_passed(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(0, buf_byte(&b, 'x'));
	assert_int_equal(-EFBIG, buf_byte(&b, 'y'));
	assert_int_equal(-EFBIG, buf_str(&b, "yy"));
	assert_int_equal(-EFBIG, buf_printf(&b, "%d", 1));
	assert_int_equal(-EFBIG, buf_reserve(&b, SIZE_MAX));
	assert_int_equal(100, b.len);
	assert_true(b.cap <= 100);
	assert_int_equal('x', b.data[99]);
	buf_deinit(&b);
}

static void impossible_sizes_are_refused_without_a_limit(void **state)
{
	struct buf b = BUF_INIT(0);

	assert_int_equal(0, buf_byte(&b, 'x'));
	assert_int_equal(-EFBIG, buf_reserve(&b, SIZE_MAX));
	assert_int_equal(-EFBIG, buf_reserve(&b, SIZE_MAX - 1));
	assert_int_equal(1, b.len);
	buf_deinit(&b);
}

static void reset_keeps_the_memory_and_deinit_gives_it_back(void **state)
{
	struct buf b = BUF_INIT(0);
	uint8_t *data;

	assert_int_equal(0, buf_str(&b, "hello"));
	data = b.data;
	buf_reset(&b);
	assert_int_equal(0, b.len);
	assert_ptr_equal(data, b.data);
	buf_deinit(&b);
	assert_null(b.data);
	assert_int_equal(0, buf_str(&b, "again"));
	assert_memory_equal("again", b.data, 5);
	buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_add_up),
		cmocka_unit_test(growth_keeps_the_content),
		cmocka_unit_test(the_limit_can_be_reached_but_not_passed),
		cmocka_unit_test(impossible_sizes_are_refused_without_a_limit),
		cmocka_unit_test(reset_keeps_the_memory_and_deinit_gives_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
