#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "store/blocks.h"
#include "store/bulk.h"
#include "store/internal.h"
#include "tests/lib/store_fixture.h"

#define MANY 3000

static struct bulk *begin(struct store_fix *f)
{
	struct bulk *b;

	assert_int_equal(0, bulk_new(f->folder, &b));
	return b;
}

static void add(struct bulk *b, const struct pin *p, uint64_t block)
{
	struct buf value = BUF_INIT(0), text = BUF_INIT(0);
	struct bulk_pin bp = { .cid = &p->cid,
			       .name = p->name.p,
			       .name_len = p->name.n,
			       .timestamp = p->timestamp,
			       .expire_at = p->expire_at,
			       .block = block,
			       .height = block + 1 };

	assert_int_equal(0, pin_json_line(p, &text));
	bp.line_len = (uint32_t)text.len + 1;
	bp.document_len = (uint32_t)pin_json_document_len(p, text.len);
	assert_int_equal(0, pin_pb_encode(p, &value));
	bp.value = value.data;
	bp.value_len = value.len;
	assert_int_equal(0, bulk_add(b, &bp));
	buf_deinit(&value);
	buf_deinit(&text);
}

static void add_numbered(struct bulk *b, unsigned i, const char *name, uint64_t block)
{
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, i, name);
	add(b, &p, block);
	pin_deinit(&p);
}

static void add_block(struct bulk *b, uint64_t height)
{
	struct cid cid;

	cid_of_block(CODEC_DAG_PB, &height, sizeof(height), &cid);
	assert_int_equal(0, bulk_add_block(b, &cid, &height, sizeof(height), height));
}

static int load(struct store_fix *f, struct bulk *b, const struct bulk_check *check,
		struct bulk_counts *counts)
{
	static const struct bulk_check none;
	struct err e = { 0 };
	int r;

	assert_int_equal(0, bulk_seal(b));
	r = bulk_load(f->store, b, check ? check : &none, counts, &e);
	bulk_free(b);
	return r;
}

/* Pins from..to, with names, in a block of their own. */
static void load_range(struct store_fix *f, unsigned from, unsigned to, struct bulk_counts *counts)
{
	struct bulk *b = begin(f);

	for (unsigned i = to; i-- > from;)
		add_numbered(b, i, i % 3 ? "common" : "", 0);
	add_block(b, 1);
	assert_int_equal(0, load(f, b, NULL, counts));
}

static void find(struct store_fix *f, unsigned i, struct pin_row *row, bool there)
{
	struct store_txn *t = store_fix_read(f);
	struct cid cid;

	store_fix_cid(i, &cid);
	assert_int_equal(there ? 0 : -ENOENT, pinset_find(t, &cid, row));
	store_read_end(t);
}

static void load_makes_every_index_of_an_empty_store(void **state)
{
	struct store_fix *f = *state;
	struct bulk_counts counts;
	uint64_t number, count, serial = 0, place = 0, seen = 0, exported = 0, height;
	struct status_place sp = { 0 };
	struct pinset_iter it;
	struct pin_row row;
	struct store_txn *t;

	load_range(f, 0, MANY, &counts);
	assert_int_equal(MANY, counts.added);
	assert_int_equal(MANY, counts.pins);
	assert_int_equal(0, counts.changed + counts.removed + counts.pins_before);
	t = store_fix_read(f);
	assert_int_equal(MANY, store_info(t)->pins);
	assert_int_equal(MANY, store_info(t)->by_status[STATUS_PIN_QUEUED]);
	assert_int_equal(0, pinset_iter_keys(t, NULL, &it));
	while (pinset_next(&it, &row) == 0) {
		uint64_t block = 0;

		seen++;
		exported += row.line_len;
		assert_int_equal(0, elements_next(t, row.kid, &block));
		assert_int_equal(-ENOENT, elements_next(t, row.kid, &block));
		assert_int_equal(1, row.priority);
	}
	pinset_iter_end(&it);
	assert_int_equal(MANY, seen);
	assert_int_equal(exported, store_info(t)->export_bytes);
	assert_int_equal(0, names_find(t, "common", 6, &number));
	for (count = 0; names_next_pin(t, number, serial, &serial) == 0; count++)
		;
	assert_int_equal(MANY - MANY / 3, count);
	assert_int_equal(0, names_find(t, "_unnamed", 8, &number));
	for (count = 0; status_next(t, STATUS_PIN_QUEUED, &sp) == 0; count++)
		assert_int_equal(1, sp.rank);
	assert_int_equal(MANY, count);
	assert_int_equal(0, heads_next(t, &place, &height));
	assert_int_equal(1, height);
	assert_int_equal(-ENOENT, heads_next(t, &place, &height));
	store_read_end(t);
}

