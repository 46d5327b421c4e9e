/* What the tests of the Noise channel share: identities and machines of either role. */
#pragma once

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "net/noise.h"

static inline void identity_from_seed(const uint8_t seed[32], struct identity *ret)
{
	ret->secret_key = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	assert_non_null(ret->secret_key);
	crypto_sign_seed_keypair(ret->public_key, ret->secret_key, seed);
	peerid_from_ed25519(ret->public_key, &ret->id);
}

/* One end, with all that it sent and received. */
struct end {
	struct identity id;
	struct noise *n;
	struct buf out, plain;
	size_t passed; /* bytes of out that the other end has */
};

static inline void end_start(struct end *end, uint8_t seed, bool dialer,
			     const struct peerid *expected)
{
	uint8_t bytes[32];

	memset(end, 0, sizeof(*end));
	memset(bytes, seed, sizeof(bytes));
	identity_from_seed(bytes, &end->id);
	assert_int_equal(noise_new(&end->id, dialer, expected, &end->out, &end->n), 0);
}

static inline void end_stop(struct end *end)
{
	noise_free(end->n);
	buf_deinit(&end->out);
	buf_deinit(&end->plain);
	identity_clear(&end->id);
}

static inline int end_feed(struct end *end, const uint8_t *p, size_t n)
{
	return noise_feed(end->n, p, n, &end->out, &end->plain, NULL);
}

/* All that @from has sent and @to has not seen. */
static inline int end_pass(struct end *from, struct end *to)
{
	int r = end_feed(to, from->out.data + from->passed, from->out.len - from->passed);

	from->passed = from->out.len;
	return r;
}

/* Whether the channel failed, for good and without another word. */
static inline void assert_failed(struct end *end, size_t sent)
{
	static const uint8_t more[64];

	assert_int_equal(noise_state(end->n), NOISE_FAILED);
	assert_int_equal(end->out.len, sent);
	assert_int_equal(end_feed(end, more, sizeof(more)), -EPROTO);
	assert_int_equal(noise_seal(end->n, more, sizeof(more), &end->out), -EPROTO);
	assert_int_equal(end->out.len, sent);
}
