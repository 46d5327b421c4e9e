/*
 * The text of a new service.json. Private to --init.
 */
#pragma once

#include <jansson.h>

#include "daemon/init.h"
#include "util/buf.h"

struct init_service {
	enum config_consensus consensus;
	json_t *peers;      /* IDs, borrowed; with any, they alone are trusted */
	const char *secret; /* "": that of CLUSTER_SECRET, or a new one */
	bool random_ports;
};

/* Appends the text, which was proved to load. *ret_peerstore: the name of the peerstore in it, the
 * caller's. -EINVAL: variables. */
int init_service_text(const struct init_service *s, struct buf *out, char **ret_peerstore,
		      struct err *e);
