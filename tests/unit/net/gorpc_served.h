/*
 * Two methods for tests of serving: T.One (unary) and T.Many (streaming). They keep what they hear,
 * and answer as they are told to. Include after cmocka.h.
 */
#pragma once

#include "tests/unit/net/gorpc_fixture.h"

/* ServiceIDs of the two, and what stands before each value of theirs. */
#define ONE "82a44e616d65a154a64d6574686f64a34f6e65"
#define MANY "82a44e616d65a154a64d6574686f64a44d616e79"
#define ONE_OK "81a753657276696365" ONE
#define MANY_OK "81a753657276696365" MANY

struct served {
	struct pair *net;                              /* a serves, b calls */
	struct gorpc_call *calls[2 * GORPC_CALLS_MAX]; /* that were begun, NULL: over */
	size_t n_calls;
	struct buf arguments; /* one after the other */
	size_t n_arguments, ends, cancelled;
	size_t hold_at; /* hold when so many arguments came */
	bool forbid;
	struct peerid peer; /* who called last */
	unsigned writable;
	/* What the next argument, or its end, is answered with; NULL: later. */
	void (*answer)(struct gorpc_call *c, bool last);
};

extern struct served served;

int served_setup(void **state);
int served_teardown(void **state); /* all calls must be over by then, or are cancelled */

bool got_hex(const struct raw *r, const char *hex);

/* Answers. The call is over. */
void served_over(struct gorpc_call *c); /* for one that is about to be answered otherwise */
void served_nil(struct gorpc_call *c, bool last);
void served_two_at_end(struct gorpc_call *c, bool last); /* 1 and 2, behind the last argument */
