/*
 * The walk over the blocks of others: what they announce is fetched and merged, and so is what it
 * links to, until nothing is missing. What is still to be fetched is in the store (wanted_*), so
 * that a restart goes on. Loop's thread; merging is done by the store's writer, in parts.
 * Source: "Receiving" in docs/formats.md (go-ds-crdt 0.6.8).
 */
#pragma once

#include "consensus/crdt/crdt_net.h"

#define DAG_FLIGHT_MAX 64         /* blocks asked for at a time */
#define DAG_HELD_MAX (16u << 20)  /* bytes of blocks that wait for being merged */
#define DAG_REMEMBERED_MAX 1024   /* blocks announced or not to be had, in memory */
#define DAG_FETCH_MS (120 * 1000) /* then another block gets the place, and this one waits */
#define DAG_PART 256              /* entries merged in one transaction */
#define DAG_AGAIN_MS 5000         /* after a merge that failed, such as on a full disk */
#define DAG_QUIET_MS 3000         /* between two "everything may have changed" of a flood */

struct dag;

/* @net, @events live as long. @heads_changed: after merges, for whoever tells others. */
int dag_new(struct store *s, uv_loop_t *loop, const struct consensus_events *events,
	    const struct crdt_net *net, struct dag **ret);
void dag_close(struct dag *d, void (*closed)(void *arg), void *arg);

/* Heads that a trusted peer announced. */
void dag_heard(struct dag *d, const struct cid *heads, size_t n, const struct peerid *from);
/* A block that was asked for. */
void dag_block(struct dag *d, const struct cid *cid, const uint8_t *p, size_t n);
/* Somebody came, or time has passed: what was not to be had is asked for again. */
void dag_again(struct dag *d);
/* The pinset was emptied or replaced: what was heard last is fetched into what there is now. */
void dag_replaced(struct dag *d);
/* Any thread. */
void dag_state(struct dag *d, struct crdt_sync *ret);
