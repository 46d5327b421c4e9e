/* The peerstore's text: what is read can be written and read again, and is the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/peerstore.h"
#include "util/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void to_text(const struct peerstore *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++)
		if (multiaddr_format(&p->v[i], out) < 0 || buf_byte(out, '\n') < 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf a = BUF_INIT(0), b = BUF_INIT(0);
	struct peerstore p, q;

	if (peerstore_parse((const char *)data, n, NULL, NULL, &p, NULL) < 0)
		return 0;
	to_text(&p, &a);
	if (buf_terminate(&a) < 0 ||
	    peerstore_parse((const char *)a.data, a.len, NULL, NULL, &q, NULL) < 0)
		abort();
	to_text(&q, &b);
	if (a.len != b.len || (a.len && memcmp(a.data, b.data, a.len) != 0))
		abort();
	peerstore_clear(&p);
	peerstore_clear(&q);
	buf_deinit(&a);
	buf_deinit(&b);
	return 0;
}