/* What is written one by one afterwards meets numbers that are free. */
static void loaded_sets_can_be_changed(void **state)
{
	struct store_fix *f = *state;
	struct bulk_counts counts;
	struct store_txn *t;
	struct pin_row row;
	struct cid cid;
	struct pin p;

	load_range(f, 0, 100, &counts);
	pin_init(&p);
	store_fix_pin(&p, 500, "later");
	t = store_fix_write(f);
	store_fix_set(t, &p, 0);
	store_fix_cid(7, &cid);
	store_fix_unset(t, &cid);
	store_fix_pin(&p, 9, "renamed");
	store_fix_set(t, &p, 0);
	assert_int_equal(0, store_commit(t));
	pin_deinit(&p);
	find(f, 500, &row, true);
	find(f, 7, &row, false);
	t = store_fix_read(f);
	assert_int_equal(100, store_info(t)->pins);
	store_read_end(t);
}

static void last_of_equal_cids_wins_and_every_block_is_an_element(void **state)
{
	struct store_fix *f = *state;
	struct bulk *b = begin(f);
	struct bulk_counts counts;
	struct store_txn *t;
	struct pin_row row;
	struct cid cid;
	struct pin p;
	uint64_t block = 0, number;
	unsigned n = 0;

	add_numbered(b, 1, "first", 0);
	add_numbered(b, 2, "other", 0);
	add_numbered(b, 1, "second", 0);
	add_block(b, 1);
	add_numbered(b, 1, "third", 1);
	add_block(b, 2);
	assert_int_equal(0, load(f, b, NULL, &counts));
	assert_int_equal(2, counts.pins);
	t = store_fix_read(f);
	store_fix_cid(1, &cid);
	assert_int_equal(0, pinset_find(t, &cid, &row));
	assert_int_equal(2, row.priority);
	pin_init(&p);
	assert_int_equal(0, pinset_decode(&row, &p, NULL));
	assert_int_equal(5, p.name.n);
	assert_memory_equal("third", p.name.p, 5);
	pin_deinit(&p);
	while (elements_next(t, row.kid, &block) == 0)
		n++;
	assert_int_equal(2, n);
	assert_int_equal(-ENOENT, names_find(t, "first", 5, &number));
	assert_int_equal(0, names_find(t, "third", 5, &number));
	store_read_end(t);
}

static void differences_are_counted_and_removed_pins_queued_to_be_unpinned(void **state)
{
	struct store_fix *f = *state;
	struct bulk *b;
	struct bulk_counts counts;
	struct unpin_row unpin;
	uint64_t n = 0, after = 0;
	struct store_txn *t;

	load_range(f, 0, 100, &counts);
	b = begin(f);
	for (unsigned i = 20; i < 110; i++)
		add_numbered(b, i, i == 50 ? "changed" : i % 3 ? "common" : "", 0);
	add_block(b, 1);
	assert_int_equal(0, load(f, b, NULL, &counts));
	assert_int_equal(100, counts.pins_before);
	assert_int_equal(90, counts.pins);
	assert_int_equal(10, counts.added);
	assert_int_equal(1, counts.changed);
	assert_int_equal(20, counts.removed);
	assert_true(counts.revision_after > counts.revision_before);
	t = store_fix_read(f);
	while (unpin_next(t, after, &unpin) == 0) {
		struct pin_row row;

		assert_int_equal(-ENOENT, pinset_find(t, &unpin.cid, &row));
		after = unpin.sequence;
		n++;
	}
	assert_int_equal(20, n);
	store_read_end(t);
}

static void set_status(struct store_fix *f, unsigned i, enum status status)
{
	struct status_row row = { .status = status, .rank = 1, .since_ns = 77 };
	struct pin_row pin;
	struct store_txn *t;

	find(f, i, &pin, true);
	t = store_fix_write(f);
	assert_int_equal(0, status_put(t, pin.serial, &row));
	assert_int_equal(0, store_commit(t));
}

static void expect_status(struct store_fix *f, unsigned i, enum status status, bool held)
{
	struct store_txn *t;
	struct status_row row;
	struct pin_row pin;

	find(f, i, &pin, true);
	t = store_fix_read(f);
	assert_int_equal(0, status_get(t, pin.serial, &row));
	assert_int_equal(status, row.status);
	assert_int_equal(held, row.held);
	store_read_end(t);
}

