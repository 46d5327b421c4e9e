#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/tracker_fixture.h"

#define MANY 1200

static void run_until_call(struct fix *f, enum kubo_fake_what what)
{
	unsigned before = kubo_fake_calls(f->kubo, what);

	while (kubo_fake_calls(f->kubo, what) == before)
		uv_run(&f->s.loop, UV_RUN_ONCE);
}

static void run_until_changed(struct fix *f, enum status status, unsigned times)
{
	while (f->changed[status] < times)
		uv_run(&f->s.loop, UV_RUN_ONCE);
}

/* Has the next probe of Kubo now. */
static void probe(struct fix *f)
{
	uv_timer_set_repeat(&f->t->probe, 1);
	uv_timer_again(&f->t->probe);
	run_until_call(f, KUBO_FAKE_ID);
	fix_settle(f, 0);
}

/* From the pin that is made of everybody to one of the other peer alone. */
static void leave_to_other(struct fix *f)
{
	f->pin.replication_min = f->pin.replication_max = 1;
	f->pin.allocations = &f->other;
	f->pin.n_allocations = 1;
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

static void a_new_pin_is_pinned_in_its_mode(void **state)
{
	struct fix *f = *state;
	uint64_t a, b;

	fix_run(f);
	a = fix_add(f, 1);
	fix_pin(f, 2)->max_depth = 0;
	b = fix_put(f);
	fix_pin(f, 3)->type = PIN_TYPE_SHARD;
	f->pin.max_depth = 1;
	fix_put(f);
	assert_false(tracker_pinning(f->t, a));
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, true);
	fix_settle(f, 3);
	assert_true(tracker_pinning(f->t, a));
	assert_int_equal(STATUS_PIN_QUEUED, fix_status(f, a).status);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, false);
	fix_settle(f, 0);
	assert_false(tracker_pinning(f->t, a));
	assert_int_equal(STATUS_PINNED, fix_status(f, a).status);
	assert_int_equal(STATUS_PINNED, fix_status(f, b).status);
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 1));
	assert_int_equal(KUBO_DIRECT, fix_kind(f, 2));
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 3));
	assert_int_equal(3, f->changed[STATUS_PINNING]);
	assert_int_equal(3, f->changed[STATUS_PINNED]);
}

static void pins_of_others_and_meta_pins_make_no_call(void **state)
{
	struct fix *f = *state;

	for (unsigned i = 0; i < 600; i++) {
		fix_pin(f, i);
		leave_to_other(f);
		fix_store(f);
	}
	kubo_fake_away(f->kubo, true);
	fix_run(f);
	assert_int_equal(600, fix_count(f, STATUS_REMOTE));
	fix_pin(f, 1000)->type = PIN_TYPE_META;
	fix_put(f);
	fix_settle(f, 0);
	assert_int_equal(1, fix_count(f, STATUS_SHARDED));
	assert_int_equal(601, f->changed[STATUS_REMOTE] + f->changed[STATUS_SHARDED]);
	assert_int_equal(0, fix_unpins(f));
}

static void a_pin_that_moves_to_others_is_unpinned_here(void **state)
{
	struct fix *f = *state;
	uint64_t serial;

	fix_run(f);
	serial = fix_pinned(f, 1);
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 1));
	leave_to_other(f);
	assert_int_equal(serial, fix_put(f));
	fix_settle(f, 0);
	fix_after(f, 1);
	assert_int_equal(STATUS_REMOTE, fix_status(f, serial).status);
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
	assert_int_equal(0, fix_unpins(f));
}

static void a_failed_pin_is_tried_again_at_growing_distances(void **state)
{
	static const int64_t delays[] = { 10, 20, 40 };
	struct fix *f = *state;
	struct status_row row;
	uint64_t serial;

	fix_run(f);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -EREMOTEIO, "IPFS error (pin/add?arg=x). Code: 500");
	serial = fix_add(f, 1);
	for (unsigned i = 0; i < 3; i++) {
		fix_settle(f, 0);
		row = fix_status(f, serial);
		assert_int_equal(STATUS_PIN_ERROR, row.status);
		assert_string_equal("IPFS error (pin/add?arg=x). Code: 500", f->error);
		assert_int_equal(i + 1, row.attempts);
		assert_int_equal(fix_now_ns / NS_PER_S + delays[i], row.retry_s);
		assert_int_equal(i + 1, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
		fix_after(f, delays[i] - 1);
		assert_int_equal(i + 1, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
		if (i == 2)
			kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, 0, NULL);
		fix_pass(f, 1);
	}
	fix_settle(f, 0);
	row = fix_status(f, serial);
	assert_int_equal(STATUS_PINNED, row.status);
	assert_int_equal(0, row.error_len);
	assert_int_equal(0, row.retry_s);
	assert_int_equal(3, f->changed[STATUS_PIN_ERROR]);
}

