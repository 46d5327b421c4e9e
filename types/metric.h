/*
 * A metric: what a peer says of itself on the topic monitor.metrics. Bytes in, bytes out. Pure.
 * Source: "Metrics" in docs/formats.md; vectors/cluster-metrics.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define METRIC_NAME_MAX 128 /* bytes; a longer one is refused */
#define METRIC_VALUE_MAX 4096
#define METRIC_BYTES_MAX 8192 /* of one message */

struct metric {
	const char *name; /* not terminated; where decoded: into the input */
	size_t name_len;
	const char *value;
	size_t value_len;
	struct peerid peer;
	int64_t expire_ns; /* Unix time */
	int64_t weight;
	int64_t received_ns; /* set by the receiver */
	bool valid, partitionable;
};

int metric_encode(const struct metric *m, struct buf *out);
/* The old prefix is taken off. -EBADMSG, -EFBIG. */
int metric_decode(const uint8_t *p, size_t n, struct metric *ret, struct err *e);
