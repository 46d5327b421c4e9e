#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/delta.h"
#include "consensus/crdt/delta_pb.h"
#include "delta.pb-c.h"
#include "types/pb_memory.h"
#include "util/base_enc.h"
#include "util/utf8.h"
#include "util/varint.h"

static size_t bytes_size(size_t n)
{
	return n ? 1 + varint_len(n) + n : 0;
}

size_t delta_entry_size(const struct delta_entry *en)
{
	size_t n = bytes_size(en->key_len) + bytes_size(en->id_len) + bytes_size(en->value_len);

	return 1 + varint_len(n) + n;
}

/* The library takes bytes to be written as not const. */
static ProtobufCBinaryData binary(const void *p, size_t n)
{
	union {
		const void *in;
		uint8_t *out;
	} u = { .in = p };

	return (ProtobufCBinaryData){ .len = n, .data = u.out };
}

static void fill(Crdt__Element *elements, Crdt__Element **pointers, const struct delta_entry *from,
		 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crdt__element__init(&elements[i]);
		elements[i].key = binary(from[i].key, from[i].key_len);
		elements[i].id = binary(from[i].id, from[i].id_len);
		elements[i].value = binary(from[i].value, from[i].value_len);
		pointers[i] = &elements[i];
	}
}

size_t delta_pb_size(const struct delta *d)
{
	size_t n = d->priority ? 1 + varint_len(d->priority) : 0;

	for (size_t i = 0; i < d->n_elements; i++)
		n += delta_entry_size(&d->elements[i]);
	for (size_t i = 0; i < d->n_tombstones; i++)
		n += delta_entry_size(&d->tombstones[i]);
	return n;
}

int delta_pb_append(const struct delta *d, struct buf *out)
{
	size_t n = d->n_elements + d->n_tombstones, size = delta_pb_size(d);
	Crdt__Delta message = CRDT__DELTA__INIT;
	Crdt__Element **pointers;
	Crdt__Element *elements;
	int r;

	r = buf_reserve(out, size);
	if (r < 0)
		return r;
	elements = calloc(n + 1, sizeof(*elements));
	pointers = calloc(n + 1, sizeof(Crdt__Element *));
	if (!elements || !pointers) {
		r = -ENOMEM;
		goto out_free;
	}
	fill(elements, pointers, d->elements, d->n_elements);
	fill(elements + d->n_elements, pointers + d->n_elements, d->tombstones, d->n_tombstones);
	message.elements = pointers;
	message.n_elements = d->n_elements;
	message.tombstones = pointers + d->n_elements;
	message.n_tombstones = d->n_tombstones;
	message.priority = d->priority;
	out->len += crdt__delta__pack(&message, out->data + out->len);
out_free:
	free(pointers);
	free(elements);
	return r;
}

/* Takes over what the library decoded, which is memory of @b. */
static int take_entries(Crdt__Element **from, size_t n, struct bump *b, struct delta_entry **ret,
			struct err *e)
{
	struct delta_entry *entries;

	*ret = NULL;
	if (n == 0)
		return 0;
	entries = bump_alloc(b, n * sizeof(*entries));
	if (!entries)
		return err_set(e, b->err, "the delta has too many entries");
	for (size_t i = 0; i < n; i++) {
		const Crdt__Element *el = from[i];

		if (!utf8_valid(el->key.data, el->key.len) || !utf8_valid(el->id.data, el->id.len))
			return err_set(e, -EBADMSG, "a key or id of the delta is not UTF-8");
		entries[i] = (struct delta_entry){
			.key = el->key.len ? (const char *)el->key.data : "",
			.key_len = el->key.len,
			.id = el->id.len ? (const char *)el->id.data : NULL,
			.id_len = el->id.len,
			.value = el->value.len ? el->value.data : NULL,
			.value_len = el->value.len,
		};
	}
	*ret = entries;
	return 0;
}

int delta_pb_decode(const uint8_t *p, size_t n, struct bump *b, struct delta *ret, struct err *e)
{
	ProtobufCAllocator allocator = pb_memory(b);
	Crdt__Delta *d = crdt__delta__unpack(&allocator, n, p);
	int r;

	if (!d && b->err < 0)
		return err_set(e, b->err, "the delta needs too much memory");
	if (!d)
		return err_set(e, -EBADMSG, "the delta is cut or malformed");
	r = take_entries(d->elements, d->n_elements, b, &ret->elements, e);
	if (r == 0)
		r = take_entries(d->tombstones, d->n_tombstones, b, &ret->tombstones, e);
	if (r < 0)
		return r;
	ret->n_elements = d->n_elements;
	ret->n_tombstones = d->n_tombstones;
	ret->priority = d->priority;
	return 0;
}

int block_element_id(const struct cid *block, struct buf *out)
{
	size_t n;
	const uint8_t *hash = cid_multihash(block, &n);
	int r = buf_byte(out, '/');

	return r < 0 ? r : base32_upper_encode(out, hash, n);
}

int delta_pin_key(const struct cid *pin, struct buf *out)
{
	int r = buf_byte(out, '/');

	return r < 0 ? r : base32_upper_encode(out, pin->bytes, pin->len);
}
