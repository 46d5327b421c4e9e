#include "net/noise_symmetric.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define NONCE crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define COUNTER_MAX UINT64_MAX /* reserved by the specification */

_Static_assert(NOISE_TAG == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag of ChaChaPoly");
_Static_assert(NOISE_KEY == crypto_scalarmult_BYTES, "keys of 25519");

/* As long as the hash, and therefore its own name and not a hash of it is where h begins. */
static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_SHA256";
_Static_assert(sizeof(protocol_name) - 1 == crypto_hash_sha256_BYTES, "h is the name");

static void nonce_put(uint8_t out[NONCE], uint64_t counter)
{
	memset(out, 0, NONCE);
	for (size_t i = 0; i < sizeof(counter); i++)
		out[4 + i] = (uint8_t)(counter >> 8 * i);
}

int noise_cipher_seal(struct noise_cipher *c, const uint8_t *ad, size_t ad_len, const uint8_t *p,
		      size_t n, struct buf *out)
{
	uint8_t nonce[NONCE];
	int r;

	if (c->counter == COUNTER_MAX)
		return -EPROTO;
	r = buf_reserve(out, n + NOISE_TAG);
	if (r < 0)
		return r;
	nonce_put(nonce, c->counter++);
	crypto_aead_chacha20poly1305_ietf_encrypt(out->data + out->len, NULL, p, n, ad, ad_len,
						  NULL, nonce, c->key);
	out->len += n + NOISE_TAG;
	return 0;
}

int noise_cipher_open(struct noise_cipher *c, const uint8_t *ad, size_t ad_len, const uint8_t *p,
		      size_t n, struct buf *out)
{
	uint8_t nonce[NONCE];
	int r;

	if (n < NOISE_TAG || c->counter == COUNTER_MAX)
		return -EPROTO;
	/* One byte more, so that there is memory for an empty text too. */
	r = buf_reserve(out, n - NOISE_TAG + 1);
	if (r < 0)
		return r;
	nonce_put(nonce, c->counter);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out->data + out->len, NULL, NULL, p, n, ad,
						      ad_len, nonce, c->key) < 0)
		return -EPROTO;
	c->counter++;
	out->len += n - NOISE_TAG;
	return 0;
}

/* HMAC over @n bytes and, unless it is 0, one byte more. */
static void hmac(const uint8_t key[32], const uint8_t *p, size_t n, uint8_t last, uint8_t out[32])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, 32);
	crypto_auth_hmacsha256_update(&state, p, n);
	if (last)
		crypto_auth_hmacsha256_update(&state, &last, 1);
	crypto_auth_hmacsha256_final(&state, out);
	sodium_memzero(&state, sizeof(state));
}

/* HKDF of the specification, with two outputs. @first may be @ck. */
static void hkdf(const uint8_t ck[32], const uint8_t *input, size_t n, uint8_t first[32],
		 uint8_t second[32])
{
	uint8_t temporary[32];

	hmac(ck, input, n, 0, temporary);
	hmac(temporary, NULL, 0, 1, first);
	hmac(temporary, first, 32, 2, second);
	sodium_memzero(temporary, sizeof(temporary));
}

void noise_symmetric_init(struct noise_symmetric *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->h, protocol_name, sizeof(s->h));
	memcpy(s->ck, protocol_name, sizeof(s->ck));
	noise_mix_hash(s, NULL, 0); /* the prologue */
}

void noise_mix_hash(struct noise_symmetric *s, const uint8_t *p, size_t n)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, s->h, sizeof(s->h));
	crypto_hash_sha256_update(&state, p, n);
	crypto_hash_sha256_final(&state, s->h);
}

void noise_mix_key(struct noise_symmetric *s, const uint8_t input[NOISE_KEY])
{
	hkdf(s->ck, input, NOISE_KEY, s->ck, s->cipher.key);
	s->cipher.counter = 0;
}

int noise_mix_dh(struct noise_symmetric *s, const uint8_t secret[NOISE_KEY],
		 const uint8_t public[NOISE_KEY])
{
	uint8_t shared[NOISE_KEY];

	/* Fails by itself when the result is zero. */
	if (crypto_scalarmult(shared, secret, public) < 0)
		return -EPROTO;
	noise_mix_key(s, shared);
	sodium_memzero(shared, sizeof(shared));
	return 0;
}

int noise_seal_and_hash(struct noise_symmetric *s, const uint8_t *p, size_t n, struct buf *out)
{
	size_t at = out->len;
	int r = noise_cipher_seal(&s->cipher, s->h, sizeof(s->h), p, n, out);

	if (r == 0)
		noise_mix_hash(s, out->data + at, out->len - at);
	return r;
}

int noise_open_and_hash(struct noise_symmetric *s, const uint8_t *p, size_t n, struct buf *out)
{
	int r = noise_cipher_open(&s->cipher, s->h, sizeof(s->h), p, n, out);

	if (r == 0)
		noise_mix_hash(s, p, n);
	return r;
}

void noise_split(const struct noise_symmetric *s, struct noise_cipher *from_dialer,
		 struct noise_cipher *from_listener)
{
	hkdf(s->ck, NULL, 0, from_dialer->key, from_listener->key);
	from_dialer->counter = 0;
	from_listener->counter = 0;
}
