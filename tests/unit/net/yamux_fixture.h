/*
 * One yamux machine whose events are written down as text, "open 2; data 2 616263; eof 2;", and
 * whose owner may act in them. Include after cmocka.h.
 */
#pragma once

#include "net/yamux_internal.h"

struct machine {
	struct yamux *y;
	struct buf log; /* bytes of one stream that come in a row are one event */
	uint32_t data_id;
	struct yamux_stream *last; /* of the last event; may be released */
	bool quiet;                /* events are not written down */
	const char *release_at;    /* the event in which the stream is released */
	/* What else the owner does in an event: "open", "data", "eof", "reset", "writable".
	 * A stream that was reset is released in any case. */
	void (*act)(struct machine *m, const char *event, struct yamux_stream *s);
};

void machine_start(struct machine *m, bool dialer);
void machine_stop(struct machine *m);
/* What was written since the last call, with a zero behind it. */
const char *machine_log(struct machine *m);
/* Drains, and compares with @hex. */
void assert_sends(struct machine *m, const char *hex);
/* @n bytes at @p are fed in pieces of @step (0: at once); the first error ends it. */
int feed_steps(struct machine *m, const uint8_t *p, size_t n, size_t step);
int feed_hex(struct machine *m, const char *hex);
int feed_frame(struct machine *m, unsigned type, unsigned flags, uint32_t id, uint32_t length);
