/*
 * What each side says of itself within the Noise handshake: its identity key, the proof that the
 * static key of the handshake is its own, and the muxers it speaks. Any thread. Source: libp2p
 * noise; vectors/noise.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/identity.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

/* Memory that decoding one payload may take. */
#define NOISE_PAYLOAD_MEMORY (256u * 1024)

int noise_payload_write(const struct identity *self, const uint8_t static_key[32], struct buf *out);
/* -EPROTO unless it proves that the peer with @static_key owns the identity in it. */
int noise_payload_read(const uint8_t *p, size_t n, const uint8_t static_key[32],
		       struct peerid *ret_peer, bool *ret_yamux, struct err *e);
