/*
 * The three messages of the XX pattern. A part of noise.c: nothing here knows of lengths on the
 * wire. A failure is final.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/noise_symmetric.h"
#include "types/identity.h"
#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define NOISE_MESSAGE_1 32     /* bytes of the first message */
#define NOISE_MESSAGE_2_MIN 96 /* and of the others without a payload */
#define NOISE_MESSAGE_3_MIN 64

/* Guarded memory. */
struct noise_secrets {
	struct {
		struct noise_symmetric symmetric;
		uint8_t ephemeral[NOISE_KEY], fixed[NOISE_KEY];
	} handshake; /* wiped when the channel opens */
	struct noise_cipher send, receive;
};

struct noise_handshake {
	const struct identity *self;
	struct noise_secrets *secrets;
	uint8_t ephemeral[NOISE_KEY], fixed[NOISE_KEY];           /* ours, public halves */
	uint8_t peer_ephemeral[NOISE_KEY], peer_fixed[NOISE_KEY]; /* as they came */
	struct peerid peer;
	bool yamux; /* the peer named it */
};

/* Draws the keys of this connection. */
void noise_handshake_init(struct noise_handshake *h, const struct identity *self,
			  struct noise_secrets *secrets);
/* The messages of the dialer are 1 and 3. */
int noise_write_1(struct noise_handshake *h, struct buf *out);
int noise_write_2(struct noise_handshake *h, struct buf *out);
int noise_write_3(struct noise_handshake *h, struct buf *out);
int noise_read_1(struct noise_handshake *h, const uint8_t *p, size_t n, struct err *e);
int noise_read_2(struct noise_handshake *h, const uint8_t *p, size_t n, struct err *e);
int noise_read_3(struct noise_handshake *h, const uint8_t *p, size_t n, struct err *e);
/* Gives the channel its keys and wipes what the handshake held. */
void noise_handshake_finish(struct noise_handshake *h, bool dialer);
