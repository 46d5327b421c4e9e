/*
 * What each peer announced last: its heads, as far as they are known. A broadcast need not name all
 * of them: peers leave out what others named lately. Written on the loop's thread, read from any.
 */
#pragma once

#include <pthread.h>

#include "consensus/crdt/crdt_net.h"

#define HEARD_PEERS_MAX 512 /* then the one goes that was not heard of for longest */

struct heard_peer;

struct heard {
	pthread_mutex_t lock;
	struct heard_peer *peers; /* HEARD_PEERS_MAX of them, made with the first */
	size_t n;
};

void heard_init(struct heard *h);
void heard_deinit(struct heard *h);
/* In place of what @peer announced before. Without memory it stays unknown. */
void heard_note(struct heard *h, const struct peerid *peer, const struct cid *heads, size_t n,
		int64_t now_s);
bool heard_get(struct heard *h, const struct peerid *peer, struct crdt_heads *ret);
