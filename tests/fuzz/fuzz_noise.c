/*
 * The Noise channel in both roles: how the bytes are cut makes no difference; and the payload by
 * itself, which is encrypted otherwise. The input: one byte of which part it is, one that seeds the
 * cuts, 32 of our identity's seed (for a payload: the peer's static key), 64 that are drawn, and
 * what the peer says.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/noise.h"
#include "net/noise_payload.h"
#include "tests/lib/fixed_random.h"
#include "tests/lib/pieces.h"

#define PARTS 3
#define PART_PAYLOAD 2
#define SEED 2
#define DRAWN (SEED + 32)
#define BYTES (DRAWN + 64)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct result {
	int err;
	enum noise_state state;
	struct peerid peer;
	bool yamux;
	struct buf out, plain;
};

static void run(const struct identity *self, const uint8_t *data, size_t n, uint32_t seed,
		struct result *ret)
{
	struct noise *noise;
	size_t part;

	fixed_random_give(data + DRAWN, BYTES - DRAWN);
	if (noise_new(self, data[0] % PARTS, NULL, &ret->out, &noise) < 0)
		abort();
	for (size_t at = BYTES; ret->err == 0 && at < n; at += part) {
		part = seed ? pieces_next(&seed, n - at) : n - at;
		ret->err = noise_feed(noise, data + at, part, &ret->out, &ret->plain, NULL);
	}
	ret->state = noise_state(noise);
	if ((ret->err < 0) != (ret->state == NOISE_FAILED))
		abort();
	if (ret->state == NOISE_OPEN) {
		ret->peer = *noise_peer(noise);
		ret->yamux = noise_has_yamux(noise);
		if (noise_seal(noise, "answer", 6, &ret->out) < 0)
			abort();
	}
	noise_free(noise);
}

static int same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void run_twice(const uint8_t *data, size_t n)
{
	struct identity self = { .secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES) };
	struct result a = { 0 }, b = { 0 };

	if (!self.secret_key)
		abort();
	crypto_sign_seed_keypair(self.public_key, self.secret_key, data + SEED);
	run(&self, data, n, 0, &a);
	run(&self, data, n, data[1] + 1u, &b);
	if (a.err != b.err || a.state != b.state || a.yamux != b.yamux ||
	    !peerid_equal(&a.peer, &b.peer) || !same(&a.plain, &b.plain))
		abort();
	if (a.err == 0 && !same(&a.out, &b.out))
		abort();
	buf_deinit(&a.out);
	buf_deinit(&a.plain);
	buf_deinit(&b.out);
	buf_deinit(&b.plain);
	identity_clear(&self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct peerid peer;
	bool yamux;

	if (n < BYTES || sodium_init() < 0)
		return 0;
	if (data[0] % PARTS != PART_PAYLOAD)
		run_twice(data, n);
	else if (noise_payload_read(data + BYTES, n - BYTES, data + SEED, &peer, &yamux, NULL) ==
		     0 &&
		 peer.len != 38)
		abort();
	return 0;
}
