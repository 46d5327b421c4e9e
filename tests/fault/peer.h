/*
 * An offline peer over a store in a scratch folder, for faults: its pins are those of a model, and
 * everything in its store is counted anew. Include after cmocka.h. Failures fail the test.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "cluster/cluster.h"
#include "consensus/crdt/crdt_config.h"

#define PEER_CIDS 160

struct peer {
	char folder[32];
	struct crdt_config crdt;
	struct cluster_config config;
	int64_t max_unpins;
	/* from peer_open on */
	uv_loop_t loop;
	struct mbox mbox;
	struct store *store;
	struct consensus *consensus;
	struct cluster *cluster;
	bool closed;
	struct mbox_msg broken;
	unsigned breaks;    /* reported of the store */
	unsigned changes;   /* reported since the last peer_begin */
	unsigned under_way; /* requests without an answer */
	char reason[512];   /* of the last request */
	/* the model: names of the pins by the number of their CIDs; NULL: not pinned */
	const char *names[PEER_CIDS];
};

/* Makes the folder. @batching: crdt.batching of four operations. */
void peer_init(struct peer *p, bool batching);
void peer_remove(struct peer *p);
/* What starting a peer is without the mount, with the @n-th call of @what failing (NULL: none).
 * -errno: everything is as before, @e says why. */
int peer_try_open(struct peer *p, atomic_long *what, long n, struct err *e);
void peer_open(struct peer *p);
void peer_close(struct peer *p);
/* LMDB gives up an environment whose meta page could not be written: opens the peer again where
 * that has happened, and says so. */
bool peer_revive(struct peer *p);

/* One pin or unpin. */
struct peer_step {
	unsigned i;       /* number of the CID */
	const char *name; /* NULL: unpin */
	bool expires;
};

struct cluster_request *peer_request(enum cluster_verb verb, const char *text); /* or NULL */
struct cluster_request *peer_change(const struct peer_step *steps, size_t n);
/* The same as a large batch is: from a source. @steps live as long as the request. */
struct cluster_request *peer_change_many(const struct peer_step *steps, size_t n);
/* Carries it out; returns its status. */
int peer_run(struct peer *p, struct cluster_request *rq);
void peer_must(struct peer *p, struct cluster_request *rq); /* the same, and it may not fail */
/* The same for several at once. @ret gets the status. */
void peer_begin(struct peer *p);
void peer_post(struct peer *p, struct cluster_request *rq, int *ret);
void peer_await(struct peer *p);
void peer_model(struct peer *p, const struct peer_step *steps, size_t n);
void peer_model_none(struct peer *p); /* no pins */
/* Makes the pins @from..@to, in the model too. */
void peer_pin(struct peer *p, unsigned from, unsigned to, const char *name);
/* Brings the peer back to the model. */
void peer_restore(struct peer *p);

/* False: LMDB gave the environment up, as it does when its meta page could not be written. */
bool peer_works(struct peer *p);
/* The peer has exactly the pins of the model, and all its counters and indexes are right. */
bool peer_is_model(struct peer *p);
void peer_recount(struct peer *p);
void peer_info(struct peer *p, struct store_info *ret);
