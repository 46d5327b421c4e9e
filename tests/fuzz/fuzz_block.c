/* Any bytes: what decodes encodes to a canonical block, which decodes and encodes to itself; links
 * and values that are read without decoding are those of the decoded block. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(int holds)
{
	if (!holds)
		abort();
}

struct reading {
	const struct block *b;
	const struct delta_entry *key; /* of these elements */
	size_t at;
};

static void next_link(void *arg, const struct cid *link)
{
	struct reading *r = arg;

	check(r->at < r->b->n_links && cid_equal(link, &r->b->links[r->at]));
	r->at++;
}

static int same_key(const struct delta_entry *a, const struct delta_entry *b)
{
	return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

static void skip_others(struct reading *r)
{
	while (r->at < r->b->delta.n_elements && !same_key(&r->b->delta.elements[r->at], r->key))
		r->at++;
}

static int next_value(void *arg, const uint8_t *value, size_t len)
{
	struct reading *r = arg;
	const struct delta_entry *en;

	skip_others(r);
	check(r->at < r->b->delta.n_elements);
	en = &r->b->delta.elements[r->at++];
	check(en->value_len == len && (len == 0 || memcmp(en->value, value, len) == 0));
	return 0;
}

/* Of the first and the last key, so that large blocks take no time. */
static void check_values(const uint8_t *data, size_t n, const struct block *b)
{
	size_t last = b->delta.n_elements;

	for (size_t i = 0; i<last; i += last> 2 ? last - 1 : 1) {
		struct reading r = { .b = b, .key = &b->delta.elements[i] };

		check(block_values(data, n, r.key->key, r.key->key_len, next_value, &r) == 0);
		skip_others(&r);
		check(r.at == last);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct reading links = { .b = NULL };
	struct buf first = BUF_INIT(0), second = BUF_INIT(0);
	struct block b, again;
	struct err e = { 0 };
	int r = block_decode(data, n, &b, &e);

	check(r == 0 || e.code == r);
	if (r < 0)
		return 0;
	links.b = &b;
	check(block_links(data, n, next_link, &links, NULL) == 0 && links.at == b.n_links);
	check_values(data, n, &b);
	if (block_encode(&b.delta, b.links, b.n_links, &first) == 0) {
		check(block_decode(first.data, first.len, &again, NULL) == 0);
		check(again.n_links == b.n_links);
		check(again.delta.priority == b.delta.priority);
		check(again.delta.n_elements == b.delta.n_elements);
		check(again.delta.n_tombstones == b.delta.n_tombstones);
		check(block_encode(&again.delta, again.links, again.n_links, &second) == 0);
		check(first.len == second.len);
		check(memcmp(first.data, second.data, first.len) == 0);
		block_clear(&again);
	}
	buf_deinit(&first);
	buf_deinit(&second);
	block_clear(&b);
	return 0;
}
