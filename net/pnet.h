/*
 * The private network of a cluster: one XSalsa20 keystream in each direction of a TCP connection,
 * keyed by cluster.secret. No framing, no authentication. Bytes in, bytes out; one thread at a
 * time. Source: libp2p pnet; "Private network" in docs/network.md, vectors/pnet.json.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PNET_NONCE 24
#define PNET_KEY 32

struct pnet_stream {
	uint8_t nonce[PNET_NONCE];
	uint64_t at; /* bytes processed so far */
};

/* @key lives as long as the connection (guarded memory of the caller). */
struct pnet {
	const uint8_t *key;
	struct pnet_stream out, in;
	size_t in_nonce; /* bytes of the peer's nonce that have come */
};

/* Draws our nonce, which goes in clear before the first byte sent. */
void pnet_init(struct pnet *p, const uint8_t key[PNET_KEY]);
/* Encrypts in place what goes out, in pieces of any size. */
void pnet_encrypt(struct pnet *p, uint8_t *data, size_t n);
/* Takes the peer's nonce off the front, then decrypts in place. Returns how many bytes of @data
 * were nonce; the rest is plaintext. */
size_t pnet_decrypt(struct pnet *p, uint8_t *data, size_t n);
void pnet_clear(struct pnet *p);
