#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/tracker_fixture.h"

static void an_unpin_waits_for_its_time(void **state)
{
	struct fix *f = *state;
	struct cid cid;

	fix_run(f);
	fix_pinned(f, 1);
	fix_del(f, 1);
	fix_after(f, 1);
	assert_int_equal(0, kubo_fake_calls(f->kubo, KUBO_FAKE_RM));
	kubo_fake_hold(f->kubo, KUBO_FAKE_RM, true);
	fix_pass(f, 1);
	fix_settle(f, 1);
	store_fix_cid(1, &cid);
	assert_true(tracker_unpinning(f->t, &cid));
	kubo_fake_hold(f->kubo, KUBO_FAKE_RM, false);
	fix_settle(f, 0);
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
	assert_int_equal(0, fix_unpins(f));
	assert_int_equal(1, f->changed[STATUS_UNPIN_QUEUED]);
	assert_int_equal(1, f->changed[STATUS_UNPINNING]);
	assert_int_equal(1, f->changed[STATUS_UNPINNED]);
}

static void what_is_pinned_again_is_not_unpinned(void **state)
{
	struct fix *f = *state;
	uint64_t serial;

	fix_run(f);
	fix_pinned(f, 1);
	fix_del(f, 1);
	serial = fix_pinned(f, 1);
	fix_after(f, 5);
	assert_int_equal(0, kubo_fake_calls(f->kubo, KUBO_FAKE_RM));
	assert_int_equal(0, fix_unpins(f));
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 1));
	assert_int_equal(STATUS_PINNED, fix_status(f, serial).status);
	assert_int_equal(0, f->changed[STATUS_UNPINNED]);
}

static void a_pin_made_direct_after_an_unpin_becomes_direct_in_kubo(void **state)
{
	struct fix *f = *state;
	uint64_t serial;

	fix_run(f);
	fix_pinned(f, 1);
	fix_del(f, 1);
	fix_pin(f, 1)->max_depth = 0;
	serial = fix_put(f);
	fix_settle(f, 0);
	assert_int_equal(STATUS_PIN_ERROR, fix_status(f, serial).status);
	assert_string_equal("already pinned recursively", f->error);
	fix_after(f, 2);
	assert_int_equal(STATUS_PINNED, fix_status(f, serial).status);
	assert_int_equal(KUBO_DIRECT, fix_kind(f, 1));
	assert_int_equal(0, fix_unpins(f));
}

static void a_pin_that_moves_to_others_is_unpinned_here(void **state)
{
	struct fix *f = *state;
	uint64_t serial;

	fix_run(f);
	serial = fix_pinned(f, 1);
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 1));
	fix_leave_to_other(f);
	assert_int_equal(serial, fix_put(f));
	fix_settle(f, 0);
	fix_after(f, 1);
	assert_int_equal(STATUS_REMOTE, fix_status(f, serial).status);
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
	assert_int_equal(0, fix_unpins(f));
}

static void a_deleted_pin_ends_its_call(void **state)
{
	struct fix *f = *state;

	fix_run(f);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, true);
	fix_add(f, 1);
	fix_settle(f, 1);
	fix_del(f, 1);
	fix_settle(f, 0);
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
	assert_int_equal(0, f->changed[STATUS_PINNED] + f->changed[STATUS_PIN_ERROR]);
	fix_after(f, 2);
	assert_int_equal(0, fix_unpins(f));
}

static void a_failed_unpin_stays_and_one_of_nothing_is_done(void **state)
{
	struct fix *f = *state;
	struct store_txn *t;
	struct unpin_row row;

	fix_run(f);
	fix_pinned(f, 1);
	fix_pinned(f, 2);
	fix_set_kubo(f, 2, KUBO_UNPINNED);
	fix_del(f, 2);
	fix_after(f, 2);
	assert_int_equal(0, fix_unpins(f));

	kubo_fake_fail(f->kubo, KUBO_FAKE_RM, -EREMOTEIO, "no");
	fix_del(f, 1);
	fix_after(f, 2);
	assert_int_equal(1, f->changed[STATUS_UNPIN_ERROR]);
	t = store_fix_read(&f->s);
	assert_int_equal(0, unpin_next(t, 0, &row));
	store_read_end(t);
	assert_int_equal(1, row.attempts);
	assert_string_equal("no", row.error);
	assert_int_equal(fix_now_ns + 10 * NS_PER_S, row.due_ns);
	kubo_fake_fail(f->kubo, KUBO_FAKE_RM, 0, NULL);
	fix_after(f, 10);
	assert_int_equal(0, fix_unpins(f));
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
}

static void a_forbidden_unpin_makes_no_call_and_is_not_looked_at(void **state)
{
	struct fix *f = *state;
	struct store_txn *t;
	struct unpin_row row;

	f->kubo_config.unpin_disable = true;
	fix_run(f);
	fix_pinned(f, 1);
	fix_del(f, 1);
	fix_after(f, 2);
	assert_int_equal(1, f->changed[STATUS_UNPIN_ERROR]);
	assert_int_equal(0, f->changed[STATUS_UNPIN_QUEUED]);
	assert_int_equal(0, kubo_fake_calls(f->kubo, KUBO_FAKE_RM));
	assert_int_equal(0, f->t->unpin_after);
	t = store_fix_read(&f->s);
	assert_int_equal(0, unpin_next(t, 0, &row));
	store_read_end(t);
	assert_int_equal(0, row.attempts);
}

static void a_forbidden_unpin_is_made_up_for_once_it_is_allowed(void **state)
{
	struct fix *f = *state;

	f->kubo_config.unpin_disable = true;
	fix_run(f);
	for (unsigned i = 1; i <= 3; i++)
		fix_pinned(f, i);
	for (unsigned i = 1; i <= 3; i++)
		fix_del(f, i);
	fix_add(f, 2);
	fix_pin(f, 3)->max_depth = 0; /* the recursive pin is still to go */
	fix_put(f);
	tracker_recover_all(f->t);
	fix_settle(f, 0);
	assert_int_equal(2, fix_unpins(f));
	fix_close(f);

	f->kubo_config.unpin_disable = f->closed = false;
	fix_run(f);
	fix_after(f, 2);
	assert_int_equal(0, fix_unpins(f));
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 2));
	assert_int_equal(KUBO_DIRECT, fix_kind(f, 3));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_unpin_waits_for_its_time),
		T(what_is_pinned_again_is_not_unpinned),
		T(a_pin_made_direct_after_an_unpin_becomes_direct_in_kubo),
		T(a_pin_that_moves_to_others_is_unpinned_here),
		T(a_deleted_pin_ends_its_call),
		T(a_failed_unpin_stays_and_one_of_nothing_is_done),
		T(a_forbidden_unpin_makes_no_call_and_is_not_looked_at),
		T(a_forbidden_unpin_is_made_up_for_once_it_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
