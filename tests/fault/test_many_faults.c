/*
 * Batches that are too large to be held, with every allocation and every call for the disk failing
 * in turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/fault/faults.h"
#include "tests/fault/peer.h"

#define OLD_PINS 120 /* more than the brake lets go unseen, so that it keeps a view */

static const struct peer_step steps[] = {
	{ 3, NULL }, { 131, "new" }, { 6, NULL }, { 7, "new", true }, { 132, "x" }, { 8, NULL },
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))
#define REMOVED 3

static void setup(struct peer *p)
{
	peer_init(p, false);
	p->max_unpins = REMOVED;
	peer_open(p);
	peer_pin(p, 0, OLD_PINS, "old");
}

static void teardown(struct peer *p)
{
	peer_close(p);
	peer_remove(p);
}

static void sweep(atomic_long *what)
{
	static struct peer p; /* libuv's threads may outlive a failed test */
	unsigned failed = 0;
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = peer_change_many(steps, STEPS);
		int r;

		setup(&p);
		atomic_store(what, n);
		r = peer_run(&p, rq);
		faulty = atomic_load(what) < 0;
		fault_none();
		failed += r < 0;
		if (r < 0 && peer_works(&p) && peer_is_model(&p) &&
		    peer_run(&p, peer_change_many(steps, STEPS)) == -EPERM)
			fail_msg("what failed was counted: %s", p.reason);
		teardown(&p);
	}
	assert_true(failed > 5);
}

static void what_failed_does_not_count_for_the_brake(void **state)
{
	sweep(&fault_alloc);
	sweep(&fault_disk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_failed_does_not_count_for_the_brake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
