#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "consensus/crdt/delta.h"
#include "consensus/crdt/local.h"
#include "consensus/crdt/merge.h"
#include "tests/lib/store_fixture.h"
#include "tests/lib/vectors.h"
#include "util/varint.h"

#define BLOCKS_MAX 32

static int setup(void **state)
{
	static json_t *root;

	if (!root)
		root = vectors_load("cluster-crdt-scenarios.json");
	*state = root;
	return 0;
}

/* ---- what a store holds, compared with a recorded datastore ---- */

static uint64_t kid_of(const struct store_txn *t, const char *name, size_t n, struct key_row *row)
{
	char key[256];
	struct sortkey sk;
	struct cid cid;

	snprintf(key, sizeof(key), "/%.*s", (int)n, name);
	sortkey_of_delta_key(key, n + 1, &sk, &cid);
	assert_int_equal(0, pinset_key(t, &sk, row));
	return row->kid;
}

static uint64_t number_of(const struct store_txn *t, const char *block, struct block_row *row)
{
	char id[128];
	struct block_id bid;

	snprintf(id, sizeof(id), "/%s", block);
	block_id_of_text(id, strlen(id), &bid);
	assert_int_equal(0, blocks_find(t, &bid, row));
	return row->number;
}

struct counts {
	unsigned elements, tombstones, heads, values;
};

static void check_value(const struct store_txn *t, const char *path, json_t *want, struct counts *n)
{
	size_t len = strlen(path) - 2; /* "/v" or "/p" */
	uint8_t bytes[1024];
	struct key_row k;
	struct pin_row row;
	uint64_t priority;
	int got =
	    base16_decode(json_string_value(want), json_string_length(want), bytes, sizeof(bytes));

	kid_of(t, path, len, &k);
	assert_int_not_equal(0, k.serial);
	assert_int_equal(0, pinset_raw(t, k.serial, &row));
	if (path[len + 1] == 'v') {
		n->values++;
		assert_int_equal(got, row.value_len);
		assert_memory_equal(bytes, row.value, row.value_len);
	} else {
		assert_true(varint_get(bytes, (size_t)got, 1, &priority) > 0);
		assert_int_equal(priority, row.priority + 1);
	}
}

static void check_set_entry(const struct store_txn *t, const char *path, bool tombstone,
			    struct counts *n)
{
	const char *slash = strrchr(path, '/');
	struct block_row block;
	struct key_row k;
	uint64_t at = number_of(t, slash + 1, &block) - 1;
	uint64_t kid = kid_of(t, path, (size_t)(slash - path), &k);

	assert_int_equal(0, tombstone ? tombstones_next(t, kid, &at) : elements_next(t, kid, &at));
	assert_int_equal(block.number, at);
	n->elements += !tombstone;
	n->tombstones += tombstone;
}

static void check_entry(const struct store_txn *t, const char *key, json_t *want, struct counts *n)
{
	struct block_row block;

	if (strncmp(key, "/c/s/k/", 7) == 0) {
		check_value(t, key + 7, want, n);
	} else if (strncmp(key, "/c/s/s/", 7) == 0) {
		check_set_entry(t, key + 7, false, n);
	} else if (strncmp(key, "/c/s/t/", 7) == 0) {
		check_set_entry(t, key + 7, true, n);
	} else if (strncmp(key, "/c/h/", 5) == 0) {
		assert_int_equal(1, heads_has(t, number_of(t, key + 5, &block)));
		n->heads++;
	} else if (strncmp(key, "/c/b/", 5) == 0 && strncmp(key, "/c/b/blocks/", 12) != 0) {
		number_of(t, key + 5, &block);
		assert_true(block.merged);
	}
}

