/*
 * A peer without manners: the client side of libp2p by hand, on a blocking socket, so that each
 * layer can say what none of ours would. hostile_wire.c is the connection up to Noise,
 * hostile_mux.c the streams; the attacks are in hostile_low.c (up to yamux), hostile_gossip.c,
 * hostile_calls.c (identify, ping, bitswap, calls) and hostile_delta.c (what a trusted peer may
 * do). One thread; whatever is not as it should be ends the program.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/gossip_message.h"
#include "net/noise.h"
#include "net/pnet.h"
#include "net/yamux_internal.h"
#include "types/identity.h"
#include "util/buf.h"

#define SECOND 1000
#define PATIENCE (10 * SECOND) /* for what is due at once; PINFS_SLOW times as long */
#define NO_CODE UINT32_MAX

/* Who is attacked, and as whom. */
struct target {
	struct sockaddr_in to, from; /* from: no port; no address: any */
	struct peerid peer;
	uint8_t secret[32];
	const char *name;    /* of the attacker's identity; NULL: a new one each time */
	const char *cluster; /* its name */
};

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...);
/* Of a step that cannot fail but for want of memory. */
void must(int r, const char *what);
int64_t now_ms(void);
int64_t patience(int64_t ms); /* the time at which it ends */
/* The identity of a name, the same each time; NULL: a new one. */
void identity_named(const char *name, struct identity *ret);

/* ---- hostile_wire.c ---- */

struct wire {
	int fd;
	struct pnet pnet;
	struct noise *noise; /* once agreed */
	struct identity self;
	struct buf in; /* what the peer said, as plain as it gets */
	size_t got;    /* bytes of it that ever came */
	bool over;     /* it ended the connection */
};

/* TCP and the private network's beginning. False: the connection was refused, or ended at once. */
bool wire_dial(struct wire *w, const struct target *t, const uint8_t *secret);
void wire_close(struct wire *w);
/* Below the private network. Harmless when the peer has ended it. */
void wire_raw(struct wire *w, const void *p, size_t n);
/* In the private network. */
void wire_send(struct wire *w, const void *p, size_t n);
/* Inside Noise. */
void wire_seal(struct wire *w, const void *p, size_t n);
/* Takes what has come, or comes before @until; false: nothing did. */
bool wire_read(struct wire *w, int64_t until);
/* Takes @n bytes off the front. */
void wire_drop(struct wire *w, size_t n);
/* Multistream agrees on Noise, as it should. */
void wire_agree(struct wire *w);
/* Up to yamux, as it should. */
void wire_open(struct wire *w, const struct target *t);
/* The peer ends the connection within @ms. */
void wire_expect_end(struct wire *w, int64_t ms);
/* The same, and says nothing before. */
void wire_expect_silent_end(struct wire *w, int64_t ms);

/* ---- hostile_mux.c ---- */

struct talk { /* a stream */
	struct mux *m;
	struct talk *next;
	uint32_t id;
	char protocol[64]; /* of one that the peer opened; "" before it is known */
	struct buf in;     /* without the tokens where the peer opened it */
	int64_t credit;    /* bytes that the peer takes */
	bool fin, reset;
	uint32_t code; /* of the reset */
};

struct mux {
	struct wire w;
	struct talk *talks;
	uint32_t next_id;
	bool says_who; /* answers identify, with gossip and bitswap */
	unsigned pongs;
	uint32_t go_away; /* NO_CODE: none */
};

void mux_open(struct mux *m, const struct target *t);
void mux_close(struct mux *m);
/* One frame; @payload may be NULL. */
void mux_frame(struct mux *m, unsigned type, unsigned flags, uint32_t id, uint32_t length,
	       const void *payload);
/* Frames that come until @until, at least one or false; false also when it is over. */
bool mux_turn(struct mux *m, int64_t until);
/* The peer has done all that was asked of it so far. */
void mux_settle(struct mux *m);
/* It ends the connection, with this go-away. */
void mux_expect_end(struct mux *m, uint32_t go_away);

/* A stream with the dialogue's first half, lazily; @protocol NULL: without. */
struct talk *talk_open(struct mux *m, const char *protocol);
/* As credit allows; stops when the stream is reset. */
void talk_send(struct talk *t, const void *p, size_t n);
/* The same, in a frame of uvarint length. */
void talk_send_frame(struct talk *t, const struct buf *frame);
void talk_expect_reset(struct talk *t, uint32_t code);
/* Waits for bytes that hold these; false: they did not come. */
bool talk_hears(struct talk *t, const void *p, size_t n);
/* How often they are in what came. */
size_t talk_count(const struct talk *t, const void *p, size_t n);
/* The stream of this protocol that the peer opens, or NULL. */
struct talk *mux_await(struct mux *m, const char *protocol);

/* ---- hostile_gossip.c ---- */

#define METRICS "monitor.metrics"

struct post {
	struct gossip_message m;
	uint8_t seqno[GOSSIP_SEQNO_BYTES], signature[64];
};

/* A good message of @author, which may be made a bad one. What is pointed to lives as long. */
void post_make(struct post *p, const struct identity *author, const char *topic, const void *data,
	       size_t n);
void post_send(struct talk *t, const struct post *p);
/* A stream of gossip that says what it is subscribed to. */
struct talk *gossip_talk(struct mux *m, const struct target *t);

/* ---- the attacks ---- */

struct attack {
	const char *name;
	void (*run)(const struct target *t);
};

extern const struct attack low_attacks[], gossip_attacks[], calls_attacks[], delta_attacks[];
