/*
 * The Kubos among themselves: has ours connected to those of the other members, so that each finds
 * what another has. From connect_swarms_delay after the start on, each member's once per
 * appearance, as soon as the member has said where it is; when our Kubo comes back, all of them
 * anew. Some at a time, of each one address after the other until one is reached; what fails is
 * left at that. Nothing while our Kubo is away. Loop's thread.
 *
 * The reference does it once, with the members of that moment.
 * Source: ipfs-cluster 1.1.6 ipfshttp.go, ConnectSwarms; "Kubos" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "ipfs/kubo.h"
#include "types/peerid.h"
#include "types/rpc_types.h"
#include "util/err.h"

#define SWARMS_CALLS_MAX 4      /* at a time */
#define SWARMS_ADDRESSES_MAX 16 /* of one Kubo; the others are not tried */

struct swarms;

struct swarms_options {
	uv_loop_t *loop;
	struct kubo *kubo; /* outlives it */
	int64_t delay_ms;  /* above 0 */
	bool up;           /* our Kubo is there */
	/* Has all members say anew where their Kubos are: swarms_said, later. */
	void (*ask)(void *arg);
	void *arg;
};

/* -ENOMEM. */
int swarms_new(const struct swarms_options *opt, struct swarms **ret, struct err *e);
/* Gives up what is under way, then calls @closed. */
void swarms_close(struct swarms *s, void (*closed)(void *arg), void *arg);

/* Our Kubo came, or went. */
void swarms_kubo(struct swarms *s, bool up);
/* A member has answered. One whose Kubo is away is connected to when it says that it is back. */
void swarms_said(struct swarms *s, const struct peerid *member, const struct rpc_ipfs_id *ipfs);
/* It is no member any more; the next time is another appearance. For each of swarms_said, else they
 * are never forgotten. */
void swarms_gone(struct swarms *s, const struct peerid *member);
