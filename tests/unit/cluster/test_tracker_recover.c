#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/cluster/tracker_fixture.h"

#define MANY (TRACKER_RECOVERY_MAX + 100)

/* A recovery, and what came of it. */
struct asked {
	struct tracker_recovery r;
	struct tracker *t;
	unsigned dones, queued;
	int status;
	bool again; /* ask for the next page until there is none */
};

static void on_done(struct tracker_recovery *r, int status)
{
	struct asked *a = container_of(r, struct asked, r);

	a->dones++;
	a->queued += r->n;
	a->status = status;
	if (status == 1 && a->again)
		assert_int_equal(0, tracker_recover_failed(a->t, r));
}

static void asked_init(struct fix *f, struct asked *a)
{
	*a = (struct asked){ .t = f->t, .r.done = on_done };
}

static void asked_wait(struct fix *f, const struct asked *a, unsigned dones)
{
	while (a->dones < dones)
		uv_run(&f->s.loop, UV_RUN_ONCE);
}

/* @n pins that Kubo would not take. */
static void fail_pins(struct fix *f, unsigned n)
{
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -EREMOTEIO, "no such block");
	for (unsigned i = 0; i < n; i++) {
		fix_pin(f, i);
		fix_store(f);
	}
	fix_start(f);
	fix_settle(f, 0);
	assert_int_equal(n, fix_count(f, STATUS_PIN_ERROR));
}

static void what_failed_is_queued_by_pages(void **state)
{
	struct fix *f = *state;
	struct asked a;

	fail_pins(f, MANY);
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, true);
	asked_init(f, &a);
	assert_int_equal(0, tracker_recover_failed(f->t, &a.r));
	assert_int_equal(0, a.dones);
	asked_wait(f, &a, 1);
	assert_int_equal(1, a.status);
	assert_int_equal(TRACKER_RECOVERY_MAX, a.r.n);
	assert_int_equal(TRACKER_RECOVERY_MAX, fix_count(f, STATUS_PIN_QUEUED));
	assert_int_equal(TRACKER_RECOVERY_MAX, f->changed[STATUS_PIN_QUEUED]);
	assert_int_equal(0, tracker_recover_failed(f->t, &a.r));
	asked_wait(f, &a, 2);
	assert_int_equal(0, a.status);
	assert_int_equal(MANY, a.queued);
	assert_int_equal(MANY, fix_count(f, STATUS_PIN_QUEUED));
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, 0, NULL);
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, false);
	fix_settle(f, 0);
	assert_int_equal(MANY, fix_count(f, STATUS_PINNED));
}

static void what_fails_once_more_is_not_met_again(void **state)
{
	struct fix *f = *state;
	struct asked a;

	fail_pins(f, MANY);
	asked_init(f, &a);
	a.again = true;
	assert_int_equal(0, tracker_recover_failed(f->t, &a.r));
	fix_settle(f, 0);
	asked_wait(f, &a, 2);
	fix_settle(f, 0);
	assert_int_equal(2, a.dones);
	assert_int_equal(MANY, a.queued);
	assert_int_equal(MANY, fix_count(f, STATUS_PIN_ERROR));
}

static void what_kubo_lost_is_queued_too(void **state)
{
	struct fix *f = *state;
	struct asked a;

	for (unsigned i = 0; i < 3; i++) {
		fix_pin(f, i);
		fix_store(f);
		fix_set_kubo(f, i, KUBO_RECURSIVE);
	}
	fix_start(f);
	fix_settle(f, 0);
	fix_set_kubo(f, 1, KUBO_UNPINNED);
	fix_now_ns += NS_PER_S;
	tracker_recover_all(f->t);
	fix_settle(f, 0);
	assert_int_equal(1, fix_count(f, STATUS_UNEXPECTEDLY_UNPINNED));
	asked_init(f, &a);
	assert_int_equal(0, tracker_recover_failed(f->t, &a.r));
	asked_wait(f, &a, 1);
	assert_int_equal(0, a.status);
	assert_int_equal(1, a.queued);
	fix_settle(f, 0);
	assert_int_equal(KUBO_RECURSIVE, fix_kind(f, 1));
}

static void one_pin_is_queued_if_it_failed(void **state)
{
	struct fix *f = *state;
	struct asked a;
	uint64_t bad, good;

	fix_start(f);
	fix_settle(f, 0);
	fix_pin(f, 1);
	good = fix_put(f);
	fix_settle(f, 0);
	kubo_fake_fail(f->kubo, KUBO_FAKE_ADD, -EREMOTEIO, "no such block");
	fix_pin(f, 2);
	bad = fix_put(f);
	fix_settle(f, 0);
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, true);
	asked_init(f, &a);
	assert_int_equal(0, tracker_recover_pin(f->t, good, &a.r));
	asked_wait(f, &a, 1);
	assert_int_equal(0, a.status);
	assert_int_equal(0, a.r.n);
	assert_int_equal(0, tracker_recover_pin(f->t, bad, &a.r));
	asked_wait(f, &a, 2);
	assert_int_equal(1, a.r.n);
	assert_int_equal(bad, a.r.serials[0]);
	assert_int_equal(STATUS_PIN_QUEUED, fix_status(f, bad).status);
	assert_int_equal(0, fix_status(f, bad).rank);
	assert_int_equal(1, fix_status(f, bad).attempts);
	assert_int_equal(0, tracker_recover_pin(f->t, 12345, &a.r));
	asked_wait(f, &a, 3);
	assert_int_equal(0, a.status);
	assert_int_equal(0, a.r.n);
	kubo_fake_hold(f->kubo, KUBO_FAKE_LS_ONE, false);
	fix_settle(f, 0);
}

