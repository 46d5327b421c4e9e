/*
 * --init: a new configuration folder, or the missing half of one. Files and defaults are those of
 * `ipfs-cluster-service init`, so that either program can be started on the folder; our sections
 * are added to service.json. Needs hash_init; before any thread.
 */
#pragma once

#include <stddef.h>

#include "daemon/config.h"

struct init_options {
	const char *folder;
	enum config_consensus consensus;
	/* Addresses of known peers, each with /p2p: they go to the peerstore, and their IDs become
	 * the trusted peers (crdt) or the first peerset (raft). */
	const char *const *peers;
	size_t n_peers;
};

/* What was done, for the person who asked. */
struct init_result {
	bool new_identity; /* false: there was one, and it is kept */
	bool new_peerstore;
	size_t n_peers;
	char id[PEERID_TEXT_MAX];
};

/* All or nothing: everything is checked first, service.json comes last, and what was written is
 * taken back on failure. CLUSTER_* variables go into the files. -EEXIST: there is a service.json,
 * which is never overwritten. -EBUSY: a peer runs on the folder. -EINVAL: options or variables. */
int config_init(const struct init_options *o, struct init_result *ret, struct err *e);
