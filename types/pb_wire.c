#include "types/pb_wire.h"

#include <errno.h>

#include "util/varint.h"

#define WIRE_GROUP_END 4
#define FIELD_NUMBER_MAX ((1u << 29) - 1)

static int read_varint(struct pb_reader *r, uint64_t *ret)
{
	int n = varint_get(r->p, (size_t)(r->end - r->p), 0, ret);

	if (n < 0)
		return -EBADMSG;
	r->p += n;
	return 0;
}

static int read_tag(struct pb_reader *r, struct pb_field *ret)
{
	if (read_varint(r, &ret->value) < 0 || ret->value >> 3 == 0 ||
	    ret->value >> 3 > FIELD_NUMBER_MAX)
		return -EBADMSG;
	ret->number = (uint32_t)(ret->value >> 3);
	ret->wire = (enum pb_wire)(ret->value & 7);
	return 0;
}

static int skip(struct pb_reader *r, size_t n)
{
	if (n > (size_t)(r->end - r->p))
		return -EBADMSG;
	r->p += n;
	return 0;
}

/* The value behind a tag, groups apart. */
static int read_value(struct pb_reader *r, struct pb_field *ret)
{
	switch (ret->wire) {
	case PB_VARINT:
		return read_varint(r, &ret->value);
	case PB_BYTES:
		if (read_varint(r, &ret->value) < 0 || ret->value > (size_t)(r->end - r->p))
			return -EBADMSG;
		ret->p = r->p;
		ret->n = (size_t)ret->value;
		r->p += ret->n;
		return 0;
	case PB_FIXED64:
		return skip(r, 8);
	case PB_FIXED32:
		return skip(r, 4);
	default:
		return -EBADMSG;
	}
}

/* Not inlined: its array would make every field pay for the check of the stack. */
static __attribute__((noinline)) int skip_group(struct pb_reader *r, uint32_t number)
{
	uint32_t open[PB_GROUPS_MAX];
	size_t depth = 0;

	open[depth++] = number;
	while (depth > 0) {
		struct pb_field inner;

		if (read_tag(r, &inner) < 0)
			return -EBADMSG;
		if (inner.wire == PB_GROUP) {
			if (depth == PB_GROUPS_MAX)
				return -EBADMSG;
			open[depth++] = inner.number;
		} else if (inner.wire == WIRE_GROUP_END) {
			if (open[--depth] != inner.number)
				return -EBADMSG;
		} else if (read_value(r, &inner) < 0) {
			return -EBADMSG;
		}
	}
	return 0;
}

int pb_next(struct pb_reader *r, struct pb_field *ret)
{
	int err;

	if (r->p == r->end)
		return 0;
	if (read_tag(r, ret) < 0)
		return -EBADMSG;
	err = ret->wire == PB_GROUP ? skip_group(r, ret->number) : read_value(r, ret);
	return err < 0 ? err : 1;
}