static struct unpin_row first_unpin(struct fix *f)
{
	struct store_txn *t = store_fix_read(&f->s);
	struct unpin_row row;

	assert_int_equal(0, unpin_next(t, 0, &row));
	store_read_end(t);
	return row;
}

static void an_unpin_that_failed_is_due_at_once(void **state)
{
	struct fix *f = *state;
	struct asked a;

	fix_start(f);
	fix_settle(f, 0);
	fix_pin(f, 1);
	fix_put(f);
	fix_settle(f, 0);
	kubo_fake_fail(f->kubo, KUBO_FAKE_RM, -EREMOTEIO, "the disk is away");
	fix_del(f, 1);
	fix_pass(f, 3);
	fix_settle(f, 0);
	assert_string_equal("the disk is away", first_unpin(f).error);
	assert_true(first_unpin(f).due_ns > fix_now_ns);
	kubo_fake_fail(f->kubo, KUBO_FAKE_RM, 0, NULL);
	asked_init(f, &a);
	assert_int_equal(0, tracker_recover_unpin(f->t, first_unpin(f).sequence, &a.r));
	asked_wait(f, &a, 1);
	assert_int_equal(0, a.status);
	fix_pass(f, 0);
	fix_settle(f, 0);
	assert_int_equal(0, fix_unpins(f));
	assert_int_equal(KUBO_UNPINNED, fix_kind(f, 1));
	assert_int_equal(0, tracker_recover_unpin(f->t, 12345, &a.r));
	asked_wait(f, &a, 2);
	assert_int_equal(0, a.status);
}

static void pins_are_queued_also_while_kubo_is_away(void **state)
{
	struct fix *f = *state;
	struct asked a;

	fail_pins(f, 5);
	kubo_fake_away(f->kubo, true);
	uv_timer_set_repeat(&f->t->probe, 1); /* the next look at Kubo is now */
	uv_timer_again(&f->t->probe);
	while (f->t->known.up)
		uv_run(&f->s.loop, UV_RUN_ONCE);
	asked_init(f, &a);
	assert_int_equal(0, tracker_recover_failed(f->t, &a.r));
	asked_wait(f, &a, 1);
	fix_settle(f, 0);
	assert_int_equal(5, a.queued);
	assert_int_equal(5, fix_count(f, STATUS_PIN_QUEUED));
}

static void who_asks_hears_of_it_before_the_end(void **state)
{
	struct fix *f = *state;
	struct tracker *t;
	struct asked a;

	fail_pins(f, 5);
	asked_init(f, &a);
	assert_int_equal(0, tracker_recover_failed(f->t, &a.r));
	t = f->t;
	tracker_close(t, NULL, NULL);
	assert_int_equal(-ECANCELED, tracker_recover_failed(t, &a.r));
	asked_wait(f, &a, 1);
	f->t = NULL;
	assert_int_equal(1, a.dones);
}

/* ---- garbage collection ---- */

struct watch {
	struct tracker_gc_watch w;
	unsigned keys, errors, dones;
	int status;
};

static void on_each(struct tracker_gc_watch *w, const char *key, const char *error)
{
	struct watch *x = container_of(w, struct watch, w);

	x->keys += key != NULL;
	x->errors += error != NULL;
}

static void on_collected(struct tracker_gc_watch *w, int status, const struct err *e)
{
	struct watch *x = container_of(w, struct watch, w);

	x->dones++;
	x->status = status;
	assert_int_equal(status < 0, e != NULL);
}

static void who_waits_for_garbage_collection_is_told(void **state)
{
	struct fix *f = *state;
	struct watch a = { .w = { on_each, on_collected } }, b = a;

	fix_start(f);
	fix_settle(f, 0);
	assert_int_equal(0, tracker_gc(f->t, &a.w));
	assert_int_equal(-EBUSY, tracker_gc(f->t, &b.w));
	assert_int_equal(0, a.dones);
	fix_settle(f, 0);
	assert_int_equal(1, a.dones);
	assert_int_equal(0, a.status);
	assert_int_equal(1, a.keys);
	assert_int_equal(1, a.errors);
	kubo_fake_fail(f->kubo, KUBO_FAKE_GC, -EREMOTEIO, "no repo");
	assert_int_equal(0, tracker_gc(f->t, &b.w));
	fix_settle(f, 0);
	assert_int_equal(-EREMOTEIO, b.status);
	kubo_fake_hold(f->kubo, KUBO_FAKE_GC, true);
	assert_int_equal(0, tracker_gc(f->t, &b.w));
	fix_close(f);
	assert_int_equal(2, b.dones);
	assert_int_equal(-ECANCELED, b.status);
	assert_int_equal(1, a.dones);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fix_setup, fix_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_failed_is_queued_by_pages),      T(what_fails_once_more_is_not_met_again),
		T(what_kubo_lost_is_queued_too),        T(one_pin_is_queued_if_it_failed),
		T(an_unpin_that_failed_is_due_at_once), T(pins_are_queued_also_while_kubo_is_away),
		T(who_asks_hears_of_it_before_the_end), T(who_waits_for_garbage_collection_is_told),
	};

	return cmocka_run_group_tests_name("tracker_recover", tests, NULL, NULL);
}
