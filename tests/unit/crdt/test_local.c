#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "consensus/crdt/local.h"
#include "consensus/crdt/merge.h"
#include "tests/lib/store_check.h"
#include "tests/lib/store_fixture.h"

#define MANY 20000  /* elements of a key, whose tombstones do not fit into one block */
#define AT_ONCE 500 /* of a transaction */

/* A value that never was there before: each setting adds an element. */
static void put(struct store_txn *t, unsigned i, unsigned round)
{
	struct buf value = BUF_INIT(0);
	struct local_delta d;
	struct cid head;
	uint64_t serial;
	struct pin p;

	pin_init(&p);
	store_fix_pin(&p, i, "");
	p.timestamp += round;
	assert_int_equal(0, pin_pb_encode(&p, &value));
	assert_int_equal(0, local_begin(&d, t));
	assert_int_equal(0, local_put(&d, &p.cid, value.data, value.len, 0, &serial));
	assert_int_equal(0, local_finish(&d, &head));
	local_clear(&d);
	buf_deinit(&value);
	pin_deinit(&p);
}

/* The pins below @n as one delta. */
static void put_many(struct store_txn *t, unsigned n, struct cid *ret_head)
{
	struct buf value = BUF_INIT(0);
	struct local_delta d;
	uint64_t serial;
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, local_begin(&d, t));
	for (unsigned i = 0; i < n; i++) {
		store_fix_pin(&p, i, "x");
		buf_reset(&value);
		assert_int_equal(0, pin_pb_encode(&p, &value));
		assert_int_equal(0, local_put(&d, &p.cid, value.data, value.len, 0, &serial));
	}
	assert_int_equal(0, local_finish(&d, ret_head));
	local_clear(&d);
	buf_deinit(&value);
	pin_deinit(&p);
}

/* All blocks of @from, in the order of their numbers, into an empty store. */
static void replay(const struct store_txn *from, struct store_txn *to)
{
	for (uint64_t n = 1; n < store_info(from)->next_block; n++) {
		struct block_row row;

		if (blocks_row(from, n, &row) == 0)
			assert_int_equal(1,
					 merge_block(to, &row.cid, row.data, row.len, NULL, NULL));
	}
}

static void a_pin_that_was_set_very_often_can_be_removed(void **state)
{
	struct store_fix f, other;
	struct store_txn *t, *to;
	struct local_delta d;
	struct cid cid, head;
	uint64_t serial;

	store_fix_setup(&f);
	t = store_fix_write(&f);
	put(t, 2, 0); /* stays */
	for (unsigned i = 0; i < MANY; i++) {
		put(t, 1, i);
		if (i % AT_ONCE == 0) {
			assert_int_equal(0, store_commit(t));
			t = store_fix_write(&f);
		}
	}
	assert_int_equal(0, local_begin(&d, t));
	store_fix_cid(1, &cid);
	assert_int_equal(1, local_del(&d, &cid, &serial));
	assert_int_not_equal(0, serial);
	assert_int_equal(0, local_finish(&d, &head));
	local_clear(&d);
	assert_int_equal(1, store_info(t)->pins);
	store_check(t);

	store_fix_setup(&other);
	to = store_fix_write(&other);
	replay(t, to);
	assert_int_equal(1, store_info(to)->pins);
	store_check(to);
	store_abort(to);
	store_fix_teardown(&other);
	store_abort(t);
	store_fix_teardown(&f);
}

/* What a change leaves in an empty store: its block. */
static void make_block(unsigned n, struct cid *ret_cid, struct buf *ret)
{
	struct block_row row;
	struct store_fix f;
	struct store_txn *t;

	store_fix_setup(&f);
	t = store_fix_write(&f);
	put_many(t, n, ret_cid);
	assert_int_equal(0, blocks_get(t, ret_cid, &row));
	assert_int_equal(0, buf_append(ret, row.data, row.len));
	store_abort(t);
	store_fix_teardown(&f);
}

static void check_whole(struct store_txn *t, const struct cid *cid, unsigned pins)
{
	uint64_t number = 0, height;
	struct block_row row;

	assert_int_equal(pins, store_info(t)->pins);
	assert_int_equal(0, blocks_get(t, cid, &row));
	assert_true(row.merged);
	assert_int_equal(0, heads_next(t, &number, &height));
	assert_int_equal(row.number, number);
	assert_int_equal(-ENOENT, heads_next(t, &number, &height));
	number = 0;
	assert_int_equal(-ENOENT, wanted_next(t, &number));
	store_check(t);
}

/* Another peer has made the same change on the same heads, and somebody has removed a part of it;
 * of both, the removal alone has come. */
static void what_was_removed_from_the_twin_of_a_block_of_ours_is_gone(void **state)
{
	struct delta_entry en = { 0 };
	struct buf bytes = BUF_INIT(0), key = BUF_INIT(0), id = BUF_INIT(0);
	struct store_fix f;
	struct store_txn *t;
	struct cid cid, ours, gone;

	make_block(2, &cid, &bytes);
	store_fix_cid(0, &gone);
	assert_int_equal(0, delta_pin_key(&gone, &key));
	assert_int_equal(0, block_element_id(&cid, &id));
	en = (struct delta_entry){
		.key = (char *)key.data, .key_len = key.len, .id = (char *)id.data, .id_len = id.len
	};
	store_fix_setup(&f);
	t = store_fix_write(&f);
	assert_int_equal(0, set_tombstone(t, &en));
	put_many(t, 2, &ours);
	assert_true(cid_equal(&cid, &ours));
	check_whole(t, &cid, 1);
	store_abort(t);
	store_fix_teardown(&f);
	buf_deinit(&bytes);
	buf_deinit(&key);
	buf_deinit(&id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pin_that_was_set_very_often_can_be_removed),
		cmocka_unit_test(what_was_removed_from_the_twin_of_a_block_of_ours_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
