#include "consensus/crdt/broadcast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "types/md5.h"
#include "types/pb_wire.h"
#include "util/base_enc.h"
#include "util/varint.h"

#define FIELD_HEADS 1 /* of CRDTBroadcast: repeated Head */
#define FIELD_CID 1   /* of Head: bytes */
#define TAG_BYTES(field) ((field) << 3 | PB_BYTES)

void broadcast_topic(const char *cluster_name, char out[TOPIC_TEXT_MAX])
{
	uint8_t multihash[3 + MD5_BYTES] = { 0xd5, 0x01, MD5_BYTES };
	struct buf text = BUF_INIT(TOPIC_TEXT_MAX - 1);

	md5(cluster_name, strlen(cluster_name), multihash + 3);
	out[0] = '\0';
	if (base58_encode(&text, multihash, sizeof(multihash)) == 0) {
		memcpy(out, text.data, text.len);
		out[text.len] = '\0';
	}
	buf_deinit(&text);
}

/* ---- writing ---- */

static int by_bytes(const void *a, const void *b)
{
	const struct cid *x = a, *y = b;
	int c = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int append_length(struct buf *out, uint8_t tag, uint64_t n)
{
	uint8_t bytes[VARINT_MAX];
	int r = buf_byte(out, tag);

	return r < 0 ? r : buf_append(out, bytes, varint_put(bytes, n));
}

int broadcast_encode(struct cid *heads, size_t n, struct buf *out)
{
	size_t start = out->len;
	int r = 0;

	qsort(heads, n, sizeof(*heads), by_bytes);
	for (size_t i = 0; r == 0 && i < n; i++) {
		uint64_t inner = 1 + varint_len(heads[i].len) + heads[i].len;

		r = append_length(out, TAG_BYTES(FIELD_HEADS), inner);
		if (r == 0)
			r = append_length(out, TAG_BYTES(FIELD_CID), heads[i].len);
		if (r == 0)
			r = buf_append(out, heads[i].bytes, heads[i].len);
	}
	if (r < 0)
		out->len = start;
	return r;
}

/* ---- reading ---- */

static int read_head(const struct pb_field *head, struct cid *ret, struct err *e)
{
	struct pb_reader r = { head->p, head->p + head->n };
	struct pb_field f;
	const uint8_t *p = NULL;
	size_t n = 0;
	int more;

	while ((more = pb_next(&r, &f)) == 1) {
		if (f.number == FIELD_CID && f.wire == PB_BYTES) {
			p = f.p;
			n = f.n;
		}
	}
	if (more < 0)
		return err_set(e, -EBADMSG, "a malformed head in a broadcast");
	if (!p)
		return err_set(e, -EBADMSG, "a head without a CID in a broadcast");
	return cid_from_bytes(p, n, ret, e);
}

/* The heads, and how many fields there are that are none. */
static int read_heads(const uint8_t *p, size_t n, struct cid *heads, size_t *ret_n,
		      size_t *ret_unknown, struct err *e)
{
	struct pb_reader r = pb_reader_of(p, n);
	struct pb_field f;
	size_t count = 0, unknown = 0;
	int more;

	while ((more = pb_next(&r, &f)) == 1) {
		int bad = 0;

		if (f.number != FIELD_HEADS || f.wire != PB_BYTES)
			unknown++;
		else if (count == BROADCAST_HEADS_MAX)
			bad = err_set(e, -EFBIG, "a broadcast of more than %d heads",
				      BROADCAST_HEADS_MAX);
		else if (heads)
			bad = read_head(&f, &heads[count++], e);
		else
			count++;
		if (bad < 0)
			return bad;
	}
	if (more < 0)
		return err_set(e, -EBADMSG, "a malformed broadcast");
	*ret_n = count;
	*ret_unknown = unknown;
	return 0;
}

int broadcast_decode(const uint8_t *p, size_t n, struct cid **ret, size_t *ret_n, struct err *e)
{
	size_t count = 0, unknown = 0;
	struct cid *heads;
	int r = read_heads(p, n, NULL, &count, &unknown, e);

	if (r < 0)
		return r;
	heads = malloc((count + 1) * sizeof(*heads));
	if (!heads)
		return err_sys(e, -ENOMEM, "reading a broadcast");
	if (unknown > 0) {
		count = 1;
		r = cid_from_bytes(p, n, &heads[0], e);
	} else {
		r = read_heads(p, n, heads, &count, &unknown, e);
	}
	if (r < 0) {
		free(heads);
		return r;
	}
	*ret = heads;
	*ret_n = count;
	return 0;
}