/* A follower leaves them to others. */
static void expired_pins_that_nobody_takes_do_not_delay_retries(void **state)
{
	struct fix *f = *state;
	struct store_txn *t = store_fix_write(&f->s);
	uint64_t serial;

	for (uint64_t i = 0; i < 20000; i++)
		assert_int_equal(0, due_put(t, DUE_EXPIRY, 1000 + (int64_t)i, 1000000 + i));
	assert_int_equal(0, store_commit(t));
	fix_start(f);
	fix_settle(f, 0);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -EREMOTEIO, "no");
	fix_pin(f, 1);
	serial = fix_put(f);
	fix_settle(f, 0);
	assert_int_equal(STATUS_PIN_ERROR, fix_status(f, serial).status);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, 0, NULL);
	fix_pass(f, TRACKER_RETRY_MIN_S);
	fix_settle(f, 0);
	assert_int_equal(STATUS_PINNED, fix_status(f, serial).status);
}

static void without_kubo_pins_stay_queued_and_go_on_when_it_is_back(void **state)
{
	struct fix *f = *state;
	struct tracker_kubo known;
	uint64_t a, b;

	kubo_fake_away(f->kubo, true);
	fix_pin(f, 1);
	a = fix_store(f);
	fix_run(f);
	assert_int_equal(1, f->downs);
	b = fix_pinned(f, 2);
	assert_int_equal(STATUS_PIN_QUEUED, fix_status(f, a).status);
	assert_int_equal(STATUS_PIN_QUEUED, fix_status(f, b).status);
	assert_int_equal(0, fix_status(f, b).attempts);
	tracker_kubo(f->t, &known);
	assert_true(known.asked && !known.up);
	assert_string_equal("connect: connection refused", known.error);
	fix_after(f, 3600);
	assert_int_equal(0, kubo_fake_calls(f->kubo, KUBO_FAKE_LS_ONE));
	assert_int_equal(0, kubo_fake_calls(f->kubo, KUBO_FAKE_LS));
	probe(f);
	assert_int_equal(1, f->downs);
	kubo_fake_away(f->kubo, false);
	probe(f);
	assert_int_equal(1, f->ups);
	assert_int_equal(STATUS_PINNED, fix_status(f, a).status);
	assert_int_equal(STATUS_PINNED, fix_status(f, b).status);
	tracker_kubo(f->t, &known);
	assert_true(known.asked && known.up);
	assert_string_equal("12D3KooWFake", known.id);
	assert_string_equal("/ip4/127.0.0.1/tcp/4001\n/ip6/::1/tcp/4001\n", known.addresses);
	assert_int_equal(100, known.repo.storage_max);
}

static void kubo_that_goes_during_a_pin_is_noticed_at_once(void **state)
{
	struct fix *f = *state;
	uint64_t a;

	fix_run(f);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, true);
	a = fix_add(f, 1);
	fix_settle(f, 1);
	kubo_fake_away(f->kubo, true);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, false);
	fix_settle(f, 0);
	assert_int_equal(1, f->downs);
	assert_int_equal(STATUS_PIN_ERROR, fix_status(f, a).status);
	assert_string_equal("connect: connection refused", f->error);
}

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
	fix_start(f);
	fix_settle(f, 0);
	for (unsigned i = 1; i <= 3; i++) {
		fix_pin(f, i);
		fix_put(f);
	}
	fix_settle(f, 0);
	for (unsigned i = 1; i <= 3; i++)
		fix_del(f, i);
	fix_pin(f, 2);
	fix_put(f);
	fix_pin(f, 3)->max_depth = 0; /* the recursive pin is still to go */
	fix_put(f);
	tracker_recover_all(f->t);
	fix_settle(f, 0);
	assert_int_equal(2, fix_unpins(f));
	fix_close(f);

	f->kubo_config.unpin_disable = f->closed = false;
	fix_start(f);
	fix_settle(f, 0);
	fix_pass(f, 2);
	fix_settle(f, 0);
	assert_int_equal(0, fix_unpins(f));
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 2));
	assert_int_equal(KUBO_DIRECT, fix_kind(f, 3));
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
	run_until_call(f, KUBO_FAKE_LS_ONE);
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

static void an_update_is_used_when_its_source_is_pinned(void **state)
{
	struct fix *f = *state;

	fix_run(f);
	fix_set_kubo(f, 1, KUBO_RECURSIVE);
	fix_pin(f, 2);
	store_fix_cid(1, &f->pin.pin_update);
	fix_put(f);
	fix_settle(f, 0);
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_UPDATE));
	assert_int_equal(0, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 1));
	fix_pin(f, 3);
	store_fix_cid(9, &f->pin.pin_update);
	fix_put(f);
	fix_settle(f, 0);
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_UPDATE));
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 3));
}

