#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "store/export.h"
#include "store/rows.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/vectors.h"
#include "util/clock.h"

#define LINES_MAX 4000

static void set_line(struct store_txn *t, const char *line, size_t n, struct pin *p)
{
	struct pin_json_keys keys;
	enum pin_mode mode;

	assert_int_equal(0, pin_json_decode(line, n, p, &mode, &keys, NULL));
	store_fix_set(t, p, 1);
}

struct lines {
	const char *p[LINES_MAX];
	size_t len[LINES_MAX], n;
};

static void cut(const struct buf *text, struct lines *ret)
{
	const char *p = (char *)text->data, *end = p + text->len;

	for (ret->n = 0; p < end; ret->n++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		assert_true(newline && ret->n < LINES_MAX);
		ret->p[ret->n] = p;
		ret->len[ret->n] = (size_t)(newline - p);
		p = newline + 1;
	}
}

/* Sets the pins of a dump in random order. */
static void fill(struct store_fix *f, const struct buf *text)
{
	struct store_txn *t = store_fix_write(f);
	static struct lines l;
	struct pin pin;

	pin_init(&pin);
	cut(text, &l);
	while (l.n > 0) {
		size_t i = randombytes_uniform((uint32_t)l.n);

		set_line(t, l.p[i], l.len[i], &pin);
		l.p[i] = l.p[--l.n];
		l.len[i] = l.len[l.n];
	}
	pin_deinit(&pin);
	assert_int_equal(0, store_commit(t));
}

static void check_whole(struct store_fix *f, const struct buf *want, size_t step)
{
	struct store_txn *t = store_fix_read(f);
	char *got = malloc(want->len + step);
	struct export *x;
	uint64_t at = 0;
	ssize_t n;

	assert_int_equal(want->len, store_info(t)->export_bytes);
	assert_int_equal(0, export_new(t, &x));
	while ((n = export_read(x, at, got + at, step)) > 0) {
		at += (uint64_t)n;
		assert_true(at <= want->len);
	}
	assert_int_equal(0, n);
	assert_int_equal(want->len, at);
	assert_memory_equal(want->data, got, want->len);
	export_free(x);
	store_read_end(t);
	free(got);
}

static void the_dump_is_that_of_the_reference(void **state)
{
	static const size_t steps[] = { 1 << 20, 4096, 777, 1 };
	struct buf want = vectors_file("dumps/small/export.json");

	fill(*state, &want);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		check_whole(*state, &want, steps[i]);
	buf_deinit(&want);
}

static void read_whole(struct store_fix *f, struct buf *ret)
{
	struct store_txn *t = store_fix_read(f);
	struct export *x;

	ret->len = store_info(t)->export_bytes;
	ret->data = malloc(ret->cap = ret->len);
	assert_non_null(ret->data);
	assert_int_equal(0, export_new(t, &x));
	assert_int_equal(ret->len, export_read(x, 0, ret->data, ret->len));
	export_free(x);
	store_read_end(t);
}

static void decode_line(const struct lines *l, size_t i, struct pin *p)
{
	assert_true(pin_json_decode_canonical(l->p[i], l->len[i], p));
}

/* Pins whose serials ascend by one in the order of the dump, as after an import: their keys and
 * their name, but for the first pin, have their numbers already when they come. */
static void fill_in_order(struct store_fix *f, struct buf *ret_dump)
{
	struct store_txn *t = store_fix_write(f);
	static struct lines l;
	struct pin p;

	pin_init(&p);
	for (unsigned i = 0; i < 500; i++) {
		store_fix_pin(&p, i, "the same");
		store_fix_set(t, &p, 1);
	}
	assert_int_equal(0, store_commit(t));
	read_whole(f, ret_dump);
	cut(ret_dump, &l);
	t = store_fix_write(f);
	for (size_t i = 0; i < l.n; i++) {
		decode_line(&l, i, &p);
		store_fix_unset(t, &p.cid);
	}
	for (size_t i = 0; i < l.n; i++) {
		decode_line(&l, i, &p);
		store_fix_set(t, &p, 1);
	}
	assert_int_equal(0, store_commit(t));
	pin_deinit(&p);
}

