/* Any bytes, in two pieces: what is read is valid, and what of it is short enough to be ours is
 * read again as the same. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/identify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int read_message(const uint8_t *p, size_t n, size_t first, struct identify *ret)
{
	struct identify_reader r;
	struct err e = { 0 };
	int err;

	identify_reader_init(&r);
	err = identify_feed(&r, p, first, &e);
	if (err == 0)
		err = identify_feed(&r, p + first, n - first, &e);
	if (err == 0)
		err = identify_finish(&r, ret, &e);
	check(err == e.code);
	identify_reader_clear(&r);
	return err;
}

static void check_equal(const struct identify_bytes *a, const struct identify_bytes *b)
{
	check((a->p == NULL) == (b->p == NULL) && a->n == b->n);
	check(a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void check_same(const struct identify *a, const struct identify *b)
{
	check(a->n_addrs == b->n_addrs && a->n_protocols == b->n_protocols);
	for (size_t i = 0; i < a->n_addrs; i++)
		check_equal(&a->addrs[i], &b->addrs[i]);
	for (size_t i = 0; i < a->n_protocols; i++)
		check_equal(&a->protocols[i], &b->protocols[i]);
	check_equal(&a->public_key, &b->public_key);
	check_equal(&a->observed, &b->observed);
	check_equal(&a->protocol_version, &b->protocol_version);
	check_equal(&a->agent, &b->agent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf out = BUF_INIT(0);
	struct identify id, again;
	struct multiaddr a;
	int r;

	if (n == 0 || read_message(data + 1, n - 1, data[0] % n, &id) < 0)
		return 0;
	check(id.n_addrs <= IDENTIFY_ADDRS_MAX && id.n_protocols <= IDENTIFY_PROTOCOLS_MAX);
	for (size_t i = 0; i < id.n_addrs; i++)
		check(multiaddr_from_bytes(id.addrs[i].p, id.addrs[i].n, &a, NULL) == 0);
	r = identify_write(&id, &out);
	check(r == 0 || r == -EFBIG);
	if (r == 0) {
		check(read_message(out.data, out.len, out.len, &again) == 0);
		check_same(&id, &again);
		identify_clear(&again);
	}
	identify_clear(&id);
	buf_deinit(&out);
	return 0;
}
