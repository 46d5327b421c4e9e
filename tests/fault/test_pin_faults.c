/*
 * Pins, unpins, pins again and batches of them, with every allocation and every call for the disk
 * failing in turn, and with the process ending at every such call: the state is the old or the new
 * one, its counters are right, and the next operation works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/fault/faults.h"
#include "tests/fault/peer.h"

#define OLD_PINS 120 /* more than the brake lets go unseen, so that it keeps a view */
#define STEPS_MAX 6

struct scenario {
	const char *name;
	struct peer_step steps[STEPS_MAX];
	size_t n;
	bool same; /* nothing changes */
};

static const struct scenario scenarios[] = {
	{ "pin", { { 130, "new", true } }, 1 },
	{ "unpin", { { 3, NULL } }, 1 },
	{ "pin again", { { 4, "new" } }, 1 },
	{ "pin the same", { { 5, "old" } }, 1, true },
	{ "batch",
	  { { 131, "new" }, { 6, NULL }, { 7, "new", true }, { 132, "x" }, { 8, NULL } },
	  5 },
	/* The second change of a CID is in a delta of its own. */
	{ "one CID twice", { { 133, "a" }, { 133, "b" }, { 9, "a" }, { 9, "new" } }, 4 },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static void setup(struct peer *p, bool batching)
{
	peer_init(p, batching);
	peer_open(p);
	peer_pin(p, 0, OLD_PINS, "old");
	peer_recount(p);
}

static void teardown(struct peer *p)
{
	peer_close(p);
	peer_remove(p);
}

/* What must be true after @r, which was of the scenario. Brings the old state back. */
static void check(struct peer *p, const struct scenario *s, int r, const struct store_info *before,
		  bool recount)
{
	const struct peer old = *p;
	struct store_info now;

	peer_info(p, &now);
	if (r < 0) {
		assert_memory_equal(before, &now, sizeof(now));
		assert_int_equal(0, p->changes);
	} else {
		peer_model(p, s->steps, s->n);
	}
	if (!peer_is_model(p))
		fail_msg("%s: neither the old nor the new state after %d (%s)", s->name, r,
			 p->reason);
	if (r == 0 || recount)
		peer_recount(p);
	memcpy(p->names, old.names, sizeof(p->names));
	peer_restore(p);
}

/* A new start makes the delta of what was pending; @before becomes what it was with that. */
static void await_cut(struct peer *p, struct store_info *before)
{
	struct store_info now;

	if (before->pending == 0)
		return;
	for (peer_info(p, &now); now.pending > 0; peer_info(p, &now))
		uv_run(&p->loop, UV_RUN_ONCE);
	before->pending = 0;
	before->next_block = now.next_block;
}

/* @what: fault_alloc or fault_disk. */
static void sweep(const struct scenario *s, bool batching, atomic_long *what)
{
	unsigned failed = 0;
	bool faulty = true;
	struct peer p;

	setup(&p, batching);
	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = peer_change(s->steps, s->n);
		struct store_info before;
		int r;

		peer_info(&p, &before);
		fault_at(what, n);
		r = peer_run(&p, rq);
		faulty = fault_end(what);
		failed += r < 0;
		if (!faulty)
			assert_int_equal(0, r);
		if (r < 0)
			assert_true(p.reason[0] != '\0');
		if (peer_revive(&p)) {
			assert_ptr_equal(&fault_disk, what);
			await_cut(&p, &before);
		}
		check(&p, s, r, &before, n % 32 == 0);
		if (n % 32 == 31) { /* each round makes the history of its CIDs longer */
			teardown(&p);
			setup(&p, batching);
		}
	}
	if (s->same)
		assert_int_equal(0, what == &fault_disk ? failed : 0); /* nothing is written */
	else
		assert_true(failed > (what == &fault_disk ? 1U : 5U));
	teardown(&p);
}

static void sweep_all(atomic_long *what)
{
	for (size_t i = 0; i < SCENARIOS; i++)
		for (int batching = 0; batching < 2; batching++)
			sweep(&scenarios[i], batching, what);
}

static void failing_allocations_leave_the_old_or_the_new_state(void **state)
{
	sweep_all(&fault_alloc);
}

