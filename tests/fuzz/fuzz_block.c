/* Any bytes: what decodes encodes to a canonical block, which decodes and encodes to itself. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf first = BUF_INIT(0), second = BUF_INIT(0);
	struct block b, again;
	struct err e = { 0 };
	int r = block_decode(data, n, &b, &e);

	check(r == 0 || e.code == r);
	if (r < 0)
		return 0;
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
