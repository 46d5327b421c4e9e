/*
 * LMDB's meta page cannot be written, after which LMDB refuses everything: each request fails with
 * a reason that says so, the peer is told once, and a new start has the last durable state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "store/store.h"
#include "tests/fault/faults.h"
#include "tests/fault/peer.h"

#define PINS 40
#define WAITING 3

static const struct peer_step steps[WAITING] = { { 50, "new" }, { 3, NULL }, { 51, "new" } };

static bool says_why(const char *reason)
{
	return strstr(reason, "/data.mdb could not be written (Input/output error)") &&
	       strstr(reason, "Check the disk");
}

static void setup(struct peer *p)
{
	peer_init(p, false);
	peer_open(p);
	peer_pin(p, 0, PINS, "old");
}

/* A new start has the pins of the model, and works. */
static void check_new_start(struct peer *p)
{
	peer_open(p);
	assert_true(store_was_killed(p->store));
	assert_null(store_broken(p->store));
	assert_true(peer_is_model(p));
	peer_recount(p);
	assert_int_equal(0, peer_run(p, peer_change(steps, WAITING)));
	peer_close(p);
	peer_remove(p);
}

static void every_waiting_request_fails_and_says_why(void **state)
{
	int r[WAITING];
	struct peer p;

	setup(&p);
	peer_begin(&p);
	atomic_store(&fault_meta, true);
	for (size_t i = 0; i < WAITING; i++)
		peer_post(&p, peer_change(&steps[i], 1), &r[i]);
	peer_await(&p);
	assert_true(says_why(p.reason));
	atomic_store(&fault_meta, false); /* which helps nobody now */
	for (size_t i = 0; i < WAITING; i++)
		assert_int_equal(-EIO, r[i]);
	assert_int_equal(-EIO, peer_run(&p, peer_change(steps, WAITING)));
	assert_true(says_why(p.reason));
	assert_int_equal(-EIO, peer_run(&p, cluster_request_new(CLUSTER_CLEAN, 0)));
	assert_true(says_why(p.reason));
	assert_int_equal(1, p.breaks);
	peer_close(&p);
	assert_int_equal(1, p.breaks);
	check_new_start(&p);
}

static void a_start_that_cannot_write_it_says_why(void **state)
{
	struct err e = { 0 };
	struct peer p;

	setup(&p);
	peer_close(&p);
	atomic_store(&fault_meta, true);
	assert_int_equal(-EIO, peer_try_open(&p, NULL, 0, &e));
	assert_true(says_why(e.msg));
	assert_int_equal(0, p.breaks); /* nobody is told of a store that was never open */
	fault_none();
	peer_open(&p);
	assert_true(peer_is_model(&p));
	peer_recount(&p);
	peer_close(&p);
	peer_remove(&p);
}

static void a_stop_that_cannot_write_it_is_no_orderly_one(void **state)
{
	struct peer p;

	setup(&p);
	atomic_store(&fault_meta, true);
	peer_close(&p);
	assert_int_equal(1, p.breaks);
	check_new_start(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_waiting_request_fails_and_says_why),
		cmocka_unit_test(a_start_that_cannot_write_it_says_why),
		cmocka_unit_test(a_stop_that_cannot_write_it_is_no_orderly_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
