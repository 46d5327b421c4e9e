/*
 * Imports with every allocation and every write to disk failing in turn, and with the process
 * ending at every write: the set is the old or the new one, and nothing leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "store/export.h"
#include "tests/fault/faults.h"
#include "tests/fault/load.h"
#include "tests/lib/store_fixture.h"

#define PINS 60

/* ---- an import ---- */

static void open_store(struct store_fix *f)
{
	fault_none();
	store_fix_open(f);
	assert_int_equal(0, crdt_load_resume(f->store));
}

static int import_new(struct store *s, enum consensus_method method)
{
	return load_pins(s, method, PINS / 2, PINS + PINS / 2, "new");
}

static void setup_old(struct store_fix *f)
{
	store_fix_setup(f);
	assert_int_equal(0, load_pins(f->store, CONSENSUS_REPLACE, 0, PINS, "old"));
}

static void count_names(const struct store_txn *t, uint64_t *ret_old, uint64_t *ret_new)
{
	uint64_t number;
	const char *p;
	size_t n;

	*ret_old = *ret_new = 0;
	if (names_find(t, "old", 3, &number) == 0)
		assert_int_equal(0, names_get(t, number, &p, &n, ret_old));
	if (names_find(t, "new", 3, &number) == 0)
		assert_int_equal(0, names_get(t, number, &p, &n, ret_new));
}

/* 0: the old set, 1: the new one. Anything else fails. */
static int which(struct store_fix *f)
{
	struct store_txn *t = store_fix_read(f);
	uint64_t old, new, unpins, rows = 0;
	struct pinset_iter it;
	struct pin_row row;

	count_names(t, &old, &new);
	assert_int_equal(PINS, old + new);
	assert_true(old == 0 || new == 0);
	assert_int_equal(PINS, store_info(t)->pins);
	assert_int_equal(PINS, store_info(t)->by_status[STATUS_PIN_QUEUED]);
	assert_int_equal(0, pinset_iter_keys(t, NULL, &it));
	while (pinset_next(&it, &row) == 0)
		rows++;
	pinset_iter_end(&it);
	assert_int_equal(PINS, rows);
	assert_int_equal(0, unpin_count(t, &unpins));
	assert_int_equal(new ? PINS / 2 : 0, unpins);
	store_read_end(t);
	return new > 0;
}

static const enum consensus_method methods[] = { CONSENSUS_REPLACE, CONSENSUS_UPDATE };

/* An import with the fault at each place until one has no fault. @what: fault_alloc or fault_disk.
 */
static void sweep(enum consensus_method method, atomic_long *what)
{
	bool faulty = true;
	unsigned failed = 0, delayed = 0;

	for (long n = 0; faulty; n++) {
		struct store_fix f;
		int r;

		setup_old(&f);
		fault_at(what, n);
		r = import_new(f.store, method);
		faulty = fault_end(what);
		failed += r < 0;
		/* A failed write of LMDB's own page ends its use until it is opened again. */
		store_close(f.store);
		open_store(&f);
		assert_int_equal(r == 0 || r == -EINPROGRESS, which(&f));
		delayed += r == -EINPROGRESS;
		assert_int_equal(0, import_new(f.store, CONSENSUS_REPLACE));
		assert_int_equal(1, which(&f));
		store_fix_teardown(&f);
	}
	assert_true(failed > 5);
	assert_int_equal(method != CONSENSUS_REPLACE, delayed > 0);
}

/* Not committed. */
static struct consensus_loader *spool_new(struct store *s)
{
	struct consensus_loader *l;

	assert_int_equal(0, load_spool(s, PINS / 2, PINS + PINS / 2, "new", &l));
	return l;
}

static int compare(struct consensus_loader *l, enum consensus_method method)
{
	struct consensus_load ld = { .method = method };
	struct err e = { 0 };
	int r = l->ops->compare(l, &ld, &e);

	if (r == 0) {
		assert_int_equal(PINS / 2, ld.counts.added);
		assert_int_equal(PINS / 2, ld.counts.changed);
		assert_int_equal(PINS / 2, ld.counts.removed);
	} else {
		assert_int_equal(r, e.code);
	}
	return r;
}

static void checks_write_nothing(void **state)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct consensus_loader *l;
		struct store_fix f;

		setup_old(&f);
		l = spool_new(f.store);
		fault_at(&fault_disk, 0);
		assert_int_equal(0, compare(l, methods[i]));
		assert_false(fault_end(&fault_disk));
		assert_int_equal(0, which(&f));
		l->ops->free(l);
		store_fix_teardown(&f);
	}
}

static void failing_allocations_leave_checks_without_effect(void **state)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct consensus_loader *l;
		struct store_fix f;
		long n = 0;
		bool faulty;

		setup_old(&f);
		l = spool_new(f.store);
		do {
			int r;

			fault_at(&fault_alloc, n++);
			r = compare(l, methods[i]);
			faulty = fault_end(&fault_alloc);
			assert_int_equal(faulty, r < 0);
		} while (faulty);
		assert_true(n > 1);
		assert_int_equal(0, which(&f));
		l->ops->free(l);
		store_fix_teardown(&f);
	}
}

static void failing_allocations_leave_the_old_set(void **state)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		sweep(methods[i], &fault_alloc);
}

static void failing_writes_leave_the_old_set(void **state)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		sweep(methods[i], &fault_disk);
}

/* Ends a child that makes the import from..to at its @n-th write; true: there was one. */
static bool crash_at(struct store_fix *f, enum consensus_method method, unsigned from, unsigned to,
		     long n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		store_fix_open(f);
		fault_crash_at(n);
		_exit(load_pins(f->store, method, from, to, "new") < 0);
	}
	return fault_crashed(pid);
}

static void crashes_leave_the_old_or_the_new_set(void **state)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		bool crashed = true;
		unsigned old = 0, new = 0;

		for (long n = 0; crashed; n++) {
			struct store_fix f;

			setup_old(&f);
			store_close(f.store);
			crashed = crash_at(&f, methods[i], PINS / 2, PINS + PINS / 2, n);
			open_store(&f);
			if (which(&f))
				new ++;
			else
				old++;
			store_fix_teardown(&f);
		}
		assert_true(old > 3);
		assert_true(new > 1); /* crashes behind the switch, and the one without */
	}
}

#define MANY 40000 /* more than one transaction's worth */

static void half_loaded_sets_are_dropped_at_the_next_start(void **state)
{
	bool crashed = true;
	unsigned old = 0;

	for (long n = 20; crashed; n += 31) {
		struct store_fix f;
		struct store_txn *t;
		uint64_t pins;

		setup_old(&f);
		store_close(f.store);
		crashed = crash_at(&f, CONSENSUS_REPLACE, 0, MANY, n);
		open_store(&f);
		t = store_fix_read(&f);
		pins = store_info(t)->pins;
		store_read_end(t);
		assert_true(pins == PINS || pins == MANY);
		if (pins == PINS)
			assert_int_equal(0, which(&f));
		old += pins == PINS;
		assert_int_equal(0, load_pins(f.store, CONSENSUS_REPLACE, 0, PINS, "new"));
		store_fix_teardown(&f);
	}
	assert_true(old > 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_write_nothing),
		cmocka_unit_test(failing_allocations_leave_checks_without_effect),
		cmocka_unit_test(failing_allocations_leave_the_old_set),
		cmocka_unit_test(failing_writes_leave_the_old_set),
		cmocka_unit_test(crashes_leave_the_old_or_the_new_set),
		cmocka_unit_test(half_loaded_sets_are_dropped_at_the_next_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
