/*
 * A peer on a full disk: it starts and can be read, its changes are refused and leave nothing
 * behind, and it goes on once there is space. The store has no free pages inside, as one that was
 * compacted: otherwise small changes still find room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <lmdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/internal.h"
#include "tests/fault/faults.h"
#include "tests/fault/peer.h"
#include "tests/lib/store_fixture.h"

#define PINS 40
#define PAGE 4096 /* of LMDB */

static const struct peer_step step = { 50, "new" };

/* No free page in the file, and at its end too little for a change: the write stops there. */
static void compact(const struct peer *p)
{
	char folder[] = "compact-XXXXXX", from[64], to[64];
	struct stat st;
	MDB_env *env;

	assert_non_null(mkdtemp(folder));
	snprintf(from, sizeof(from), "%s/data.mdb", folder);
	snprintf(to, sizeof(to), "%s/data.mdb", p->folder);
	assert_int_equal(0, mdb_env_create(&env));
	assert_int_equal(0, mdb_env_open(env, p->folder, MDB_RDONLY, 0600));
	assert_int_equal(0, mdb_env_copy2(env, folder, MDB_CP_COMPACT));
	mdb_env_close(env);
	assert_int_equal(0, stat(from, &st));
	assert_int_equal(0, truncate(from, st.st_size + PAGE / 2));
	assert_int_equal(0, rename(from, to));
	assert_int_equal(0, rmdir(folder));
}

/* A stopped peer. */
static void setup(struct peer *p)
{
	peer_init(p, false);
	peer_open(p);
	peer_pin(p, 0, PINS, "old");
	peer_close(p);
	compact(p);
}

static int try_open_full(struct peer *p)
{
	struct err e = { 0 };
	int r;

	fault_none();
	atomic_store(&fault_full, true);
	r = peer_try_open(p, NULL, 0, &e);
	return r < 0 || e.code == 0 ? r : -EPROTO; /* a reason only where it fails */
}

static bool is_refused(struct peer *p)
{
	return peer_run(p, peer_change(&step, 1)) == -ENOSPC && p->reason[0] != '\0';
}

static bool is_done_with_space(struct peer *p)
{
	fault_none();
	return peer_run(p, peer_change(&step, 1)) == 0;
}

static bool is_refused_and_then_done(struct peer *p)
{
	return is_refused(p) && is_done_with_space(p);
}

static void a_peer_starts_on_a_full_disk_and_goes_on_when_there_is_space(void **state)
{
	struct peer p;

	setup(&p);
	assert_int_equal(0, try_open_full(&p));
	assert_true(peer_is_model(&p));
	assert_true(is_refused(&p));
	assert_true(is_refused(&p));
	assert_true(peer_is_model(&p));
	peer_recount(&p);
	assert_true(is_done_with_space(&p));
	peer_model(&p, &step, 1);
	peer_close(&p);
	peer_open(&p);
	assert_false(store_was_killed(p.store));
	assert_true(peer_is_model(&p));
	peer_recount(&p);
	peer_close(&p);
	peer_remove(&p);
}

/* What @fn says of a peer that started on a full disk; its process ends without a stop. */
static bool killed_after(struct peer *p, bool (*fn)(struct peer *p))
{
	int status;
	pid_t pid;

	compact(p);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try_open_full(p) < 0 || !fn(p));
	assert_int_equal(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_change_after_a_start_on_a_full_disk_makes_a_crash_one(void **state)
{
	struct peer p;

	setup(&p);
	assert_true(killed_after(&p, is_refused));
	peer_open(&p);
	assert_false(store_was_killed(p.store)); /* it wrote nothing */
	assert_true(peer_is_model(&p));
	peer_close(&p);

	assert_true(killed_after(&p, is_refused_and_then_done));
	peer_model(&p, &step, 1);
	compact(&p);
	assert_int_equal(0, try_open_full(&p));
	assert_true(store_was_killed(p.store));
	assert_true(peer_is_model(&p));
	peer_close(&p);
	peer_open(&p); /* a stop that could not take the mark away was no orderly one */
	assert_true(store_was_killed(p.store));
	peer_close(&p);
	peer_remove(&p);
}

/* ---- removals of an import that were not queued to be unpinned yet ---- */

static void add_gone(struct peer *p)
{
	uint64_t number = 1;
	struct store_txn *t;
	struct cid cid;

	store_fix_cid(1, &cid);
	assert_int_equal(0, store_write(p->store, &t));
	assert_int_equal(0,
			 table_put(t, TABLE_GONE, val_u64(&number), val_of(cid.bytes, cid.len), 0));
	assert_int_equal(0, store_commit(t));
}

static uint64_t unpins(struct peer *p)
{
	struct store_txn *t;
	uint64_t n;

	assert_int_equal(0, store_read(p->store, &t));
	assert_int_equal(0, unpin_count(t, &n));
	store_read_end(t);
	return n;
}

static void removals_of_an_import_are_queued_when_there_is_space(void **state)
{
	struct peer p;

	setup(&p);
	peer_open(&p);
	add_gone(&p);
	peer_close(&p);
	compact(&p);
	assert_int_equal(0, try_open_full(&p));
	assert_true(is_refused(&p));
	assert_int_equal(0, unpins(&p));
	assert_true(is_done_with_space(&p));
	while (unpins(&p) == 0) /* the test's deadline ends it */
		sched_yield();
	peer_close(&p);
	peer_open(&p);
	assert_int_equal(1, unpins(&p));
	peer_close(&p);
	peer_remove(&p);
}

static void a_first_start_on_a_full_disk_says_so(void **state)
{
	struct err e = { 0 };
	struct peer p;

	peer_init(&p, false);
	atomic_store(&fault_full, true);
	assert_int_equal(-ENOSPC, peer_try_open(&p, NULL, 0, &e));
	assert_true(e.msg[0] != '\0');
	peer_open(&p);
	peer_pin(&p, 0, PINS, "old");
	peer_recount(&p);
	peer_close(&p);
	peer_remove(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_starts_on_a_full_disk_and_goes_on_when_there_is_space),
		cmocka_unit_test(a_change_after_a_start_on_a_full_disk_makes_a_crash_one),
		cmocka_unit_test(removals_of_an_import_are_queued_when_there_is_space),
		cmocka_unit_test(a_first_start_on_a_full_disk_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
