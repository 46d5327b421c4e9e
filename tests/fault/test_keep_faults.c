/*
 * Cleanups and dumps with every allocation and every call for the disk failing in turn, and with
 * the process ending at every such call: a cleanup happens after a whole dump or not at all, and a
 * dump is whole or is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "tests/fault/dumps.h"
#include "tests/fault/faults.h"

#define PINS 40
#define NAME "mine.json"

static void setup(struct peer *p, struct buf *text)
{
	peer_init(p, false);
	peer_open(p);
	peer_pin(p, 0, PINS, "old");
	dumps_text(p, text);
}

static void teardown(struct peer *p, struct buf *text)
{
	buf_deinit(text);
	peer_close(p);
	peer_remove(p);
}

/* ---- cleanup ---- */

static int nothing(struct store_txn *t, struct store_batch *b)
{
	return 0;
}

static void set_done(struct store_batch *b, int status)
{
	b->fn = NULL;
}

/* Waits for what the writer does between two batches. */
static void store_sync(struct peer *p)
{
	struct store_batch b = { .fn = nothing, .done = set_done };

	store_submit_job(p->store, &b);
	while (b.fn)
		uv_run(&p->loop, UV_RUN_ONCE);
}

/* The state is the old one or, after a dump of it, empty. True: it is empty. */
static bool check_clean(struct peer *p, const struct buf *text)
{
	bool cleaned;

	peer_recount(p);
	cleaned = !peer_is_model(p);
	if (cleaned) {
		peer_model_none(p);
		assert_true(peer_is_model(p));
		assert_int_equal(1, dumps_of(p, text, NULL));
	} else {
		assert_true(dumps_of(p, text, NULL) <= 1);
	}
	return cleaned;
}

static void sweep_clean(atomic_long *what)
{
	unsigned failed = 0;
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = peer_request(CLUSTER_CLEAN, NULL);
		struct buf text;
		struct peer p;
		int r;

		setup(&p, &text);
		fault_at(what, n);
		r = peer_run(&p, rq);
		faulty = fault_end(what);
		failed += r < 0;
		peer_revive(&p);
		assert_int_equal(r == 0, check_clean(&p, &text));
		assert_int_equal(dumps_of(&p, &text, NULL), dumps_files(&p));
		peer_pin(&p, 0, 3, "next");
		peer_must(&p, peer_request(CLUSTER_CLEAN, NULL));
		peer_model_none(&p);
		assert_true(peer_is_model(&p));
		peer_recount(&p);
		teardown(&p, &text);
	}
	assert_true(failed > 2);
}

static void failing_allocations_clean_all_or_nothing(void **state)
{
	sweep_clean(&fault_alloc);
}

static void failing_writes_clean_all_or_nothing(void **state)
{
	sweep_clean(&fault_disk);
}

static bool crash_at(struct peer *p, enum cluster_verb verb, const char *name, long n)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		peer_open(p);
		fault_crash_at(n);
		_exit(peer_run(p, peer_request(verb, name)) < 0);
	}
	return fault_crashed(pid);
}

static void crashes_clean_all_or_nothing(void **state)
{
	unsigned old = 0, cleaned = 0;
	bool crashed = true;

	for (long n = 0; crashed; n++) {
		struct buf text;
		struct peer p;

		setup(&p, &text);
		peer_close(&p);
		crashed = crash_at(&p, CLUSTER_CLEAN, NULL, n);
		peer_open(&p);
		if (check_clean(&p, &text))
			cleaned++;
		else
			old++;
		peer_pin(&p, 0, 3, "next");
		teardown(&p, &text);
	}
	assert_true(old > 3);
	assert_true(cleaned > 0);
}

/* They are kept by a reader until dropping them fails. */
static void old_tables_that_could_not_be_dropped_go_later(void **state)
{
	struct buf text;
	struct peer p;

	setup(&p, &text);
	for (unsigned k = 0; k < 20; k++) {
		struct store_txn *reader;

		assert_int_equal(0, store_read(p.store, &reader));
		peer_must(&p, peer_request(CLUSTER_CLEAN, NULL));
		peer_model_none(&p);
		store_read_end(reader);
		fault_at(&fault_disk, 0);
		store_sync(&p);
		store_sync(&p);
		assert_true(fault_end(&fault_disk));
		peer_pin(&p, 0, 3, "next");
		peer_recount(&p);
	}
	teardown(&p, &text);
}

/* ---- dumps ---- */

static void sweep_backup(const char *name, atomic_long *what)
{
	unsigned failed = 0;
	bool faulty = true;

	for (long n = 0; faulty; n++) {
		struct cluster_request *rq = peer_request(CLUSTER_BACKUP, name);
		struct buf text;
		struct backup b;
		struct peer p;
		int r;

		setup(&p, &text);
		fault_at(what, n);
		r = peer_run(&p, rq);
		faulty = fault_end(what);
		failed += r < 0;
		assert_int_equal(r == 0, dumps_of(&p, &text, NULL));
		assert_int_equal(r == 0, dumps_files(&p));
		if (name && r == 0)
			assert_int_equal(0, backups_find(cluster_backups(p.cluster), name, &b));
		if (r < 0 && peer_run(&p, peer_request(CLUSTER_BACKUP, name)) < 0)
			fail_msg("%s", p.reason);
		assert_int_equal(1, dumps_of(&p, &text, NULL));
		assert_true(peer_is_model(&p));
		teardown(&p, &text);
	}
	assert_true(failed > 2);
}

static void failing_allocations_leave_whole_dumps_or_none(void **state)
{
	sweep_backup(NULL, &fault_alloc);
	sweep_backup(NAME, &fault_alloc);
}

static void failing_writes_leave_whole_dumps_or_none(void **state)
{
	sweep_backup(NULL, &fault_disk);
	sweep_backup(NAME, &fault_disk);
}

static void crashes_leave_whole_dumps_or_none(void **state)
{
	bool crashed = true;

	for (long n = 0; crashed; n++) {
		struct buf text;
		struct peer p;

		setup(&p, &text);
		peer_close(&p);
		crashed = crash_at(&p, CLUSTER_BACKUP, n % 2 ? NAME : NULL, n);
		peer_open(&p);
		assert_int_equal(dumps_of(&p, &text, NULL), dumps_files(&p));
		teardown(&p, &text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_allocations_clean_all_or_nothing),
		cmocka_unit_test(failing_writes_clean_all_or_nothing),
		cmocka_unit_test(crashes_clean_all_or_nothing),
		cmocka_unit_test(old_tables_that_could_not_be_dropped_go_later),
		cmocka_unit_test(failing_allocations_leave_whole_dumps_or_none),
		cmocka_unit_test(failing_writes_leave_whole_dumps_or_none),
		cmocka_unit_test(crashes_leave_whole_dumps_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
