#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "types/cid_set.h"

static struct cid numbered(unsigned i)
{
	struct cid cid = { .len = 36, .bytes = { 1, 0x55, 0x12, 0x20 } };

	memcpy(cid.bytes + 4, &i, sizeof(i));
	return cid;
}

static void a_cid_is_new_once_and_keeps_its_tag(void **state)
{
	const unsigned n = 5000;
	struct cid_set s;

	cid_set_init(&s);
	for (unsigned i = 0; i < n; i++) {
		struct cid cid = numbered(i);

		assert_int_equal(cid_set_has(&s, &cid), 0);
		assert_int_equal(cid_set_add(&s, &cid, i % 3 + 1), 0);
	}
	for (unsigned i = 0; i < n; i++) {
		struct cid cid = numbered(i), other = numbered(n + i);

		assert_int_equal(cid_set_has(&s, &cid), i % 3 + 1);
		assert_int_equal(cid_set_has(&s, &other), 0);
		assert_int_equal(cid_set_add(&s, &cid, 3), i % 3 + 1);
	}
	assert_int_equal(s.n, n);
	cid_set_deinit(&s);
}

static void the_length_counts(void **state)
{
	struct cid a = numbered(7), b = a;
	struct cid_set s;

	b.len--;
	cid_set_init(&s);
	assert_int_equal(cid_set_add(&s, &a, 1), 0);
	assert_int_equal(cid_set_add(&s, &b, 2), 0);
	assert_int_equal(cid_set_add(&s, &a, 2), 1);
	cid_set_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cid_is_new_once_and_keeps_its_tag),
		cmocka_unit_test(the_length_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
