/* Each allocation of decoding and encoding fails once: that is an error, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/lib/refusing_malloc.h"
#include "tests/lib/vectors.h"
#include "types/rpc_types.h"

#define PEER "da00260024080112208b7fa1c62fc88c8717b18ec4482262ae5726cd5d799a9c3cd3f5fca864a498f3"
#define CID "da002401551220fb5152e8e341db2eebdf15e76874fefe6d75c7adfa823b4273142acc19c20295"
#define ADDRESS "a8047f00000106ffff"
#define MEMORY (1u << 20)

typedef int (*again_fn)(const uint8_t *p, size_t n, struct buf *out);

static int again_id(const uint8_t *p, size_t n, struct buf *out)
{
	struct bump b = { .left = MEMORY };
	struct rpc_id id;
	int r = rpc_id_decode(p, n, &b, &id, NULL);

	if (r == 0)
		r = rpc_id_encode(&id, out);
	bump_free_all(b.chunks);
	return r;
}

static int again_info(const uint8_t *p, size_t n, struct buf *out)
{
	struct bump b = { .left = MEMORY };
	struct rpc_pin_info i;
	int r = rpc_pin_info_decode(p, n, &b, &i, NULL);

	if (r == 0)
		r = rpc_pin_info_encode(&i, out);
	bump_free_all(b.chunks);
	return r;
}

static int again_gc(const uint8_t *p, size_t n, struct buf *out)
{
	struct bump b = { .left = MEMORY };
	struct rpc_repo_gc g;
	int r = rpc_repo_gc_decode(p, n, &b, &g, NULL);

	if (r == 0)
		r = rpc_repo_gc_encode(&g, out);
	bump_free_all(b.chunks);
	return r;
}

static int again_pin(const uint8_t *p, size_t n, struct buf *out)
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

static int again_peers(const uint8_t *p, size_t n, struct buf *out)
{
	struct bump b = { .left = MEMORY };
	const struct peerid *v;
	size_t count;
	int r = rpc_peerids_decode(p, n, &b, &v, &count, NULL);

	if (r == 0)
		r = rpc_peerids_encode(v, count, out);
	bump_free_all(b.chunks);
	return r;
}

/* Returns how many allocations there were to refuse. */
static unsigned sweep(again_fn again, const char *hex)
{
	static uint8_t bytes[4096];
	int n = base16_decode(hex, strlen(hex), bytes, sizeof(bytes));
	struct buf out = BUF_INIT(0);
	unsigned at;
	int r;

	assert_true(n > 0);
	for (at = 1;; at++) {
		refuse_at = at;
		r = again(bytes, (size_t)n, &out);
		if (refuse_at > 0)
			break;
		assert_int_equal(-ENOMEM, r);
		assert_int_equal(0, out.len);
		buf_deinit(&out);
	}
	refuse_at = 0;
	assert_int_equal(0, r);
	assert_int_equal(n, out.len);
	assert_memory_equal(bytes, out.data, (size_t)n);
	buf_deinit(&out);
	return at - 1;
}

static void a_failed_allocation_is_an_error(void **state)
{
	/* Texts and lists of some length, so that there is more than one allocation. */
	assert_in_range(
	    sweep(again_id, "83a169" PEER "a16193" ADDRESS ADDRESS ADDRESS "a2637092" PEER PEER), 3,
	    20);
	assert_in_range(sweep(again_info,
			      "86a163" CID "a16da16ea16f91" PEER "a16793" ADDRESS ADDRESS ADDRESS
			      "a26d6481a16ba176a165a3616263"),
			3, 20);
	assert_in_range(sweep(again_gc, "82a16b9581a16b" CID "81a16b" CID "81a16b" CID "81a16b" CID
					"81a165a178a165a0"),
			3, 20);
	assert_in_range(sweep(again_pin, "87a16ea16ea16d81a16ba176a16791" ADDRESS "a163" CID
					 "a17401a16191" PEER "a164ff"),
			3, 20);
	assert_in_range(sweep(again_peers, "92" PEER PEER), 2, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_allocation_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
