/*
 * Frames of gossip: what one says, and writing them. Only lengths and the protobuf are checked
 * here. Any thread. Source: libp2p specs, pubsub; net/proto/gossip.proto, vectors/gossipsub.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/gossip.h"
#include "util/buf.h"
#include "util/err.h"

struct gossip_bytes {
	const uint8_t *p; /* NULL: not said */
	size_t n;
};

struct gossip_id {
	uint8_t bytes[GOSSIP_ID_BYTES];
};

struct gossip_message {
	struct gossip_bytes from, data, seqno, topic, signature, key;
};

/* What a frame said, in this order. Ids of another length than ours are left out. All that is
 * pointed to is gone after the call. */
struct gossip_rpc_events {
	void (*subscription)(void *arg, struct gossip_bytes topic, bool subscribe);
	void (*message)(void *arg, const struct gossip_message *m);
	void (*ihave)(void *arg, struct gossip_bytes topic, const struct gossip_id *id);
	void (*iwant)(void *arg, const struct gossip_id *id);
	void (*graft)(void *arg, struct gossip_bytes topic);
	void (*prune)(void *arg, struct gossip_bytes topic, uint64_t backoff_s); /* 0: not said */
	void (*idontwant)(void *arg, const struct gossip_id *id);
};

/* Nothing is reported of a malformed frame. -EBADMSG: malformed, or made to need much memory;
 * -ENOMEM. */
int gossip_rpc_read(const uint8_t *frame, size_t n, const struct gossip_rpc_events *ev, void *arg,
		    struct err *e);

/* The functions below append one frame, or nothing: -ENOMEM, -EFBIG (over the limit of @out).
 * Frames joined are one frame that says both. */

/* At most GOSSIP_TOPICS_MAX of them. */
int gossip_rpc_subscriptions(const struct gossip_bytes *topics, size_t n, struct buf *out);
int gossip_rpc_message(const struct gossip_message *m, struct buf *out);

struct gossip_rpc_control {
	struct gossip_bytes graft[GOSSIP_TOPICS_MAX], prune[GOSSIP_TOPICS_MAX];
	size_t n_graft, n_prune;
	uint64_t backoff_s; /* of each prune; 0: not said */
	struct {
		struct gossip_bytes topic;
		const struct gossip_id *ids;
		size_t n;
	} ihave[GOSSIP_TOPICS_MAX];
	size_t n_ihave;
	const struct gossip_id *iwant, *idontwant;
	size_t n_iwant, n_idontwant;
};
int gossip_rpc_control(const struct gossip_rpc_control *c, struct buf *out);

/* What the author of @m signs: all but signature and key, behind a prefix. */
int gossip_rpc_signed(const struct gossip_message *m, struct buf *out);
