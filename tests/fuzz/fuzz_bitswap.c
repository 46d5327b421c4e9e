/*
 * Messages of bitswap: nothing is visited of a bad one, and what is visited of a good one is
 * written as a message that says the same.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "net/bitswap_message.h"
#include "types/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What was said, written again; the answers behind the wantlist. */
struct said {
	struct buf wantlist, answers;
	bool full;
	size_t visits;
};

static void on_full(void *arg)
{
	struct said *s = arg;

	s->full = true;
	s->visits++;
}

static void on_entry(void *arg, const struct bitswap_entry *en)
{
	struct said *s = arg;

	assert(cid_defined(&en->cid));
	assert(bitswap_put_entry(&s->wantlist, en) == 0);
	s->visits++;
}

static void on_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct said *s = arg;

	assert(cid_defined(cid));
	assert(bitswap_put_block(&s->answers, cid, p, n) == 0);
	s->visits++;
}

static void on_presence(void *arg, const struct cid *cid, bool have)
{
	struct said *s = arg;

	assert(cid_defined(cid));
	assert(bitswap_put_presence(&s->answers, cid, have) == 0);
	s->visits++;
}

static int hear(const uint8_t *p, size_t n, struct said *s)
{
	const struct bitswap_visitor v = { .full = on_full,
					   .entry = on_entry,
					   .block = on_block,
					   .presence = on_presence,
					   .arg = s };
	struct err e = { 0 };
	int r = bitswap_read(p, n, &v, &e);

	assert(r == 0 || (e.code == r && s->visits == 0));
	return r;
}

static void forget(struct said *s)
{
	buf_deinit(&s->wantlist);
	buf_deinit(&s->answers);
}

static void assert_same(const struct buf *a, const struct buf *b)
{
	assert(a->len == b->len);
	assert(a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct said first = { 0 }, again = { 0 };
	struct buf message = BUF_INIT(0);

	assert(hash_init() == 0);
	if (hear(data, n, &first) == 0) {
		assert(bitswap_put_wantlist(&message, &first.wantlist, first.full) == 0);
		if (first.answers.len > 0)
			assert(buf_append(&message, first.answers.data, first.answers.len) == 0);
		assert(hear(message.data, message.len, &again) == 0);
		assert(first.full == again.full);
		assert_same(&first.wantlist, &again.wantlist);
		assert_same(&first.answers, &again.answers);
	}
	buf_deinit(&message);
	forget(&first);
	forget(&again);
	return 0;
}
