/*
 * The Ed25519 key of this peer and the text form of identity.json's two values. Secret bytes live
 * in guarded memory (sodium_malloc). Needs hash_init. Pure functions: no files here.
 * Source: libp2p crypto.proto; vectors/identity.json.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

struct identity {
	struct peerid id;
	uint8_t public_key[32];
	uint8_t *secret_key; /* 64 bytes: seed, public key; guarded memory */
};

int identity_generate(struct identity *ret, struct err *e);
/* @private_key: base64 of the libp2p protobuf (the 64 and the old 96 byte form). Checks that the
 * key pair belongs together, and that @id (text) is its peer ID. -EINVAL names what is wrong. */
int identity_parse(const char *id, const char *private_key, struct identity *ret, struct err *e);
/* Base64 text of the private key, appended to @out. The caller wipes it (sodium_memzero). */
int identity_private_key(const struct identity *id, struct buf *out);
void identity_clear(struct identity *id); /* wipes and frees */
