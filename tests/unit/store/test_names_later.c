#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "store/internal.h"
#include "tests/lib/store_fixture.h"
#include "util/clock.h"
#include "util/container.h"

#define N 80       /* pins of the random test */
#define MANY 60000 /* more than one step takes */
#define NAMES 7    /* of the random test */
#define ROUNDS 2000
#define DEADLINE_MS 20000

static void name_of(unsigned number, char out[16])
{
	snprintf(out, 16, "name %u", number);
}

/* Sets pin @i; returns its serial. */
static uint64_t set(struct store_txn *t, unsigned i, unsigned name)
{
	char text[16];
	uint64_t serial;
	struct pin p;

	name_of(name, text);
	pin_init(&p);
	store_fix_pin(&p, i, text);
	serial = store_fix_set(t, &p, 1);
	pin_deinit(&p);
	return serial;
}

static void unset(struct store_txn *t, unsigned i)
{
	struct cid cid;

	store_fix_cid(i, &cid);
	store_fix_unset(t, &cid);
}

static void set_later(struct store_fix *f, unsigned from, unsigned to)
{
	struct store_txn *t = store_fix_write(f);

	names_later(t);
	for (unsigned i = from; i < to; i++)
		set(t, i, i);
	assert_int_equal(0, store_commit(t));
}

static void set_many_later(struct store_fix *f, unsigned n)
{
	set_later(f, 0, n);
}

/* How many pins a name lists; its count is the same. */
static uint64_t count_of(const struct store_txn *t, unsigned name)
{
	uint64_t number, serial = 0, count, n = 0;
	const char *folder;
	char text[16];
	size_t len;

	name_of(name, text);
	if (names_find(t, text, strlen(text), &number) == -ENOENT)
		return 0;
	while (names_next_pin(t, number, serial, &serial) == 0)
		n++;
	assert_int_equal(0, names_get(t, number, &folder, &len, &count));
	assert_int_equal(count, n);
	return n;
}

static uint64_t count_all(struct store_fix *f, unsigned names)
{
	struct store_txn *t = store_fix_read(f);
	uint64_t n = 0;

	for (unsigned i = 0; i < names; i++)
		n += count_of(t, i);
	store_read_end(t);
	return n;
}

static bool is_complete(struct store_fix *f)
{
	struct store_txn *t = store_fix_read(f);
	bool complete = store_info(t)->names_after == 0;

	store_read_end(t);
	return complete;
}

static void bring_in_all(struct store_fix *f)
{
	while (names_step(f->store))
		;
	assert_true(is_complete(f));
}

static void wait_until_complete(struct store_fix *f)
{
	int64_t end = clock_mono_ms() + DEADLINE_MS;

	while (!is_complete(f)) {
		assert_true(clock_mono_ms() < end);
		usleep(1000);
	}
}

static void names_that_were_put_off_come_in_many_steps(void **state)
{
	struct store_fix *f = *state;

	set_many_later(f, MANY);
	assert_int_equal(0, count_all(f, MANY));
	assert_false(is_complete(f));
	assert_true(names_step(f->store));
	assert_false(is_complete(f));
	assert_in_range(count_all(f, MANY), 1, MANY - 1);
	bring_in_all(f);
	assert_int_equal(MANY, count_all(f, MANY));
}

static void what_is_put_off_between_the_steps_of_a_round_is_brought_in_too(void **state)
{
	struct store_fix *f = *state;

	set_many_later(f, MANY);
	assert_true(names_step(f->store));
	set_later(f, MANY, MANY + 10);
	bring_in_all(f);
	assert_int_equal(MANY + 10, count_all(f, MANY + 10));
}

static void a_stop_in_between_loses_none_and_counts_none_twice(void **state)
{
	struct store_fix *f = *state;

	set_many_later(f, MANY);
	assert_true(names_step(f->store));
	store_close(f->store);
	store_fix_open(f);
	assert_false(is_complete(f));
	wait_until_complete(f); /* by the writer, since nothing else is to be done */
	assert_int_equal(MANY, count_all(f, MANY));
}

static void what_was_removed_or_renamed_in_between_is_not_brought_in(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t;

	set_many_later(f, MANY);
	assert_true(names_step(f->store));
	t = store_fix_write(f);
	for (unsigned i = 0; i < MANY; i += 3)
		unset(t, i);
	for (unsigned i = 1; i < MANY; i += 3)
		set(t, i, MANY);
	assert_int_equal(0, store_commit(t));
	bring_in_all(f);
	assert_int_equal(2 * MANY / 3, count_all(f, MANY + 1));
	t = store_fix_read(f);
	assert_int_equal(MANY / 3, count_of(t, MANY));
	store_read_end(t);
}

static void after_a_cleanup_there_is_nothing_to_bring_in(void **state)
{
	struct store_fix *f = *state;

	set_many_later(f, MANY);
	assert_true(names_step(f->store));
	assert_int_equal(0, store_clean(f->store));
	assert_true(is_complete(f));
	assert_false(names_step(f->store));
	assert_false(names_are_due(f->store));
	set_many_later(f, 10);
	bring_in_all(f);
	assert_int_equal(10, count_all(f, MANY));
}

struct flood {
	struct store_batch batch;
	bool done;
};

static int fill(struct store_txn *t, struct store_batch *b)
{
	names_later(t);
	for (unsigned i = 0; i < N; i++)
		set(t, i, i);
	return 0;
}

static void filled(struct store_batch *b, int status)
{
	struct flood *flood = container_of(b, struct flood, batch);

	assert_int_equal(0, status);
	flood->done = true;
}

static void the_writer_brings_them_in_when_it_is_quiet(void **state)
{
	struct flood flood = { .batch = { .fn = fill, .done = filled } };
	struct store_fix *f = *state;

	store_submit(f->store, &flood.batch);
	while (!flood.done)
		uv_run(&f->loop, UV_RUN_ONCE);
	wait_until_complete(f);
	assert_int_equal(N, count_all(f, N));
}

static void names_are_exact_after_random_changes_put_off_or_not(void **state)
{
	struct store_fix *f = *state;
	unsigned name[N] = { 0 }; /* plus one; 0: not there */

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct store_txn *t = store_fix_write(f);
		unsigned want[NAMES] = { 0 };

		if (randombytes_uniform(2))
			names_later(t);
		for (unsigned n = randombytes_uniform(10); n > 0; n--) {
			unsigned i = randombytes_uniform(N);

			if (name[i] && randombytes_uniform(2)) {
				unset(t, i);
				name[i] = 0;
			} else {
				name[i] = 1 + randombytes_uniform(NAMES);
				set(t, i, name[i] - 1);
			}
		}
		assert_int_equal(0, store_commit(t));
		if (randombytes_uniform(4))
			continue;
		bring_in_all(f);
		t = store_fix_read(f);
		for (unsigned i = 0; i < N; i++)
			if (name[i])
				want[name[i] - 1]++;
		for (unsigned i = 0; i < NAMES; i++)
			assert_int_equal(want[i], count_of(t, i));
		store_read_end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(names_that_were_put_off_come_in_many_steps),
		STORE_TEST(what_is_put_off_between_the_steps_of_a_round_is_brought_in_too),
		STORE_TEST(a_stop_in_between_loses_none_and_counts_none_twice),
		STORE_TEST(what_was_removed_or_renamed_in_between_is_not_brought_in),
		STORE_TEST(after_a_cleanup_there_is_nothing_to_bring_in),
		STORE_TEST(the_writer_brings_them_in_when_it_is_quiet),
		STORE_TEST(names_are_exact_after_random_changes_put_off_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
