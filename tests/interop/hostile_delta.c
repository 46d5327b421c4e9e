/* What a peer may do that is trusted, and should not be: its heads are believed, its blocks are
 * asked for. To be run as an identity that is trusted. */
#include "tests/interop/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/broadcast.h"
#include "consensus/crdt/delta.h"
#include "net/bitswap_message.h"
#include "net/exchange.h"
#include "types/pin_pb.h"

#define LINKS 5000
#define LONG_KEY 100000
#define PIN "made by a hostile peer" /* its CID is that of this text as one raw block */

struct liar {
	struct mux m;
	const struct target *t;
	struct talk *gossip, *blocks;
	struct talk *asks; /* its stream of bitswap to us */
};

static void liar_open(struct liar *l, const struct target *t)
{
	mux_open(&l->m, t);
	l->m.says_who = true;
	l->t = t;
	l->gossip = gossip_talk(&l->m, t);
	l->blocks = talk_open(&l->m, EXCHANGE_PROTOCOL);
	l->asks = NULL;
	mux_settle(&l->m);
}

static void announce(struct liar *l, struct cid *head)
{
	struct buf data = BUF_INIT(0);
	char topic[TOPIC_TEXT_MAX];
	struct post p;

	broadcast_topic(l->t->cluster, topic);
	must(broadcast_encode(head, 1, &data), "a head");
	post_make(&p, &l->m.w.self, topic, data.data, data.len);
	post_send(l->gossip, &p);
	buf_deinit(&data);
}

static void expect_want(struct liar *l, const struct cid *cid)
{
	if (!l->asks)
		l->asks = mux_await(&l->m, EXCHANGE_PROTOCOL);
	if (!l->asks || !talk_hears(l->asks, cid->bytes, cid->len))
		die("the block is not asked for");
}

/* Says that these bytes are what was wanted. */
static void give(struct liar *l, const struct buf *block)
{
	struct buf nothing = BUF_INIT(0), message = BUF_INIT(0);
	struct cid cid;

	block_cid(block->data, block->len, &cid);
	must(bitswap_put_wantlist(&message, &nothing, false), "a message");
	must(bitswap_put_block_head(&message, &cid, block->len), "a block");
	must(buf_append(&message, block->data, block->len), "a block");
	talk_send_frame(l->blocks, &message);
	buf_deinit(&message);
}

/* Announced, asked for, given. */
static void bring(struct liar *l, const struct buf *block)
{
	struct cid head;

	block_cid(block->data, block->len, &head);
	announce(l, &head);
	expect_want(l, &head);
	give(l, block);
	mux_settle(&l->m);
}

static void bring_delta(struct liar *l, const struct delta *d, struct cid *links, size_t n)
{
	struct buf block = BUF_INIT(0);

	must(block_encode(d, links, n, &block), "a block");
	bring(l, &block);
	buf_deinit(&block);
}

static void encode_pin(const char *text, const char *name, struct buf *key, struct buf *value)
{
	struct pin p;

	pin_init(&p);
	cid_of_block(CODEC_RAW, text, strlen(text), &p.cid);
	p.replication_min = p.replication_max = p.max_depth = -1;
	p.name = (struct pin_text){ name, strlen(name) };
	must(delta_pin_key(&p.cid, key), "a key");
	must(pin_pb_encode(&p, value), "a pin");
	pin_deinit(&p);
}

/* ---- keys and values ---- */

static void put(struct delta_entry *en, const char *key, size_t n, const struct buf *value)
{
	*en = (struct delta_entry){
		.key = key, .key_len = n, .value = value->data, .value_len = value->len
	};
}

/* Keys that are no pins, and one that is, whose value is no pin; the same one again and again. */
static void hostile_keys(const struct target *t)
{
	static const char *const keys[] = { "",         "/",        "/../../../etc/passwd",
					    "//",       "/.",       "/AAAA",
					    "no slash", "/CIQ\nCIQ" };
	static char long_key[LONG_KEY];
	struct buf key = BUF_INIT(0), value = BUF_INIT(0);
	struct delta_entry elements[32] = { 0 }, tombstones[3];
	struct delta d = { .elements = elements, .tombstones = tombstones, .priority = 1 };
	struct liar l;

	encode_pin("hostile keys", "a/b\n\"\x1b[31m\\..", &key, &value);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(&elements[d.n_elements++], keys[i], strlen(keys[i]), &value);
	memset(long_key, 'A', sizeof(long_key));
	long_key[0] = '/';
	put(&elements[d.n_elements++], long_key, sizeof(long_key), &value);
	put(&elements[d.n_elements++], "/A\0B", 4, &value);
	for (unsigned i = 0; i < 8; i++) /* the last one is what stays */
		put(&elements[d.n_elements++], (const char *)key.data, key.len, &value);
	for (unsigned i = 0; i < 3; i++)
		tombstones[i] = (struct delta_entry){ .key = long_key,
						      .key_len = sizeof(long_key),
						      .id = long_key,
						      .id_len = i * 1000 };
	d.n_tombstones = 3;
	liar_open(&l, t);
	bring_delta(&l, &d, NULL, 0);
	mux_close(&l.m);
	buf_deinit(&key);
	buf_deinit(&value);
}

