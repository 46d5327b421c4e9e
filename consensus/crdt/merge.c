#include "consensus/crdt/merge.h"

#include <errno.h>

static int link_child(struct store_txn *t, const struct cid *child)
{
	struct block_row row;
	struct block_id id;
	uint64_t number;
	int r;

	block_id_of_cid(child, &id);
	r = blocks_number(t, &id, &number);
	if (r == 0)
		r = blocks_row(t, number, &row);
	if (r < 0)
		return r;
	return row.merged ? heads_del(t, number) : wanted_put(t, number);
}

static int merge_decoded(struct store_txn *t, uint64_t number, const struct cid *cid,
			 const struct block *b, const uint8_t *p, size_t n,
			 const struct set_observer *o)
{
	int r = set_merge(t, number, &b->delta, o);

	if (r == 0)
		r = blocks_put(t, cid, p, n, b->delta.priority, true, &number);
	if (r == 0)
		r = wanted_del(t, number);
	if (r == 0) /* nobody links to it */
		r = heads_put(t, number, b->delta.priority);
	for (size_t i = 0; r >= 0 && i < b->n_links; i++)
		r = link_child(t, &b->links[i]);
	return r < 0 ? r : 1;
}

int merge_block(struct store_txn *t, const struct cid *cid, const uint8_t *p, size_t n,
		const struct set_observer *o, struct err *e)
{
	struct block_row row;
	struct block_id id;
	struct cid actual;
	struct block b;
	uint64_t number;
	int r;

	block_cid(p, n, &actual);
	block_id_of_cid(cid, &id);
	if (!cid_equal(cid, &actual))
		return err_set(e, -EBADMSG, "the block's bytes are not those of its CID");
	r = blocks_number(t, &id, &number);
	if (r == 0)
		r = blocks_row(t, number, &row);
	if (r < 0 || row.merged)
		return r;
	r = block_decode(p, n, &b, e);
	if (r < 0)
		return r;
	r = merge_decoded(t, number, cid, &b, p, n, o);
	block_clear(&b);
	return r;
}
