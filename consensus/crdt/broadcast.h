/*
 * What travels on the topic of a crdt cluster: CIDs of heads. Bytes in, bytes out; any thread.
 * Source: "Broadcasts" in docs/formats.md (cluster-wire dossier 1.7); vectors/cluster-deltas.json.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/cid.h"
#include "util/buf.h"
#include "util/err.h"

#define BROADCAST_HEADS_MAX 4096 /* of one message; more: refused */
#define TOPIC_TEXT_MAX 64

/* base58 of the MD5 multihash of the cluster's name, with a terminating zero. */
void broadcast_topic(const char *cluster_name, char out[TOPIC_TEXT_MAX]);
/* @heads is sorted in place by bytes. Appends. */
int broadcast_encode(struct cid *heads, size_t n, struct buf *out);
/* Unknown fields of the top level are one raw CID (the form before 2021). One bad CID makes the
 * whole message bad, as in the reference. On 0 the caller frees *ret. -EBADMSG, -EFBIG. */
int broadcast_decode(const uint8_t *p, size_t n, struct cid **ret, size_t *ret_n, struct err *e);