/* Pins that are none: bytes that are no protobuf, a value without a byte. */
static void hostile_values(const struct target *t)
{
	struct buf key = BUF_INIT(0), other = BUF_INIT(0), value = BUF_INIT(0), empty = BUF_INIT(0);
	struct delta_entry elements[2];
	struct delta d = { .elements = elements, .n_elements = 2, .priority = 2 };
	struct liar l;

	encode_pin("a value that is no pin", "", &key, &value);
	buf_reset(&value);
	encode_pin("a value of nothing", "", &other, &value);
	buf_reset(&value);
	must(buf_str(&value, "\xff\xff\xff\xff no protobuf"), "a value");
	put(&elements[0], (const char *)key.data, key.len, &value);
	put(&elements[1], (const char *)other.data, other.len, &empty);
	elements[1].value = (const uint8_t *)"";
	liar_open(&l, t);
	bring_delta(&l, &d, NULL, 0);
	mux_close(&l.m);
	buf_deinit(&key);
	buf_deinit(&other);
	buf_deinit(&value);
}

/* ---- heights ---- */

/* The greatest that there is: nothing can be above it. */
static void huge_height(const struct target *t)
{
	struct buf key = BUF_INIT(0), value = BUF_INIT(0);
	struct delta_entry element;
	struct delta d = { .elements = &element, .n_elements = 1, .priority = UINT64_MAX };
	struct liar l;

	encode_pin(PIN, "as high as can be", &key, &value);
	put(&element, (const char *)key.data, key.len, &value);
	liar_open(&l, t);
	bring_delta(&l, &d, NULL, 0);
	mux_close(&l.m);
	buf_deinit(&key);
	buf_deinit(&value);
}

/* ---- blocks ---- */

/* Other bytes than those of the CID, then bytes that are no block, then links to what there is not.
 */
static void hostile_blocks(const struct target *t)
{
	struct buf right = BUF_INIT(0), wrong = BUF_INIT(0);
	struct cid head, *links = calloc(LINKS, sizeof(*links));
	struct delta d = { .priority = 3 };
	struct liar l;

	if (!links)
		die("out of memory");
	liar_open(&l, t);
	must(buf_str(&right, "\xff\xff this is no node of a graph"), "a block");
	must(buf_str(&wrong, "these are the bytes of another block"), "a block");
	block_cid(right.data, right.len, &head);
	announce(&l, &head);
	expect_want(&l, &head);
	for (unsigned i = 0; i < 100; i++)
		give(&l, &wrong);
	mux_settle(&l.m);
	give(&l, &right);
	mux_settle(&l.m);
	for (uint32_t i = 0; i < LINKS; i++)
		cid_of_block(CODEC_DAG_PB, &i, sizeof(i), &links[i]);
	bring_delta(&l, &d, links, LINKS);
	mux_close(&l.m);
	free(links);
	buf_deinit(&right);
	buf_deinit(&wrong);
}

/* Heads without end, of blocks that nobody has. */
static void head_flood(const struct target *t)
{
	struct liar l;
	struct cid head;

	liar_open(&l, t);
	for (uint32_t i = 0; i < 5000; i++) {
		uint64_t what = UINT64_C(1) << 40 | i;

		cid_of_block(CODEC_DAG_PB, &what, sizeof(what), &head);
		announce(&l, &head);
	}
	mux_settle(&l.m);
	mux_close(&l.m);
}

const struct attack delta_attacks[] = {
	{ "hostile_keys", hostile_keys }, { "hostile_values", hostile_values },
	{ "huge_height", huge_height },   { "hostile_blocks", hostile_blocks },
	{ "head_flood", head_flood },     { NULL, NULL },
};
