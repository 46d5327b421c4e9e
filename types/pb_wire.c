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

static int read_tag(struct pb_reader *r, uint32_t *number, unsigned *wire)
{
	uint64_t tag;

	if (read_varint(r, &tag) < 0 || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
		return -EBADMSG;
	*number = (uint32_t)(tag >> 3);
	*wire = tag & 7;
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
static int read_value(struct pb_reader *r, unsigned wire, struct pb_field *ret)
{
	uint64_t n;

	switch (wire) {
	case PB_VARINT:
		return read_varint(r, &ret->value);
	case PB_BYTES:
		if (read_varint(r, &n) < 0 || n > (size_t)(r->end - r->p))
			return -EBADMSG;
		ret->p = r->p;
		ret->n = (size_t)n;
		r->p += n;
		return 0;
	case PB_FIXED64:
		return skip(r, 8);
	case PB_FIXED32:
		return skip(r, 4);
	default:
		return -EBADMSG;
	}
}

static int skip_group(struct pb_reader *r, uint32_t number)
{
	uint32_t open[PB_GROUPS_MAX];
	size_t depth = 0;

	open[depth++] = number;
	while (depth > 0) {
		struct pb_field ignored;
		uint32_t inner;
		unsigned wire;

		if (read_tag(r, &inner, &wire) < 0)
			return -EBADMSG;
		if (wire == PB_GROUP) {
			if (depth == PB_GROUPS_MAX)
				return -EBADMSG;
			open[depth++] = inner;
		} else if (wire == WIRE_GROUP_END) {
			if (open[--depth] != inner)
				return -EBADMSG;
		} else if (read_value(r, wire, &ignored) < 0) {
			return -EBADMSG;
		}
	}
	return 0;
}

int pb_next(struct pb_reader *r, struct pb_field *ret)
{
	unsigned wire;
	int err;

	if (r->p == r->end)
		return 0;
	if (read_tag(r, &ret->number, &wire) < 0)
		return -EBADMSG;
	ret->value = 0;
	ret->p = NULL;
	ret->n = 0;
	if (wire == PB_GROUP)
		err = skip_group(r, ret->number);
	else
		err = read_value(r, wire, ret);
	if (err < 0)
		return err;
	ret->wire = (enum pb_wire)wire;
	return 1;
}
