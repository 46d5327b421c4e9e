#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/rpc_fixture.h"

#define MANY 1000 /* some pages */

static const uint32_t SET_UNPIN =
    1u << STATUS_UNPIN_ERROR | 1u << STATUS_UNPINNING | 1u << STATUS_UNPIN_QUEUED;

static struct gorpc_call *status_all(struct fix *f, uint32_t filter)
{
	struct buf argument = BUF_INIT(0);
	struct gorpc_call *c;

	assert_int_equal(0, rpc_filter_encode(filter, &argument));
	c = fix_call(f, "PinTracker", "StatusAll", &argument);
	gorpc_fake_argument(c, NULL, 0);
	buf_deinit(&argument);
	return c;
}

/* How many of what is told have that status; all that is told is asked for. */
static unsigned count(struct fix *f, uint32_t filter, enum status status)
{
	struct gorpc_call *c = status_all(f, filter);
	unsigned n = 0;

	fix_finished(f, c);
	for (size_t i = 0; i < gorpc_fake_values(c); i++) {
		struct rpc_pin_info info;

		fix_info(f, c, i, &info);
		assert_true(filter == 0 || (filter & status_bit(info.status)));
		n += info.status == status;
	}
	gorpc_fake_free(c);
	return n;
}

static void status_of(struct fix *f, const struct cid *cid, struct rpc_pin_info *ret)
{
	struct gorpc_call *c = fix_call_cid(f, "PinTracker", "Status", cid);

	fix_finished(f, c);
	fix_info(f, c, 0, ret);
	assert_true(cid_equal(cid, &ret->cid));
	gorpc_fake_free(c);
}

/* ---- one ---- */

static void status_tells_the_pin_and_how_it_stands(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	char ipfs[PEERID_TEXT_MAX];

	fix_pin(f, 1, STATUS_PINNED);
	status_of(f, &f->pin.cid, &info);
	assert_int_equal(STATUS_PINNED, info.status);
	assert_true(fix_is(&info.name, "pin"));
	assert_true(info.created.set && info.created.s == 1700000000);
	assert_true(info.since.set && info.since.s == 1700000000); /* that of the pin */
	assert_int_equal(0, info.n_allocations);
	assert_non_null(info.allocations); /* as the reference: empty, not missing */
	assert_non_null(info.origins);
	assert_null(info.metadata);
	assert_int_equal(0, info.error.n);
	peerid_format(&info.ipfs_peer, ipfs);
	assert_string_equal(KUBO_FAKE_ID_TEXT, ipfs);
	assert_int_equal(0, info.n_ipfs_addresses); /* none that others could use */
}

static void status_of_a_failed_pin_says_why_and_how_often(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;

	fix_pin(f, 1, STATUS_PIN_ERROR);
	status_of(f, &f->pin.cid, &info);
	assert_int_equal(STATUS_PIN_ERROR, info.status);
	assert_true(fix_is(&info.error, "no such block"));
	assert_int_equal(3, info.attempts);
	assert_true(info.since.s > 1700000000);
	assert_false(info.priority);
}

static void status_tells_options_of_a_pin(void **state)
{
	static struct pin_meta meta = { { "k", 1 }, { "v", 1 } };
	struct fix *f = *state;
	struct rpc_pin_info info;
	struct store_txn *t;

	store_fix_pin(&f->pin, 1, "p");
	f->pin.metadata = &meta;
	f->pin.n_metadata = 1;
	f->pin.allocations = &f->friend;
	f->pin.n_allocations = 1;
	f->pin.replication_min = f->pin.replication_max = 1;
	f->pin.origins = &f->address;
	f->pin.n_origins = 1;
	t = store_fix_write(&f->s);
	store_fix_set(t, &f->pin, 0);
	assert_int_equal(0, store_commit(t));
	status_of(f, &f->pin.cid, &info);
	assert_int_equal(1, info.n_allocations);
	assert_true(peerid_equal(&info.allocations[0], &f->friend));
	assert_int_equal(1, info.n_origins);
	assert_int_equal(1, info.n_metadata);
	assert_true(fix_is(&info.metadata[0].value, "v"));
}

