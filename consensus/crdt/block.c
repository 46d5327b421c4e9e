/*
 * The dag-pb node around a delta. Written by hand, because the format puts links (field 2) before
 * data (field 1) and writes a link's empty name and size, which no protobuf library does; readers
 * are as strict as Go's. Source: the dag-pb specification.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/delta.h"
#include "consensus/crdt/delta_pb.h"
#include "types/pb_wire.h"
#include "util/varint.h"

enum {
	NODE_DATA = 1,
	NODE_LINKS = 2
};
enum {
	LINK_HASH = 1,
	LINK_NAME = 2,
	LINK_SIZE = 3
};

enum {
	DELTA_ELEMENTS = 1,
	DELTA_TOMBSTONES = 2
};
enum {
	ELEMENT_KEY = 1,
	ELEMENT_VALUE = 3
};

#define TAG(field, wire) ((uint8_t)((field) << 3 | (wire)))

/* Memory that decoding may take for each byte of a block. Only entries of a few bytes, which
 * nobody writes, need more. */
#define MEMORY_FACTOR 16
#define MEMORY_BASE 65536

static int compare_links(const void *a, const void *b)
{
	const struct cid *x = a, *y = b;
	int r = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);

	return r ? r : (int)x->len - (int)y->len;
}

static int put_header(struct buf *out, uint8_t tag, size_t n)
{
	uint8_t bytes[1 + VARINT_MAX] = { tag };

	return buf_append(out, bytes, 1 + varint_put(bytes + 1, n));
}

static int put_link(struct buf *out, const struct cid *c)
{
	static const uint8_t empty[] = {
		TAG(LINK_NAME, PB_BYTES),
		0,
		TAG(LINK_SIZE, PB_VARINT),
		0,
	};
	size_t hash = 1 + varint_len(c->len) + c->len;
	int r = put_header(out, TAG(NODE_LINKS, PB_BYTES), hash + sizeof(empty));

	if (r == 0)
		r = put_header(out, TAG(LINK_HASH, PB_BYTES), c->len);
	if (r == 0)
		r = buf_append(out, c->bytes, c->len);
	if (r == 0)
		r = buf_append(out, empty, sizeof(empty));
	return r;
}

int block_encode(const struct delta *d, struct cid *links, size_t n_links, struct buf *out)
{
	size_t start = out->len, data = delta_pb_size(d);
	int r = 0;

	if (data > BLOCK_BYTES_MAX || n_links > BLOCK_LINKS_MAX)
		return -EFBIG;
	if (n_links > 1)
		qsort(links, n_links, sizeof(*links), compare_links);
	for (size_t i = 0; r == 0 && i < n_links; i++)
		r = put_link(out, &links[i]);
	if (r == 0)
		r = put_header(out, TAG(NODE_DATA, PB_BYTES), data);
	if (r == 0)
		r = delta_pb_append(d, out);
	if (r == 0 && out->len - start > BLOCK_BYTES_MAX)
		r = -EFBIG;
	if (r < 0)
		out->len = start;
	return r;
}

void block_cid(const uint8_t *p, size_t n, struct cid *ret)
{
	cid_of_block(CODEC_DAG_PB, p, n, ret);
}

/* Where data and links are. Either may come first, but links are in one piece. */
struct node {
	struct pb_field data;
	bool has_data;
	size_t n_links;
};

static int malformed(struct err *e, const char *what)
{
	return err_set(e, -EBADMSG, "dag-pb: %s", what);
}

static int scan_node(const uint8_t *p, size_t n, struct node *ret, struct err *e)
{
	struct pb_reader r = pb_reader_of(p, n);
	bool links_ended = false;
	struct pb_field f;
	int more;

	while ((more = pb_next(&r, &f)) > 0) {
		if (f.wire != PB_BYTES)
			return malformed(e, "a field of a wrong wire type");
		if (f.number == NODE_DATA) {
			if (ret->has_data)
				return malformed(e, "data twice");
			ret->data = f;
			ret->has_data = true;
			links_ended = ret->n_links > 0;
		} else if (f.number == NODE_LINKS) {
			if (links_ended)
				return malformed(e, "links before and after the data");
			ret->n_links++;
		} else {
			return malformed(e, "an unknown field");
		}
	}
	return more < 0 ? malformed(e, "cut or malformed") : 0;
}

static int check_size(size_t n, struct err *e)
{
	return n > BLOCK_BYTES_MAX ? err_set(e, -EFBIG, "a block of %zu bytes", n) : 0;
}

static int check_links(const struct node *node, struct err *e)
{
	return node->n_links > BLOCK_LINKS_MAX
		   ? err_set(e, -EFBIG, "a block with %zu links", node->n_links)
		   : 0;
}

static int decode_link(const struct pb_field *link, struct cid *ret, struct err *e)
{
	struct pb_reader r = { link->p, link->p + link->n };
	unsigned last = 0;
	struct pb_field f;
	int more, n;

	ret->len = 0;
	while ((more = pb_next(&r, &f)) > 0) {
		enum pb_wire wire = f.number == LINK_SIZE ? PB_VARINT : PB_BYTES;

		if (f.number > LINK_SIZE || f.number <= last || f.wire != wire)
			return malformed(e, "a link with unknown, repeated or unordered fields");
		last = f.number;
		if (f.number != LINK_HASH)
			continue;
		n = cid_prefix_len(f.p, f.n, e);
		if (n < 0 || cid_from_bytes(f.p, (size_t)n, ret, e) < 0)
			return err_wrap(e, -EBADMSG, "dag-pb link");
	}
	if (more < 0)
		return malformed(e, "a link is cut or malformed");
	return cid_defined(ret) ? 0 : malformed(e, "a link without a hash");
}