static void check_counts(const struct store_txn *t, json_t *datastore, const struct counts *want)
{
	struct counts got = { 0 };
	uint64_t at = 0, height;
	const char *key;
	json_t *v;

	while (heads_next(t, &at, &height) == 0)
		got.heads++;
	assert_int_equal(want->heads, got.heads);
	json_object_foreach (datastore, key, v) {
		struct key_row k;
		const char *last = strrchr(key, '/');

		if (strncmp(key, "/c/s/s/", 7) != 0)
			continue;
		/* Nothing but what is recorded hangs on the key. */
		kid_of(t, key + 7, (size_t)(last - key - 7), &k);
		for (at = 0; elements_next(t, k.kid, &at) == 0;) {
			struct block_row block;
			struct buf id = BUF_INIT(0);
			char path[512];

			assert_int_equal(0, blocks_row(t, at, &block));
			assert_int_equal(0, block_element_id(&block.cid, &id));
			snprintf(path, sizeof(path), "%.*s%.*s", (int)(last - key), key,
				 (int)id.len, (char *)id.data);
			assert_non_null(json_object_get(datastore, path));
			buf_deinit(&id);
		}
	}
}

static void check_datastore(const struct store_txn *t, json_t *datastore)
{
	struct counts n = { 0 };
	const char *key;
	json_t *v;

	json_object_foreach (datastore, key, v) {
		check_entry(t, key, v, &n);
	}
	check_counts(t, datastore, &n);
}

/* ---- scenarios ---- */

static void merge_one(struct store_txn *t, json_t *block)
{
	static uint8_t bytes[65536];
	size_t n = vectors_hex(block, "block_hex", bytes, sizeof(bytes));
	const char *text = vectors_str(block, "cid");
	struct cid cid;

	assert_int_equal(0, cid_parse(text, strlen(text), &cid, NULL));
	assert_int_equal(1, merge_block(t, &cid, bytes, n, NULL, NULL));
	assert_int_equal(0, merge_block(t, &cid, bytes, n, NULL, NULL));
}

/* Several blocks together, an entry at a time; and, as after crashes, begun again after each of the
 * first @crashes parts. */
struct together {
	struct merge v[BLOCKS_MAX], *set[BLOCKS_MAX];
	struct cid cids[BLOCKS_MAX];
	uint8_t *bytes[BLOCKS_MAX];
	size_t n;
};

static void together_open(struct together *x, json_t *blocks, const unsigned *order, size_t n)
{
	x->n = n;
	for (size_t i = 0; i < n; i++) {
		json_t *block = json_array_get(blocks, order[i]);
		const char *text = vectors_str(block, "cid");
		size_t len;

		x->bytes[i] = malloc(65536);
		assert_non_null(x->bytes[i]);
		len = vectors_hex(block, "block_hex", x->bytes[i], 65536);
		assert_int_equal(0, cid_parse(text, strlen(text), &x->cids[i], NULL));
		assert_int_equal(0, merge_open(&x->v[i], &x->cids[i], x->bytes[i], len, NULL));
		x->set[i] = &x->v[i];
	}
}

static void together_close(struct together *x)
{
	for (size_t i = 0; i < x->n; i++) {
		merge_close(&x->v[i]);
		free(x->bytes[i]);
	}
}

/* True: all are merged. */
static bool together_step(struct together *x, struct store_txn *t)
{
	struct merge *culprit;
	size_t budget = 1;
	bool done = true;

	assert_int_equal(0, merge_step(x->set, x->n, t, &budget, &culprit));
	for (size_t i = 0; i < x->n; i++)
		done = done && merge_is_done(&x->v[i]);
	return done;
}

static void merge_in_parts(struct store_txn *t, json_t *blocks, const unsigned *order, size_t n,
			   unsigned crashes)
{
	struct together x;
	bool done;

	together_open(&x, blocks, order, n);
	do {
		done = together_step(&x, t);
		if (!done && crashes > 0) {
			crashes--;
			for (size_t i = 0; i < n; i++)
				x.v[i].place = (struct merge_place){ 0 };
			for (unsigned i = 0; !done && i < crashes; i++)
				done = together_step(&x, t);
		}
	} while (!done);
	together_close(&x);
}

static unsigned
    crashes; /* 0: blocks are merged at once; above: in parts, crashed so often less one */
static unsigned at_a_time; /* blocks that are merged together */

static void merge_as_asked(struct store_txn *t, json_t *blocks, const unsigned *order, size_t n)
{
	if (crashes == 0)
		merge_one(t, json_array_get(blocks, order[0]));
	else
		merge_in_parts(t, blocks, order, n, crashes - 1);
}

