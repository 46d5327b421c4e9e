/*
 * A host without a network: the peers that come and go, and what is on the streams to them, are
 * played by the test. It stands in for host.c, stream.c and conn.c. Allocation failures abort.
 */
#pragma once

#include "net/host.h"

struct host *host_fake_new(void);
/* As host_close: streams end, then the watches hear of it. Frees it at once. */
void host_fake_close(struct host *h);

/* @protocols: their names with spaces in between. @dialer: we dialled it. */
void host_fake_up(struct host *h, const struct peerid *peer, const char *protocols, bool dialer);
void host_fake_changed(struct host *h, const struct peerid *peer, const char *protocols);
/* Its streams end with -ECONNRESET before. */
void host_fake_down(struct host *h, const struct peerid *peer);
/* From now on streams cannot be opened. */
void host_fake_refuse(struct host *h, bool refuse);

/* The peer opens a stream. */
struct stream *host_fake_inbound(struct host *h, const struct peerid *peer, const char *protocol);
/* Of the open streams that we opened to the peer: the last one, NULL: none. */
struct stream *host_fake_outbound(struct host *h, const struct peerid *peer);
/* Those that we ever opened. */
size_t host_fake_opened(const struct host *h);

/* How a stream of the test's is now. It stays readable when its owner has let go of it. */
enum stream_fake_state {
	STREAM_OPEN,
	STREAM_CLOSED,
	STREAM_RESET,
	STREAM_ENDED
};
enum stream_fake_state stream_fake_state(const struct stream *s);
uint32_t stream_fake_code(const struct stream *s); /* of a reset one */
/* What was written since the last call; valid until the next write. */
const uint8_t *stream_fake_written(struct stream *s, size_t *ret_n);
/* The next write finds @n bytes waiting before it. */
void stream_fake_queue(struct stream *s, size_t n);

/* What the peer does to a stream. */
void stream_fake_data(struct stream *s, const void *p, size_t n);
void stream_fake_eof(struct stream *s);
void stream_fake_drained(struct stream *s); /* nothing waits any more */
void stream_fake_end(struct stream *s, int why);
