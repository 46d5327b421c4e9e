/*
 * An engine on a real store with its writer's thread, and a network that the test plays. Time goes
 * on by itself, and further when told to. Include after cmocka.h. Failures fail the test.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "consensus/crdt/crdt.h"
#include "consensus/crdt/crdt_net.h"
#include "consensus/crdt/delta.h"
#include "tests/lib/store_fixture.h"
#include "types/peerid.h"

#define ENGINE_EVENTS_MAX 4096
#define ENGINE_WANTS_MAX 8192

struct engine_event {
	char what; /* '+' pinned, '-' unpinned, '*' replaced */
	struct cid cid;
};

struct engine {
	struct store_fix f;
	struct crdt_config cfg;
	struct crdt_net net;
	struct consensus_events events;
	struct consensus *c; /* NULL: closed */
	bool closed;
	unsigned author; /* of what it hears */
	/* what it told */
	struct engine_event told[ENGINE_EVENTS_MAX];
	size_t n_told;
	/* what it asked the network for, in order; len 0: it came, or was cancelled */
	struct cid wants[ENGINE_WANTS_MAX];
	size_t n_wants, open_wants, most_wants, cancelled, haves;
	int refuse_wants;     /* what asking returns */
	struct buf published; /* the last message */
	size_t n_published;
	/* operations */
	unsigned done, refused;
};

/* Config may be changed between. */
void engine_init(struct engine *g);
void engine_start(struct engine *g);
void engine_attach(struct engine *g);
void engine_close(struct engine *g);
/* The same in two steps. */
void engine_begin_close(struct engine *g);
void engine_finish_close(struct engine *g);
/* Closes it, and the store with it; both open again. */
void engine_restart(struct engine *g);
/* The same as after a crash: the data as it is now, then closed. */
void engine_crash(struct engine *g);
void engine_end(struct engine *g);

/* ---- time ---- */

void engine_forward(struct engine *g, uint64_t ms);
/* Runs the loop until @cond; a minute at most. */
#define engine_until(g, cond)                                                                      \
	do {                                                                                       \
		unsigned turns_ = 60000;                                                           \
                                                                                                   \
		while (!(cond)) {                                                                  \
			engine_turn(g);                                                            \
			if (--turns_ == 0)                                                         \
				fail_msg("waited in vain for %s", #cond);                          \
		}                                                                                  \
	} while (0)
void engine_turn(struct engine *g); /* a millisecond at most */
/* Everything that was given to the writer has been done, and told. */
void engine_settle(struct engine *g);
/* From now on the writer does nothing, until it is let go. */
void engine_hold_writer(struct engine *g);
void engine_release_writer(struct engine *g);

/* ---- blocks ---- */

struct engine_block {
	struct cid cid;
	struct buf bytes;
};

/* Pins @from .. @to - 1 with a name, at a height, on @n_links blocks. */
void engine_block_put(struct engine_block *b, unsigned from, unsigned to, const char *name,
		      uint64_t height, const struct engine_block *const *links, size_t n_links);
/* Removes what @of brought. */
void engine_block_del(struct engine_block *b, unsigned from, unsigned to,
		      const struct engine_block *of, uint64_t height);
/* No delta inside; or, where @node is false, no dag-pb node either. */
void engine_block_bad(struct engine_block *b, unsigned seed, bool node);
void engine_block_free(struct engine_block *b);

void engine_hear(struct engine *g, const struct engine_block *b);
void engine_hear_cids(struct engine *g, const struct cid *cids, size_t n);
bool engine_wants(const struct engine *g, const struct cid *cid);
/* How often it was asked for so far. */
unsigned engine_asked(const struct engine *g, const struct cid *cid);
/* Fails unless it is wanted. */
void engine_give(struct engine *g, const struct engine_block *b);
void engine_peer_up(struct engine *g);
bool engine_merged(struct engine *g, const struct engine_block *b);

/* ---- operations ---- */

/* Pins or unpins @i; done is counted. */
void engine_pin(struct engine *g, unsigned i, const char *name);
void engine_unpin(struct engine *g, unsigned i);
bool engine_has(struct engine *g, unsigned i, const char *name);
uint64_t engine_pins(struct engine *g);
uint64_t engine_heads(struct engine *g, struct cid *ret_one);
struct crdt_sync engine_sync(struct engine *g);
/* What the present author announced last. */
bool engine_heads_of(struct engine *g, struct crdt_heads *ret);
