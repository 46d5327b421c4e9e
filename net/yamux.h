/*
 * Yamux: many streams over one connection. A state machine without I/O: bytes come in through
 * yamux_feed, which reports what happened; bytes to send are drained from yamux_out, pings first.
 * Source: yamux spec as go-yamux 5 lives it; "Yamux" in docs/network.md, vectors/yamux.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

#define YAMUX_HEADER 12
#define YAMUX_WINDOW (256u * 1024)         /* each direction, each stream; ours never grows */
#define YAMUX_CREDIT_AT (YAMUX_WINDOW / 2) /* consumed bytes after which credit goes back */
#define YAMUX_FRAME_MAX 65524              /* payload of frames that we send */
#define YAMUX_INBOUND_MAX 256              /* streams that the peer may have open */
#define YAMUX_BUFFERED_MAX (16u << 20)     /* unconsumed bytes of all streams */
#define YAMUX_PINGS_MAX 100                /* answers waiting to be sent */
#define YAMUX_QUEUE_MAX (256u * 1024)      /* bytes of frames waiting, up to which data is taken */
#define YAMUX_CONTROL_MAX (256u * 1024)    /* and of frames without data, on top */
#define YAMUX_KEEPALIVE_MS 30000
#define YAMUX_PONG_MS 10000

enum yamux_reset { /* codes in RST frames */
	YAMUX_RESET_NONE = 0,
	YAMUX_RESET_NEGOTIATION = 0x1001,
	YAMUX_RESET_LIMIT = 0x1002,
	YAMUX_RESET_RATE = 0x1003,
	YAMUX_RESET_PROTOCOL = 0x1004,
	YAMUX_RESET_SHUTDOWN = 0x1007,
};

struct yamux;
struct yamux_stream; /* valid until yamux_stream_release */

struct yamux_events {
	/* The peer opened a stream. */
	void (*opened)(void *arg, struct yamux_stream *s);
	/* Bytes of a stream, which count as consumed only when yamux_consumed says so. */
	void (*data)(void *arg, struct yamux_stream *s, const uint8_t *p, size_t n);
	/* The peer sends no more on it. */
	void (*eof)(void *arg, struct yamux_stream *s);
	/* Over in both directions, at once. */
	void (*reset)(void *arg, struct yamux_stream *s, uint32_t code);
	/* Credit or room came for a stream whose last write was cut: more may be written. */
	void (*writable)(void *arg, struct yamux_stream *s);
	void *arg;
};

int yamux_new(bool dialer, const struct yamux_events *ev, uint64_t now_ms, struct yamux **ret);
void yamux_free(struct yamux *y); /* streams are released with it */

/* -EPROTO: the peer broke the protocol; -ECONNRESET: it said go-away. What is drained after that
 * (a go-away where due) is the last to be sent. Callbacks may open, write, close, reset and release
 * streams. */
int yamux_feed(struct yamux *y, const uint8_t *p, size_t n, uint64_t now_ms, struct err *e);
/* Bytes to send now, moved to @out; then calls writable where room is what was wanted, so to be
 * called again when they are sent. Not from a callback. On an error nothing has moved. */
int yamux_drain(struct yamux *y, struct buf *out);
/* When yamux_tick is to be called next (ms). -ETIMEDOUT from it: the peer did not answer a
 * keepalive. */
uint64_t yamux_deadline(const struct yamux *y);
int yamux_tick(struct yamux *y, uint64_t now_ms);

/* We end the connection: what is queued and a go-away are the last to be sent. */
void yamux_end(struct yamux *y, uint32_t code);
/* Round trip of the last keepalive, 0 while there was none. */
uint64_t yamux_rtt_ms(const struct yamux *y);

int yamux_open(struct yamux *y, struct yamux_stream **ret);
void yamux_stream_set_arg(struct yamux_stream *s, void *arg);
void *yamux_stream_arg(const struct yamux_stream *s);
/* As many bytes as credit and room in the queue allow (0 possible); the rest when writable is
 * called. */
size_t yamux_write(struct yamux_stream *s, const void *p, size_t n);
void yamux_consumed(struct yamux_stream *s, size_t n);
void yamux_shut(struct yamux_stream *s); /* FIN: we send no more */
void yamux_reset(struct yamux_stream *s, uint32_t code);
/* The owner is done with it: reset unless both sides had ended; no callback any more. */
void yamux_stream_release(struct yamux_stream *s);
size_t yamux_streams(const struct yamux *y);
