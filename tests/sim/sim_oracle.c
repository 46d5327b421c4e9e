/*
 * The rules of the set (go-ds-crdt), applied to all blocks at once: an element lives while no
 * tombstone names its block; of the living ones of a key the highest block wins, among equal ones
 * the greatest bytes. Written for being plainly right: it sorts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "consensus/crdt/delta.h"
#include "store/blocks.h"
#include "store/export.h"
#include "tests/lib/store_check.h"
#include "tests/sim/sim.h"
#include "types/pin_json.h"
#include "types/pin_pb.h"
#include "util/base_enc.h"

struct entry {
	const char *key;
	size_t key_len;
	const char *id;
	size_t id_len;
	const uint8_t *value;
	size_t value_len;
	uint64_t height;
	bool dead; /* of an element */
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

struct oracle_block {
	struct cid cid;
	struct buf bytes, id;
	struct block block;
	bool linked; /* by another */
};

static struct {
	struct oracle_block *blocks; /* by CID */
	size_t n, cap;
	struct entries elements, tombstones;
	struct buf dump;
} oracle;

/* ---- all blocks ---- */

static int by_cid(const void *a, const void *b)
{
	const struct oracle_block *x = a, *y = b;

	return memcmp(x->cid.bytes, y->cid.bytes, 36);
}

static struct oracle_block *find(const struct cid *cid)
{
	struct oracle_block key;

	cid_copy(&key.cid, cid);
	return bsearch(&key, oracle.blocks, oracle.n, sizeof(key), by_cid);
}

static void take(const struct block_row *row)
{
	struct oracle_block *b;

	if (oracle.n == oracle.cap) {
		oracle.cap = oracle.cap ? 2 * oracle.cap : 256;
		oracle.blocks = realloc(oracle.blocks, oracle.cap * sizeof(*oracle.blocks));
		assert_non_null(oracle.blocks);
	}
	b = &oracle.blocks[oracle.n++];
	*b = (struct oracle_block){ .bytes = BUF_INIT(0), .id = BUF_INIT(0) };
	assert_int_equal(36, row->cid.len);
	cid_copy(&b->cid, &row->cid);
	assert_int_equal(0, buf_append(&b->bytes, row->data, row->len));
	assert_int_equal(0, block_element_id(&b->cid, &b->id));
	assert_int_equal(0, block_decode(b->bytes.data, b->bytes.len, &b->block, NULL));
}

static void add(struct entries *to, const struct delta_entry *en, const struct oracle_block *b)
{
	struct entry *e;

	if (to->n == to->cap) {
		to->cap = to->cap ? 2 * to->cap : 1024;
		to->v = realloc(to->v, to->cap * sizeof(*to->v));
		assert_non_null(to->v);
	}
	e = &to->v[to->n++];
	*e = (struct entry){ .key = en->key, .key_len = en->key_len };
	e->id = en->id ? en->id : (const char *)b->id.data;
	e->id_len = en->id ? en->id_len : b->id.len;
	e->value = en->value;
	e->value_len = en->value_len;
	e->height = b->block.delta.priority;
}

static void mark_links(const struct oracle_block *b)
{
	for (size_t i = 0; i < b->block.n_links; i++) {
		struct oracle_block *to = find(&b->block.links[i]);

		if (!to)
			fail_msg("a block is linked to and missing");
		to->linked = true;
	}
}

/* The blocks of the first replica; that the others have the same is checked next. */
static void gather(const struct store_txn *t)
{
	for (uint64_t n = 1; n < store_info(t)->next_block; n++) {
		struct block_row row;

		if (blocks_row(t, n, &row) == 0 && row.stored)
			take(&row);
	}
	qsort(oracle.blocks, oracle.n, sizeof(*oracle.blocks), by_cid);
	for (size_t i = 0; i < oracle.n; i++) {
		const struct oracle_block *b = &oracle.blocks[i];

		for (size_t k = 0; k < b->block.delta.n_elements; k++)
			add(&oracle.elements, &b->block.delta.elements[k], b);
		for (size_t k = 0; k < b->block.delta.n_tombstones; k++)
			add(&oracle.tombstones, &b->block.delta.tombstones[k], b);
	}
	for (size_t i = 0; i < oracle.n; i++)
		mark_links(&oracle.blocks[i]);
}