static void only_pins_whose_work_stays_keep_the_state_pinned(void **state)
{
	struct store_fix *f = *state;
	struct bulk *b = begin(f);
	struct bulk_counts counts;
	struct store_txn *t;
	struct pin p;

	load_range(f, 0, 4, &counts);
	for (unsigned i = 0; i < 3; i++)
		set_status(f, i, STATUS_PINNED);
	set_status(f, 3, STATUS_PIN_ERROR);
	pin_init(&p);
	add_numbered(b, 0, "", 0);
	add_numbered(b, 1, "renamed only", 0);
	store_fix_pin(&p, 2, "common");
	p.max_depth = PIN_DEPTH_DIRECT;
	add(b, &p, 0);
	pin_deinit(&p);
	add_numbered(b, 3, "", 0);
	add_block(b, 1);
	assert_int_equal(0, load(f, b, NULL, &counts));
	expect_status(f, 0, STATUS_PINNED, false);
	expect_status(f, 1, STATUS_PINNED, false);
	expect_status(f, 2, STATUS_PIN_QUEUED, true);
	expect_status(f, 3, STATUS_PIN_QUEUED, false);
	t = store_fix_read(f);
	assert_int_equal(2, store_info(t)->by_status[STATUS_PINNED]);
	assert_int_equal(2, store_info(t)->by_status[STATUS_PIN_QUEUED]);
	store_read_end(t);
}

static void expiring_pins_are_due_in_order(void **state)
{
	struct store_fix *f = *state;
	struct bulk *b = begin(f);
	struct bulk_counts counts;
	uint64_t serial = 0;
	int64_t second = 0;
	struct store_txn *t;
	struct pin p;

	pin_init(&p);
	for (unsigned i = 0; i < 10; i++) {
		store_fix_pin(&p, i, "x");
		p.expire_at = 1900000000 + (i * 7) % 10;
		add(b, &p, 0);
	}
	pin_deinit(&p);
	add_block(b, 1);
	assert_int_equal(0, load(f, b, NULL, &counts));
	t = store_fix_read(f);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(0, due_next(t, DUE_EXPIRY, &second, &serial));
		assert_int_equal(1900000000 + i, second);
	}
	assert_int_equal(-ENOENT, due_next(t, DUE_EXPIRY, &second, &serial));
	store_read_end(t);
}

static atomic_bool abort_flag;

static int refuse(void *arg, const struct bulk_counts *c, struct err *e)
{
	*(struct bulk_counts *)arg = *c;
	return -EPERM;
}

static int raise_abort(void *arg, const struct bulk_counts *c, struct err *e)
{
	atomic_store(&abort_flag, true);
	return 0;
}

static void refused_and_aborted_loads_leave_what_there_was(void **state)
{
	static const struct {
		int (*allow)(void *arg, const struct bulk_counts *c, struct err *e);
		int expected;
	} cases[] = { { refuse, -EPERM }, { raise_abort, -ECANCELED } };
	struct store_fix *f = *state;
	struct bulk_counts counts, seen = { 0 };
	struct pin_row row;

	load_range(f, 0, 10, &counts);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bulk_check check = { .allow = cases[i].allow,
					    .arg = &seen,
					    .abort = &abort_flag };
		struct bulk *b = begin(f);
		struct store_txn *t;

		atomic_store(&abort_flag, false);
		add_numbered(b, 99, "", 0);
		add_block(b, 1);
		assert_int_equal(cases[i].expected, load(f, b, &check, &counts));
		assert_int_equal(10, seen.removed);
		find(f, 5, &row, true);
		find(f, 99, &row, false);
		t = store_fix_read(f);
		assert_int_equal(10, store_info(t)->pins);
		store_read_end(t);
	}
}

static void readers_keep_the_set_they_began_with(void **state)
{
	struct store_fix *f = *state;
	struct bulk_counts counts;
	struct store_txn *t;
	struct pin_row row;
	struct cid cid;

	load_range(f, 0, 10, &counts);
	t = store_fix_read(f);
	load_range(f, 20, 30, &counts);
	store_fix_cid(5, &cid);
	assert_int_equal(0, pinset_find(t, &cid, &row));
	store_read_end(t);
	find(f, 5, &row, false);
}

static void sets_of_many_runs_are_loaded_in_order(void **state)
{
	struct store_fix *f = *state;
	struct sortkey last = { 0 };
	struct bulk_counts counts;
	struct pinset_iter it;
	struct store_txn *t;
	struct pin_row row;
	unsigned n = 0;

	load_range(f, 0, 120000, &counts); /* more than the memory of one run */
	assert_int_equal(120000, counts.pins);
	t = store_fix_read(f);
	assert_int_equal(0, pinset_iter_keys(t, NULL, &it));
	while (pinset_next(&it, &row) == 0) {
		struct sortkey key;

		sortkey_of_cid(row.cid, row.cid_len, &key);
		assert_true(sortkey_compare(&last, &key) < 0);
		last = key;
		n++;
	}
	assert_int_equal(120000, n);
	pinset_iter_end(&it);
	store_read_end(t);
}