static void the_order_of_arrival_does_not_matter(void **state)
{
	struct store_fix *f = *state;
	struct buf want = BUF_INIT(0);
	static struct lines l;
	struct store_txn *t;
	struct pin p;

	fill_in_order(f, &want);
	check_whole(f, &want, 1 << 20);
	cut(&want, &l);
	pin_init(&p);
	t = store_fix_write(f);
	for (size_t i = 0; i < l.n; i += 8) {
		decode_line(&l, i, &p);
		store_fix_unset(t, &p.cid);
		store_fix_set(t, &p, 1);
	}
	assert_int_equal(0, store_commit(t));
	check_whole(f, &want, 1 << 20);
	check_whole(f, &want, 777);
	pin_deinit(&p);
	buf_deinit(&want);
}

static void lines_of_many_peers_are_those_of_single_pins(void **state)
{
	struct store_fix *f = *state;
	struct store_txn *t = store_fix_write(f);
	struct buf want = BUF_INIT(0);
	struct pin_row row;
	struct pinset_iter it;
	struct pin p;

	pin_init(&p);
	for (unsigned i = 0; i < 2000; i++) {
		store_fix_pin(&p, i, "shared");
		p.n_allocations = 3;
		p.allocations = pin_alloc(&p, 3 * sizeof(*p.allocations));
		assert_non_null(p.allocations);
		for (unsigned k = 0; k < 3; k++) {
			uint8_t key[32] = { 1 };

			key[31] = (uint8_t)randombytes_uniform(i < 1000 ? 5 : 256);
			peerid_from_ed25519(key, &p.allocations[k]);
		}
		store_fix_set(t, &p, 1);
	}
	assert_int_equal(0, store_commit(t));
	t = store_fix_read(f);
	assert_int_equal(0, pinset_iter_keys(t, NULL, &it));
	while (pinset_next(&it, &row) == 0) {
		assert_int_equal(0, pinset_decode(&row, &p, NULL));
		assert_int_equal(0, pin_json_line(&p, &want));
		assert_int_equal(0, buf_byte(&want, '\n'));
	}
	pinset_iter_end(&it);
	store_read_end(t);
	check_whole(f, &want, 1 << 17);
	pin_deinit(&p);
	buf_deinit(&want);
}

/* Makes the pin's value one that cannot be decoded, as a broken disk would. */
static void damage(struct store_fix *f, const struct cid *cid)
{
	struct store_txn *t = store_fix_write(f);
	struct pin_row row;
	uint8_t copy[1024];
	MDB_val val;

	assert_int_equal(0, pinset_find(t, cid, &row));
	assert_int_equal(0, table_get(t, TABLE_PINS, val_u64(&row.serial), &val));
	assert_true(val.mv_size <= sizeof(copy));
	memcpy(copy, val.mv_data, val.mv_size);
	copy[val.mv_size - row.value_len] = 0; /* field number zero */
	assert_int_equal(
	    0, table_put(t, TABLE_PINS, val_u64(&row.serial), val_of(copy, val.mv_size), 0));
	assert_int_equal(0, store_commit(t));
}

static void a_damaged_row_ends_the_dump_before_it_each_time(void **state)
{
	struct store_fix *f = *state;
	struct buf want = vectors_file("dumps/small/export.json");
	static uint8_t got[1 << 16];
	static struct lines l;
	struct store_txn *t;
	struct export *x;
	size_t before;
	struct pin p;

	fill(f, &want);
	cut(&want, &l);
	pin_init(&p);
	decode_line(&l, 5, &p);
	damage(f, &p.cid);
	before = (size_t)(l.p[5] - l.p[0]);
	t = store_fix_read(f);
	assert_int_equal(0, export_new(t, &x));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(before, export_read(x, 0, got, sizeof(got)));
		assert_memory_equal(want.data, got, before);
		assert_int_equal(-EBADMSG, export_read(x, before, got, sizeof(got)));
		assert_int_equal(-EBADMSG, export_read(x, before, got, 1));
	}
	export_free(x);
	store_read_end(t);
	pin_deinit(&p);
	buf_deinit(&want);
}

