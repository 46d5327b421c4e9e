/* multistream-select by either side: how the bytes are cut makes no difference. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/mss.h"
#include "tests/lib/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const protocols[] = { "/tls/1.0.0", "/noise", "/ipfs/ping/1.0.0" };

/* The input: a byte whose lowest bit makes the opener and whose others seed the cuts, then what
 * the peer says. @seed 0: not cut. */
static int run(const uint8_t *data, size_t n, int opener, uint32_t seed, struct mss *m,
	       struct buf *out, size_t *ret_used)
{
	size_t used, part;
	int r;

	r = opener ? mss_init_opener(m, protocols, 3, out)
		   : mss_init_acceptor(m, protocols, 3, out);
	*ret_used = 0;
	for (size_t at = 0; r == 0 && at < n; at += part) {
		part = seed ? pieces_next(&seed, n - at) : n;
		r = mss_feed(m, data + at, part, &used, out, NULL);
		if (used > part || (r == 0 && used < part && m->state == MSS_RUNNING))
			abort();
		*ret_used += used;
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf a = BUF_INIT(0), b = BUF_INIT(0);
	size_t used_a, used_b;
	struct mss m, k;
	int opener, r;

	if (n == 0)
		return 0;
	opener = data[0] & 1;
	r = run(data + 1, n - 1, opener, 0, &m, &a, &used_a);
	if (run(data + 1, n - 1, opener, data[0] | 1, &k, &b, &used_b) != r)
		abort();
	if (m.state != k.state || m.agreed != k.agreed || (m.state == MSS_AGREED) != !!m.agreed ||
	    (r == 0 && used_a != used_b) || a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
		abort();
	buf_deinit(&a);
	buf_deinit(&b);
	return 0;
}
