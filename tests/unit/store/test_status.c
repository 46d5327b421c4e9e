#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/store_fixture.h"

static void put(struct store_txn *t, uint64_t serial, enum status s, uint8_t rank)
{
	struct status_row row = { .status = s, .rank = rank };

	assert_int_equal(0, status_put(t, serial, &row));
}

static void a_list_has_rank_0_first_and_then_the_order_of_serials(void **state)
{
	static const uint64_t want[] = { 3, 7, 1, 2, 9 };
	struct store_txn *t = store_fix_write(*state);
	struct status_place place = { 0 };

	put(t, 9, STATUS_PIN_QUEUED, 1);
	put(t, 7, STATUS_PIN_QUEUED, 0);
	put(t, 1, STATUS_PIN_QUEUED, 1);
	put(t, 3, STATUS_PIN_QUEUED, 0);
	put(t, 2, STATUS_PIN_QUEUED, 1);
	put(t, 4, STATUS_PINNED, 0);
	put(t, 5, STATUS_PIN_ERROR, 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(0, status_next(t, STATUS_PIN_QUEUED, &place));
		assert_int_equal(want[i], place.serial);
	}
	assert_int_equal(-ENOENT, status_next(t, STATUS_PIN_QUEUED, &place));
	store_abort(t);
}

static void a_changed_state_leaves_its_old_list_and_due_time(void **state)
{
	struct store_txn *t = store_fix_write(*state);
	struct status_row row = { .status = STATUS_PIN_ERROR,
				  .attempts = 3,
				  .since_ns = 5,
				  .retry_s = 100,
				  .error = "no route",
				  .error_len = 8 };
	struct status_place place = { 0 };
	struct status_row got;
	int64_t second = 0;
	uint64_t serial = 0;

	assert_int_equal(0, status_put(t, 1, &row));
	assert_int_equal(0, status_get(t, 1, &got));
	assert_int_equal(3, got.attempts);
	assert_int_equal(5, got.since_ns);
	assert_int_equal(8, got.error_len);
	assert_memory_equal("no route", got.error, 8);
	assert_int_equal(0, due_next(t, DUE_RETRY, &second, &serial));
	assert_true(second == 100 && serial == 1);
	assert_int_equal(1, store_info(t)->by_status[STATUS_PIN_ERROR]);

	put(t, 1, STATUS_PINNED, 0);
	assert_int_equal(-ENOENT, status_next(t, STATUS_PIN_ERROR, &place));
	second = 0;
	serial = 0;
	assert_int_equal(-ENOENT, due_next(t, DUE_RETRY, &second, &serial));
	assert_int_equal(0, store_info(t)->by_status[STATUS_PIN_ERROR]);
	assert_int_equal(1, store_info(t)->by_status[STATUS_PINNED]);

	assert_int_equal(0, status_del(t, 1));
	assert_int_equal(-ENOENT, status_get(t, 1, &got));
	assert_int_equal(0, store_info(t)->by_status[STATUS_PINNED]);
	assert_int_equal(0, status_del(t, 1));
	store_abort(t);
}

static void each_kind_of_due_time_has_a_list_in_order_of_time(void **state)
{
	static const struct {
		int64_t second;
		uint64_t serial;
	} want[] = { { 5, 7 }, { 5, 9 }, { 300, 1 } };
	struct store_txn *t = store_fix_write(*state);

	for (int kind = DUE_RETRY; kind >= DUE_EXPIRY; kind--) {
		assert_int_equal(0, due_put(t, (enum due_kind)kind, 300, 1));
		assert_int_equal(0, due_put(t, (enum due_kind)kind, 5, 9));
		assert_int_equal(0, due_put(t, (enum due_kind)kind, 5, 7));
		assert_int_equal(0, due_put(t, (enum due_kind)kind, 4, 8));
		assert_int_equal(0, due_del(t, (enum due_kind)kind, 4, 8));
	}
	for (int kind = DUE_EXPIRY; kind <= DUE_RETRY; kind++) {
		int64_t second = 0;
		uint64_t serial = 0;

		for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
			assert_int_equal(0, due_next(t, (enum due_kind)kind, &second, &serial));
			assert_int_equal(want[i].second, second);
			assert_int_equal(want[i].serial, serial);
		}
		assert_int_equal(-ENOENT, due_next(t, (enum due_kind)kind, &second, &serial));
	}
	store_abort(t);
}

static void long_errors_are_cut(void **state)
{
	struct store_txn *t = store_fix_write(*state);
	char text[2 * STATUS_ERROR_MAX];
	struct status_row row = { .status = STATUS_PIN_ERROR,
				  .error = text,
				  .error_len = sizeof(text) };
	struct status_row got;

	memset(text, 'x', sizeof(text));
	assert_int_equal(0, status_put(t, 1, &row));
	assert_int_equal(0, status_get(t, 1, &got));
	assert_int_equal(STATUS_ERROR_MAX, got.error_len);
	store_abort(t);
}

static void unpins_keep_their_order_and_state(void **state)
{
	struct store_txn *t = store_fix_write(*state);
	struct unpin_row row, again;
	uint64_t count;
	struct cid a, b;

	store_fix_cid(1, &a);
	store_fix_cid(2, &b);
	assert_int_equal(0, unpin_add(t, a.bytes, a.len, 10));
	assert_int_equal(0, unpin_add(t, b.bytes, b.len, 5));
	assert_int_equal(0, unpin_count(t, &count));
	assert_int_equal(2, count);
	assert_int_equal(0, unpin_next(t, 0, &row));
	assert_true(cid_equal(&a, &row.cid));
	row.attempts = 2;
	row.due_ns = 99;
	memset(row.error, 'e', sizeof(row.error));
	assert_int_equal(0, unpin_put(t, &row));
	assert_int_equal(0, unpin_next(t, 0, &again));
	assert_int_equal(row.sequence, again.sequence);
	assert_int_equal(2, again.attempts);
	assert_int_equal(99, again.due_ns);
	assert_int_equal(STATUS_ERROR_MAX - 1, strlen(again.error));
	assert_int_equal(0, unpin_del(t, row.sequence));
	assert_int_equal(0, unpin_next(t, 0, &again));
	assert_true(cid_equal(&b, &again.cid));
	store_abort(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_list_has_rank_0_first_and_then_the_order_of_serials),
		STORE_TEST(a_changed_state_leaves_its_old_list_and_due_time),
		STORE_TEST(each_kind_of_due_time_has_a_list_in_order_of_time),
		STORE_TEST(long_errors_are_cut),
		STORE_TEST(unpins_keep_their_order_and_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
