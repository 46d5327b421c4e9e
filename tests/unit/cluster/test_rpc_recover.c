#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/rpc_fixture.h"

#define MANY (TRACKER_RECOVERY_MAX + 50)

static void info_of(struct fix *f, struct gorpc_call *c, struct rpc_pin_info *ret)
{
	fix_finished(f, c);
	fix_info(f, c, 0, ret);
	gorpc_fake_free(c);
}

/* What is queued stays so. */
static void hold(struct fix *f)
{
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, true);
}

static bool is_queued_again(enum status status)
{
	return status == STATUS_PIN_QUEUED || status == STATUS_PINNING;
}

/* ---- one ---- */

static void a_failed_pin_is_queued_before_the_answer(void **state)
{
	static const char *const names[][2] = { { "PinTracker", "Recover" },
						{ "Cluster", "RecoverLocal" } };
	struct fix *f = *state;

	hold(f);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t serial =
		    fix_pin(f, i, i ? STATUS_UNEXPECTEDLY_UNPINNED : STATUS_PIN_ERROR);
		struct gorpc_call *c = fix_call_cid(f, names[i][0], names[i][1], &f->pin.cid);
		struct rpc_pin_info info;

		assert_int_equal(GORPC_FAKE_OPEN, gorpc_fake_state(c));
		info_of(f, c, &info);
		assert_true(is_queued_again(info.status));
		assert_int_equal(STATUS_PIN_QUEUED, fix_status(f, serial));
		assert_true(info.priority);
	}
}

static void what_has_not_failed_is_left_alone(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	uint64_t serial;

	serial = fix_pin(f, 1, STATUS_REMOTE);
	info_of(f, fix_call_cid(f, "PinTracker", "Recover", &f->pin.cid), &info);
	assert_int_equal(STATUS_REMOTE, info.status);
	assert_int_equal(STATUS_REMOTE, fix_status(f, serial));
}

static void a_pinned_one_is_compared_with_kubo(void **state)
{
	struct fix *f = *state;
	unsigned before = kubo_fake_calls(f->kubo, KUBO_FAKE_LS_ONE);
	struct rpc_pin_info info;
	uint64_t serial;

	serial = fix_pin(f, 1, STATUS_PINNED);
	info_of(f, fix_call_cid(f, "PinTracker", "Recover", &f->pin.cid), &info);
	assert_int_equal(STATUS_PINNED, info.status);
	fix_until(f, kubo_fake_calls(f->kubo, KUBO_FAKE_LS_ONE) > before);
	fix_until(f, fix_status(f, serial) != STATUS_PINNED); /* Kubo does not have it */
}

static void recover_of_a_cid_that_is_nowhere_is_its_status(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	struct cid cid;

	store_fix_cid(9, &cid);
	info_of(f, fix_call_cid(f, "PinTracker", "Recover", &cid), &info);
	assert_int_equal(STATUS_UNPINNED, info.status);
	fix_failed(f, fix_call_cid(f, "Cluster", "RecoverLocal", &cid),
		   "pin is not part of the pinset");
}

static void an_unpin_that_failed_is_queued_again(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	struct cid cid;

	fix_unpin(f, 1, "");
	fix_unpin(f, 2, "the disk is away");
	store_fix_cid(2, &cid);
	kubo_fake_hold(f->kubo, KUBO_FAKE_RM, true);
	info_of(f, fix_call_cid(f, "PinTracker", "Recover", &cid), &info);
	assert_true(info.status == STATUS_UNPIN_QUEUED || info.status == STATUS_UNPINNING);
	assert_int_equal(0, info.error.n);
	store_fix_cid(1, &cid);
	info_of(f, fix_call_cid(f, "PinTracker", "Recover", &cid), &info);
	assert_int_equal(STATUS_UNPIN_QUEUED, info.status);
	fix_unpin(f, 3, "the disk is away");
	store_fix_cid(3, &cid);
	fix_failed(f, fix_call_cid(f, "Cluster", "RecoverLocal", &cid),
		   "pin is not part of the pinset");
}

