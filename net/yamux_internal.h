/*
 * What the two halves of yamux share: yamux.c has the connection (frames in, pings, what is to be
 * sent), yamux_stream.c the streams. For them only.
 */
#pragma once

#include "net/yamux.h"
#include "util/list.h"

#define YAMUX_BUCKETS 64

enum yamux_type {
	YAMUX_DATA = 0,
	YAMUX_WINDOW_UPDATE = 1,
	YAMUX_PING = 2,
	YAMUX_GO_AWAY = 3
};

enum yamux_flag {
	YAMUX_SYN = 1,
	YAMUX_ACK = 2,
	YAMUX_FIN = 4,
	YAMUX_RST = 8
};

struct yamux_stream {
	struct yamux *y;
	void *arg;
	uint32_t id;
	uint32_t send_credit; /* what the peer still takes */
	uint32_t recv_credit; /* what it may still send */
	uint32_t unconsumed;  /* bytes with the owner */
	uint32_t consumed;    /* since credit last went back */
	bool got_fin, sent_fin;
	bool gone;         /* over in both directions: its id is unknown from now on */
	bool short_credit; /* a write was cut for want of credit */
	struct list all, bucket;
	struct list waiting; /* in y->waiting while a write was cut for want of room */
};

struct yamux {
	struct yamux_events ev;
	bool dialer;
	uint32_t next_id; /* of the stream that we open next; 0: none is left */
	struct list streams, waiting, buckets[YAMUX_BUCKETS];
	size_t n_streams, n_inbound; /* not released */
	size_t buffered;             /* bytes with the owners of all streams */

	/* The frame that is coming in; its stream is NULL when its payload goes nowhere. */
	uint8_t head[YAMUX_HEADER];
	size_t n_head;
	uint32_t payload_left;
	bool payload_fin;
	struct yamux_stream *current;

	struct buf urgent, out;
	unsigned pongs; /* in urgent */

	bool awaiting_pong;
	uint32_t ping_value;
	uint64_t deadline; /* for the pong, or for the next ping */
	uint64_t rtt;

	int failed; /* -errno: nothing goes in or out any more, but what is queued */
	const char *why;
	uint32_t detail;
};

struct yamux_frame {
	uint8_t version, type;
	uint16_t flags;
	uint32_t id, length;
};

void yamux_frame_put(const struct yamux_frame *f, uint8_t out[YAMUX_HEADER]);
void yamux_frame_get(const uint8_t in[YAMUX_HEADER], struct yamux_frame *ret);

/* The first failure stays; @why is static text. */
int yamux_fail(struct yamux *y, int code, const char *why, uint32_t detail);
/* Queues a frame without payload behind all that is queued; where that fails, so does @y. */
void yamux_queue(struct yamux *y, enum yamux_type type, unsigned flags, uint32_t id,
		 uint32_t length);
/* Payload that yamux_write may still queue. */
size_t yamux_room(const struct yamux *y);

struct yamux_stream *yamux_stream_find(struct yamux *y, uint32_t id);
struct yamux_stream *yamux_stream_new(struct yamux *y, uint32_t id); /* NULL: no memory */
/* The peer ended its direction. */
void yamux_stream_got_fin(struct yamux_stream *s);
void yamux_stream_got_reset(struct yamux_stream *s, uint32_t code);
/* It broke a rule or passed a limit: resets it, and says so to its owner. */
void yamux_stream_refuse(struct yamux_stream *s, uint32_t code);
