#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/store_fixture.h"
#include "util/container.h"

#define MANY 200

/* Adds an unpin, and fails when told to. */
struct job {
	struct store_batch batch;
	unsigned i;
	int answer;
	int *left;
	struct store *store;
	int status;
};

static int work(struct store_txn *t, struct store_batch *b)
{
	struct job *j = container_of(b, struct job, batch);
	struct cid cid;
	int r;

	store_fix_cid(j->i, &cid);
	r = unpin_add(t, cid.bytes, cid.len, j->i);
	return r < 0 ? r : j->answer;
}

static void done(struct store_batch *b, int status)
{
	struct job *j = container_of(b, struct job, batch);

	j->status = status;
	--*j->left;
}

static void wait_for(struct store_fix *f, const int *left)
{
	while (*left > 0)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void batches_run_in_order_and_a_failing_one_is_undone_alone(void **state)
{
	struct store_fix *f = *state;
	static struct job jobs[MANY];
	int left = MANY;
	struct unpin_row row = { 0 };
	struct store_txn *t;

	for (unsigned i = 0; i < MANY; i++) {
		jobs[i] =
		    (struct job){ .i = i, .left = &left, .answer = i % 7 == 3 ? -EBUSY : (int)i };
		jobs[i].batch.fn = work;
		jobs[i].batch.done = done;
		store_submit(f->store, &jobs[i].batch);
	}
	wait_for(f, &left);
	t = store_fix_read(f);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(jobs[i].answer, jobs[i].status);
		if (jobs[i].answer < 0)
			continue;
		assert_int_equal(0, unpin_next(t, row.sequence, &row));
		assert_int_equal(i, row.due_ns);
	}
	assert_int_equal(-ENOENT, unpin_next(t, row.sequence, &row));
	store_read_end(t);
}

static int own_transactions(struct store_txn *none, struct store_batch *b)
{
	struct job *j = container_of(b, struct job, batch);
	struct store_txn *t;
	struct cid cid;

	if (none || store_write(j->store, &t) < 0)
		return -EPROTO;
	store_fix_cid(1, &cid);
	if (unpin_add(t, cid.bytes, cid.len, 1) < 0)
		return -EPROTO;
	return store_commit(t);
}

static int finished;

static void job_done(struct store_batch *b, int status)
{
	container_of(b, struct job, batch)->status = status;
	finished = 1;
}

static void a_job_opens_its_own_transactions(void **state)
{
	struct store_fix *f = *state;
	struct job j = { .status = -1, .store = f->store };
	struct store_txn *t;
	uint64_t n;

	j.batch.fn = own_transactions;
	j.batch.done = job_done;
	finished = 0;
	store_submit_job(f->store, &j.batch);
	while (!finished)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(0, j.status);
	t = store_fix_read(f);
	assert_int_equal(0, unpin_count(t, &n));
	assert_int_equal(1, n);
	store_read_end(t);
}

static void committed_pins_are_there_after_a_new_start(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);
	struct store_info before;
	struct pin_row row;
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, 1, "kept");
	store_fix_set(t, &p, 1);
	assert_int_equal(0, store_commit(t));
	t = store_fix_read(f);
	before = *store_info(t);
	store_read_end(t);
	store_close(f->store);
	store_fix_open(f);
	assert_false(store_was_killed(f->store));
	t = store_fix_read(f);
	assert_memory_equal(&before, store_info(t), sizeof(before));
	assert_int_equal(0, pinset_find(t, &p.cid, &row));
	store_read_end(t);
	pin_deinit(&p);
}

static void a_reader_keeps_its_state_while_others_write(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *r = store_fix_read(f), *w = store_fix_write(f);
	struct pin_row row;
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, 1, "x");
	store_fix_set(w, &p, 1);
	assert_int_equal(0, store_commit(w));
	assert_int_equal(-ENOENT, pinset_find(r, &p.cid, &row));
	assert_int_equal(0, store_info(r)->pins);
	store_read_end(r);
	r = store_fix_read(f);
	assert_int_equal(0, pinset_find(r, &p.cid, &row));
	assert_int_equal(1, store_info(r)->pins);
	store_read_end(r);
	pin_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(batches_run_in_order_and_a_failing_one_is_undone_alone),
		STORE_TEST(a_job_opens_its_own_transactions),
		STORE_TEST(committed_pins_are_there_after_a_new_start),
		STORE_TEST(a_reader_keeps_its_state_while_others_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
