/*
 * Noise_XX_25519_ChaChaPoly_SHA256 as libp2p uses it: proves who the peer is, encrypts what
 * follows, and may settle the muxer on the way. A state machine without I/O. Source:
 * noiseprotocol.org, libp2p noise; "Noise" in docs/network.md, vectors/noise.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/identity.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define NOISE_MESSAGE_MAX 65535 /* ciphertext behind the two bytes of length */
#define NOISE_PLAIN_MAX 65519
#define NOISE_MUXERS_MAX 100

struct noise; /* secrets in guarded memory */

enum noise_state {
	NOISE_HANDSHAKE,
	NOISE_OPEN,
	NOISE_FAILED
};

/* @expected: the peer that was dialled, or NULL. @self lives as long. The dialer's first message is
 * appended to @out. */
int noise_new(const struct identity *self, bool dialer, const struct peerid *expected,
	      struct buf *out, struct noise **ret);
void noise_free(struct noise *n);
enum noise_state noise_state(const struct noise *n);

/* Takes ciphertext in pieces of any size; handshake answers go to @out, plaintext to @plain. Any
 * failure
 * (-EPROTO, -EACCES for another peer than the expected one) is final: close, send nothing more. */
int noise_feed(struct noise *n, const uint8_t *p, size_t len, struct buf *out, struct buf *plain,
	       struct err *e);
/* Encrypts @len bytes into as many messages as it takes. Only when NOISE_OPEN. */
int noise_seal(struct noise *n, const void *p, size_t len, struct buf *out);

/* When NOISE_OPEN: who it is, and whether both sides named yamux in the handshake. */
const struct peerid *noise_peer(const struct noise *n);
bool noise_has_yamux(const struct noise *n);