static void who_does_not_wait_for_it_has_it_done_all_the_same(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;
	uint64_t serial;

	hold(f);
	serial = fix_pin(f, 1, STATUS_PIN_ERROR);
	c = fix_call_cid(f, "PinTracker", "Recover", &f->pin.cid);
	gorpc_fake_free(c); /* gone */
	fix_until(f, fix_status(f, serial) == STATUS_PIN_QUEUED);
	fix_pin(f, 2, STATUS_PIN_ERROR);
	c = fix_call_cid(f, "PinTracker", "Recover", &f->pin.cid);
	fix_close(f);
	assert_true(gorpc_fake_state(c) != GORPC_FAKE_OPEN);
	gorpc_fake_free(c);
}

/* ---- all ---- */

static void put_failed(struct fix *f, unsigned n)
{
	struct store_txn *t = store_fix_write(&f->s);
	const struct status_row row = { .status = STATUS_PIN_ERROR, .error = "" };

	for (unsigned i = 0; i < n; i++) {
		store_fix_pin(&f->pin, i, "failed");
		assert_int_equal(0, status_put(t, store_fix_set(t, &f->pin, 0), &row));
	}
	assert_int_equal(0, store_commit(t));
}

static void all_that_failed_is_queued_and_told(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;

	hold(f);
	put_failed(f, MANY);
	fix_pin(f, MANY, STATUS_REMOTE);
	c = fix_call(f, "Cluster", "RecoverAllLocal", NULL);
	fix_finished(f, c);
	assert_int_equal(MANY, gorpc_fake_values(c));
	for (unsigned i = 0; i < MANY; i++) {
		struct rpc_pin_info info;

		fix_info(f, c, i, &info);
		assert_true(is_queued_again(info.status));
	}
	gorpc_fake_free(c);
}

static void where_nothing_failed_nothing_is_told(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;

	fix_pin(f, 1, STATUS_REMOTE);
	c = fix_call(f, "Cluster", "RecoverAllLocal", NULL);
	fix_finished(f, c);
	assert_int_equal(0, gorpc_fake_values(c));
	gorpc_fake_free(c);
}

static void pins_are_compared_with_kubo_in_the_end(void **state)
{
	struct fix *f = *state;
	unsigned before = kubo_fake_calls(f->kubo, KUBO_FAKE_LS);
	struct gorpc_call *c = fix_call(f, "Cluster", "RecoverAllLocal", NULL);

	fix_finished(f, c);
	gorpc_fake_free(c);
	fix_until(f, kubo_fake_calls(f->kubo, KUBO_FAKE_LS) > before);
}

static void a_slow_caller_is_told_all(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;

	hold(f);
	put_failed(f, MANY);
	c = fix_call(f, "Cluster", "RecoverAllLocal", NULL);
	for (size_t n = 0; gorpc_fake_state(c) == GORPC_FAKE_OPEN; n += 100) {
		gorpc_fake_room(c, 100);
		fix_until(f, gorpc_fake_values(c) == n + 100 ||
				 gorpc_fake_state(c) != GORPC_FAKE_OPEN);
	}
	assert_int_equal(MANY, gorpc_fake_values(c));
	gorpc_fake_free(c);
}

static void whoever_asked_for_all_may_go_at_any_time(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;

	hold(f);
	put_failed(f, MANY);
	c = fix_call(f, "Cluster", "RecoverAllLocal", NULL);
	gorpc_fake_free(c); /* before the first page */
	c = fix_call(f, "Cluster", "RecoverAllLocal", NULL);
	fix_turn(f);
	fix_turn(f);
	gorpc_fake_free(c); /* while the writer is at it, or after */
	c = fix_call(f, "Cluster", "RecoverAllLocal", NULL);
	gorpc_fake_room(c, 1);
	fix_turn(f);
	fix_close(f);
	assert_true(gorpc_fake_state(c) != GORPC_FAKE_OPEN);
	gorpc_fake_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_failed_pin_is_queued_before_the_answer),
		T(what_has_not_failed_is_left_alone),
		T(a_pinned_one_is_compared_with_kubo),
		T(recover_of_a_cid_that_is_nowhere_is_its_status),
		T(an_unpin_that_failed_is_queued_again),
		T(who_does_not_wait_for_it_has_it_done_all_the_same),
		T(all_that_failed_is_queued_and_told),
		T(where_nothing_failed_nothing_is_told),
		T(pins_are_compared_with_kubo_in_the_end),
		T(a_slow_caller_is_told_all),
		T(whoever_asked_for_all_may_go_at_any_time),
	};

	return cmocka_run_group_tests_name("rpc_recover", tests, NULL, NULL);
}
