/*
 * Both sides of ping: whole rounds are echoed and nothing else, however they are cut; an opener
 * takes its own bytes and no others. The first byte seeds the cuts.
 */
#include <assert.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "net/ping.h"
#include "tests/lib/fixed_random.h"
#include "tests/lib/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void accept_all(const uint8_t *p, size_t n, uint32_t seed)
{
	struct buf out = BUF_INIT(0);
	struct ping_acceptor a;
	uint64_t now = 1000;
	size_t part;

	ping_acceptor_init(&a, now);
	for (size_t at = 0; at < n; at += part) {
		part = pieces_next(&seed, n - at);
		assert(ping_acceptor_feed(&a, p + at, part, ++now, &out) == 0);
		assert(out.len == (at + part) / PING_BYTES * PING_BYTES);
		assert(ping_acceptor_deadline(&a) <= 1000 + PING_TOTAL_MS);
	}
	assert(out.len == 0 || memcmp(out.data, p, out.len) == 0);
	buf_deinit(&out);
}

/* Answers with @p; returns what came of the last byte. */
static int open_one(const uint8_t *p, size_t n, uint32_t seed)
{
	struct buf out = BUF_INIT(0);
	struct ping_opener o;
	struct err e = { 0 };
	uint64_t ms = 0;
	size_t part;
	int r = 0;

	ping_opener_init(&o);
	assert(ping_opener_send(&o, 1000, &out) == 0 && out.len == PING_BYTES);
	for (size_t at = 0; r >= 0 && at < n; at += part) {
		part = pieces_next(&seed, n - at);
		r = ping_opener_feed(&o, p + at, part, 1007, &ms, &e);
		assert(r < 0 || (r == 1) == (at + part == PING_BYTES));
		assert(r != 1 || ms == 7);
	}
	assert(r >= 0 || e.code == r);
	buf_deinit(&out);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t sent[PING_BYTES] = "what an opener of a stream sends";
	bool good;

	if (n == 0 || sodium_init() < 0)
		return 0;
	accept_all(data + 1, n - 1, data[0]);
	fixed_random_give(sent, sizeof(sent));
	good = n - 1 <= sizeof(sent) && memcmp(data + 1, sent, n - 1) == 0;
	assert((open_one(data + 1, n - 1, data[0]) >= 0) == good);
	return 0;
}
