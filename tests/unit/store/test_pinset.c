#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/store_fixture.h"

#define N 60 /* CIDs that the model knows */
#define ROUNDS 3000

/* What the store should hold. */
struct model {
	bool there[N];
	uint64_t serial[N];
	size_t line[N], document[N];
	unsigned name[N];
	bool expires[N];
};

static const char *const names[] = { "", "a", "b", "a name / with <&> \xc3\xa9" };

static void set_one(struct store_txn *t, struct model *m, unsigned i, struct pin *p)
{
	struct buf text = BUF_INIT(0);
	unsigned name = randombytes_uniform(4);

	store_fix_pin(p, i, names[name]);
	p->timestamp += randombytes_uniform(3);
	m->expires[i] = randombytes_uniform(2);
	if (m->expires[i])
		p->expire_at = 1800000000 + randombytes_uniform(2);
	m->serial[i] = store_fix_set(t, p, (uint8_t)randombytes_uniform(2));
	m->there[i] = true;
	m->name[i] = name;
	assert_int_equal(0, pin_json_line(p, &text));
	m->line[i] = text.len + 1;
	buf_reset(&text);
	assert_int_equal(0, pin_json_document(p, &text));
	m->document[i] = text.len;
	buf_deinit(&text);
}

static void check_info(const struct store_txn *t, const struct model *m)
{
	uint64_t pins = 0, bytes = 0;

	for (unsigned i = 0; i < N; i++) {
		pins += m->there[i];
		bytes += m->there[i] ? m->line[i] : 0;
	}
	assert_int_equal(pins, store_info(t)->pins);
	assert_int_equal(bytes, store_info(t)->export_bytes);
	for (unsigned s = 0; s < STATUS_NR; s++)
		assert_int_equal(s == STATUS_PIN_QUEUED ? pins : 0, store_info(t)->by_status[s]);
}

static void check_rows(const struct store_txn *t, const struct model *m)
{
	for (unsigned i = 0; i < N; i++) {
		struct pin_row row;
		struct cid cid;
		int r;

		store_fix_cid(i, &cid);
		r = pinset_find(t, &cid, &row);
		assert_int_equal(m->there[i] ? 0 : -ENOENT, r);
		if (r < 0)
			continue;
		assert_int_equal(m->serial[i], row.serial);
		assert_int_equal(m->line[i], row.line_len);
		assert_int_equal(m->document[i], row.document_len);
	}
}

static unsigned count_due(const struct store_txn *t)
{
	int64_t second = 0;
	uint64_t serial = 0;
	unsigned n = 0;

	while (due_next(t, DUE_EXPIRY, &second, &serial) == 0)
		n++;
	return n;
}

static void check_indexes(const struct store_txn *t, const struct model *m)
{
	unsigned want[4] = { 0 }, due = 0;
	uint64_t number = 0, count, sum = 0, pins = 0;
	const char *name;
	size_t len;

	for (unsigned i = 0; i < N; i++) {
		want[m->name[i]] += m->there[i];
		due += m->there[i] && m->expires[i];
		pins += m->there[i];
	}
	assert_int_equal(due, count_due(t));
	while (names_next(t, number, &number, &name, &len, &count) == 0) {
		uint64_t serial = 0, n = 0;

		while (names_next_pin(t, number, serial, &serial) == 0)
			n++;
		assert_int_equal(count, n);
		sum += n;
	}
	assert_int_equal(pins, sum);
	if (names_find(t, "a", 1, &number) == 0)
		assert_int_equal(0, names_get(t, number, &name, &len, &count));
	else
		count = 0;
	assert_int_equal(want[1], count);
}

static void counters_and_indexes_are_exact_after_random_changes(void **state)
{
	struct store_fix *f = *state;
	struct model m = { 0 };
	struct store_txn *t = store_fix_write(f);
	struct pin p;

	pin_init(&p);
	for (int round = 0; round < ROUNDS; round++) {
		unsigned i = randombytes_uniform(N);
		struct cid cid;

		store_fix_cid(i, &cid);
		if (randombytes_uniform(3) || !m.there[i]) {
			set_one(t, &m, i, &p);
		} else {
			store_fix_unset(t, &cid);
			m.there[i] = false;
		}
		if (round % 100 == 0) {
			assert_int_equal(0, store_commit(t));
			t = store_fix_read(f);
			check_info(t, &m);
			check_rows(t, &m);
			check_indexes(t, &m);
			store_read_end(t);
			t = store_fix_write(f);
		}
	}
	store_abort(t);
	pin_deinit(&p);
}