static void ten_origins_are_connected_and_none_is_waited_for(void **state)
{
	static const char text[] =
	    "/ip4/1.2.3.4/tcp/1/p2p/12D3KooWGRUVxnaBtjPGPjW2x4y7aLWWmXxHLqm2kA5v7CqLHcQd";
	struct multiaddr origins[12];
	struct fix *f = *state;
	uint64_t serial;

	fix_run(f);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(0, multiaddr_parse(text, strlen(text), &origins[i], NULL));
	fix_pin(f, 1)->origins = origins;
	f->pin.n_origins = 12;
	kubo_fake_hold(f->kubo, KUBO_FAKE_CONNECT, true);
	serial = fix_put(f);
	fix_settle(f, 10);
	assert_int_equal(10, kubo_fake_calls(f->kubo, KUBO_FAKE_CONNECT));
	assert_int_equal(STATUS_PINNED, fix_status(f, serial).status);
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

static void calls_are_limited_and_fewer_after_timeouts(void **state)
{
	struct fix *f = *state;

	f->config.concurrent_pins = 4;
	fix_run(f);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, true);
	for (unsigned i = 0; i < 20; i++)
		fix_add(f, i);
	fix_settle(f, 4);
	assert_int_equal(4, kubo_fake_calls(f->kubo, KUBO_FAKE_ADD));
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -ETIMEDOUT, "context canceled");
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, false);
	fix_settle(f, 0);
	assert_int_equal(20, fix_count(f, STATUS_PIN_ERROR));
	assert_int_equal(2, f->t->limit);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, 0, NULL);
	fix_after(f, 10);
	assert_int_equal(20, fix_count(f, STATUS_PINNED));
	assert_int_equal(4, f->t->limit);
}

static void what_is_under_way_at_the_end_stays_queued(void **state)
{
	struct fix *f = *state;
	uint64_t serial;

	fix_run(f);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, true);
	serial = fix_add(f, 1);
	fix_settle(f, 1);
	assert_int_equal(0, tracker_gc(f->t));
	fix_close(f);
	assert_int_equal(0, kubo_fake_open(f->kubo));
	assert_int_equal(STATUS_PIN_QUEUED, fix_status(f, serial).status);
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

static void assert_gc_result_ends(struct fix *f, const char *end)
{
	struct buf text = BUF_INIT(0);

	assert_int_equal(0, tracker_gc_result(f->t, &text));
	assert_int_equal(0, buf_terminate(&text));
	assert_true(text.len >= strlen(end));
	assert_string_equal(end, (char *)text.data + text.len - strlen(end));
	buf_deinit(&text);
}

static void garbage_collection_tells_what_went(void **state)
{
	struct fix *f = *state;

	fix_run(f);
	assert_int_equal(0, tracker_gc(f->t));
	assert_int_equal(-EBUSY, tracker_gc(f->t));
	fix_settle(f, 0);
	assert_gc_result_ends(f, "\"keys\":[{\"key\":\"bafkgone\"},"
				 "{\"error\":\"one \\\"bad\\\" block\"}]}}}\n");
	kubo_fake_fail(f->kubo, KUBO_FAKE_GC, -EREMOTEIO, "no repo");
	assert_int_equal(0, tracker_gc(f->t));
	fix_settle(f, 0);
	assert_gc_result_ends(f, "\"keys\":[],\"error\":\"no repo\"}}}\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_kubo_has_is_marked_without_a_call_each),
		T(a_new_pin_is_pinned_in_its_mode),
		T(pins_of_others_and_meta_pins_make_no_call),
		T(a_pin_that_moves_to_others_is_unpinned_here),
		T(a_failed_pin_is_tried_again_at_growing_distances),
		T(expired_pins_that_nobody_takes_do_not_delay_retries),
		T(without_kubo_pins_stay_queued_and_go_on_when_it_is_back),
		T(kubo_that_goes_during_a_pin_is_noticed_at_once),
		T(an_unpin_waits_for_its_time),
		T(what_is_pinned_again_is_not_unpinned),
		T(a_pin_made_direct_after_an_unpin_becomes_direct_in_kubo),
		T(a_failed_unpin_stays_and_one_of_nothing_is_done),
		T(a_forbidden_unpin_makes_no_call_and_is_not_looked_at),
		T(a_forbidden_unpin_is_made_up_for_once_it_is_allowed),
		T(a_round_finds_what_kubo_lost_and_pins_it_again),
		T(recover_compares_a_pinned_one_and_queues_others),
		T(an_update_is_used_when_its_source_is_pinned),
		T(ten_origins_are_connected_and_none_is_waited_for),
		T(a_deleted_pin_ends_its_call),
		T(calls_are_limited_and_fewer_after_timeouts),
		T(what_is_under_way_at_the_end_stays_queued),
		T(a_replaced_pinset_is_compared_again),
		T(garbage_collection_tells_what_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
