#include "net/bitswap_message.h"

#include <errno.h>
#include <string.h>

#include "net/bitswap.h"
#include "types/pb_wire.h"
#include "util/varint.h"

enum {
	MESSAGE_WANTLIST = 1,
	MESSAGE_PAYLOAD = 3,
	MESSAGE_PRESENCES = 4,
	WANTLIST_ENTRIES = 1,
	WANTLIST_FULL = 2,
	ENTRY_CID = 1,
	ENTRY_PRIORITY = 2,
	ENTRY_CANCEL = 3,
	ENTRY_TYPE = 4,
	ENTRY_SEND_DONT_HAVE = 5,
	BLOCK_PREFIX = 1,
	BLOCK_DATA = 2,
	PRESENCE_CID = 1,
	PRESENCE_TYPE = 2,
};

#define TYPE_HAVE 1      /* of an entry */
#define TYPE_DONT_HAVE 1 /* of a presence */

/* ---- writing ---- */

static int put_varint(struct buf *out, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];

	return buf_append(out, bytes, varint_put(bytes, v));
}

static int put_number(struct buf *out, unsigned field, uint64_t v)
{
	int r = put_varint(out, field << 3 | PB_VARINT);

	return r < 0 ? r : put_varint(out, v);
}

static int put_bytes(struct buf *out, unsigned field, const void *p, size_t n)
{
	int r = put_varint(out, field << 3 | PB_BYTES);

	if (r == 0)
		r = put_varint(out, n);
	return r < 0 || n == 0 ? r : buf_append(out, p, n);
}

/* A message within: it is small, and written aside first. */
static int put_message(struct buf *out, unsigned field, struct buf *inner, int r)
{
	if (r == 0)
		r = put_bytes(out, field, inner->data, inner->len);
	buf_deinit(inner);
	return r;
}

int bitswap_put_entry(struct buf *wantlist, const struct bitswap_entry *en)
{
	struct buf inner = BUF_INIT(0);
	int r = put_bytes(&inner, ENTRY_CID, en->cid.bytes, en->cid.len);

	if (r == 0 && en->priority != 0)
		r = put_number(&inner, ENTRY_PRIORITY, (uint64_t)(int64_t)en->priority);
	if (r == 0 && en->cancel)
		r = put_number(&inner, ENTRY_CANCEL, 1);
	if (r == 0 && en->want_have)
		r = put_number(&inner, ENTRY_TYPE, TYPE_HAVE);
	if (r == 0 && en->send_dont_have)
		r = put_number(&inner, ENTRY_SEND_DONT_HAVE, 1);
	return put_message(wantlist, WANTLIST_ENTRIES, &inner, r);
}

int bitswap_put_wantlist(struct buf *message, const struct buf *wantlist, bool full)
{
	struct buf inner = BUF_INIT(0);
	int r = wantlist->len ? buf_append(&inner, wantlist->data, wantlist->len) : 0;

	if (r == 0 && full)
		r = put_number(&inner, WANTLIST_FULL, 1);
	return put_message(message, MESSAGE_WANTLIST, &inner, r);
}

/* What is left of a CID without its digest. */
static int put_prefix(struct buf *out, const struct cid *cid)
{
	size_t n;
	const uint8_t *hash = cid_multihash(cid, &n);
	uint64_t code, length;
	int r, k = varint_get(hash, n, 1, &code);

	if (k < 0 || varint_get(hash + k, n - (size_t)k, 1, &length) < 0)
		return -EINVAL;
	r = put_varint(out, cid_version(cid));
	if (r == 0)
		r = put_varint(out, cid_codec(cid));
	if (r == 0)
		r = put_varint(out, code);
	return r < 0 ? r : put_varint(out, length);
}

int bitswap_put_block_head(struct buf *message, const struct cid *cid, size_t n)
{
	struct buf head = BUF_INIT(0), prefix = BUF_INIT(0);
	int r = put_prefix(&prefix, cid);

	if (r == 0)
		r = put_bytes(&head, BLOCK_PREFIX, prefix.data, prefix.len);
	if (r == 0)
		r = put_varint(&head, BLOCK_DATA << 3 | PB_BYTES);
	if (r == 0)
		r = put_varint(&head, n);
	if (r == 0)
		r = put_varint(message, MESSAGE_PAYLOAD << 3 | PB_BYTES);
	if (r == 0)
		r = put_varint(message, head.len + n);
	if (r == 0)
		r = buf_append(message, head.data, head.len);
	buf_deinit(&prefix);
	buf_deinit(&head);
	return r;
}

int bitswap_put_presence(struct buf *message, const struct cid *cid, bool have)
{
	struct buf inner = BUF_INIT(0);
	int r = put_bytes(&inner, PRESENCE_CID, cid->bytes, cid->len);

	if (r == 0 && !have)
		r = put_number(&inner, PRESENCE_TYPE, TYPE_DONT_HAVE);
	return put_message(message, MESSAGE_PRESENCES, &inner, r);
}

/* ---- reading ---- */

static int read_cid(const struct pb_field *f, struct cid *ret, bool *ret_usable, struct err *e)
{
	const uint8_t *hash;
	size_t n;
	int r;

	*ret_usable = false;
	if (!f->p || f->n == 0)
		return err_set(e, -EBADMSG, "an entry without a CID");
	if (f->n > CID_BYTES_MAX)
		return 0;
	r = cid_from_bytes(f->p, f->n, ret, e);
	if (r < 0)
		return r;
	hash = cid_multihash(ret, &n);
	*ret_usable = f->n <= BITSWAP_CID_MAX && hash[0] != MULTIHASH_IDENTITY;
	return 0;
}

