/*
 * identify: what a peer says of itself when a connection is new (/ipfs/id/1.0.0, the acceptor
 * speaks) and when that changes (/ipfs/id/push/1.0.0, the opener speaks). One message in frames of
 * uvarint length, ended by FIN. No I/O; one thread at a time. Source: libp2p specs, identify;
 * "Identify" in docs/network.md, vectors/identify.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/frame.h"
#include "types/multiaddr.h"
#include "util/buf.h"
#include "util/err.h"

#define IDENTIFY_PROTOCOL "/ipfs/id/1.0.0"
#define IDENTIFY_PUSH_PROTOCOL "/ipfs/id/push/1.0.0"
#define IDENTIFY_TIMEOUT_MS 5000 /* for all frames of a peer */
#define IDENTIFY_FRAME_MAX 8192
#define IDENTIFY_FRAMES_MAX 10
#define IDENTIFY_OURS_MAX 4096 /* a message of ours, which is one frame */
#define IDENTIFY_ADDRS_MAX 500 /* of a peer; more are left out, as are malformed ones */
#define IDENTIFY_PROTOCOLS_MAX 1000
#define IDENTIFY_TEXT_MAX 256 /* bytes of one protocol or version; a longer one is left out */
#define IDENTIFY_MEMORY_MAX (1024 * 1024) /* for decoding; freed at its end */

struct identify_bytes {
	const uint8_t *p; /* NULL: not said */
	size_t n;
};

struct identify {
	struct identify_bytes public_key; /* protobuf PublicKey, as in a peer ID */
	struct identify_bytes observed;   /* binary multiaddr: how the sender sees the receiver */
	struct identify_bytes protocol_version, agent;
	const struct identify_bytes *addrs, *protocols; /* addrs: binary multiaddrs */
	size_t n_addrs, n_protocols;
	void *memory; /* of a decoded one: all that is pointed to */
};

/* One frame. -EFBIG: over IDENTIFY_OURS_MAX. */
int identify_write(const struct identify *id, struct buf *out);
bool identify_speaks(const struct identify *id, const char *protocol);
void identify_clear(struct identify *id); /* of a decoded one */

struct identify_reader {
	struct frame_reader frames;
	struct buf message; /* the frames joined: fields of later ones are added, or win */
	unsigned n_frames;
};

void identify_reader_init(struct identify_reader *r);
void identify_reader_clear(struct identify_reader *r);
/* -EFBIG, -EPROTO, -EBADMSG, -ENOMEM: final; reset the stream. */
int identify_feed(struct identify_reader *r, const uint8_t *p, size_t n, struct err *e);
/* The stream's end. On 0 the caller owns @ret. -EBADMSG: cut, or nothing was said. */
int identify_finish(struct identify_reader *r, struct identify *ret, struct err *e);