static void a_key_whose_row_is_gone_is_left_out(void **state)
{
	struct store_fix *f = *state;
	struct buf want = BUF_INIT(0);
	static uint8_t got[1 << 18];
	static struct lines l;
	struct store_txn *t;
	struct pin_row row;
	struct export *x;
	size_t before, after;
	struct pin p;

	fill_in_order(f, &want);
	cut(&want, &l);
	pin_init(&p);
	decode_line(&l, 5, &p);
	before = (size_t)(l.p[5] - l.p[0]);
	after = want.len - before - l.len[5] - 1;
	t = store_fix_write(f);
	assert_int_equal(0, pinset_find(t, &p.cid, &row));
	assert_int_equal(0, table_del(t, TABLE_PINS, val_u64(&row.serial)));
	assert_int_equal(0, store_commit(t));
	t = store_fix_read(f);
	assert_int_equal(0, export_new(t, &x));
	assert_int_equal(before + after, export_read(x, 0, got, sizeof(got)));
	assert_memory_equal(want.data, got, before);
	assert_memory_equal(want.data + want.len - after, got + before, after);
	export_free(x);
	store_read_end(t);
	pin_deinit(&p);
	buf_deinit(&want);
}

/* More than one checkpoint: the recorded dump and pins with long names. */
static void fill_much(struct store_fix *f, struct buf *whole)
{
	static char name[3000];
	struct buf want = vectors_file("dumps/medium/export.json");
	struct store_txn *t;
	struct pin p;

	fill(f, &want);
	buf_deinit(&want);
	memset(name, 'n', sizeof(name) - 1);
	pin_init(&p);
	t = store_fix_write(f);
	for (unsigned i = 0; i < 1500; i++) {
		store_fix_pin(&p, i, name);
		store_fix_set(t, &p, 1);
	}
	assert_int_equal(0, store_commit(t));
	pin_deinit(&p);
	read_whole(f, whole);
	assert_true(whole->len > 4 << 20);
}

static void any_offset_reads_the_same_bytes(void **state)
{
	struct store_fix *f = *state;
	struct buf whole = BUF_INIT(0);
	static uint8_t got[200000];
	struct store_txn *t;
	struct export *x;

	fill_much(f, &whole);
	t = store_fix_read(f);
	assert_int_equal(0, export_new(t, &x));
	for (int i = 0; i < 300; i++) {
		uint64_t at = randombytes_uniform((uint32_t)whole.len + 1);
		size_t n = randombytes_uniform(i % 10 ? 5000 : sizeof(got));
		size_t left = whole.len - at, want = n < left ? n : left;

		assert_int_equal(want, export_read(x, at, got, n));
		assert_memory_equal(whole.data + at, got, want);
	}
	assert_int_equal(0, export_read(x, whole.len, got, 10));
	assert_int_equal(0, export_read(x, whole.len + 5000000, got, 10));
	assert_int_equal(10, export_read(x, 0, got, 10));
	export_free(x);
	store_read_end(t);
	buf_deinit(&whole);
}

static void an_open_export_does_not_see_later_changes(void **state)
{
	struct store_fix *f = *state;
	struct buf want = vectors_file("dumps/small/export.json");
	struct store_txn *t, *w;
	struct export *x;
	static uint8_t got[1 << 16];
	struct pin p;

	fill(f, &want);
	t = store_fix_read(f);
	assert_int_equal(0, export_new(t, &x));
	assert_int_equal(100, export_read(x, 0, got, 100));
	w = store_fix_write(f);
	pin_init(&p);
	store_fix_pin(&p, 1, "later");
	store_fix_set(w, &p, 1);
	assert_int_equal(0, store_commit(w));
	assert_int_equal(want.len - 100, export_read(x, 100, got + 100, sizeof(got) - 100));
	assert_memory_equal(want.data, got, want.len);
	export_free(x);
	store_read_end(t);
	pin_deinit(&p);
	buf_deinit(&want);
}

static void an_empty_pinset_is_an_empty_dump(void **state)
{
	struct store_txn *t = store_fix_read(*state);
	struct export *x;
	char c;

	assert_int_equal(0, export_new(t, &x));
	assert_int_equal(0, export_read(x, 0, &c, 1));
	assert_int_equal(0, export_read(x, 7, &c, 1));
	export_free(x);
	store_read_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(the_dump_is_that_of_the_reference),
		STORE_TEST(the_order_of_arrival_does_not_matter),
		STORE_TEST(lines_of_many_peers_are_those_of_single_pins),
		STORE_TEST(a_damaged_row_ends_the_dump_before_it_each_time),
		STORE_TEST(a_key_whose_row_is_gone_is_left_out),
		STORE_TEST(any_offset_reads_the_same_bytes),
		STORE_TEST(an_open_export_does_not_see_later_changes),
		STORE_TEST(an_empty_pinset_is_an_empty_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
