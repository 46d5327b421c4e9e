/*
 * Frames of gossip as text, and peers that sign. Peers are numbers; a message is "author.seqno".
 * Include after cmocka.h.
 */
#pragma once

#include <jansson.h>

#include "net/gossip_message.h"

#define FIXTURE_PEERS 64
#define METRICS "monitor.metrics"
#define HEADS "fzhnp2UwTBkgNabrJi1VanzwgN"

/* The identity of a peer, which is the same in each run. Lives until the end. */
const struct identity *fixture_identity(unsigned peer);
unsigned fixture_number(const struct peerid *id);
/* Who signed what is recorded in gossipsub.json. The caller clears it. */
void fixture_signer(json_t *root, struct identity *ret);

/* "+topic -topic msg 1.7=data have topic 1.7 want 1.7 graft topic prune topic 60 dontwant 1.7", in
 * that order. Ids of no peer of the fixture are written in hex. */
int fixture_read(const uint8_t *frame, size_t n, struct buf *text);
/* Appends what @text says, in the same words but for msg. */
void fixture_write(const char *text, struct buf *frame);
/* A signed message, as a frame. */
void fixture_message(unsigned author, uint64_t seqno, const char *topic, const void *data, size_t n,
		     struct buf *frame);
