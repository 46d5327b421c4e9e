/*
 * /ipfs/ping/1.0.0: the opener of a stream writes 32 random bytes, the acceptor echoes them, as
 * often as the opener likes. State machines without I/O; times in ms of any steady clock. Source:
 * libp2p specs, ping; "Ping" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

#define PING_PROTOCOL "/ipfs/ping/1.0.0"
#define PING_BYTES 32
#define PING_IDLE_MS 10000  /* for one round, after which either side closes */
#define PING_TOTAL_MS 30000 /* of an accepted stream */
#define PING_ACCEPTED_MAX 2 /* streams of one peer at a time */

struct ping_acceptor {
	uint64_t end, idle;
	uint8_t bytes[PING_BYTES];
	size_t n;
};

void ping_acceptor_init(struct ping_acceptor *a, uint64_t now_ms);
/* Appends the echo of each complete round to @out, never more than came in. */
int ping_acceptor_feed(struct ping_acceptor *a, const uint8_t *p, size_t n, uint64_t now_ms,
		       struct buf *out);
uint64_t ping_acceptor_deadline(const struct ping_acceptor *a); /* when to close the stream */

struct ping_opener {
	bool waiting;
	uint64_t sent_at;
	uint8_t bytes[PING_BYTES];
	size_t n;
};

void ping_opener_init(struct ping_opener *o);
/* Begins a round; not while one is waiting (-EBUSY). */
int ping_opener_send(struct ping_opener *o, uint64_t now_ms, struct buf *out);
/* 1: the round is complete and took @ret_ms; 0: more is to come. -EPROTO: not what was sent. */
int ping_opener_feed(struct ping_opener *o, const uint8_t *p, size_t n, uint64_t now_ms,
		     uint64_t *ret_ms, struct err *e);
/* When to give up; UINT64_MAX while no round is waiting. */
uint64_t ping_opener_deadline(const struct ping_opener *o);
