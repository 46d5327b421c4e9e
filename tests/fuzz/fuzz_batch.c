/* Lines of a batch, in one piece and in pieces: the same changes, the same result. The first byte
 * is the size of the pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "fs/ops/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int run(const uint8_t *data, size_t n, size_t piece, size_t *ret_changes)
{
	struct batch *b = batch_new("/tmp");
	struct err e = { 0 };
	int r = b ? 0 : -1;

	for (size_t at = 0; r == 0 && at < n; at += piece)
		r = batch_feed(b, data + at, n - at < piece ? n - at : piece, &e);
	if (r == 0)
		r = batch_finish(b, &e);
	if (r < 0 && b && e.code == 0)
		abort(); /* every refusal has its reason */
	*ret_changes = r == 0 ? batch_changes(b) : 0;
	batch_free(b);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t whole, pieces;
	int a, b;

	if (n == 0)
		return 0;
	a = run(data + 1, n - 1, n, &whole);
	b = run(data + 1, n - 1, data[0] ? data[0] : 1, &pieces);
	if (a != b || whole != pieces)
		abort();
	return 0;
}