static void forget(void)
{
	for (size_t i = 0; i < oracle.n; i++) {
		buf_deinit(&oracle.blocks[i].bytes);
		buf_deinit(&oracle.blocks[i].id);
		block_clear(&oracle.blocks[i].block);
	}
	oracle.n = 0;
	oracle.elements.n = oracle.tombstones.n = 0;
	buf_deinit(&oracle.dump);
	free(oracle.blocks);
	free(oracle.elements.v);
	free(oracle.tombstones.v);
	memset(&oracle, 0, sizeof(oracle));
}

/* ---- the rules ---- */

static int bytes_order(const void *a, size_t an, const void *b, size_t bn)
{
	size_t n = an < bn ? an : bn;
	int c = n ? memcmp(a, b, n) : 0;

	return c ? c : (an > bn) - (an < bn);
}

static int by_key_and_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = bytes_order(x->key, x->key_len, y->key, y->key_len);

	return c ? c : bytes_order(x->id, x->id_len, y->id, y->id_len);
}

/* By key; the best first. */
static int by_rank(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = bytes_order(x->key, x->key_len, y->key, y->key_len);

	if (c)
		return c;
	if (x->height != y->height)
		return x->height < y->height ? 1 : -1;
	return bytes_order(y->value, y->value_len, x->value, x->value_len);
}

static void kill_elements(void)
{
	struct entries *dead = &oracle.tombstones, *el = &oracle.elements;

	qsort(dead->v, dead->n, sizeof(*dead->v), by_key_and_id);
	for (size_t i = 0; i < el->n; i++)
		el->v[i].dead =
		    bsearch(&el->v[i], dead->v, dead->n, sizeof(*dead->v), by_key_and_id) != NULL;
	qsort(el->v, el->n, sizeof(*el->v), by_rank);
}

/* A line, unless key or value are nothing that a dump shows. */
static void add_line(const struct entry *best)
{
	uint8_t bytes[CID_BYTES_MAX];
	struct buf back = BUF_INIT(0);
	struct pin p;
	int n = base32_decode(best->key + 1, best->key_len - 1, bytes, sizeof(bytes));

	pin_init(&p);
	if (n > 0 && cid_from_bytes(bytes, (size_t)n, &p.cid, NULL) == 0) {
		struct cid cid;

		cid_copy(&cid, &p.cid);
		assert_int_equal(0, delta_pin_key(&cid, &back));
		if (back.len == best->key_len && memcmp(back.data, best->key, back.len) == 0 &&
		    pin_pb_decode(best->value, best->value_len, &p, NULL) == 0) {
			cid_copy(&p.cid, &cid);
			assert_int_equal(0, pin_json_line(&p, &oracle.dump));
			assert_int_equal(0, buf_byte(&oracle.dump, '\n'));
		}
	}
	pin_deinit(&p);
	buf_deinit(&back);
}

static void make_dump(void)
{
	const struct entries *el = &oracle.elements;
	const struct entry *last = NULL;

	kill_elements();
	for (size_t i = 0; i < el->n; i++) {
		const struct entry *e = &el->v[i];

		if (e->dead ||
		    (last && bytes_order(last->key, last->key_len, e->key, e->key_len) == 0))
			continue;
		last = e;
		add_line(e);
	}
}

/* ---- comparing ---- */

static void check_blocks(const struct store_txn *t, const struct sim_replica *r)
{
	size_t stored = 0, heads = 0, want = 0;
	uint64_t number = 0, height;
	struct block_row row;

	for (uint64_t n = 1; n < store_info(t)->next_block; n++) {
		if (blocks_row(t, n, &row) < 0 || !row.stored)
			continue;
		stored++;
		assert_true(row.merged);
		if (!find(&row.cid))
			fail_msg("replica %u has a block of its own", r->number);
	}
	assert_int_equal(oracle.n, stored);
	for (size_t i = 0; i < oracle.n; i++)
		want += !oracle.blocks[i].linked;
	while (heads_next(t, &number, &height) == 0) {
		assert_int_equal(0, blocks_row(t, number, &row));
		if (find(&row.cid)->linked)
			fail_msg("replica %u has a head that is linked to", r->number);
		assert_int_equal(find(&row.cid)->block.delta.priority, height);
		heads++;
	}
	assert_int_equal(want, heads);
	number = 0;
	assert_int_equal(-ENOENT, wanted_next(t, &number));
	assert_int_equal(0, store_info(t)->pending);
}

