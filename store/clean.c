/* Switching to an empty generation. */
#include <errno.h>

#include "store/bulk.h"
#include "store/internal.h"

int store_clean(struct store *s)
{
	struct generation *fresh, *old;
	struct store_info *info;
	struct store_txn *t;
	int r;

	generation_make_room(s);
	r = store_write(s, &t);
	if (r < 0)
		return r;
	old = t->gen;
	r = generation_open(s, t->txn, generation_next_number(s), true, &fresh);
	if (r < 0)
		goto out_abort;
	r = lmdb_errno(mdb_drop(t->txn, s->unpins, 0));
	if (r == 0)
		r = bulk_mark_clear(t); /* nor is an import gone on with */
	if (r < 0)
		goto out_forget;
	info = store_info_edit(t);
	info->generation = fresh->number;
	info->pins = info->export_bytes = info->dirty = info->pending = info->names_after = 0;
	__builtin_memset(info->by_status, 0, sizeof(info->by_status));
	store_touch(t);
	r = store_commit(t);
	if (r < 0) {
		generation_forget(s, fresh);
		return r;
	}
	generation_retire(s, old);
	return 0;

out_forget:
	generation_forget(s, fresh);
out_abort:
	store_abort(t);
	return r;
}
