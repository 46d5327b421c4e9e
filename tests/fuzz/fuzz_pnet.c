/*
 * What comes in on a private network: the same text however it is cut, and the same bytes when it
 * is encrypted again. The first byte seeds the cuts.
 */
#include <assert.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/pnet.h"
#include "tests/lib/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t key[PNET_KEY] = { 1, 2, 3 };

/* @buf becomes the text; returns its length. */
static size_t decrypt(uint8_t *buf, size_t n, uint32_t seed)
{
	size_t part, nonce = 0, text = 0;
	struct pnet p;

	pnet_init(&p, key);
	for (size_t at = 0; at < n; at += part) {
		size_t taken;

		part = seed ? pieces_next(&seed, n - at) : n - at;
		taken = pnet_decrypt(&p, buf + at, part);
		assert(taken <= part);
		nonce += taken;
		memmove(buf + text, buf + at + taken, part - taken);
		text += part - taken;
	}
	assert(nonce == (n < PNET_NONCE ? n : PNET_NONCE));
	assert(nonce + text == n);
	pnet_clear(&p);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *whole, *pieces;
	struct pnet back;
	size_t text;

	if (n < 2 || sodium_init() < 0)
		return 0;
	whole = malloc(n - 1);
	pieces = malloc(n - 1);
	assert(whole && pieces);
	memcpy(whole, data + 1, n - 1);
	memcpy(pieces, data + 1, n - 1);
	text = decrypt(whole, n - 1, 0);
	assert(decrypt(pieces, n - 1, data[0] + 1u) == text);
	assert(memcmp(whole, pieces, text) == 0);
	if (text > 0) {
		pnet_init(&back, key);
		memcpy(back.out.nonce, data + 1, PNET_NONCE);
		pnet_encrypt(&back, whole, text);
		assert(memcmp(whole, data + 1 + PNET_NONCE, text) == 0);
		pnet_clear(&back);
	}
	free(whole);
	free(pieces);
	return 0;
}
