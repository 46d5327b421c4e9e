#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cluster/brake.h"
#include "tests/lib/store_fixture.h"

struct fix {
	struct store_fix store;
	struct brake *brake;
};

static int setup(void **state)
{
	static struct fix f;

	store_fix_setup(&f.store);
	assert_int_equal(0, brake_new(f.store.store, 0, &f.brake));
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	brake_free(f->brake);
	store_fix_teardown(&f->store);
	return 0;
}

/* The pinset's counter alone: the brake looks at nothing else. */
static void have_pins(struct fix *f, uint64_t n)
{
	struct store_txn *t = store_fix_write(&f->store);

	store_info_edit(t)->pins = n;
	assert_int_equal(0, store_commit(t));
}

static int check(struct fix *f, uint64_t n, struct err *e)
{
	struct store_txn *t = store_fix_read(&f->store);
	int r = brake_check(f->brake, t, n, e);

	store_read_end(t);
	return r;
}

static int remove_pins(struct fix *f, uint64_t n, struct err *e)
{
	int r = check(f, n, e);

	if (r == 0)
		brake_count(f->brake, n);
	return r;
}

static void a_burst_ends_at_a_hundred_of_few_pins(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	have_pins(f, 500);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(0, remove_pins(f, 1, &e));
	assert_int_equal(-EPERM, remove_pins(f, 1, &e));
	assert_true(brake_engaged(f->brake));
}

static void a_burst_ends_at_a_tenth_of_many_pins(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	have_pins(f, 5000);
	assert_int_equal(0, remove_pins(f, 500, &e));
	assert_int_equal(-EPERM, remove_pins(f, 1, &e));
}

static void what_is_allowed_passes_once(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	have_pins(f, 500);
	brake_allow(f->brake, 200);
	assert_int_equal(0, remove_pins(f, 200, &e));
	assert_int_equal(-EPERM, remove_pins(f, 1, &e));
}

static void the_refusal_names_a_number_that_lets_it_pass(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };
	const char *number;
	uint64_t n;

	/* More is removed in the burst than there was before it: pins come in between. */
	have_pins(f, 120);
	brake_allow(f->brake, 1000);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(0, remove_pins(f, 100, &e));
	brake_allow(f->brake, 0);
	assert_int_equal(-EPERM, remove_pins(f, 50, &e));
	number = strstr(e.msg, "echo ");
	assert_non_null(number);
	n = strtoull(number + 5, NULL, 10);
	assert_in_range(n, 50, 1000);
	brake_allow(f->brake, n);
	assert_int_equal(0, remove_pins(f, 50, &e));
}

static void an_import_uses_up_what_is_allowed(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	assert_int_equal(-EPERM, brake_check_import(f->brake, 8000, 5000, &e));
	brake_allow(f->brake, 6000);
	assert_int_equal(0, brake_check_import(f->brake, 8000, 5000, &e));
	assert_int_equal(6000, brake_allowance(f->brake)); /* it may still fail */
	brake_count_import(f->brake, 5000);
	assert_int_equal(1000, brake_allowance(f->brake));
	assert_int_equal(-EPERM, brake_check_import(f->brake, 8000, 5000, &e));
	brake_count_import(f->brake, 5000);
	assert_int_equal(0, brake_allowance(f->brake));
}

static void what_did_not_become_durable_may_go_again(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };
	uint64_t free, allowed;

	have_pins(f, 500);
	brake_allow(f->brake, 30);
	assert_int_equal(0, check(f, 100, &e));
	free = brake_count(f->brake, 100);
	assert_int_equal(0, check(f, 30, &e));
	allowed = brake_count(f->brake, 30);
	assert_int_equal(0, brake_allowance(f->brake));
	assert_int_equal(-EPERM, check(f, 1, &e));
	brake_uncount(f->brake, 100, free);
	brake_uncount(f->brake, 30, allowed);
	assert_int_equal(30, brake_allowance(f->brake));
	assert_int_equal(0, remove_pins(f, 100, &e));
	assert_int_equal(0, remove_pins(f, 30, &e));
	assert_int_equal(-EPERM, check(f, 1, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_burst_ends_at_a_hundred_of_few_pins),
		TEST(a_burst_ends_at_a_tenth_of_many_pins),
		TEST(what_is_allowed_passes_once),
		TEST(the_refusal_names_a_number_that_lets_it_pass),
		TEST(an_import_uses_up_what_is_allowed),
		TEST(what_did_not_become_durable_may_go_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
