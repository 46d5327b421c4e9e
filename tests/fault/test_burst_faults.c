/*
 * Bursts of removals that the brake ends, with every allocation and every call for the disk of the
 * dump of the state before failing in turn: that state is in backups/ before anything more goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cluster/internal.h"
#include "tests/fault/dumps.h"
#include "tests/fault/faults.h"

#define BURST 2 /* removals that pass */
#define PINS 40
#define VIEW_COMMITS 5000 /* the view's dump is made when it is older */

static struct peer p; /* libuv's threads may outlive a failed test */

static int unpin(unsigned i)
{
	const struct peer_step step = { .i = i };
	int r = peer_run(&p, peer_change(&step, 1));

	if (r == 0)
		peer_model(&p, &step, 1);
	return r;
}

static void setup(struct buf *before)
{
	peer_init(&p, false);
	p.max_unpins = BURST;
	peer_open(&p);
	peer_pin(&p, 0, PINS, "old");
	dumps_text(&p, before);
}

/* All that may go is gone. */
static void setup_burst(struct buf *before, struct buf *after)
{
	setup(before);
	for (unsigned i = 0; i < BURST; i++)
		assert_int_equal(0, unpin(i));
	dumps_text(&p, after);
}

static void teardown(struct buf *before)
{
	buf_deinit(before);
	peer_close(&p);
	peer_remove(&p);
}

static void teardown_burst(struct buf *before, struct buf *after)
{
	buf_deinit(after);
	teardown(before);
}

/* Waits for the dump that the peer makes by itself. */
static void wait_until_idle(void)
{
	while (p.cluster->under_way > 0)
		uv_run(&p.loop, UV_RUN_ONCE);
}

/* The removal that is one too many, with the @n-th call of @what failing. */
static int refused(atomic_long *what, long n)
{
	static const struct peer_step removal = { .i = BURST };
	struct cluster_request *rq = peer_change(&removal, 1);
	int r;

	fault_at(what, n);
	r = peer_run(&p, rq);
	wait_until_idle();
	return r;
}

static struct cluster_request *allowance(uint64_t n)
{
	struct cluster_request *rq = peer_request(CLUSTER_ALLOW, NULL);

	rq->number = n;
	return rq;
}

static void sweep_refusal(atomic_long *what)
{
	bool faulty = true;
	unsigned failed = 0;

	for (long n = 0; faulty; n++) {
		struct buf before, after;

		setup_burst(&before, &after);
		if (refused(what, n) != -EPERM) {
			fault_end(what);
			assert_int_equal(-EPERM, refused(what, -1));
		}
		faulty = fault_end(what);
		failed += dumps_of(&p, &before, NULL) == 0;
		assert_int_equal(dumps_of(&p, &before, NULL), dumps_files(&p));
		peer_must(&p, allowance(1));
		assert_int_equal(1, dumps_of(&p, &before, &after));
		assert_int_equal(0, unpin(BURST));
		assert_true(peer_is_model(&p));
		teardown_burst(&before, &after);
	}
	assert_true(failed > 1);
}

static void the_state_before_a_burst_is_not_lost_by_failures(void **state)
{
	sweep_refusal(&fault_alloc);
	sweep_refusal(&fault_disk);
}

static void the_state_before_a_burst_is_dumped_when_it_can_be(void **state)
{
	struct buf before, after;

	setup_burst(&before, &after);
	assert_int_equal(-EPERM, refused(&fault_disk, 0));
	assert_true(fault_end(&fault_disk));
	assert_int_equal(0, dumps_of(&p, &before, NULL));
	while (dumps_of(&p, &before, NULL) == 0) /* the test's deadline ends it */
		uv_run(&p.loop, UV_RUN_ONCE);
	teardown_burst(&before, &after);
}

/* An allowance makes the dump first, and is none where that fails. */
static void sweep_allowance(atomic_long *what)
{
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = allowance(10);
		struct buf before, after;
		int r;

		setup_burst(&before, &after);
		fault_at(what, n);
		r = peer_run(&p, rq);
		faulty = fault_end(what);
		if (r < 0)
			assert_int_equal(-EPERM, unpin(BURST));
		wait_until_idle();
		assert_int_equal(1, dumps_of(&p, &before, NULL));
		teardown_burst(&before, &after);
	}
}

static void failing_allowances_keep_the_state_before_the_burst(void **state)
{
	sweep_allowance(&fault_alloc);
	sweep_allowance(&fault_disk);
}

/* A commit each, so that the view of before the burst keeps as many old pages. */
static void pin_again_and_again(unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		peer_pin(&p, PINS, PINS + 1, k % 2 ? "odd" : "even");
}

static void a_long_burst_is_dumped_before_it_is_braked_and_once(void **state)
{
	struct buf before;

	setup(&before);
	assert_int_equal(0, unpin(0));
	pin_again_and_again(VIEW_COMMITS);
	while (dumps_files(&p) == 0) /* the tick has it made */
		uv_run(&p.loop, UV_RUN_ONCE);
	wait_until_idle();
	assert_int_equal(1, dumps_of(&p, &before, NULL));
	assert_int_equal(0, unpin(1));
	assert_int_equal(-EPERM, unpin(2)); /* what went before the dump counts */
	wait_until_idle();
	assert_int_equal(1, dumps_files(&p));
	teardown(&before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_state_before_a_burst_is_not_lost_by_failures),
		cmocka_unit_test(the_state_before_a_burst_is_dumped_when_it_can_be),
		cmocka_unit_test(failing_allowances_keep_the_state_before_the_burst),
		cmocka_unit_test(a_long_burst_is_dumped_before_it_is_braked_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
