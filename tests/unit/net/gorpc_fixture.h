/*
 * Two hosts on loopback, in one loop and one process: calls between them, or a call of one and
 * bytes of the other. The clock can be put forward. Include after cmocka.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "net/gorpc.h"
#include "types/identity.h"
#include "util/buf.h"

#define RPC_PROTOCOL "/ipfscluster/1.0/rpc"

/* A stream as whoever writes its bytes by hand sees it. */
struct raw {
	struct stream *s; /* NULL: over */
	struct buf got;
	bool eof;
	int ended; /* of `ended`; 0 while it did not come */
};

struct side {
	struct identity id;
	struct host *host;
	struct gorpc *rpc; /* NULL: it has none */
	struct raw in[8];  /* streams that came, where it serves by hand */
	size_t n_in;
};

struct pair {
	uv_loop_t loop;
	struct side a, b;
};

/* @a and @b: their methods; NULL: none, the test registers RPC_PROTOCOL by pair_serve or not. */
struct pair *pair_new(const struct gorpc_config *a, const struct gorpc_config *b, bool a_by_hand);
void pair_connect(struct pair *p); /* b dials a; both have identified the other */
void pair_free(struct pair *p);    /* closes everything first */
void pair_time(struct pair *p, uint64_t ms);
void pair_turns(struct pair *p, unsigned turns);

/* Runs the loop until @condition holds; the test hangs, and is ended, when it never does. */
#define until(pair, condition)                                                                     \
	do {                                                                                       \
		while (!(condition))                                                               \
			uv_run(&(pair)->loop, UV_RUN_ONCE);                                        \
	} while (0)

/* A stream from b to a. */
void raw_open(struct pair *p, struct raw *r);
void raw_write(struct raw *r, const void *bytes, size_t n);
void raw_write_hex(struct raw *r, const char *hex);
void raw_shut(struct raw *r);
void raw_reset(struct raw *r);
void raw_clear(struct raw *r); /* resets it where it is still open */
bool raw_is(const struct raw *r, const void *bytes, size_t n);

/* What a call of ours came to. */
struct outcome {
	struct buf values; /* one after the other */
	size_t n_values;
	bool done;
	int status;
	enum gorpc_error type;
	char text[GORPC_ERROR_TEXT_MAX + 1];
	struct gorpc_request *cancel_in_value; /* cancelled from within `value` */
};

struct gorpc_handler outcome_of(struct outcome *o);
void outcome_clear(struct outcome *o);
