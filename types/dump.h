/*
 * A dump: a stream of JSON objects, one pin each. The reader takes bytes as they arrive, in pieces
 * of any size, and hands out one pin at a time; its memory is bounded by one pin's text.
 * Source: "The dump" and "Import" in docs/formats.md. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/pin.h"
#include "types/pin_json.h"
#include "util/buf.h"
#include "util/err.h"

/* Overrides for every pin of an import, from an optional first object {"import":{...}}. */
struct dump_options {
	char method[16];                          /* "", "replace", "update", "merge" */
	char peerset[16];                         /* "", "keep", "single" */
	int32_t replication_min, replication_max; /* 0: as in the dump */
	bool has_allocations;
	struct peerid *allocations; /* owned by the reader */
	size_t n_allocations;
};

/* Position of the object being parsed, for messages: 1-based. */
struct dump_pos {
	uint64_t line;
	uint64_t column;
};

struct dump_reader {
	/* read-only for callers */
	struct dump_options options;
	uint64_t objects;      /* pins handed out */
	uint64_t unknown_keys; /* over all pins */
	uint64_t defaulted;    /* pins in which type, max_depth or the factors had to be filled */
	size_t line_len; /* of the pin handed out: bytes of its line as pin_json_line writes it,
			  * with the newline; 0 where its text was not of that form */
	bool complete; /* what came so far ends between two objects (cut lines are not complete) */

	/* private */
	struct pin pin;
	struct buf partial;    /* the object that is not complete yet */
	struct dump_pos pos;   /* of the next byte */
	struct dump_pos start; /* of the object in partial */
	int depth;
	bool in_string, escaped, seen_object, failed;
};

/* Called for each pin, whose texts live until it returns. A negative return ends the feed with it.
 */
typedef int (*dump_pin_fn)(void *arg, const struct pin *pin, struct err *e);

void dump_reader_init(struct dump_reader *r);
void dump_reader_deinit(struct dump_reader *r);

/* Feeds @n bytes. -EINVAL with "line L, column C: reason" in @e; the reader is dead then and every
 * further feed gives -EINVAL. Objects over PIN_BYTES_MAX: -EFBIG. */
int dump_reader_feed(struct dump_reader *r, const void *data, size_t n, dump_pin_fn fn, void *arg,
		     struct err *e);
/* The end of the dump: -EINVAL when an object is cut. */
int dump_reader_finish(struct dump_reader *r, struct err *e);