static void what_is_nowhere_is_unpinned(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	struct cid cid;

	store_fix_cid(77, &cid);
	status_of(f, &cid, &info);
	assert_int_equal(STATUS_UNPINNED, info.status);
	assert_true(info.since.set);
	assert_false(info.created.set);
}

static void what_leaves_kubo_is_told_with_its_failure(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	struct cid cid;

	fix_unpin(f, 1, "");
	fix_unpin(f, 2, "the disk is away");
	store_fix_cid(1, &cid);
	status_of(f, &cid, &info);
	assert_int_equal(STATUS_UNPIN_QUEUED, info.status);
	store_fix_cid(2, &cid);
	status_of(f, &cid, &info);
	assert_int_equal(STATUS_UNPIN_ERROR, info.status);
	assert_true(fix_is(&info.error, "the disk is away"));
	assert_int_equal(2, info.attempts);
}

static void what_is_being_pinned_is_told_so(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	uint64_t serial;

	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, true);
	serial = fix_pin(f, 1, STATUS_PIN_QUEUED);
	tracker_pin_put(f->cluster->tracker, &f->pin.cid, serial);
	fix_until(f, tracker_pinning(f->cluster->tracker, serial));
	status_of(f, &f->pin.cid, &info);
	assert_int_equal(STATUS_PINNING, info.status);
	assert_int_equal(1, count(f, status_bit(STATUS_PINNING), STATUS_PINNING));
	assert_int_equal(0, count(f, status_bit(STATUS_PIN_QUEUED), STATUS_PIN_QUEUED));
	assert_int_equal(1, count(f, status_bit(STATUS_PINNING) | status_bit(STATUS_PIN_QUEUED),
				  STATUS_PINNING));
	assert_int_equal(1, count(f, 0, STATUS_PINNING));
}

static void what_waits_for_kubo_says_so(void **state)
{
	struct fix *f = *state;
	struct rpc_pin_info info;
	struct err why = { 0 };

	err_set(&why, -ECONNREFUSED, "connection refused");
	kubo_fake_away(f->kubo, true);
	tracker_kubo_lost(f->cluster->tracker, &why);
	fix_pin(f, 1, STATUS_PIN_QUEUED);
	status_of(f, &f->pin.cid, &info);
	assert_int_equal(STATUS_PIN_QUEUED, info.status);
	assert_true(fix_is(&info.error, "waiting for IPFS: connection refused"));
}

static void status_needs_a_cid(void **state)
{
	static const char *const bad[] = { "\xc0", "\x05", "\x80", "\xa1x" };
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct buf argument = { .data = (uint8_t *)(uintptr_t)bad[i],
					      .len = strlen(bad[i]) };
		struct gorpc_call *c = fix_call(f, "PinTracker", "Status", &argument);

		assert_int_equal(GORPC_SERVER, gorpc_fake_error(c));
		gorpc_fake_free(c);
	}
}

/* ---- all ---- */

static void put_some(struct fix *f)
{
	static const enum status each[] = { STATUS_PINNED,    STATUS_PINNED,
					    STATUS_REMOTE,    STATUS_SHARDED,
					    STATUS_PIN_ERROR, STATUS_UNEXPECTEDLY_UNPINNED };

	for (unsigned i = 0; i < ARRAY_LEN(each); i++)
		fix_pin(f, i, each[i]);
	fix_unpin(f, 100, "");
	fix_unpin(f, 101, "no");
}

static void all_are_the_pins_and_nothing_else(void **state)
{
	struct fix *f = *state;

	put_some(f);
	assert_int_equal(2, count(f, 0, STATUS_PINNED));
	assert_int_equal(1, count(f, 0, STATUS_REMOTE));
	assert_int_equal(1, count(f, 0, STATUS_SHARDED));
	assert_int_equal(1, count(f, 0, STATUS_PIN_ERROR));
	assert_int_equal(1, count(f, 0, STATUS_UNEXPECTEDLY_UNPINNED));
	assert_int_equal(0, count(f, 0, STATUS_UNPIN_ERROR));
	assert_int_equal(0, count(f, 0, STATUS_UNPIN_QUEUED));
}

