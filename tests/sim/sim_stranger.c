/* Blocks as another program could write them: by the rules, but with keys that are no CIDs, values
 * that are no pins, heights from nowhere, tombstones of what nobody has; and things that are no
 * blocks at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "consensus/crdt/broadcast.h"
#include "consensus/crdt/delta.h"
#include "tests/sim/sim.h"
#include "util/container.h"

#define ENTRIES_MAX 6
#define LINKS_MAX 2
#define BUCKETS 256

struct kept {
	struct cid cid;
	struct buf block;
	bool good;   /* made here, and can be linked to */
	size_t next; /* of its bucket, plus one */
};

static struct kept *kept;
static size_t n_kept, cap_kept;
static size_t buckets[BUCKETS]; /* first, plus one */

void sim_stranger_start(void)
{
	memset(buckets, 0, sizeof(buckets));
}

void sim_stranger_stop(void)
{
	for (size_t i = 0; i < n_kept; i++)
		buf_deinit(&kept[i].block);
	free(kept);
	kept = NULL;
	n_kept = cap_kept = 0;
}

static size_t *bucket_of(const struct cid *cid)
{
	return &buckets[cid->bytes[cid->len - 1] % BUCKETS];
}

static struct kept *find(const struct cid *cid)
{
	for (size_t i = *bucket_of(cid); i > 0; i = kept[i - 1].next)
		if (cid_equal(&kept[i - 1].cid, cid))
			return &kept[i - 1];
	return NULL;
}

const struct buf *sim_stranger_block(const struct cid *cid)
{
	struct kept *k = find(cid);

	return k ? &k->block : NULL;
}

void sim_stranger_keep(const struct cid *cid, const uint8_t *p, size_t n)
{
	if (sim_stranger_block(cid))
		return;
	if (n_kept == cap_kept) {
		cap_kept = cap_kept ? 2 * cap_kept : 64;
		kept = realloc(kept, cap_kept * sizeof(*kept));
		assert_non_null(kept);
	}
	kept[n_kept] = (struct kept){ .block = BUF_INIT(0), .next = *bucket_of(cid) };
	cid_copy(&kept[n_kept].cid, cid);
	assert_int_equal(0, buf_append(&kept[n_kept++].block, p, n));
	*bucket_of(cid) = n_kept;
}

/* ---- one block ---- */

struct texts {
	struct buf key, id, value;
};

/* No key comes twice in a delta: there even the reference's replicas differ. */
static void random_key(unsigned i, struct buf *out)
{
	struct cid cid;

	sim_cid(i % SIM_CIDS, &cid);
	assert_int_equal(0, delta_pin_key(&cid, out));
	switch (sim_roll(8)) {
	case 0: /* the text is another key, in spite of the same bytes */
		out->data[out->len - 1] |= 0x20;
		break;
	case 1:
		buf_reset(out);
		assert_int_equal(0, buf_printf(out, "/../%u", i));
		break;
	}
}

static void random_value(unsigned i, struct buf *out)
{
	uint8_t value[256];
	size_t n = sim_value(i % SIM_CIDS, sim_roll(4), sim_roll(50), value);

	if (sim_chance(15))
		assert_int_equal(0, buf_printf(out, "\xff no pin %u", sim_roll(5)));
	else
		assert_int_equal(0, buf_append(out, value, n));
}

/* Of a block of some replica, of one of these, or of nothing. */
static void random_id(struct buf *out)
{
	struct cid cid;
	unsigned nothing = sim_roll(1000);

	if (n_kept > 0 && sim_chance(60))
		cid_copy(&cid, &kept[sim_roll((unsigned)n_kept)].cid);
	else
		cid_of_block(CODEC_DAG_PB, &nothing, sizeof(nothing), &cid);
	assert_int_equal(0, block_element_id(&cid, out));
	if (sim_chance(10))
		assert_int_equal(0, buf_byte(out, 'x'));
}

static uint64_t random_height(void)
{
	switch (sim_roll(40)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX - sim_roll(2);
	default:
		return 1 + sim_roll(60);
	}
}

static size_t random_links(struct cid *links)
{
	size_t n = 0;

	for (unsigned tries = sim_roll(LINKS_MAX + 1); tries > 0; tries--) {
		const struct kept *k = n_kept > 0 ? &kept[sim_roll((unsigned)n_kept)] : NULL;

		if (k && k->good && (n == 0 || !cid_equal(&links[0], &k->cid)))
			cid_copy(&links[n++], &k->cid);
	}
	return n;
}

static void random_block(struct buf *out)
{
	struct texts texts[2 * ENTRIES_MAX] = { 0 };
	struct delta_entry entries[2 * ENTRIES_MAX] = { 0 };
	unsigned first = sim_roll(SIM_CIDS);
	struct delta d = { .elements = entries,
			   .n_elements = sim_roll(ENTRIES_MAX),
			   .tombstones = entries + ENTRIES_MAX,
			   .n_tombstones = sim_roll(ENTRIES_MAX),
			   .priority = random_height() };
	struct cid links[LINKS_MAX];

	for (unsigned i = 0; i < ARRAY_LEN(entries); i++) {
		struct texts *x = &texts[i];

		random_key(i < ENTRIES_MAX ? first + i : sim_roll(SIM_CIDS), &x->key);
		entries[i] =
		    (struct delta_entry){ .key = (const char *)x->key.data, .key_len = x->key.len };
		if (i < ENTRIES_MAX)
			random_value(first + i, &x->value);
		else
			random_id(&x->id);
		entries[i].value = x->value.data;
		entries[i].value_len = x->value.len;
		entries[i].id = (const char *)x->id.data;
		entries[i].id_len = x->id.len;
	}
	assert_int_equal(0, block_encode(&d, links, random_links(links), out));
	for (unsigned i = 0; i < ARRAY_LEN(entries); i++) {
		buf_deinit(&texts[i].key);
		buf_deinit(&texts[i].value);
		buf_deinit(&texts[i].id);
	}
}

/* ---- what it does ---- */

static void announce(struct cid *cid)
{
	struct buf message = BUF_INIT(0);

	assert_int_equal(0, broadcast_encode(cid, 1, &message));
	if (sim_chance(10)) /* malformed */
		message.len--;
	for (unsigned i = 0; i < sim.n; i++)
		sim_net_tell(&sim.replicas[i], message.data, message.len);
	buf_deinit(&message);
}

void sim_stranger_act(void)
{
	struct buf block = BUF_INIT(0);
	unsigned what = sim_roll(10), nothing = sim_roll(1000000);
	struct cid cid;

	if (what == 0) { /* nobody has it */
		cid_of_block(CODEC_DAG_PB, &nothing, sizeof(nothing), &cid);
		announce(&cid);
		return;
	}
	random_block(&block);
	if (what == 1)
		block.data[0] ^= 0x55;
	block_cid(block.data, block.len, &cid);
	sim_stranger_keep(&cid, block.data, block.len);
	find(&cid)->good = what != 1;
	sim_say("%6.1f stranger: a %s block\n", (double)sim_now() / 1000,
		what == 1 ? "bad" : "new");
	announce(&cid);
	buf_deinit(&block);
}
