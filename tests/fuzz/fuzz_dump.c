/* Any text, in one piece and in pieces: the same pins, the same result. The first byte is the size
 * of the pieces. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "types/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int collect(void *arg, const struct pin *p, struct err *e)
{
	return pin_json_line(p, arg);
}

static int run(const uint8_t *data, size_t n, size_t piece, struct buf *lines, struct err *e)
{
	struct dump_reader r;
	int ret = 0;

	dump_reader_init(&r);
	for (size_t at = 0; ret == 0 && at < n; at += piece)
		ret = dump_reader_feed(&r, data + at, n - at < piece ? n - at : piece, collect,
				       lines, e);
	if (ret == 0)
		ret = dump_reader_finish(&r, e);
	dump_reader_deinit(&r);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf whole = BUF_INIT(0), pieces = BUF_INIT(0);
	struct err e_whole = { 0 }, e_pieces = { 0 };
	int r;

	if (n == 0)
		return 0;
	r = run(data + 1, n - 1, n, &whole, &e_whole);
	check(run(data + 1, n - 1, data[0] ? data[0] : 1, &pieces, &e_pieces) == r);
	check(strcmp(e_whole.msg, e_pieces.msg) == 0);
	check(whole.len == pieces.len);
	check(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
	buf_deinit(&whole);
	buf_deinit(&pieces);
	return 0;
}