static void check_dump(const struct store_txn *t, const struct sim_replica *r)
{
	struct export *x;
	char *text = malloc(oracle.dump.len + 2);
	size_t got = 0;
	ssize_t n;

	assert_non_null(text);
	assert_int_equal(0, export_new(t, &x));
	while ((n = export_read(x, got, text + got, oracle.dump.len + 1 - got)) > 0)
		got += (size_t)n;
	assert_int_equal(0, n);
	export_free(x);
	if (got != oracle.dump.len || memcmp(text, oracle.dump.data, got) != 0)
		fail_msg("replica %u has other pins:\n%.*sand not\n%.*s", r->number, (int)got, text,
			 (int)oracle.dump.len, (char *)oracle.dump.data);
	free(text);
}

static void check_replica(const struct sim_replica *r)
{
	struct crdt_sync sync;
	struct store_txn *t;

	while (names_step(r->disk.store)) /* as the writer does when it is quiet */
		;
	assert_int_equal(0, store_read(r->disk.store, &t));
	assert_int_equal(0, store_info(t)->names_after);
	check_blocks(t, r);
	check_dump(t, r);
	store_check(t);
	store_read_end(t);
	crdt_sync_state(r->engine, &sync);
	assert_int_equal(0, sync.wanted);
	assert_false(sync.dirty);
}

/* ---- nothing that was acknowledged is lost ---- */

static void check_ack(const struct sim_ack *a)
{
	struct buf key = BUF_INIT(0);
	const struct entries *el = &oracle.elements;
	bool found = false;
	struct cid cid;

	sim_cid(a->cid, &cid);
	assert_int_equal(0, delta_pin_key(&cid, &key));
	for (size_t i = 0; !found && i < el->n; i++)
		found = el->v[i].key_len == key.len &&
			memcmp(el->v[i].key, key.data, key.len) == 0 &&
			el->v[i].value_len == a->value_len &&
			memcmp(el->v[i].value, a->value, a->value_len) == 0 &&
			(!a->unpin || el->v[i].dead);
	if (!found)
		fail_msg("replica %u acknowledged that %u is %s (order %llu), and it is not",
			 a->replica, a->cid, a->unpin ? "removed" : "put",
			 (unsigned long long)a->order);
	buf_deinit(&key);
}

void sim_oracle_check(void)
{
	struct store_txn *t;

	assert_int_equal(0, store_read(sim.replicas[0].disk.store, &t));
	gather(t);
	store_read_end(t);
	make_dump();
	for (unsigned i = 0; i < sim.n; i++)
		check_replica(&sim.replicas[i]);
	for (size_t i = 0; i < sim_n_acks; i++)
		if (sim_ack_counts(&sim_acks[i]))
			check_ack(&sim_acks[i]);
	forget();
}

/* ---- quiet ---- */

static size_t heads_of(const struct sim_replica *r, struct cid *heads, size_t max)
{
	uint64_t number = 0, height;
	struct store_txn *t;
	size_t n = 0;

	assert_int_equal(0, store_read(r->disk.store, &t));
	while (n < max && heads_next(t, &number, &height) == 0) {
		struct block_row row;

		assert_int_equal(0, blocks_row(t, number, &row));
		cid_copy(&heads[n++], &row.cid);
	}
	store_read_end(t);
	return n;
}

static bool has_all(const struct cid *a, size_t n, const struct cid *b, size_t m)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < m && !cid_equal(&a[i], &b[k]))
			k++;
		if (k == m)
			return false;
	}
	return true;
}

static bool is_quiet(const struct sim_replica *r)
{
	struct crdt_sync sync;
	struct store_txn *t;
	uint64_t pending;

	assert_int_equal(0, store_read(r->disk.store, &t));
	pending = store_info(t)->pending;
	store_read_end(t);
	crdt_sync_state(r->engine, &sync);
	return pending == 0 && sync.wanted == 0 && !r->disk.queue && !r->disk.ran;
}

bool sim_oracle_quiet(void)
{
	static struct cid first[512], other[512];
	size_t n = heads_of(&sim.replicas[0], first, ARRAY_LEN(first)), m;

	for (unsigned i = 0; i < sim.n; i++) {
		m = heads_of(&sim.replicas[i], other, ARRAY_LEN(other));
		if (n != m || !has_all(first, n, other, m) || !is_quiet(&sim.replicas[i]))
			return false;
	}
	return true;
}
