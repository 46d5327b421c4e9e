/*
 * The running hash and keys of a Noise handshake, with the operations of the Noise specification
 * (5.1, 5.2) for 25519, ChaChaPoly and SHA256. Secrets: to be kept in guarded memory and wiped by
 * the owner. Source: noiseprotocol.org.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

#define NOISE_KEY 32
#define NOISE_TAG 16

struct noise_cipher {
	uint8_t key[NOISE_KEY];
	uint64_t counter;
};

struct noise_symmetric {
	uint8_t h[32], ck[32];
	struct noise_cipher cipher; /* handshake key, once the first DH was mixed */
};

/* Appends @n bytes and their tag. -EPROTO when the counter is used up. */
int noise_cipher_seal(struct noise_cipher *c, const uint8_t *ad, size_t ad_len, const uint8_t *p,
		      size_t n, struct buf *out);
/* @n counts the tag; what is inside is appended. -EPROTO: not what the peer wrote. */
int noise_cipher_open(struct noise_cipher *c, const uint8_t *ad, size_t ad_len, const uint8_t *p,
		      size_t n, struct buf *out);

/* Of the one protocol that libp2p uses, without a prologue. */
void noise_symmetric_init(struct noise_symmetric *s);
void noise_mix_hash(struct noise_symmetric *s, const uint8_t *p, size_t n);
void noise_mix_key(struct noise_symmetric *s, const uint8_t input[NOISE_KEY]);
/* MixKey of the DH result. -EPROTO when that is zero, whatever @secret was. */
int noise_mix_dh(struct noise_symmetric *s, const uint8_t secret[NOISE_KEY],
		 const uint8_t public[NOISE_KEY]);
/* EncryptAndHash and DecryptAndHash, once there is a key. */
int noise_seal_and_hash(struct noise_symmetric *s, const uint8_t *p, size_t n, struct buf *out);
int noise_open_and_hash(struct noise_symmetric *s, const uint8_t *p, size_t n, struct buf *out);
/* The keys of what follows the handshake. */
void noise_split(const struct noise_symmetric *s, struct noise_cipher *from_dialer,
		 struct noise_cipher *from_listener);