static void run_order(json_t *scenario, const unsigned *order, size_t n)
{
	json_t *blocks = vectors_array(scenario, "blocks");
	json_t *replica = json_object_get(json_object_get(scenario, "replicas"), "A");
	struct store_fix f;
	struct store_txn *t;

	store_fix_setup(&f);
	assert_int_equal(0, store_write(f.store, &t));
	for (size_t i = 0; i < n; i += at_a_time)
		merge_as_asked(t, blocks, order + i, n - i < at_a_time ? n - i : at_a_time);
	check_datastore(t, json_object_get(replica, "datastore"));
	assert_int_equal(0, store_commit(t));
	store_fix_teardown(&f);
}

static void shuffle(unsigned *order, size_t n, unsigned seed)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (seed = seed * 1103515245 + 12345) / 65536 % i;
		unsigned x = order[i - 1];

		order[i - 1] = order[j];
		order[j] = x;
	}
}

static void run_all_orders(json_t *root)
{
	json_t *scenarios = vectors_array(root, "scenarios"), *s;
	size_t i, run = 0;

	json_array_foreach (scenarios, i, s) {
		size_t n = json_array_size(vectors_array(s, "blocks"));
		unsigned order[BLOCKS_MAX];

		/* The reference itself diverges in this one, as its name says. */
		if (strcmp(vectors_str(s, "name"), "order-dependent-divergence") == 0)
			continue;
		assert_true(n <= BLOCKS_MAX);
		for (unsigned seed = 0; seed < 6; seed++) {
			for (unsigned k = 0; k < n; k++)
				order[k] = seed == 1 ? (unsigned)n - 1 - k : k;
			if (seed > 1)
				shuffle(order, n, seed);
			run_order(s, order, n);
			run++;
		}
	}
	assert_true(run >= 60);
}

static void blocks_in_any_order_give_the_recorded_datastore(void **state)
{
	crashes = 0;
	at_a_time = 1;
	run_all_orders(*state);
}

static void blocks_merged_in_parts_give_the_recorded_datastore(void **state)
{
	crashes = 1;
	at_a_time = 1;
	run_all_orders(*state);
}

static void blocks_merged_together_give_the_recorded_datastore(void **state)
{
	for (crashes = 1; crashes < 4; crashes++) {
		at_a_time = crashes < 3 ? 3 : BLOCKS_MAX;
		run_all_orders(*state);
	}
}

static void blocks_begun_again_after_a_crash_give_the_recorded_datastore(void **state)
{
	at_a_time = 1;
	for (crashes = 2; crashes < 6; crashes++)
		run_all_orders(*state);
}

static void a_block_that_is_not_its_cid_is_refused(void **state)
{
	json_t *s = json_array_get(vectors_array(*state, "scenarios"), 0);
	json_t *blocks = vectors_array(s, "blocks");
	const char *other = vectors_str(json_array_get(blocks, 1), "cid");
	uint8_t bytes[4096];
	size_t n = vectors_hex(json_array_get(blocks, 0), "block_hex", bytes, sizeof(bytes));
	struct store_fix f;
	struct store_txn *t;
	struct cid cid;

	assert_int_equal(0, cid_parse(other, strlen(other), &cid, NULL));
	store_fix_setup(&f);
	assert_int_equal(0, store_write(f.store, &t));
	assert_int_equal(-EBADMSG, merge_block(t, &cid, bytes, n, NULL, NULL));
	store_abort(t);
	store_fix_teardown(&f);
}

/* ---- our own deltas, byte for byte the reference's ---- */

static json_t *scenario_named(json_t *root, const char *name)
{
	json_t *s;
	size_t i;

	json_array_foreach (vectors_array(root, "scenarios"), i, s) {
		if (strcmp(vectors_str(s, "name"), name) == 0)
			return s;
	}
	fail_msg("no scenario %s", name);
	return NULL;
}

static void cid_of_key(const char *key, struct cid *ret)
{
	struct sortkey sk;

	assert_int_equal(0, sortkey_of_delta_key(key, strlen(key), &sk, ret));
}