static void rows_come_in_the_order_of_serials_and_of_keys(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);
	struct sortkey before = { 0 }, key;
	struct pinset_iter it;
	struct pin_row row;
	uint64_t serial = 0;
	unsigned n = 0;
	struct pin p;

	pin_init(&p);
	for (unsigned i = 0; i < 500; i++) {
		store_fix_pin(&p, i, "x");
		store_fix_set(t, &p, 1);
	}
	assert_int_equal(0, pinset_iter_serials(t, 0, &it));
	for (; pinset_next(&it, &row) == 0; n++) {
		assert_true(row.serial > serial);
		serial = row.serial;
	}
	pinset_iter_end(&it);
	assert_int_equal(500, n);
	assert_int_equal(0, pinset_iter_keys(t, NULL, &it));
	for (n = 0; pinset_next(&it, &row) == 0; n++) {
		sortkey_of_cid(row.cid, row.cid_len, &key);
		assert_true(n == 0 || sortkey_compare(&before, &key) < 0);
		before = key;
		if (n == 250)
			serial = row.serial;
	}
	pinset_iter_end(&it);
	assert_int_equal(500, n);
	assert_int_equal(0, pinset_row(t, serial, &row));
	sortkey_of_cid(row.cid, row.cid_len, &key);
	assert_int_equal(0, pinset_iter_keys(t, &key, &it));
	assert_int_equal(0, pinset_next(&it, &row));
	assert_int_equal(serial, row.serial);
	for (n = 0; pinset_next(&it, &row) == 0; n++)
		;
	assert_int_equal(249, n);
	pinset_iter_end(&it);
	store_abort(t);
	pin_deinit(&p);
}

static void an_unreadable_value_is_no_pin(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);
	struct model m = { 0 };
	struct pin_row row;
	uint64_t serial;
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, 1, "x");
	serial = store_fix_set(t, &p, 1);
	assert_int_equal(serial, store_fix_set_value(t, &p.cid, "\xff\xff", 2, 1));
	assert_int_equal(-ENOENT, pinset_find(t, &p.cid, &row));
	assert_int_equal(0, pinset_raw(t, serial, &row));
	check_info(t, &m);
	check_indexes(t, &m);
	assert_int_equal(serial, store_fix_set(t, &p, 1));
	assert_int_equal(0, pinset_find(t, &p.cid, &row));
	assert_int_equal(1, store_info(t)->by_status[STATUS_PIN_QUEUED]);
	store_abort(t);
	pin_deinit(&p);
}

static void the_same_value_changes_nothing_but_its_priority(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);
	struct status_row pinned = { .status = STATUS_PINNED };
	struct status_row status;
	uint64_t serial, revision;
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, 1, "x");
	serial = store_fix_set(t, &p, 1);
	assert_int_equal(0, status_put(t, serial, &pinned));
	revision = store_info(t)->revision;
	assert_int_equal(serial, store_fix_set(t, &p, 1));
	assert_int_equal(revision, store_info(t)->revision);
	assert_int_equal(0, status_get(t, serial, &status));
	assert_int_equal(STATUS_PINNED, status.status);
	p.timestamp++;
	assert_int_equal(serial, store_fix_set(t, &p, 0));
	assert_int_equal(revision + 1, store_info(t)->revision);
	assert_int_equal(0, status_get(t, serial, &status));
	assert_int_equal(STATUS_PIN_QUEUED, status.status);
	assert_true(status.held);
	store_abort(t);
	pin_deinit(&p);
}

static void an_unset_pin_is_queued_to_be_unpinned(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);
	struct unpin_row unpin;
	struct pin p;
	uint64_t old;

	pin_init(&p);
	store_fix_pin(&p, 1, "x");
	old = store_fix_set(t, &p, 1);
	store_fix_unset(t, &p.cid);
	assert_int_equal(0, unpin_next(t, 0, &unpin));
	assert_true(cid_equal(&p.cid, &unpin.cid));
	assert_int_equal(0, unpin.attempts);
	assert_int_equal(-ENOENT, unpin_next(t, unpin.sequence, &unpin));
	assert_true(store_fix_set(t, &p, 1) > old);
	store_abort(t);
	pin_deinit(&p);
}

static void a_pin_whose_text_is_much_longer_than_its_value_is_listed(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);
	size_t n = PIN_BYTES_MAX - 200;
	char *name = malloc(n + 1);
	struct pin_row row;
	struct pin p;

	assert_non_null(name);
	memset(name, 1, n); /* six characters each in JSON */
	name[n] = 0;
	pin_init(&p);
	store_fix_pin(&p, 1, name);
	store_fix_set(t, &p, 0);
	assert_int_equal(0, pinset_find(t, &p.cid, &row));
	assert_true(row.line_len > 6 * n);
	assert_int_equal(1, store_info(t)->pins);
	store_abort(t);
	pin_deinit(&p);
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(counters_and_indexes_are_exact_after_random_changes),
		STORE_TEST(rows_come_in_the_order_of_serials_and_of_keys),
		STORE_TEST(an_unreadable_value_is_no_pin),
		STORE_TEST(the_same_value_changes_nothing_but_its_priority),
		STORE_TEST(a_pin_whose_text_is_much_longer_than_its_value_is_listed),
		STORE_TEST(an_unset_pin_is_queued_to_be_unpinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
