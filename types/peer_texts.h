/*
 * The texts of peer IDs that were asked for lately. Base58 is a long division, and the pins of a
 * cluster name the same few peers over and over. All zero is empty. One thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/peerid.h"

#define PEER_TEXTS 64 /* kept: peers of a larger cluster displace each other */

struct peer_texts {
	/* private */
	struct peer_text {
		struct peerid id;
		uint8_t len;
		char text[PEERID_TEXT_MAX];
	} kept[PEER_TEXTS];
};

/* What peerid_format gives, not terminated; valid until the next call. */
const char *peer_texts_get(struct peer_texts *t, const struct peerid *id, size_t *ret_len);
