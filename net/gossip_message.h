/*
 * One message: who wrote it, what it is called, and that it is its author's. Any thread.
 * Source: libp2p specs, pubsub (strict signing); the id is ipfs-cluster's own.
 */
#pragma once

#include "net/gossip_rpc.h"
#include "types/identity.h"
#include "types/peerid.h"

/* -EBADMSG: its author or its number have not the length that an id is made of. To be asked before
 * all else. */
int gossip_message_author(const struct gossip_message *m, struct peerid *ret);
/* Of one whose author is good: the first 16 bytes of it, and the number. */
void gossip_message_id(const struct gossip_message *m, struct gossip_id *ret);
/* -EBADMSG: not signed by its author, -ENOMEM. */
int gossip_message_verify(const struct gossip_message *m);
/* Signs @m, of which from, data, seqno and topic are set, by @self, and sets its signature to
 * @signature, which lives as long. -ENOMEM. */
int gossip_message_sign(struct gossip_message *m, const struct identity *self,
			uint8_t signature[64]);