/* The @n_links links of a node that was scanned. */
static int each_link(const uint8_t *p, size_t n, size_t n_links, block_link_fn fn, void *arg,
		     struct err *e)
{
	struct pb_reader r = pb_reader_of(p, n);
	struct pb_field f;
	struct cid link;

	while (n_links > 0 && pb_next(&r, &f) > 0) {
		int err;

		if (f.number != NODE_LINKS)
			continue;
		err = decode_link(&f, &link, e);
		if (err < 0)
			return err;
		fn(arg, &link);
		n_links--;
	}
	return 0;
}

int block_links(const uint8_t *p, size_t n, block_link_fn fn, void *arg, struct err *e)
{
	struct node node = { 0 };
	int r = check_size(n, e);

	if (r == 0)
		r = scan_node(p, n, &node, e);
	if (r == 0)
		r = check_links(&node, e);
	return r < 0 ? r : each_link(p, n, node.n_links, fn, arg, e);
}

static void take_link(void *arg, const struct cid *link)
{
	struct block *b = arg;

	cid_copy(&b->links[b->n_links++], link);
}

static int decode_links(const uint8_t *p, size_t n, size_t n_links, struct bump *b,
			struct block *ret, struct err *e)
{
	ret->links = bump_alloc(b, n_links * sizeof(*ret->links));
	if (!ret->links)
		return err_set(e, b->err, "out of memory");
	return each_link(p, n, n_links, take_link, ret, e);
}

/* 0: all fields have numbers and lengths as protobuf wants them. */
static int scan_fields(const uint8_t *p, size_t n)
{
	struct pb_reader r = pb_reader_of(p, n);
	struct pb_field f;
	int more;

	do
		more = pb_next(&r, &f);
	while (more > 0);
	return more;
}

/* The library lets field numbers pass that Go's refuses, and block_values would stop at. */
static int check_delta(const struct pb_field *data, struct err *e)
{
	struct pb_reader r = pb_reader_of(data->p, data->n);
	struct pb_field f;
	int more;

	while ((more = pb_next(&r, &f)) > 0)
		if ((f.number == DELTA_ELEMENTS || f.number == DELTA_TOMBSTONES) &&
		    (f.wire != PB_BYTES || scan_fields(f.p, f.n) < 0))
			return err_set(e, -EBADMSG, "the delta has a malformed entry");
	return more < 0 ? err_set(e, -EBADMSG, "the delta is cut or malformed") : 0;
}

int block_decode(const uint8_t *p, size_t n, struct block *ret, struct err *e)
{
	struct node node = { 0 };
	struct bump b = { 0 };
	struct block block = { 0 };
	size_t max;
	int r = check_size(n, e);

	if (r == 0)
		r = scan_node(p, n, &node, e);
	if (r == 0)
		r = check_links(&node, e);
	if (r == 0)
		r = check_delta(&node.data, e);
	if (r < 0)
		return r;
	max = MEMORY_BASE + MEMORY_FACTOR * n + node.n_links * sizeof(struct cid);
	b.left = max;
	if (node.n_links > 0)
		r = decode_links(p, n, node.n_links, &b, &block, e);
	if (r == 0)
		r = delta_pb_decode(node.data.p, node.data.n, &b, &block.delta, e);
	if (r < 0) {
		bump_free_all(b.chunks);
		return r;
	}
	block.memory = b.chunks;
	block.memory_bytes = max - b.left;
	*ret = block;
	return 0;
}

void block_clear(struct block *b)
{
	bump_free_all(b->memory);
	*b = (struct block){ 0 };
}

/* ---- one key ---- */

/* Its last key and its last value count, as for any decoder. */
static int element_value(const struct pb_field *element, const char *key, size_t key_len,
			 block_value_fn fn, void *arg)
{
	struct pb_reader r = { element->p, element->p + element->n };
	struct pb_field f, found = { 0 }, value = { 0 };

	while (pb_next(&r, &f) > 0) {
		if (f.number == ELEMENT_KEY)
			found = f;
		else if (f.number == ELEMENT_VALUE)
			value = f;
	}
	if (found.n != key_len || (key_len > 0 && memcmp(found.p, key, key_len) != 0))
		return 0;
	return fn(arg, value.p, value.n);
}

int block_values(const uint8_t *p, size_t n, const char *key, size_t key_len, block_value_fn fn,
		 void *arg)
{
	struct pb_reader r = { p, p + n };
	struct pb_field f = { 0 };
	int err = 0;

	while (pb_next(&r, &f) > 0 && f.number != NODE_DATA)
		;
	if (f.number != NODE_DATA)
		return 0;
	r = (struct pb_reader){ f.p, f.p + f.n };
	while (err == 0 && pb_next(&r, &f) > 0)
		if (f.number == DELTA_ELEMENTS)
			err = element_value(&f, key, key_len, fn, arg);
	return err;
}
