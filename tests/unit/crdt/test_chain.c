#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "consensus/crdt/chain.h"
#include "consensus/crdt/delta.h"
#include "tests/lib/vectors.h"
#include "types/dump.h"
#include "types/pin_pb.h"

struct fix {
	struct chain *chain;
	struct buf value;
	uint64_t blocks, pins, last_block;
	struct cid previous;
	int fail; /* what the sink returns */
};

static int check_block(void *arg, const struct cid *cid, const void *data, size_t len,
		       uint64_t height)
{
	struct fix *f = arg;
	struct block b;

	if (f->fail < 0)
		return f->fail;
	f->blocks++;
	assert_int_equal(f->blocks, height);
	assert_int_equal(0, block_decode(data, len, &b, NULL));
	assert_int_equal(height, b.delta.priority);
	assert_int_equal(height > 1, b.n_links);
	if (height > 1)
		assert_true(cid_equal(&f->previous, &b.links[0]));
	f->pins += b.delta.n_elements;
	block_clear(&b);
	cid_copy(&f->previous, cid);
	return 0;
}

static int add_pin(void *arg, const struct pin *p, struct err *e)
{
	struct fix *f = arg;

	buf_reset(&f->value);
	assert_int_equal(0, pin_pb_encode(p, &f->value));
	return chain_add(f->chain, &p->cid, f->value.data, f->value.len, &f->last_block);
}

static void feed(struct fix *f, const void *p, size_t n)
{
	struct dump_reader r;
	struct err e = { 0 };

	dump_reader_init(&r);
	if (dump_reader_feed(&r, p, n, add_pin, f, &e) < 0)
		fail_msg("%s", e.msg);
	dump_reader_deinit(&r);
}

static void feed_file(struct fix *f, const char *name)
{
	struct buf text = vectors_file(name);

	feed(f, text.data, text.len);
	buf_deinit(&text);
}

/* Pins by number, with CIDs that anybody can make again. */
static void feed_numbered(struct fix *f, unsigned n)
{
	static const uint8_t prefix[4] = { 1, CODEC_RAW, MULTIHASH_SHA2_256, 32 };
	struct buf line = BUF_INIT(0);

	for (unsigned i = 0; i < n; i++) {
		struct cid cid = { .len = 36 };
		char text[CID_TEXT_MAX + 1], seed[16];
		int len = snprintf(seed, sizeof(seed), "pin%u", i);

		memcpy(cid.bytes, prefix, 4);
		crypto_hash_sha256(cid.bytes + 4, (const uint8_t *)seed, (size_t)len);
		cid_format(&cid, text);
		buf_reset(&line);
		assert_int_equal(0, buf_printf(&line,
					       "{\"replication_factor_min\":-1,"
					       "\"replication_factor_max\":-1,"
					       "\"name\":\"name-%07u\",\"cid\":\"%s\","
					       "\"type\":\"pin\",\"max_depth\":-1,"
					       "\"timestamp\":\"2026-11-%02uT%02u:%02u:%02uZ\"}\n",
					       i, text, 1 + i % 20, i % 24, i % 60, i % 59));
		feed(f, line.data, line.len);
	}
	buf_deinit(&line);
}

static void feed_small(struct fix *f)
{
	feed_file(f, "dumps/small/export.json");
}

static void feed_medium(struct fix *f)
{
	feed_file(f, "dumps/medium/import.json");
}

static void feed_20000(struct fix *f)
{
	feed_numbered(f, 20000);
}

static void feed_nothing(struct fix *f)
{
}

/* Heads as ipfs-cluster-service 1.1.6 reports them after "state import" of the same pins. */
static const struct {
	void (*feed)(struct fix *f);
	const char *head;
	uint64_t height;
} golden[] = {
	{ feed_small, "bafybeie7j4d7lyyzlpnfh4dg6tfhtamyonatajegrqu24c22ufszfoptwu", 1 },
	{ feed_medium, "bafybeie6uiqy75yl6dq3rjsgsiqn7jxoo3vhmkbraxwlejhp3m53l43uoi", 1 },
	{ feed_20000, "bafybeiap4c7nkp5hes7imhrlqamcxelq3tvrqkdup4m7wic74o5a6pzuhu", 3 },
	{ feed_nothing, "", 0 },
};

static void head_is_that_of_the_reference(void **state)
{
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		struct fix f = { 0 };
		char text[CID_TEXT_MAX + 1] = "";
		uint64_t height;
		struct cid head;

		assert_int_equal(0, chain_new(check_block, &f, &f.chain));
		golden[i].feed(&f);
		assert_int_equal(0, chain_finish(f.chain, &head, &height));
		if (cid_defined(&head))
			cid_format(&head, text);
		assert_string_equal(golden[i].head, text);
		assert_int_equal(golden[i].height, height);
		assert_int_equal(golden[i].height, f.blocks);
		assert_true(f.blocks == 0 || f.last_block == f.blocks - 1);
		chain_free(f.chain);
		buf_deinit(&f.value);
	}
}

static void failing_sink_fails_the_chain(void **state)
{
	struct fix f = { .fail = -ENOSPC };
	uint64_t height;
	struct cid head;

	assert_int_equal(0, chain_new(check_block, &f, &f.chain));
	feed_numbered(&f, 3);
	assert_int_equal(-ENOSPC, chain_finish(f.chain, &head, &height));
	chain_free(f.chain);
	buf_deinit(&f.value);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_is_that_of_the_reference),
		cmocka_unit_test(failing_sink_fails_the_chain),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
