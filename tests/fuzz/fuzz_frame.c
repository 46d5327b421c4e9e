/* Frames: how the bytes are cut makes no difference, and what is read is written the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/frame.h"
#include "tests/lib/pieces.h"

#define MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int write_again(void *out, const uint8_t *frame, size_t n)
{
	if (n > MAX)
		abort();
	return frame_write(frame, n, out);
}

/* @seed 0: not cut. */
static int run(const uint8_t *data, size_t n, uint32_t seed, struct buf *out)
{
	struct frame_reader reader;
	size_t part;
	int r = 0;

	frame_reader_init(&reader, MAX);
	for (size_t at = 0; r == 0 && at < n; at += part) {
		part = seed ? pieces_next(&seed, n - at) : n;
		r = frame_feed(&reader, data + at, part, write_again, out, NULL);
	}
	frame_reader_clear(&reader);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf a = BUF_INIT(0), b = BUF_INIT(0);

	if (run(data, n, 0, &a) != run(data, n, (uint32_t)n + 1, &b) || a.len != b.len)
		abort();
	if (a.len > n ||
	    (a.len && (memcmp(a.data, data, a.len) != 0 || memcmp(b.data, data, a.len) != 0)))
		abort();
	buf_deinit(&a);
	buf_deinit(&b);
	return 0;
}
