/* Broadcasts of heads: those of a message are written as one that has the same, in order. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/broadcast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(struct cid *heads, size_t n)
{
	struct buf message = BUF_INIT(0);
	struct cid *again;
	size_t n_again;

	assert(n <= BROADCAST_HEADS_MAX);
	assert(broadcast_encode(heads, n, &message) == 0);
	assert(broadcast_decode(message.data, message.len, &again, &n_again, NULL) == 0);
	assert(n == n_again);
	for (size_t i = 0; i < n; i++)
		assert(cid_equal(&heads[i], &again[i]));
	free(again);
	buf_deinit(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = { 0 };
	struct cid *heads;
	size_t n_heads;
	int r = broadcast_decode(data, n, &heads, &n_heads, &e);

	assert(r == 0 || e.code == r);
	if (r < 0)
		return 0;
	check(heads, n_heads);
	free(heads);
	return 0;
}