struct diff_seen {
	unsigned gone, put;
};

static int count_change(void *arg, const struct bulk_change *ch)
{
	struct diff_seen *seen = arg;

	seen->gone += ch->gone;
	seen->put += !ch->gone;
	assert_true(cid_defined(&ch->cid));
	assert_true(ch->gone || ch->value_len > 0);
	return 0;
}

static void diff_names_what_differs_and_changes_nothing(void **state)
{
	struct store_fix *f = *state;
	struct diff_seen seen = { 0 };
	struct bulk_counts counts;
	struct pin_row row;
	struct bulk *b;

	load_range(f, 0, 10, &counts);
	b = begin(f);
	for (unsigned i = 2; i < 11; i++)
		add_numbered(b, i, i == 4 ? "changed" : i % 3 ? "common" : "", 0);
	assert_int_equal(0, bulk_seal(b));
	assert_int_equal(0, bulk_diff(f->store, b, NULL, count_change, &seen, &counts));
	bulk_free(b);
	assert_int_equal(2, seen.gone);
	assert_int_equal(2, seen.put);
	assert_int_equal(1, counts.added);
	assert_int_equal(1, counts.changed);
	assert_int_equal(2, counts.removed);
	find(f, 0, &row, true);
}

static void a_cleanup_forgets_an_import_that_was_under_way(void **state)
{
	struct bulk_mark mark = { .offset = 1, .end = 2 };
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);

	assert_int_equal(0, bulk_mark_set(t, &mark));
	assert_int_equal(0, store_commit(t));
	assert_int_equal(0, store_clean(f->store));
	t = store_fix_read(f);
	assert_int_equal(-ENOENT, bulk_mark_get(t, &mark));
	store_read_end(t);
}

/* Entries of the largest record in LMDB's list of free pages: all of them are read and written at
 * once. */
static size_t largest_free_record(struct store *s)
{
	struct store_txn *t;
	MDB_cursor *cur;
	MDB_val key, val;
	size_t largest = 0;

	assert_int_equal(0, store_read(s, &t));
	assert_int_equal(0, mdb_cursor_open(t->txn, 0, &cur));
	while (mdb_cursor_get(cur, &key, &val, MDB_NEXT) == 0)
		if (val.mv_size / sizeof(size_t) > largest)
			largest = val.mv_size / sizeof(size_t);
	mdb_cursor_close(cur);
	store_read_end(t);
	return largest;
}

static bool retired_is_left(struct store *s)
{
	bool left = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < STORE_GENERATIONS_MAX; i++)
		left |= s->gens[i].number != 0 && s->gens[i].retired;
	pthread_mutex_unlock(&s->lock);
	return left;
}

static void a_replaced_set_is_dropped_in_small_steps(void **state)
{
	struct store_fix *f = *state;
	struct bulk_counts counts;

	load_range(f, 0, 20000, &counts);
	load_range(f, 10, 20010, &counts);
	assert_true(retired_is_left(f->store));
	/* The writer drops at once what it finds at its start. */
	store_close(f->store);
	store_fix_open(f);
	for (int i = 0; i < 3000 && retired_is_left(f->store); i++)
		usleep(10000);
	assert_false(retired_is_left(f->store));
	assert_in_range(largest_free_record(f->store), 1, 2000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STORE_TEST(load_makes_every_index_of_an_empty_store),
		STORE_TEST(loaded_sets_can_be_changed),
		STORE_TEST(last_of_equal_cids_wins_and_every_block_is_an_element),
		STORE_TEST(differences_are_counted_and_removed_pins_queued_to_be_unpinned),
		STORE_TEST(only_pins_whose_work_stays_keep_the_state_pinned),
		STORE_TEST(expiring_pins_are_due_in_order),
		STORE_TEST(refused_and_aborted_loads_leave_what_there_was),
		STORE_TEST(readers_keep_the_set_they_began_with),
		STORE_TEST(sets_of_many_runs_are_loaded_in_order),
		STORE_TEST(a_replaced_set_is_dropped_in_small_steps),
		STORE_TEST(a_cleanup_forgets_an_import_that_was_under_way),
		STORE_TEST(diff_names_what_differs_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
