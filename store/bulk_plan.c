/* What a load comes to, before the first table is written. Nothing here changes the store. */
#include <errno.h>
#include <string.h>

#include "store/bulk_internal.h"
#include "store/status.h"
#include "types/pin_pb.h"
#include "util/clock.h"

struct planner {
	struct bulk_plan *p;
	struct pin a, b; /* for comparing */
	int64_t now_ns;
};

/* What the tracker did for the old value holds for the new one. */
static int same_work(struct planner *pl, const struct bulk_step *st, const struct bulk_view *v)
{
	const struct pin *a = &pl->a, *b = &pl->b;

	if (st->equal)
		return 1;
	if (pin_pb_decode(st->old.value, st->old.value_len, &pl->a, NULL) < 0 ||
	    pin_pb_decode(v->value, v->rec.value_len, &pl->b, NULL) < 0)
		return 0;
	if (a->type != b->type || a->max_depth != b->max_depth ||
	    a->replication_min != b->replication_min || a->n_allocations != b->n_allocations)
		return 0;
	for (size_t i = 0; i < a->n_allocations; i++)
		if (!peerid_equal(&a->allocations[i], &b->allocations[i]))
			return 0;
	return 1;
}

static int plan_status(struct planner *pl, const struct bulk_step *st, const struct bulk_view *v,
		       struct bulk_row *row)
{
	struct status_row old;
	int r;

	row->status = STATUS_PIN_QUEUED;
	row->since_ns = pl->now_ns;
	if (!st->is_old)
		return 0;
	r = status_get(pl->p->t, st->old.serial, &old);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	row->held = old.held || old.status == STATUS_PINNED;
	if (old.status != STATUS_PINNED || !same_work(pl, st, v))
		return 0;
	row->status = STATUS_PINNED;
	row->since_ns = old.since_ns;
	row->held = old.held;
	return 0;
}

/* Elements besides the one of the row's own block, which is the last. */
static int plan_row(struct planner *pl, const struct bulk_step *st)
{
	struct bulk_plan *p = pl->p;
	struct bulk_row row = { .record = st->record, .more_blocks = (uint32_t)st->n_blocks - 1 };
	uint64_t serial = p->base + p->counts.pins;
	struct bulk_view v;
	int r;

	bulk_view(p->bulk, st->record, &v);
	r = plan_status(pl, st, &v, &row);
	if (r == 0)
		r = bulk_file_append(&p->rows, &row, sizeof(row));
	if (r == 0 && row.more_blocks > 0)
		r = bulk_file_append(&p->rows, st->blocks, row.more_blocks * sizeof(*st->blocks));
	if (r == 0)
		r = sorter_add(&p->names, v.folder, v.rec.folder_len, serial);
	if (r == 0 && v.rec.head.expire_at != PIN_TIME_UNSET) {
		uint8_t k[DUE_KEY];

		due_key(k, DUE_EXPIRY, v.rec.head.expire_at, serial);
		r = sorter_add(&p->due, k, sizeof(k), serial);
	}
	p->counts.pins++;
	p->counts.added += !st->is_old;
	p->counts.changed += st->is_old && !st->equal;
	p->export_bytes += v.rec.head.line_len;
	p->by_status[row.status]++;
	return r;
}

static int plan_gone(struct planner *pl, const struct bulk_step *st)
{
	uint16_t len = (uint16_t)st->old.cid_len;
	int r;

	pl->p->counts.removed += st->is_old;
	if (len == 0)
		return 0;
	r = bulk_file_append(&pl->p->gone, &len, sizeof(len));
	return r < 0 ? r : bulk_file_append(&pl->p->gone, st->old.cid, len);
}

static int plan_step(void *arg, const struct bulk_step *st)
{
	return st->is_new ? plan_row(arg, st) : plan_gone(arg, st);
}

static int open_files(struct bulk_plan *p, const char *folder)
{
	int r = bulk_file_open(&p->rows, folder);

	if (r == 0)
		r = bulk_file_open(&p->gone, folder);
	if (r == 0)
		r = bulk_file_open(&p->name_of, folder);
	if (r == 0)
		r = sorter_open(&p->names, folder, BULK_NAMES_BYTES);
	return r < 0 ? r : sorter_open(&p->due, folder, BULK_DUE_BYTES);
}

void bulk_plan_init(struct bulk_plan *p)
{
	*p = (struct bulk_plan){ .rows = BULK_FILE_INIT,
				 .gone = BULK_FILE_INIT,
				 .name_of = BULK_FILE_INIT,
				 .names = { .file = BULK_FILE_INIT },
				 .due = { .file = BULK_FILE_INIT } };
}

int bulk_plan(struct bulk *b, const struct store_txn *t, const atomic_bool *abort,
	      struct bulk_plan *p)
{
	const struct store_info *info = store_info(t);
	struct planner pl = { .p = p, .now_ns = clock_now_ns() };
	int r;

	p->bulk = b;
	p->t = t;
	p->base = info->next_serial;
	p->counts.pins_before = info->pins;
	p->counts.revision_before = info->revision;
	pin_init(&pl.a);
	pin_init(&pl.b);
	r = open_files(p, b->folder);
	if (r == 0)
		r = bulk_walk(b, t, abort, plan_step, &pl);
	pin_deinit(&pl.a);
	pin_deinit(&pl.b);
	p->t = NULL;
	if (r == 0)
		r = bulk_file_map(&p->rows);
	if (r == 0)
		r = bulk_file_map(&p->gone);
	if (r == 0)
		r = sorter_seal(&p->names);
	if (r == 0)
		r = sorter_seal(&p->due);
	if (r == 0 && p->counts.pins > 0)
		r = bulk_file_map_new(&p->name_of, p->counts.pins * sizeof(uint64_t));
	return r;
}

void bulk_plan_clear(struct bulk_plan *p)
{
	bulk_file_close(&p->rows);
	bulk_file_close(&p->gone);
	bulk_file_close(&p->name_of);
	sorter_close(&p->names);
	sorter_close(&p->due);
}
