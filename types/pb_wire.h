/*
 * Reading the protobuf wire format field by field, for the decoders written by hand. Accepts and
 * refuses what Go's parser does; groups are skipped whole. Points into the input; any thread.
 * Source: protobuf encoding specification.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PB_GROUPS_MAX 64 /* groups within groups in an unknown field */

enum pb_wire {
	PB_VARINT = 0,
	PB_FIXED64 = 1,
	PB_BYTES = 2,
	PB_GROUP = 3,
	PB_FIXED32 = 5
};

struct pb_reader {
	const uint8_t *p, *end;
};

struct pb_field {
	uint32_t number;
	enum pb_wire wire;
	uint64_t value;   /* of PB_VARINT */
	const uint8_t *p; /* of PB_BYTES */
	size_t n;
};

/* Of no bytes there may be no address either: of a field that is absent. */
static inline struct pb_reader pb_reader_of(const uint8_t *p, size_t n)
{
	return (struct pb_reader){ p, n > 0 ? p + n : p };
}

/* The next field: 1, 0 at the end, -EBADMSG. */
int pb_next(struct pb_reader *r, struct pb_field *ret);