/* One operation of replica @who on its store; its block must be recorded. */
static void replay_op(struct store_txn *t, json_t *op, struct local_delta *d)
{
	const char *what = vectors_str(op, "op");
	uint8_t value[4096];
	uint64_t serial;
	struct cid cid;

	cid_of_key(vectors_str(op, "key"), &cid);
	if (strstr(what, "put")) {
		size_t n = vectors_hex(op, "value_hex", value, sizeof(value));

		assert_int_equal(0, local_put(d, &cid, value, n, 0, &serial));
	} else {
		assert_int_equal(1, local_del(d, &cid, &serial));
	}
}

static void expect_block(json_t *blocks, const struct cid *head, struct store_txn *t)
{
	char text[CID_TEXT_MAX + 1];
	struct block_row row;
	json_t *b;
	size_t i;

	cid_format(head, text);
	json_array_foreach (blocks, i, b) {
		uint8_t bytes[65536];
		size_t n;

		if (strcmp(vectors_str(b, "cid"), text) != 0)
			continue;
		n = vectors_hex(b, "block_hex", bytes, sizeof(bytes));
		assert_int_equal(0, blocks_get(t, head, &row));
		assert_int_equal(n, row.len);
		assert_memory_equal(bytes, row.data, n);
		return;
	}
	fail_msg("block %s is not recorded", text);
}

static void deliver(struct store_txn *to, json_t *blocks, struct store_txn *from)
{
	json_t *b;
	size_t i;

	json_array_foreach (blocks, i, b) {
		struct block_row row;
		struct cid cid;
		const char *text = vectors_str(b, "cid");

		assert_int_equal(0, cid_parse(text, strlen(text), &cid, NULL));
		if (blocks_get(from, &cid, &row) == 0)
			assert_true(merge_block(to, &cid, row.data, row.len, NULL, NULL) >= 0);
	}
}

static void our_deltas_of_real_pins_are_the_recorded_blocks(void **state)
{
	json_t *s = scenario_named(*state, "real-pins"), *blocks = vectors_array(s, "blocks"), *op;
	struct store_fix f[3];
	struct store_txn *t[3];
	struct local_delta d[3] = { 0 };
	struct cid head;
	size_t i;

	for (i = 0; i < 3; i++) {
		store_fix_setup(&f[i]);
		assert_int_equal(0, store_write(f[i].store, &t[i]));
	}
	json_array_foreach (vectors_array(s, "ops"), i, op) {
		const char *what = vectors_str(op, "op");
		const char *who = json_string_value(json_object_get(op, "replica"));
		int r = who ? who[0] - 'A' : vectors_str(op, "from")[0] - 'A';

		if (strcmp(what, "deliver_all_broadcasts") == 0) {
			for (int k = 0; k < 3; k++)
				if (k != r)
					deliver(t[k], blocks, t[r]);
			continue;
		}
		if (!d[r].t)
			assert_int_equal(0, local_begin(&d[r], t[r]));
		if (strcmp(what, "batch_commit") != 0)
			replay_op(t[r], op, &d[r]);
		if (strcmp(what, "batch_put") == 0)
			continue;
		assert_int_equal(0, local_finish(&d[r], &head));
		expect_block(blocks, &head, t[r]);
		local_clear(&d[r]);
	}
	for (i = 0; i < 3; i++) {
		const char name[2] = { (char)('A' + i), 0 };
		json_t *replica = json_object_get(json_object_get(s, "replicas"), name);

		check_datastore(t[i], json_object_get(replica, "datastore"));
		store_abort(t[i]);
		store_fix_teardown(&f[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(blocks_in_any_order_give_the_recorded_datastore, setup),
		cmocka_unit_test_setup(blocks_merged_in_parts_give_the_recorded_datastore, setup),
		cmocka_unit_test_setup(blocks_merged_together_give_the_recorded_datastore, setup),
		cmocka_unit_test_setup(blocks_begun_again_after_a_crash_give_the_recorded_datastore,
				       setup),
		cmocka_unit_test_setup(a_block_that_is_not_its_cid_is_refused, setup),
		cmocka_unit_test_setup(our_deltas_of_real_pins_are_the_recorded_blocks, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
