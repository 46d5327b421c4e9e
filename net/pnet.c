#include "net/pnet.h"

#include <sodium.h>
#include <string.h>

#define BLOCK 64 /* bytes of keystream per value of XSalsa20's counter */

_Static_assert(PNET_NONCE == crypto_stream_xsalsa20_NONCEBYTES, "nonce of XSalsa20");
_Static_assert(PNET_KEY == crypto_stream_xsalsa20_KEYBYTES, "key of XSalsa20");

/* What is left of a block that earlier bytes began. Returns the bytes done. */
static size_t finish_block(const struct pnet_stream *s, const uint8_t *key, uint8_t *data, size_t n)
{
	uint8_t keystream[BLOCK] = { 0 };
	size_t used = s->at % BLOCK;

	if (used == 0)
		return 0;
	if (n > BLOCK - used)
		n = BLOCK - used;
	crypto_stream_xsalsa20_xor_ic(keystream, keystream, BLOCK, s->nonce, s->at / BLOCK, key);
	for (size_t i = 0; i < n; i++)
		data[i] ^= keystream[used + i];
	sodium_memzero(keystream, sizeof(keystream));
	return n;
}

static void apply(struct pnet_stream *s, const uint8_t *key, uint8_t *data, size_t n)
{
	size_t done = finish_block(s, key, data, n);

	s->at += done;
	if (done == n)
		return;
	crypto_stream_xsalsa20_xor_ic(data + done, data + done, n - done, s->nonce, s->at / BLOCK,
				      key);
	s->at += n - done;
}

void pnet_init(struct pnet *p, const uint8_t key[PNET_KEY])
{
	*p = (struct pnet){ .key = key };
	randombytes_buf(p->out.nonce, sizeof(p->out.nonce));
}

void pnet_encrypt(struct pnet *p, uint8_t *data, size_t n)
{
	apply(&p->out, p->key, data, n);
}

size_t pnet_decrypt(struct pnet *p, uint8_t *data, size_t n)
{
	size_t nonce = PNET_NONCE - p->in_nonce;

	if (nonce > n)
		nonce = n;
	if (nonce > 0) {
		memcpy(p->in.nonce + p->in_nonce, data, nonce);
		p->in_nonce += nonce;
	}
	if (nonce < n)
		apply(&p->in, p->key, data + nonce, n - nonce);
	return nonce;
}

void pnet_clear(struct pnet *p)
{
	sodium_memzero(p, sizeof(*p));
}
