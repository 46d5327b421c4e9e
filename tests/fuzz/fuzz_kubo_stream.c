/*
 * ipfs/stream: the first byte says in which pieces the rest arrives. What comes out may not depend
 * on it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipfs/stream.h"

#define LIMIT 4096

static int count(void *arg, json_t *v, struct err *e)
{
	size_t *n = arg;

	if (!json_is_object(v) && !json_is_array(v))
		abort();
	(*n)++;
	return 0;
}

static int feed(const uint8_t *p, size_t len, size_t step, size_t *ret_n)
{
	struct stream s;
	size_t at, n;
	int r = 0;

	stream_init(&s, LIMIT);
	for (at = 0; at < len && r == 0; at += n) {
		n = len - at < step ? len - at : step;
		r = stream_feed(&s, p + at, n, count, ret_n, NULL);
		if (s.value.len > LIMIT)
			abort();
	}
	if (r == 0)
		r = stream_end(&s, NULL);
	stream_deinit(&s);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t whole = 0, pieces = 0;
	int a, b;

	if (n < 1)
		return 0;
	a = feed(p + 1, n - 1, n, &whole);
	b = feed(p + 1, n - 1, p[0] + 1u, &pieces);
	/* Of two things wrong with a value, the one that is met first depends on the pieces. */
	if ((a < 0) != (b < 0) || whole != pieces)
		abort();
	return 0;
}
