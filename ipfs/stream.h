/*
 * Cuts an answer of Kubo, JSON values one after the other (one per line or not), into single
 * values as bytes arrive, however they are split. Memory is bounded by one value. One owner, no
 * I/O; any thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

#define STREAM_DEPTH_MAX 16 /* of nested objects and arrays; Kubo's answers have at most 4 */

struct stream {
	struct buf value; /* the value under way */
	unsigned depth;
	bool in_string, escaped;
};

/* @value is borrowed. A negative return ends the feed and is its result. */
typedef int (*stream_each)(void *arg, json_t *value, struct err *e);

void stream_init(struct stream *s, size_t max_value);
void stream_deinit(struct stream *s);

/* Calls @each for every value completed by these bytes. -EBADMSG: not a sequence of JSON objects
 * and arrays; -EFBIG: a value over the limit. After a failure only stream_deinit may follow. */
int stream_feed(struct stream *s, const void *p, size_t n, stream_each each, void *arg,
		struct err *e);
/* No more bytes will come. -EBADMSG inside a value. */
int stream_end(const struct stream *s, struct err *e);
