/*
 * Any bytes: how they are cut makes no difference to where an object ends, and what of it decodes
 * as a value of calls is encoded to bytes that decode and encode the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/pieces.h"
#include "types/msgpack_scan.h"
#include "types/rpc_types.h"

#define MAX 65536
#define MEMORY (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* ---- the end of an object ---- */

/* The bytes that are there so far are in memory of just that size. */
static int scan_in_pieces(const uint8_t *p, size_t n, uint32_t seed, size_t *ret_n)
{
	struct mp_scan s = { 0 };
	size_t have = 0;
	int r;

	for (;;) {
		uint8_t *part = malloc(have ? have : 1);

		check(part != NULL);
		if (have > 0)
			memcpy(part, p, have);
		r = mp_scan(&s, part, have, MAX);
		free(part);
		if (r != 0 || have == n)
			break;
		have += pieces_next(&seed, n - have);
	}
	*ret_n = s.at;
	return r;
}

/* ---- values ---- */

/* Decodes @n bytes as one kind of value and appends its encoding. */
typedef int (*again_fn)(const uint8_t *p, size_t n, struct bump *b, struct buf *out);

static int again_id(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct rpc_id id;
	int r = rpc_id_decode(p, n, b, &id, NULL);

	return r < 0 ? r : rpc_id_encode(&id, out);
}

static int again_info(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct rpc_pin_info i;
	int r = rpc_pin_info_decode(p, n, b, &i, NULL);

	return r < 0 ? r : rpc_pin_info_encode(&i, out);
}

static int again_gc(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct rpc_repo_gc g;
	int r = rpc_repo_gc_decode(p, n, b, &g, NULL);

	return r < 0 ? r : rpc_repo_gc_encode(&g, out);
}

static int again_stat(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct rpc_repo_stat s;
	int r = rpc_repo_stat_decode(p, n, &s, NULL);

	return r < 0 ? r : rpc_repo_stat_encode(&s, out);
}

static int again_node(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct rpc_node node;
	int r = rpc_node_decode(p, n, &node, NULL);

	return r < 0 ? r : rpc_node_encode(&node, out);
}

static int again_pin(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct pin pin;
	int r;

	pin_init(&pin);
	r = rpc_pin_decode(p, n, &pin, NULL);
	if (r == 0)
		r = rpc_pin_encode(&pin, out);
	pin_deinit(&pin);
	return r;
}

static int again_cid(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct cid c;
	int r = rpc_cid_decode(p, n, &c, NULL);

	return r < 0 ? r : rpc_cid_encode(&c, out);
}

static int again_peerid(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	struct peerid id;
	int r = rpc_peerid_decode(p, n, &id, NULL);

	return r < 0 ? r : rpc_peerid_encode(&id, out);
}

static int again_peerids(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	const struct peerid *v;
	size_t count;
	int r = rpc_peerids_decode(p, n, b, &v, &count, NULL);

	return r < 0 ? r : rpc_peerids_encode(v, count, out);
}

static int again_filter(const uint8_t *p, size_t n, struct bump *b, struct buf *out)
{
	uint32_t bits;
	int r = rpc_filter_decode(p, n, &bits, NULL);

	return r < 0 ? r : rpc_filter_encode(bits, out);
}

static void check_again(again_fn again, const uint8_t *p, size_t n)
{
	struct bump a = { .left = MEMORY }, b = { .left = MEMORY };
	struct buf once = BUF_INIT(0), twice = BUF_INIT(0);
	size_t size;

	if (again(p, n, &a, &once) == 0) {
		check(mp_object_size(once.data, once.len, once.len, &size) == 1);
		check(size == once.len);
		check(again(once.data, once.len, &b, &twice) == 0);
		check(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	}
	bump_free_all(a.chunks);
	bump_free_all(b.chunks);
	buf_deinit(&once);
	buf_deinit(&twice);
}

/* The input: a byte that seeds the cuts, then the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const again_fn kinds[] = {
		again_id,  again_info, again_gc,     again_stat,    again_node,
		again_pin, again_cid,  again_peerid, again_peerids, again_filter,
	};
	size_t size = 0, again;
	int r;

	if (n == 0)
		return 0;
	r = mp_object_size(data + 1, n - 1, MAX, &size);
	check(scan_in_pieces(data + 1, n - 1, data[0], &again) == r);
	if (r != 1)
		return 0;
	check(size == again && size <= n - 1);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		check_again(kinds[i], data + 1, size);
	return 0;
}
