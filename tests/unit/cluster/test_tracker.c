#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/tracker_fixture.h"

/* Has the next probe of Kubo now. @held: calls that are held. */
static void probe_holding(struct fix *f, unsigned held)
{
	uv_timer_set_repeat(&f->t->probe, 1);
	uv_timer_again(&f->t->probe);
	fix_until_call(f, KUBO_FAKE_ID);
	fix_settle(f, held);
}

static void probe(struct fix *f)
{
	probe_holding(f, 0);
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
		fix_leave_to_other(f);
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
	fix_run(f);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -EREMOTEIO, "no");
	fix_pin(f, 1);
	serial = fix_put(f);
	fix_settle(f, 0);
	assert_int_equal(STATUS_PIN_ERROR, fix_status(f, serial).status);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, 0, NULL);
	fix_after(f, TRACKER_RETRY_MIN_S);
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
	assert_string_equal(KUBO_FAKE_ID_TEXT, known.id);
	assert_string_equal("/ip4/127.0.0.1/tcp/4001\n/ip6/::1/tcp/4001\n", known.addresses);
	assert_int_equal(100, known.repo.storage_max);
}

static bool is_repo_known(struct fix *f)
{
	struct tracker_kubo k;

	tracker_kubo(f->t, &k);
	return k.repo_known;
}

static void how_full_kubo_is_is_told_once_it_is_known_each_time_that_kubo_comes(void **state)
{
	struct fix *f = *state;

	kubo_fake_hold(f->kubo, KUBO_FAKE_STAT, true);
	fix_start(f);
	fix_settle(f, 1);
	assert_int_equal(1, f->ups);
	assert_false(is_repo_known(f));
	assert_int_equal(0, f->repos);
	kubo_fake_hold(f->kubo, KUBO_FAKE_STAT, false);
	fix_settle(f, 0);
	assert_true(is_repo_known(f));
	assert_int_equal(1, f->repos);
	probe(f); /* asked again, as every 15 s */
	assert_int_equal(2, kubo_fake_calls(f->kubo, KUBO_FAKE_STAT));
	assert_int_equal(1, f->repos);
	kubo_fake_away(f->kubo, true);
	probe(f);
	assert_false(is_repo_known(f));
	kubo_fake_away(f->kubo, false);
	kubo_fake_hold(f->kubo, KUBO_FAKE_STAT, true);
	probe_holding(f, 1);
	assert_int_equal(2, f->ups);
	assert_false(is_repo_known(f));
	kubo_fake_hold(f->kubo, KUBO_FAKE_STAT, false);
	fix_settle(f, 0);
	assert_true(is_repo_known(f));
	assert_int_equal(2, f->repos);
}

static void how_full_kubo_is_is_told_when_it_is_asked_for(void **state)
{
	struct fix *f = *state;

	fix_run(f);
	assert_int_equal(1, f->repos);
	tracker_ask_repo(f->t);
	tracker_ask_repo(f->t); /* one call at a time */
	fix_settle(f, 0);
	assert_int_equal(2, kubo_fake_calls(f->kubo, KUBO_FAKE_STAT));
	assert_int_equal(2, f->repos);
	kubo_fake_away(f->kubo, true);
	probe(f);
	tracker_ask_repo(f->t);
	fix_settle(f, 0);
	assert_int_equal(2, kubo_fake_calls(f->kubo, KUBO_FAKE_STAT));
	assert_int_equal(2, f->repos);
}

static void beginning_and_end_of_each_pin_is_told(void **state)
{
	struct fix *f = *state;

	fix_run(f);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, true);
	fix_add(f, 1);
	fix_settle(f, 1);
	assert_int_equal(1, f->worked);
	kubo_fake_hold(f->kubo, KUBO_FAKE_ADD, false);
	fix_settle(f, 0);
	assert_int_equal(2, f->worked);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -EREMOTEIO, "no");
	fix_pinned(f, 2);
	assert_int_equal(4, f->worked);
	fix_set_kubo(f, 3, KUBO_RECURSIVE); /* nothing to do */
	fix_pinned(f, 3);
	fix_del(f, 1);
	fix_after(f, 3);
	assert_int_equal(1, kubo_fake_calls(f->kubo, KUBO_FAKE_RM));
	assert_int_equal(4, f->worked);
	assert_int_equal(0, tracker_gc(f->t, NULL));
	fix_settle(f, 0);
	assert_int_equal(5, f->worked);
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
	assert_int_equal(0, tracker_gc(f->t, NULL));
	fix_close(f);
	assert_int_equal(0, kubo_fake_open(f->kubo));
	assert_int_equal(STATUS_PIN_QUEUED, fix_status(f, serial).status);
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
	assert_int_equal(0, tracker_gc(f->t, NULL));
	assert_int_equal(-EBUSY, tracker_gc(f->t, NULL));
	fix_settle(f, 0);
	assert_gc_result_ends(f, "\"keys\":[{\"key\":\"bafkgone\"},"
				 "{\"error\":\"one \\\"bad\\\" block\"}]}}}\n");
	kubo_fake_fail(f->kubo, KUBO_FAKE_GC, -EREMOTEIO, "no repo");
	assert_int_equal(0, tracker_gc(f->t, NULL));
	fix_settle(f, 0);
	assert_gc_result_ends(f, "\"keys\":[],\"error\":\"no repo\"}}}\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_new_pin_is_pinned_in_its_mode),
		T(pins_of_others_and_meta_pins_make_no_call),
		T(a_failed_pin_is_tried_again_at_growing_distances),
		T(expired_pins_that_nobody_takes_do_not_delay_retries),
		T(without_kubo_pins_stay_queued_and_go_on_when_it_is_back),
		T(how_full_kubo_is_is_told_once_it_is_known_each_time_that_kubo_comes),
		T(how_full_kubo_is_is_told_when_it_is_asked_for),
		T(beginning_and_end_of_each_pin_is_told),
		T(kubo_that_goes_during_a_pin_is_noticed_at_once),
		T(an_update_is_used_when_its_source_is_pinned),
		T(ten_origins_are_connected_and_none_is_waited_for),
		T(calls_are_limited_and_fewer_after_timeouts),
		T(what_is_under_way_at_the_end_stays_queued),
		T(garbage_collection_tells_what_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
