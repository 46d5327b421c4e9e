#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/tracker_fixture.h"

#define MANY 1200

static void run_until_changed(struct fix *f, enum status status, unsigned times)
{
	while (f->changed[status] < times)
		uv_run(&f->s.loop, UV_RUN_ONCE);
}

static void what_kubo_has_is_marked_without_a_call_each(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < MANY; i++) {
		fix_pin(f, i)->max_depth = i % 5 ? -1 : 0;
		fix_store(f);
		fix_set_kubo(f, i, i % 5 ? KUBO_RECURSIVE : KUBO_DIRECT);
	}
	fix_now_ns += NS_PER_S;
	fix_start(f);
	f->t->surveyed = false;
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, true);
	for (unsigned i = 0; i < 3; i++) /* just asked for, and not there */
		fix_add(f, MANY + i);
	fix_settle(f, 3);
	assert_int_equal(MANY, fix_count(f, STATUS_PINNED));
	assert_int_equal(MANY, f->changed[STATUS_PINNED]);
	assert_int_equal(0, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, false);
	fix_settle(f, 0);
	assert_int_equal(MANY + 3, fix_count(f, STATUS_PINNED));
	assert_int_equal(3, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
}

static void a_replaced_pinset_is_compared_again(void **state)
{
	struct fix *f = *state;

	fix_run(f);
	for (unsigned i = 0; i < 50; i++) {
		fix_pin(f, i);
		fix_store(f);
		fix_set_kubo(f, i, KUBO_RECURSIVE);
	}
	fix_pin(f, 77);
	fix_store(f);
	tracker_replaced(f->t);
	fix_settle(f, 0);
	assert_int_equal(51, fix_count(f, STATUS_PINNED));
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
}

static void a_round_finds_what_kubo_lost_and_pins_it_again(void **state)
{
	struct fix *f = *state;
	uint64_t serial = 0;

	fix_run(f);
	for (unsigned i = 0; i < 100; i++) {
		fix_pin(f, i)->max_depth = i % 2 ? -1 : 0;
		serial = fix_put(f);
	}
	fix_settle(f, 0);
	assert_int_equal(100, fix_count(f, STATUS_PINNED));
	fix_now_ns += NS_PER_S;
	fix_set_kubo(f, 99, KUBO_UNPINNED);
	fix_set_kubo(f, 98, KUBO_RECURSIVE); /* not what the pin wants */
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, true);
	tracker_recover_all(f->t);
	fix_settle(f, 0);
	assert_int_equal(2, f->changed[STATUS_UNEXPECTEDLY_UNPINNED]);
	assert_int_equal(STATUS_UNEXPECTEDLY_UNPINNED, fix_status(f, serial).status);
	assert_string_equal("the item should be pinned but it is not", f->error);
	assert_int_equal(98, fix_count(f, STATUS_PINNED));
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, false);
	fix_after(f, 0);
	assert_int_equal(STATUS_PINNED, fix_status(f, serial).status);
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 99));
	assert_int_equal(99, fix_count(f, STATUS_PINNED));
	assert_int_equal(1, fix_count(f, STATUS_PIN_ERROR));
}

static void recover_compares_a_pinned_one_and_queues_others(void **state)
{
	struct fix *f = *state;
	uint64_t serial;

	fix_run(f);
	serial = fix_pinned(f, 1);
	tracker_recover(f->t, serial);
	fix_until_call(f, KUBO_FAKE_LS_ONE);
	fix_settle(f, 0);
	assert_int_equal(STATUS_PINNED, fix_status(f, serial).status);
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));

	fix_set_kubo(f, 1, KUBO_UNPINNED);
	tracker_recover(f->t, serial);
	run_until_changed(f, STATUS_UNEXPECTEDLY_UNPINNED, 1);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -EREMOTEIO, "no");
	fix_after(f, 0);
	assert_int_equal(STATUS_PIN_ERROR, fix_status(f, serial).status);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, 0, NULL);
	tracker_recover(f->t, serial);
	run_until_changed(f, STATUS_PINNED, 2);
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 1));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_kubo_has_is_marked_without_a_call_each),
		T(a_replaced_pinset_is_compared_again),
		T(a_round_finds_what_kubo_lost_and_pins_it_again),
		T(recover_compares_a_pinned_one_and_queues_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
