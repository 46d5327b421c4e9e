#include "consensus/crdt/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/local.h"
#include "store/blocks.h"
#include "store/pinset.h"
#include "types/hash.h"

/* In front of the CID and the value. */
struct pending_head {
	uint16_t cid_len;
	uint8_t unpin;
	uint8_t zero;
};

static int record(struct store_txn *t, const struct consensus_change *ch)
{
	struct pending_head h = { .cid_len = ch->cid.len, .unpin = ch->unpin };
	struct buf b = BUF_INIT(0);
	int r = buf_append(&b, &h, sizeof(h));

	if (r == 0)
		r = buf_append(&b, ch->cid.bytes, ch->cid.len);
	if (r == 0)
		r = buf_append(&b, ch->value.data, ch->value.len);
	if (r == 0)
		r = pending_add(t, b.data, b.len);
	buf_deinit(&b);
	return r;
}

/* Above every head there is now, as the delta to come will be. */
static int next_height(struct store_txn *t, uint64_t *ret)
{
	uint64_t number = 0, height;
	int r;

	*ret = 1;
	while ((r = heads_next(t, &number, &height)) == 0)
		if (height >= *ret)
			*ret = height + 1;
	return r == -ENOENT ? 0 : r;
}

int pending_apply(struct store_txn *t, struct consensus_change *ch)
{
	struct sortkey sk;
	struct key_row row;
	uint64_t height = 0;
	int r;

	sortkey_of_cid(ch->cid.bytes, ch->cid.len, &sk);
	r = pinset_key_make(t, &sk, &row);
	if (r == 0)
		r = next_height(t, &height);
	if (r < 0)
		return r;
	ch->serial = row.serial;
	ch->applied = !ch->unpin || row.serial != 0;
	if (!ch->applied)
		return 0;
	if (ch->unpin)
		r = pinset_unset(t, &sk, &row);
	else
		r = pinset_set(t, &sk, &row, &ch->cid, ch->value.data, ch->value.len, height,
			       PIN_ROW_PENDING, 0);
	if (!ch->unpin)
		ch->serial = row.serial;
	return r < 0 ? r : record(t, ch);
}

/* ---- cutting ---- */

struct pending_ref {
	uint8_t cid[16]; /* BLAKE2b-128 of the CID */
	uint64_t seq;
};

static int by_seq(const void *a, const void *b)
{
	const struct pending_ref *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static int by_cid(const void *a, const void *b)
{
	const struct pending_ref *x = a, *y = b;
	int c = memcmp(x->cid, y->cid, sizeof(x->cid));

	return c ? c : by_seq(a, b);
}

static int parse(const void *p, size_t n, struct consensus_change *ch)
{
	struct pending_head h;

	if (n < sizeof(h))
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	if (n - sizeof(h) < h.cid_len)
		return -EBADMSG;
	ch->unpin = h.unpin;
	buf_reset(&ch->value);
	if (buf_append(&ch->value, (const uint8_t *)p + sizeof(h) + h.cid_len,
		       n - sizeof(h) - h.cid_len) < 0)
		return -ENOMEM;
	return cid_from_bytes((const uint8_t *)p + sizeof(h), h.cid_len, &ch->cid, NULL);
}

/* All pending operations, then only the last of each CID, in order. */
static int collect(struct store_txn *t, struct pending_ref **ret, size_t *ret_n)
{
	size_t cap = (size_t)store_info(t)->pending + 1, n = 0, keep = 0;
	struct pending_ref *list = calloc(cap, sizeof(*list));
	struct consensus_change ch = { 0 };
	uint64_t seq = 0;
	const void *p;
	size_t len;
	int r = 0;

	if (!list)
		return -ENOMEM;
	while (n < cap && (r = pending_next(t, seq, &seq, &p, &len)) == 0) {
		r = parse(p, len, &ch);
		if (r < 0)
			break;
		list[n].seq = seq;
		hash_blake2b(list[n++].cid, 16, ch.cid.bytes, ch.cid.len);
	}
	buf_deinit(&ch.value);
	if (r < 0 && r != -ENOENT) {
		free(list);
		return r;
	}
	qsort(list, n, sizeof(*list), by_cid);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || memcmp(list[i + 1].cid, list[i].cid, 16) != 0)
			list[keep++] = list[i];
	qsort(list, keep, sizeof(*list), by_seq);
	*ret = list;
	*ret_n = keep;
	return 0;
}

static int cut_one(struct local_delta *d, uint64_t seq)
{
	struct consensus_change ch = { 0 };
	uint64_t found, serial;
	const void *p;
	size_t len;
	int r = pending_next(d->t, seq - 1, &found, &p, &len);

	if (r == 0)
		r = parse(p, len, &ch);
	if (r == 0 && (local_full(d) || local_has(d, &ch.cid)))
		r = local_cut(d);
	if (r == 0)
		r = ch.unpin ? local_del(d, &ch.cid, &serial)
			     : local_put(d, &ch.cid, ch.value.data, ch.value.len, 0, &serial);
	buf_deinit(&ch.value);
	return r < 0 ? r : 0;
}

int pending_cut(struct store_txn *t)
{
	struct pending_ref *list;
	struct local_delta d;
	struct cid head;
	size_t n;
	int r = collect(t, &list, &n);

	if (r < 0)
		return r;
	r = local_begin(&d, t);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = cut_one(&d, list[i].seq);
	if (r == 0)
		r = local_finish(&d, &head);
	local_clear(&d);
	free(list);
	return r < 0 ? r : pending_clear(t);
}
