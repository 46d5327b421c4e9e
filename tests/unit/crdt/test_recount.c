/* Random operations on a store, of every kind that changes a pinset; after each, the store is
 * counted again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "consensus/crdt/load.h"
#include "consensus/crdt/local.h"
#include "consensus/crdt/merge.h"
#include "consensus/crdt/pending.h"
#include "tests/lib/store_check.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/vectors.h"
#include "util/container.h"

#define CIDS 40
#define ROUNDS 400

static const char *const names[] = { "", "a", "b", "folder/name", "_unnamed" };

static unsigned below(unsigned n)
{
	return randombytes_uniform(n);
}

static void random_pin(struct pin *p, unsigned i)
{
	store_fix_pin(p, i, names[below(ARRAY_LEN(names))]);
	p->timestamp += below(3);
	p->max_depth = below(4) ? PIN_DEPTH_RECURSIVE : PIN_DEPTH_DIRECT;
	if (below(2))
		p->expire_at = 1800000000 + below(3);
}

/* A value that is no pin now and then, as another peer could send it. */
static void random_value(struct buf *value, unsigned i, bool any)
{
	struct pin p;

	buf_reset(value);
	if (any && below(6) == 0) {
		assert_int_equal(0, buf_str(value, "\xff no pin"));
		return;
	}
	pin_init(&p);
	random_pin(&p, i);
	assert_int_equal(0, pin_pb_encode(&p, value));
	pin_deinit(&p);
}

/* ---- one operation ---- */

/* Some pins and unpins as one delta of our own. */
static void change_some(struct store_txn *t)
{
	struct buf value = BUF_INIT(0);
	struct local_delta d;
	struct cid cid, head;
	uint64_t serial;

	assert_int_equal(0, local_begin(&d, t));
	for (unsigned n = 1 + below(5); n > 0; n--) {
		store_fix_cid(below(CIDS), &cid);
		if (local_has(&d, &cid))
			continue;
		random_value(&value, 0, false);
		if (below(3))
			assert_int_equal(0, local_put(&d, &cid, value.data, value.len, 0, &serial));
		else
			assert_true(local_del(&d, &cid, &serial) >= 0);
	}
	assert_int_equal(0, local_finish(&d, &head));
	local_clear(&d);
	buf_deinit(&value);
}

static void change_later(struct store_txn *t)
{
	struct consensus_change ch = { .unpin = below(3) == 0 };

	store_fix_cid(below(CIDS), &ch.cid);
	if (!ch.unpin)
		random_value(&ch.value, 0, false);
	assert_int_equal(0, pending_apply(t, &ch));
	buf_deinit(&ch.value);
}

static void track(struct store_txn *t)
{
	struct status_row row = { .since_ns = 1,
				  .status = STATUS_PIN_ERROR,
				  .error = "why",
				  .error_len = 3,
				  .held = below(2),
				  .retry_s = below(3) };
	struct pin_row pin;
	struct cid cid;

	store_fix_cid(below(CIDS), &cid);
	if (pinset_find(t, &cid, &pin) < 0)
		return;
	if (below(2))
		row = (struct status_row){ .status = STATUS_PINNED };
	assert_int_equal(0, status_put(t, pin.serial, &row));
}

/* A block of somebody else's on some of our heads. */
static void merge_some(struct store_txn *t)
{
	struct buf value[3] = { BUF_INIT(0), BUF_INIT(0), BUF_INIT(0) }, key = BUF_INIT(0);
	struct delta_entry el[3] = { 0 };
	struct delta d = { .elements = el, .priority = 1 + below(40) };
	struct buf keys[3] = { BUF_INIT(0), BUF_INIT(0), BUF_INIT(0) };
	uint64_t after = 0, height;
	struct block_row row;
	struct cid cid, link = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		store_fix_cid(below(CIDS), &cid);
		assert_int_equal(0, delta_pin_key(&cid, &keys[i]));
		random_value(&value[i], 0, true);
		el[i] = (struct delta_entry){ .key = (const char *)keys[i].data,
					      .key_len = keys[i].len,
					      .value = value[i].data,
					      .value_len = value[i].len };
	}
	d.n_elements = below(4);
	if (heads_next(t, &after, &height) == 0 && blocks_row(t, after, &row) == 0)
		cid_copy(&link, &row.cid);
	assert_int_equal(0, block_encode(&d, &link, cid_defined(&link), &key));
	block_cid(key.data, key.len, &cid);
	assert_true(merge_block(t, &cid, key.data, key.len, NULL, NULL) >= 0);
	for (unsigned i = 0; i < 3; i++) {
		buf_deinit(&value[i]);
		buf_deinit(&keys[i]);
	}
	buf_deinit(&key);
}

