/*
 * --init: a new configuration folder, or the missing half of one. Files and defaults are those of
 * `ipfs-cluster-service init`, so that either program can be started on the folder; our sections
 * are added to service.json. Needs hash_init; before any thread.
 */
#pragma once

#include <stddef.h>

#include "daemon/config.h"

#define INIT_SECRET_MAX 128 /* bytes of a typed secret, right or wrong, with the zero */
#define INIT_KEPT_MAX 300   /* bytes of the name of what is kept, with the zero */

struct init_options {
	const char *folder;
	enum config_consensus consensus;
	/* Addresses of known peers, each with /p2p: they go to the peerstore, and their IDs become
	 * the trusted peers (crdt) or the first peerset (raft). */
	const char *const *peers;
	size_t n_peers;
	bool force;        /* replaces what is there */
	bool random_ports; /* free ports, in place of the defaults */
	/* --custom-secret: fills in what was typed. NULL: nobody is asked. */
	int (*ask_secret)(char ret[INIT_SECRET_MAX], struct err *e);
};

/* What was done, for the person who asked. */
struct init_result {
	bool new_identity; /* false: there was one, and it is kept */
	bool new_peerstore;
	size_t n_peers;
	char id[PEERID_TEXT_MAX];
	/* Names in the folder of what was replaced; "" when nothing was. */
	char kept_service[INIT_KEPT_MAX], kept_peerstore[INIT_KEPT_MAX];
};

/* All or nothing: everything is checked first, service.json comes last, and what was written is
 * taken back on failure. CLUSTER_* variables go into the files. The identity and the data stay
 * whatever is asked for. -EEXIST: there is a service.json, or a peerstore that the peers would
 * replace, and no force. -EBUSY: a peer runs on the folder. -EINVAL: options or variables. */
int config_init(const struct init_options *o, struct init_result *ret, struct err *e);
