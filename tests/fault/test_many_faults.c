/*
 * Batches that are too large to be held, with every allocation and every call for the disk failing
 * in turn: nothing changes, or all of it does, at the latest when it was tried again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/bulk.h"
#include "tests/fault/faults.h"
#include "tests/fault/peer.h"
#include "tests/lib/store_fixture.h"

#define OLD_PINS 120 /* more than the brake lets go unseen, so that it keeps a view */

static const struct peer_step steps[] = {
	{ 3, NULL }, { 131, "new" }, { 6, NULL }, { 7, "new", true }, { 132, "x" }, { 8, NULL },
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))
#define REMOVED 3
#define LIST "import.ops"

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

/* The removals of the batch are all that the brake lets pass. */
static bool is_counted(struct peer *p)
{
	static const struct peer_step one_more = { 20, NULL };
	int r = peer_run(p, peer_change(&one_more, 1));

	assert_true(r == 0 || r == -EPERM);
	if (r == 0)
		peer_model(p, &one_more, 1);
	return r == -EPERM;
}

static void reopen(struct peer *p)
{
	peer_close(p);
	peer_open(p);
}

/* After @r, which was of the batch. @p is of the old state. */
static void check(struct peer *p, int r)
{
	bool lives = peer_works(p);

	if (!lives)
		reopen(p);
	if (r == 0 || r == -ETIMEDOUT)
		peer_model(p, steps, STEPS);
	while (r == -ETIMEDOUT && !peer_is_model(p)) /* the test's deadline ends it */
		uv_run(&p->loop, UV_RUN_ONCE);
	if (!peer_is_model(p))
		fail_msg("neither the old nor the new state after %d (%s)", r, p->reason);
	peer_recount(p);
	if (lives)
		assert_int_equal(r == 0 || r == -ETIMEDOUT, is_counted(p));
	assert_true(peer_is_model(p));
}

static void sweep(atomic_long *what)
{
	static struct peer p; /* libuv's threads may outlive a failed test */
	unsigned failed = 0, delayed = 0;
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = peer_change_many(steps, STEPS);
		int r;

		setup(&p);
		fault_at(what, n);
		r = peer_run(&p, rq);
		faulty = fault_end(what);
		failed += r < 0 && r != -ETIMEDOUT;
		delayed += r == -ETIMEDOUT;
		check(&p, r);
		teardown(&p);
	}
	assert_true(failed > 5);
	assert_true(delayed > 1);
}

static void failing_allocations_change_nothing_or_are_made_up_for(void **state)
{
	sweep(&fault_alloc);
}

static void failing_writes_change_nothing_or_are_made_up_for(void **state)
{
	sweep(&fault_disk);
}

/* ---- a batch that cannot be finished for a while ---- */

/* Ends a child at its @n-th call for the disk; returns whether there was one. */
static bool crash_at(struct peer *p, long n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		peer_open(p);
		fault_crash_at(n);
		_exit(peer_run(p, peer_change_many(steps, STEPS)) < 0);
	}
	return fault_crashed(pid);
}

static bool is_marked(struct peer *p)
{
	struct bulk_mark mark;
	struct store_fix f = { .mbox = p->mbox };
	struct store_txn *t;
	int r;

	memcpy(f.folder, p->folder, sizeof(f.folder));
	store_fix_open(&f);
	t = store_fix_read(&f);
	r = bulk_mark_get(t, &mark);
	store_read_end(t);
	store_close(f.store);
	assert_true(r == 0 || r == -ENOENT);
	return r == 0;
}

/* A peer that is closed, whose batch is written down and not applied. */
static void setup_marked(struct peer *p)
{
	bool marked = false;

	for (long n = 0; !marked; n++) {
		setup(p);
		peer_close(p);
		assert_true(crash_at(p, n));
		marked = is_marked(p);
		if (!marked)
			peer_remove(p);
	}
}

static void nothing_is_changed_before_a_batch_that_is_certain(void **state)
{
	static const struct peer_step again = { 6, "again" };
	static struct peer p;
	char *list, *away;

	setup_marked(&p);
	list = path_join(p.folder, LIST);
	away = path_join(p.folder, "away");
	assert_int_equal(0, rename(list, away));
	assert_int_equal(0, symlink(LIST, list)); /* opening it fails */
	peer_open(&p);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(-EBUSY, peer_run(&p, peer_change(&again, 1)));
	assert_non_null(strstr(p.reason, "has to be finished first"));
	assert_true(peer_is_model(&p));
	assert_int_equal(0, rename(away, list));
	peer_model(&p, steps, STEPS);
	while (!peer_is_model(&p)) /* the test's deadline ends it */
		uv_run(&p.loop, UV_RUN_ONCE);
	assert_int_equal(0, peer_run(&p, peer_change(&again, 1)));
	peer_model(&p, &again, 1);
	assert_true(peer_is_model(&p));
	peer_recount(&p);
	free(list);
	free(away);
	teardown(&p);
}

static void a_batch_whose_list_is_lost_stops_nothing(void **state)
{
	static const struct peer_step again = { 6, "again" };
	static struct peer p;
	char *list;

	setup_marked(&p);
	list = path_join(p.folder, LIST);
	assert_int_equal(0, truncate(list, 1));
	peer_open(&p);
	assert_int_equal(0, peer_run(&p, peer_change(&again, 1)));
	peer_model(&p, &again, 1);
	assert_true(peer_is_model(&p));
	peer_recount(&p);
	free(list);
	teardown(&p);
}

static void a_peer_stops_with_an_unfinished_batch(void **state)
{
	static struct peer p;
	char *list, *away;

	setup_marked(&p);
	list = path_join(p.folder, LIST);
	away = path_join(p.folder, "away");
	assert_int_equal(0, rename(list, away));
	assert_int_equal(0, symlink(LIST, list));
	for (unsigned k = 0; k < 2; k++) { /* before and after it was tried */
		static const struct peer_step again = { 6, "again" };

		peer_open(&p);
		if (k > 0)
			assert_int_equal(-EBUSY, peer_run(&p, peer_change(&again, 1)));
		peer_close(&p);
	}
	assert_int_equal(0, rename(away, list));
	peer_open(&p);
	peer_model(&p, steps, STEPS);
	while (!peer_is_model(&p))
		uv_run(&p.loop, UV_RUN_ONCE);
	free(list);
	free(away);
	teardown(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_allocations_change_nothing_or_are_made_up_for),
		cmocka_unit_test(failing_writes_change_nothing_or_are_made_up_for),
		cmocka_unit_test(nothing_is_changed_before_a_batch_that_is_certain),
		cmocka_unit_test(a_batch_whose_list_is_lost_stops_nothing),
		cmocka_unit_test(a_peer_stops_with_an_unfinished_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