static int read_entry(const struct pb_field *entry, const struct bitswap_visitor *v, struct err *e)
{
	struct pb_reader r = { entry->p, entry->p + entry->n };
	struct bitswap_entry en = { .priority = 0 };
	struct pb_field f, cid = { 0 };
	bool usable;
	int more;

	while ((more = pb_next(&r, &f)) == 1) {
		if (f.number == ENTRY_CID && f.wire == PB_BYTES)
			cid = f;
		else if (f.wire != PB_VARINT)
			continue;
		else if (f.number == ENTRY_PRIORITY)
			en.priority = (int32_t)f.value;
		else if (f.number == ENTRY_CANCEL)
			en.cancel = f.value != 0;
		else if (f.number == ENTRY_TYPE)
			en.want_have = f.value == TYPE_HAVE;
		else if (f.number == ENTRY_SEND_DONT_HAVE)
			en.send_dont_have = f.value != 0;
	}
	if (more < 0)
		return err_set(e, -EBADMSG, "a malformed entry of a wantlist");
	more = read_cid(&cid, &en.cid, &usable, e);
	if (more == 0 && usable && v && v->entry)
		v->entry(v->arg, &en);
	return more;
}

static int read_wantlist(const struct pb_field *list, const struct bitswap_visitor *v,
			 struct err *e)
{
	struct pb_reader r = { list->p, list->p + list->n };
	struct pb_field f;
	bool full = false;
	int more;

	while ((more = pb_next(&r, &f)) == 1)
		if (f.number == WANTLIST_FULL && f.wire == PB_VARINT)
			full = f.value != 0;
	if (more < 0)
		return err_set(e, -EBADMSG, "a malformed wantlist");
	if (full && v && v->full)
		v->full(v->arg);
	r = (struct pb_reader){ list->p, list->p + list->n };
	while ((more = pb_next(&r, &f)) == 1) {
		int bad =
		    f.number == WANTLIST_ENTRIES && f.wire == PB_BYTES ? read_entry(&f, v, e) : 0;

		if (bad < 0)
			return bad;
	}
	return 0;
}

/* The four numbers of a prefix. */
static int read_prefix(const struct pb_field *f, uint64_t v[4], struct err *e)
{
	size_t at = 0;

	for (unsigned i = 0; i < 4; i++) {
		int k = f->p ? varint_get(f->p + at, f->n - at, 1, &v[i]) : -EBADMSG;

		if (k < 0)
			return err_set(e, -EBADMSG, "a block with a malformed prefix");
		at += (size_t)k;
	}
	if (v[0] > 1)
		return err_set(e, -EBADMSG, "a block of an unknown version of CIDs");
	return 0;
}

static int read_block(const struct pb_field *block, const struct bitswap_visitor *v, struct err *e)
{
	struct pb_reader r = { block->p, block->p + block->n };
	struct pb_field f, prefix = { 0 }, data = { 0 };
	uint64_t p[4];
	struct cid cid;
	int more;

	while ((more = pb_next(&r, &f)) == 1) {
		if (f.number == BLOCK_PREFIX && f.wire == PB_BYTES)
			prefix = f;
		else if (f.number == BLOCK_DATA && f.wire == PB_BYTES)
			data = f;
	}
	if (more < 0)
		return err_set(e, -EBADMSG, "a malformed block");
	more = read_prefix(&prefix, p, e);
	if (more < 0 || !v || !v->block)
		return more;
	if (p[2] != MULTIHASH_SHA2_256 || p[3] != BITSWAP_DIGEST || data.n > BITSWAP_BLOCK_MAX)
		return 0;
	cid_of_block(p[0] == 0 ? CODEC_DAG_PB : p[1], data.p, data.n, &cid);
	if (p[0] == 0) { /* version 0 is the multihash alone */
		cid.len = (uint16_t)(cid.len - 2);
		memmove(cid.bytes, cid.bytes + 2, cid.len);
	}
	v->block(v->arg, &cid, data.p, data.n);
	return 0;
}

static int read_presence(const struct pb_field *presence, const struct bitswap_visitor *v,
			 struct err *e)
{
	struct pb_reader r = { presence->p, presence->p + presence->n };
	struct pb_field f, cid = { 0 };
	bool have = true, usable;
	struct cid c;
	int more;

	while ((more = pb_next(&r, &f)) == 1) {
		if (f.number == PRESENCE_CID && f.wire == PB_BYTES)
			cid = f;
		else if (f.number == PRESENCE_TYPE && f.wire == PB_VARINT)
			have = f.value != TYPE_DONT_HAVE;
	}
	if (more < 0)
		return err_set(e, -EBADMSG, "a malformed presence");
	more = read_cid(&cid, &c, &usable, e);
	if (more == 0 && usable && v && v->presence)
		v->presence(v->arg, &c, have);
	return more;
}

static int read_message(const uint8_t *p, size_t n, const struct bitswap_visitor *v, struct err *e)
{
	struct pb_reader r = pb_reader_of(p, n);
	struct pb_field f;
	int more, bad = 0;

	while ((more = pb_next(&r, &f)) == 1) {
		if (f.wire != PB_BYTES)
			continue;
		if (f.number == MESSAGE_WANTLIST)
			bad = read_wantlist(&f, v, e);
		else if (f.number == MESSAGE_PAYLOAD)
			bad = read_block(&f, v, e);
		else if (f.number == MESSAGE_PRESENCES)
			bad = read_presence(&f, v, e);
		if (bad < 0)
			return bad;
	}
	return more < 0 ? err_set(e, -EBADMSG, "a malformed message") : 0;
}

int bitswap_read(const uint8_t *p, size_t n, const struct bitswap_visitor *v, struct err *e)
{
	int r = read_message(p, n, NULL, e);

	return r < 0 ? r : read_message(p, n, v, e);
}
