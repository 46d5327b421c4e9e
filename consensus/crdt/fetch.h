/*
 * The blocks on their way into the set: what is known of each, in bounded memory. Which block is in
 * which state, nothing of why. Loop's thread, but that those of FETCH_MERGING are the writer's
 * while its batch runs.
 */
#pragma once

#include "consensus/crdt/merge.h"
#include "types/peerid.h"
#include "util/list.h"

#define FETCH_WAITING_MAX 1024       /* announced; more are not heard, they are announced again */
#define FETCH_WAITING_OF_ONE_MAX 768 /* of them by one author: those of others are heard still */
#define FETCH_LOST_MAX 1024 /* failed or bad; the one that is so for longest is forgotten */
#define FETCH_BUCKETS 256

enum fetch_state {
	FETCH_WAITING, /* known of; no place was free */
	FETCH_ASKED,
	FETCH_HERE, /* its bytes are, in the order of arrival */
	FETCH_MERGING,
	FETCH_FAILED, /* wanted and not to be had; asked for again when there is hope */
	FETCH_BAD,    /* no block of ours, and never will be */
	FETCH_STATES
};

struct fetch {
	struct list item;   /* of its state, the longest there first */
	struct list bucket; /* of its CID */
	struct cid cid;
	struct peerid from;   /* who named it; len 0: nobody in particular */
	struct peerid author; /* whose announcement that was; len 0: it was linked to */
	enum fetch_state state;
	int64_t since_ms;
	bool linked; /* it is among the wanted ones of the store */

	/* from FETCH_HERE on */
	uint8_t *bytes;
	size_t len;
	bool alone; /* a batch failed by it */
	/* the writer's */
	struct merge merge;
	bool open;           /* merge is */
	uint64_t generation; /* of the tables that it was begun in */
	struct merge_place before;
	bool merged, bad;
	struct err why; /* bad */
};

struct fetches {
	struct list of[FETCH_STATES], buckets[FETCH_BUCKETS];
	size_t n[FETCH_STATES], n_linked;
	size_t held; /* bytes */
};

void fetches_init(struct fetches *fs);
void fetches_clear(struct fetches *fs);

/* Blocks of the set are dag-pb under sha2-256; another form of the CID names the same block.
 * -EINVAL: it is none. */
int fetch_normalise(const struct cid *cid, struct cid *ret);

/* @cid is normalised, as below. */
struct fetch *fetch_find(const struct fetches *fs, const struct cid *cid);
/* A new one, waiting. @author and @from may be NULL. NULL: no room, or no memory. */
struct fetch *fetch_new(struct fetches *fs, const struct cid *cid, const struct peerid *author,
			const struct peerid *from);
void fetch_free(struct fetches *fs, struct fetch *f);
/* The oldest of @state, or NULL. */
struct fetch *fetch_first(const struct fetches *fs, enum fetch_state state);
/* Those of @state that @author announced. */
size_t fetch_count_of(const struct fetches *fs, enum fetch_state state,
		      const struct peerid *author);
void fetch_enter(struct fetches *fs, struct fetch *f, enum fetch_state state);
/* The same, to the front. */
void fetch_return(struct fetches *fs, struct fetch *f, enum fetch_state state);
void fetch_mark_linked(struct fetches *fs, struct fetch *f);
/* Its bytes have come: copies them. -ENOMEM. */
int fetch_take(struct fetches *fs, struct fetch *f, const uint8_t *p, size_t n);
