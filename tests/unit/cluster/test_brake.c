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

/* The brake's clock. */
static int64_t now_ms;

int64_t __wrap_clock_mono_ms(void);

int64_t __wrap_clock_mono_ms(void)
{
	return now_ms;
}

static void have_brake(struct fix *f, int64_t max_unpins)
{
	brake_free(f->brake);
	assert_int_equal(0, brake_new(f->store.store, max_unpins, &f->brake));
}

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ 0 };
	now_ms = 1000000;
	store_fix_setup(&f.store);
	have_brake(&f, 0);
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

/* ---- the view of the state before a burst ---- */

/* How many pins there were in the view, which is taken; 0: there is none. */
static uint64_t take_view(struct fix *f)
{
	struct store_txn *view = brake_take_view(f->brake);
	uint64_t n;

	if (!view)
		return 0;
	n = store_info(view)->pins;
	store_read_end(view);
	return n;
}

/* One removal, and the commit that makes it. */
static void remove_one(struct fix *f, uint64_t left)
{
	struct err e = { 0 };

	assert_int_equal(0, remove_pins(f, 1, &e));
	have_pins(f, left);
}

static void the_view_is_of_before_the_first_removal(void **state)
{
	struct fix *f = *state;

	have_pins(f, 500);
	for (unsigned i = 1; i <= 3; i++) {
		remove_one(f, 500 - i);
		now_ms += 59 * 1000;
		brake_tick(f->brake);
	}
	assert_int_equal(500, take_view(f));
}

static void after_a_minute_of_quiet_the_view_is_of_a_new_burst(void **state)
{
	struct fix *f = *state;

	have_pins(f, 500);
	remove_one(f, 499);
	now_ms += 60 * 1000;
	brake_tick(f->brake);
	assert_int_equal(0, take_view(f));
	remove_one(f, 498);
	now_ms += 60 * 1000; /* no tick in between */
	remove_one(f, 497);
	assert_int_equal(498, take_view(f));
}

static void a_view_that_was_dumped_is_not_followed_by_one_of_the_middle(void **state)
{
	struct fix *f = *state;
	struct err e = { 0 };

	have_pins(f, 500);
	remove_one(f, 499);
	assert_int_equal(500, take_view(f));
	for (unsigned i = 2; i <= 100; i++)
		remove_one(f, 500 - i);
	assert_int_equal(-EPERM, remove_pins(f, 1, &e)); /* all of the burst still count */
	assert_false(brake_wants_dump(f->brake));
	assert_int_equal(0, take_view(f));
	now_ms += 60 * 1000;
	remove_one(f, 399);
	assert_int_equal(400, take_view(f));
}

static void a_refusal_wants_the_dump_until_it_is_made(void **state)
{
	struct fix *f = *state;
	struct store_txn *view;
	struct err e = { 0 };

	have_pins(f, 500);
	assert_int_equal(0, remove_pins(f, 100, &e));
	assert_false(brake_wants_dump(f->brake));
	assert_int_equal(-EPERM, remove_pins(f, 1, &e));
	assert_true(brake_wants_dump(f->brake));
	view = brake_take_view(f->brake);
	assert_non_null(view);
	assert_false(brake_wants_dump(f->brake));
	brake_return_view(f->brake, view); /* it failed */
	assert_true(brake_wants_dump(f->brake));
	assert_int_equal(500, take_view(f));
	assert_false(brake_wants_dump(f->brake));
}

static void of_pins_that_may_all_go_no_view_is_kept(void **state)
{
	struct fix *f = *state;

	have_pins(f, 100);
	remove_one(f, 99);
	assert_int_equal(0, take_view(f));
}

static void a_lower_limit_keeps_a_view_of_fewer_pins(void **state)
{
	struct fix *f = *state;

	have_brake(f, 10);
	have_pins(f, 50);
	remove_one(f, 49);
	assert_int_equal(50, take_view(f));
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
		TEST(the_view_is_of_before_the_first_removal),
		TEST(after_a_minute_of_quiet_the_view_is_of_a_new_burst),
		TEST(a_view_that_was_dumped_is_not_followed_by_one_of_the_middle),
		TEST(a_refusal_wants_the_dump_until_it_is_made),
		TEST(of_pins_that_may_all_go_no_view_is_kept),
		TEST(a_lower_limit_keeps_a_view_of_fewer_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