static void failing_writes_leave_the_old_or_the_new_state(void **state)
{
	sweep_all(&fault_disk);
}

/* Ends a child at its @n-th call for the disk; returns whether there was one. */
static bool crash_at(struct peer *p, const struct scenario *s, long n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		peer_open(p);
		fault_crash_at(n);
		_exit(peer_run(p, peer_change(s->steps, s->n)) < 0);
	}
	return fault_crashed(pid);
}

static void crash_all(const struct scenario *s, bool batching)
{
	bool crashed = true;
	struct peer p;

	setup(&p, batching);
	for (long n = 0; crashed; n++) {
		const struct peer old = p;

		peer_close(&p);
		crashed = crash_at(&p, s, n);
		peer_open(&p);
		if (!crashed || !peer_is_model(&p))
			peer_model(&p, s->steps, s->n);
		if (!peer_is_model(&p))
			fail_msg("%s: neither the old nor the new state", s->name);
		peer_recount(&p);
		memcpy(p.names, old.names, sizeof(p.names));
		peer_restore(&p);
	}
	teardown(&p);
}

static void crashes_leave_the_old_or_the_new_state(void **state)
{
	for (size_t i = 0; i < SCENARIOS; i++)
		crash_all(&scenarios[i], i % 2);
}

/* Requests that wait together share a transaction; each ends with its own answer. */
static void failures_of_a_group_reach_each_of_its_requests(void **state)
{
	static const struct peer_step steps[] = { { 140, "new" }, { 3, NULL }, { 141, "new" } };
	bool faulty = true;
	struct peer p;

	setup(&p, false);
	for (long n = 0; faulty; n++) {
		const struct peer old = p;
		unsigned failed = 0;
		int r[3];

		peer_begin(&p);
		for (size_t k = 0; k < 3; k++)
			peer_post(&p, peer_change(&steps[k], 1), &r[k]);
		fault_at(&fault_alloc, n);
		peer_await(&p);
		faulty = fault_end(&fault_alloc);
		for (size_t k = 0; k < 3; k++) {
			failed += r[k] < 0;
			if (r[k] == 0)
				peer_model(&p, &steps[k], 1);
		}
		assert_true(peer_is_model(&p));
		assert_int_equal(3 - failed, p.changes);
		peer_recount(&p);
		memcpy(p.names, old.names, sizeof(p.names));
		teardown(&p);
		setup(&p, false);
	}
	teardown(&p);
}

static void removals_that_failed_do_not_count_for_the_brake(void **state)
{
	static const struct peer_step unpin = { 3, NULL };
	struct peer p;

	peer_init(&p, false);
	p.max_unpins = 2;
	peer_open(&p);
	peer_pin(&p, 0, OLD_PINS, "old");
	for (unsigned k = 0; k < 5; k++) {
		struct cluster_request *rq = peer_change(&unpin, 1);

		fault_at(&fault_disk, 0);
		assert_true(peer_run(&p, rq) < 0);
		fault_end(&fault_disk);
	}
	peer_must(&p, peer_change(&unpin, 1));
	teardown(&p);
}

/* Operations that were acknowledged before their delta still get one. */
static void deltas_that_could_not_be_cut_are_cut_later(void **state)
{
	struct store_info info;
	struct peer p;

	peer_init(&p, true);
	p.crdt.max_batch_age_ms = 20;
	peer_open(&p);
	peer_pin(&p, 0, 2, "a");
	fault_at(&fault_disk, 0);
	while (atomic_load(&fault_disk) >= 0)
		uv_run(&p.loop, UV_RUN_ONCE);
	do {
		uv_run(&p.loop, UV_RUN_ONCE);
		peer_info(&p, &info);
	} while (info.pending > 0); /* the test's deadline ends it */
	peer_recount(&p);
	teardown(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_allocations_leave_the_old_or_the_new_state),
		cmocka_unit_test(failing_writes_leave_the_old_or_the_new_state),
		cmocka_unit_test(crashes_leave_the_old_or_the_new_state),
		cmocka_unit_test(failures_of_a_group_reach_each_of_its_requests),
		cmocka_unit_test(removals_that_failed_do_not_count_for_the_brake),
		cmocka_unit_test(deltas_that_could_not_be_cut_are_cut_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