static void a_filter_picks_states(void **state)
{
	struct fix *f = *state;
	const uint32_t pinned = status_bit(STATUS_PINNED), error = status_bit(STATUS_PIN_ERROR);

	put_some(f);
	assert_int_equal(2, count(f, pinned, STATUS_PINNED));
	assert_int_equal(2, count(f, pinned | error, STATUS_PINNED));
	assert_int_equal(1, count(f, pinned | error, STATUS_PIN_ERROR));
	assert_int_equal(1, count(f, error | status_bit(STATUS_SHARDED), STATUS_SHARDED));
	assert_int_equal(1, count(f, SET_UNPIN, STATUS_UNPIN_QUEUED));
	assert_int_equal(1, count(f, SET_UNPIN, STATUS_UNPIN_ERROR));
	assert_int_equal(1, count(f, status_bit(STATUS_UNPIN_ERROR), STATUS_UNPIN_ERROR));
	assert_int_equal(0, count(f, status_bit(STATUS_UNPINNED), STATUS_UNPINNED));
	assert_int_equal(0, count(f, 1u << 31, STATUS_PINNED));
}

static void what_is_pinned_again_is_told_of_as_a_pin_only(void **state)
{
	struct fix *f = *state;

	fix_unpin(f, 1, "");
	fix_pin(f, 1, STATUS_PINNED);
	assert_int_equal(0, count(f, SET_UNPIN, STATUS_UNPIN_QUEUED));
	assert_int_equal(1, count(f, SET_UNPIN | status_bit(STATUS_PINNED), STATUS_PINNED));
}

static void no_filter_at_all_means_all(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c = gorpc_fake_call(f->rpc, &f->friend, "PinTracker", "StatusAll");

	fix_pin(f, 1, STATUS_PINNED);
	gorpc_fake_argument(c, NULL, 0);
	fix_finished(f, c);
	assert_int_equal(1, gorpc_fake_values(c));
	gorpc_fake_free(c);
}

static void a_filter_must_be_a_number(void **state)
{
	static const struct buf text = { .data = (uint8_t *)(uintptr_t) "\xa1x", .len = 2 };
	struct fix *f = *state;
	struct gorpc_call *c = fix_call(f, "PinTracker", "StatusAll", &text);

	assert_int_equal(GORPC_SERVER, gorpc_fake_error(c));
	gorpc_fake_free(c);
}

static void pins_that_cannot_be_read_are_passed_over(void **state)
{
	struct fix *f = *state;
	struct store_txn *t;
	struct cid cid;

	fix_pin(f, 1, STATUS_PINNED);
	store_fix_cid(2, &cid);
	t = store_fix_write(&f->s);
	store_fix_set_value(t, &cid, "\xff", 1, 0);
	assert_int_equal(0, store_commit(t));
	fix_pin(f, 3, STATUS_PINNED);
	assert_int_equal(2, count(f, 0, STATUS_PINNED));
}

/* ---- many ---- */

static void put_many(struct fix *f)
{
	struct store_txn *t = store_fix_write(&f->s);
	const struct status_row row = { .status = STATUS_PINNED, .error = "" };

	for (unsigned i = 0; i < MANY; i++) {
		store_fix_pin(&f->pin, i, "many");
		assert_int_equal(0, status_put(t, store_fix_set(t, &f->pin, 0), &row));
	}
	assert_int_equal(0, store_commit(t));
}

/* Each CID once. */
static void tells_all(struct fix *f, const struct gorpc_call *c)
{
	bool seen[MANY] = { false };
	struct cid cid;

	assert_int_equal(MANY, gorpc_fake_values(c));
	for (unsigned i = 0; i < MANY; i++) {
		struct rpc_pin_info info;

		fix_info(f, c, i, &info);
		store_fix_cid(i, &cid); /* in the order of arrival */
		assert_true(cid_equal(&cid, &info.cid));
		assert_false(seen[i]);
		seen[i] = true;
	}
}

