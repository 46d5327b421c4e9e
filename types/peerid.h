/*
 * Peer IDs of libp2p: the multihash of a public key (38 bytes for Ed25519, whose key is inside,
 * 34 for keys that are hashed). Text is base58; the CID form is accepted. Pure functions.
 * Source: libp2p specs peer-ids; vectors/identity.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define PEERID_BYTES_MAX 64
#define PEERID_TEXT_MAX 96

struct peerid {
	uint8_t len; /* 0: none */
	uint8_t bytes[PEERID_BYTES_MAX];
};

bool peerid_equal(const struct peerid *a, const struct peerid *b);
/* Below, at or above 0, by the order of the bytes: that of the members in peers ls. */
int peerid_compare(const struct peerid *a, const struct peerid *b);
/* -EBADMSG unless all @n bytes are one multihash that can be a peer ID. */
int peerid_from_bytes(const uint8_t *p, size_t n, struct peerid *ret, struct err *e);
/* Base58, or a libp2p-key CID in any base. -EINVAL. */
int peerid_parse(const char *s, size_t n, struct peerid *ret, struct err *e);
/* Base58 with a terminating zero; returns the length. */
size_t peerid_format(const struct peerid *id, char out[PEERID_TEXT_MAX]);
/* The peer ID of an Ed25519 public key. */
void peerid_from_ed25519(const uint8_t pub[32], struct peerid *ret);
