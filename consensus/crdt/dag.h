/*
 * The walk over the blocks of others: what they announce is fetched and merged, and so is what it
 * links to, until nothing is missing. What is linked to and missing is in the store (wanted_*), so
 * that a restart goes on; what was only announced is forgotten when it is not to be had, since it
 * is announced again. Loop's thread; merging is done by the store's writer, in parts.
 * Source: "Receiving" in docs/formats.md (go-ds-crdt 0.6.8).
 */
#pragma once

#include "consensus/crdt/crdt_net.h"

#define DAG_FLIGHT_MAX 64         /* blocks asked for at a time */
#define DAG_FLIGHT_LINKED_MAX 48  /* of them such as are linked to: announced ones find a place */
#define DAG_FLIGHT_OF_ONE_MAX 12  /* of them such as one author announced: likewise */
#define DAG_HERE_MAX 256          /* blocks that wait for being merged; nothing is asked for then */
#define DAG_HELD_MAX (16u << 20)  /* bytes of them; what comes beyond it is asked for again */
#define DAG_FETCH_MS (120 * 1000) /* then another block gets the place */
#define DAG_PART 2048             /* pages that a transaction may dirty, about */
#define DAG_SET_BYTES_MAX (24u << 20) /* of decoded blocks merged together, or one alone */
#define DAG_FLOOD 256     /* a block of more entries is told as "everything may have changed" */
#define DAG_AGAIN_MS 5000 /* after a batch that failed, such as on a full disk */
#define DAG_QUIET_MS 3000 /* between two "everything may have changed" of a flood */

struct dag;

/* @net, @events live as long. */
int dag_new(struct store *s, uv_loop_t *loop, const struct consensus_events *events,
	    const struct crdt_net *net, struct dag **ret);
void dag_close(struct dag *d, void (*closed)(void *arg), void *arg);

/* Heads that a trusted peer, @author, announced; they came by @from. */
void dag_heard(struct dag *d, const struct cid *heads, size_t n, const struct peerid *author,
	       const struct peerid *from);
/* A block that was asked for; its bytes match the CID. */
void dag_block(struct dag *d, const struct cid *cid, const uint8_t *p, size_t n);
/* Somebody came, or time has passed: what was not to be had is asked for again. */
void dag_again(struct dag *d);
/* The pinset may have been emptied or replaced: then what was heard last is fetched into what there
 * is now. */
void dag_replaced(struct dag *d);
/* Any thread. */
void dag_state(struct dag *d, struct crdt_sync *ret);