static void many_come_in_pages(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;
	unsigned turns = 0;

	put_many(f);
	for (int filtered = 0; filtered < 2; filtered++) {
		c = status_all(f, filtered ? status_bit(STATUS_PINNED) : 0);
		assert_int_equal(0, gorpc_fake_values(c));
		for (; gorpc_fake_state(c) == GORPC_FAKE_OPEN; turns++)
			fix_turn(f);
		assert_true(turns >= 4); /* the loop had its turn in between */
		tells_all(f, c);
		gorpc_fake_free(c);
	}
}

static void a_slow_caller_gets_all_of_it_as_it_can(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c;

	put_many(f);
	c = status_all(f, 0);
	for (size_t n = 0; gorpc_fake_state(c) == GORPC_FAKE_OPEN; n += 7) {
		gorpc_fake_room(c, 7);
		fix_until(f,
			  gorpc_fake_values(c) == n + 7 || gorpc_fake_state(c) != GORPC_FAKE_OPEN);
	}
	fix_finished(f, c);
	tells_all(f, c);
	gorpc_fake_free(c);
}

static void several_callers_are_served_by_turns(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *a, *b;

	put_many(f);
	a = status_all(f, 0);
	b = status_all(f, status_bit(STATUS_PINNED));
	fix_until(f, gorpc_fake_values(a) > 0);
	assert_true(gorpc_fake_values(b) > 0);
	assert_true(gorpc_fake_values(a) < MANY && gorpc_fake_values(b) < MANY);
	fix_finished(f, a);
	fix_finished(f, b);
	tells_all(f, a);
	tells_all(f, b);
	gorpc_fake_free(a);
	gorpc_fake_free(b);
}

static void callers_may_go_at_any_time(void **state)
{
	struct fix *f = *state;
	struct gorpc_call *c[4];

	put_many(f);
	for (unsigned i = 0; i < 4; i++)
		c[i] = status_all(f, 0);
	gorpc_fake_cancel(c[0]); /* before its first page */
	fix_until(f, gorpc_fake_values(c[1]) > 0);
	gorpc_fake_cancel(c[1]); /* between two */
	gorpc_fake_room(c[2], 1);
	fix_finished(f, c[3]);
	gorpc_fake_cancel(c[2]); /* while it is full */
	gorpc_fake_room(c[2], SIZE_MAX);
	for (unsigned i = 0; i < 4; i++)
		gorpc_fake_free(c[i]);
	c[0] = status_all(f, 0);
	c[1] = status_all(f, 0);
	gorpc_fake_room(c[1], 0);
	fix_turn(f);
	fix_close(f);
	assert_true(gorpc_fake_state(c[0]) != GORPC_FAKE_OPEN);
	assert_int_equal(GORPC_FAKE_GONE, gorpc_fake_state(c[1]));
	gorpc_fake_free(c[0]);
	gorpc_fake_free(c[1]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(status_tells_the_pin_and_how_it_stands),
		T(status_of_a_failed_pin_says_why_and_how_often),
		T(status_tells_options_of_a_pin),
		T(what_is_nowhere_is_unpinned),
		T(what_leaves_kubo_is_told_with_its_failure),
		T(what_is_being_pinned_is_told_so),
		T(what_waits_for_kubo_says_so),
		T(status_needs_a_cid),
		T(all_are_the_pins_and_nothing_else),
		T(a_filter_picks_states),
		T(what_is_pinned_again_is_told_of_as_a_pin_only),
		T(no_filter_at_all_means_all),
		T(a_filter_must_be_a_number),
		T(pins_that_cannot_be_read_are_passed_over),
		T(many_come_in_pages),
		T(a_slow_caller_gets_all_of_it_as_it_can),
		T(several_callers_are_served_by_turns),
		T(callers_may_go_at_any_time),
	};

	return cmocka_run_group_tests_name("rpc_tracker", tests, NULL, NULL);
}
