#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/bloom.h"

#define N 200000

static void what_was_added_is_found_and_little_else(void **state)
{
	struct bloom *b = bloom_new();
	unsigned wrong = 0, other_kind = 0;

	assert_non_null(b);
	for (uint32_t i = 0; i < N; i++)
		bloom_add(b, 3, &i, sizeof(i));
	for (uint32_t i = 0; i < N; i++) {
		uint32_t absent = N + i;

		assert_true(bloom_has(b, 3, &i, sizeof(i)));
		other_kind += bloom_has(b, 4, &i, sizeof(i));
		wrong += bloom_has(b, 3, &absent, sizeof(absent));
	}
	assert_in_range(wrong, 0, N / 2000);
	assert_in_range(other_kind, 0, N / 2000);
	bloom_free(b);
}

static void another_one_is_wrong_about_others(void **state)
{
	struct bloom *b[2] = { bloom_new(), bloom_new() };
	unsigned wrong[2] = { 0 }, both = 0;

	for (uint32_t i = 0; i < 20 * N; i++)
		for (int k = 0; k < 2; k++)
			bloom_add(b[k], 3, &i, sizeof(i));
	for (uint32_t i = 20 * N; i < 21 * N; i++) {
		bool a = bloom_has(b[0], 3, &i, sizeof(i)), c = bloom_has(b[1], 3, &i, sizeof(i));

		wrong[0] += a;
		wrong[1] += c;
		both += a && c;
	}
	assert_true(wrong[0] > N / 100 && wrong[1] > N / 100); /* 4 M entries: full enough */
	assert_true(both < wrong[0] / 2 && both < wrong[1] / 2);
	bloom_free(b[0]);
	bloom_free(b[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_and_little_else),
		cmocka_unit_test(another_one_is_wrong_about_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