static void import_some(struct store_fix *f)
{
	static const enum consensus_method methods[] = { CONSENSUS_REPLACE, CONSENSUS_UPDATE,
							 CONSENSUS_MERGE };
	struct consensus_load ld = { .method = methods[below(3)] };
	struct buf value = BUF_INIT(0), text = BUF_INIT(0);
	struct consensus_loader *l;
	struct err e = { 0 };
	struct pin p;

	pin_init(&p);
	assert_int_equal(0, crdt_load_new(f->store, NULL, &l));
	for (unsigned n = below(2 * CIDS); n > 0; n--) {
		struct consensus_pin cp = { .cid = &p.cid };

		random_pin(&p, below(CIDS));
		buf_reset(&value);
		buf_reset(&text);
		assert_int_equal(0, pin_pb_encode(&p, &value));
		assert_int_equal(0, pin_json_line(&p, &text));
		cp.value = value.data;
		cp.value_len = value.len;
		cp.name = p.name.p;
		cp.name_len = p.name.n;
		cp.timestamp = p.timestamp;
		cp.expire_at = p.expire_at;
		cp.line_len = (uint32_t)text.len + 1;
		cp.document_len = (uint32_t)pin_json_document_len(&p, text.len);
		assert_int_equal(0, l->ops->add(l, &cp));
	}
	assert_int_equal(0, l->ops->seal(l));
	if (l->ops->commit(l, &ld, &e) < 0)
		fail_msg("%s", e.msg);
	l->ops->free(l);
	pin_deinit(&p);
	buf_deinit(&value);
	buf_deinit(&text);
}

/* ---- tests ---- */

static void check_now(struct store_fix *f)
{
	struct store_txn *t = store_fix_read(f);

	store_check(t);
	store_read_end(t);
}

static void in_transaction(struct store_fix *f, void (*change)(struct store_txn *t), bool undo)
{
	struct store_txn *t = store_fix_write(f);

	change(t);
	store_check(t);
	if (undo)
		store_abort(t);
	else
		assert_int_equal(0, store_commit(t));
}

static void cut(struct store_txn *t)
{
	assert_int_equal(0, pending_cut(t));
}

static void one_round(struct store_fix *f)
{
	switch (below(12)) {
	case 0:
		import_some(f);
		break;
	case 1:
		if (below(4) == 0)
			assert_int_equal(0, store_clean(f->store));
		break;
	case 2:
		in_transaction(f, cut, false);
		break;
	case 3:
	case 4:
		in_transaction(f, merge_some, false);
		break;
	case 5:
	case 6:
	case 7:
		in_transaction(f, change_later, below(4) == 0);
		break;
	case 8:
	case 9:
		in_transaction(f, track, below(4) == 0);
		break;
	default:
		in_transaction(f, change_some, below(4) == 0);
	}
	generation_sweep(f->store); /* as the writer does */
	check_now(f);
}

static void counters_and_indexes_are_what_the_rows_say(void **state)
{
	struct store_fix f;

	store_fix_setup(&f);
	for (unsigned i = 0; i < ROUNDS; i++)
		one_round(&f);
	store_close(f.store);
	store_fix_open(&f);
	check_now(&f);
	store_fix_teardown(&f);
}

static void recorded_merges_leave_what_the_rows_say(void **state)
{
	json_t *root = vectors_load("cluster-crdt-scenarios.json"), *s, *b;
	size_t i, k;

	json_array_foreach (vectors_array(root, "scenarios"), i, s) {
		struct store_fix f;
		struct store_txn *t;

		store_fix_setup(&f);
		t = store_fix_write(&f);
		json_array_foreach (vectors_array(s, "blocks"), k, b) {
			static uint8_t bytes[65536];
			size_t n = vectors_hex(b, "block_hex", bytes, sizeof(bytes));
			const char *text = vectors_str(b, "cid");
			struct cid cid;

			assert_int_equal(0, cid_parse(text, strlen(text), &cid, NULL));
			assert_true(merge_block(t, &cid, bytes, n, NULL, NULL) >= 0);
			store_check(t);
		}
		assert_int_equal(0, store_commit(t));
		store_fix_teardown(&f);
	}
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_and_indexes_are_what_the_rows_say),
		cmocka_unit_test(recorded_merges_leave_what_the_rows_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
