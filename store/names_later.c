#include "store/names_later.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "store/rows.h"
#include "types/name.h"
#include "util/clock.h"

#define LOG_AREA "store"
#include "util/log.h"

#define PAGE_BYTES 4096
/* Pages that a name dirties in the tables by number, which are written one behind the other; and a
 * name that was there before: its count, and its list of pins. */
#define PAGES_BY_NUMBER 0.03
#define PAGES_OF_OLD_NAME 2

void names_later(struct store_txn *t)
{
	t->names_later = true;
}

void names_put_off(struct store_txn *t, uint64_t serial)
{
	struct store_info *info = store_info_edit(t);

	if (info->names_after == 0)
		info->names_after = serial - 1;
}

void names_note(struct store *s, const struct store_info *info)
{
	if (atomic_exchange(&s->names_after, info->names_after) != info->names_after)
		atomic_store(&s->names_since_ms, clock_mono_ms());
	atomic_store(&s->names_behind,
		     info->names_after > 0 ? info->next_serial - info->names_after : 0);
}

bool names_are_due(const struct store *s)
{
	uint64_t behind = atomic_load(&s->names_behind);
	int64_t now;

	if (behind == 0)
		return false;
	now = clock_mono_ms();
	if (now < atomic_load(&s->names_retry_ms))
		return false;
	/* A pin takes two numbers. */
	return s->names.v || behind >= 2 * LATER_NAMES_MAX ||
	       now - atomic_load(&s->names_since_ms) >= LATER_LONGEST_MS;
}

int64_t names_wait(const struct store *s)
{
	int64_t retry;

	if (atomic_load(&s->names_behind) == 0)
		return -1;
	retry = atomic_load(&s->names_retry_ms) - clock_mono_ms();
	return retry > LATER_QUIET_MS ? retry : LATER_QUIET_MS;
}

void names_forget(struct later_names *l)
{
	free(l->v);
	buf_deinit(&l->text);
	*l = (struct later_names){ 0 };
}

/* ---- a round ---- */

static int take_name(struct later_names *l, const struct pin_row *row, struct pin *p)
{
	char folder[NAME_FOLDER_MAX + 1];
	size_t len;
	int r;

	pin_reset(p);
	r = pinset_decode(row, p, NULL);
	if (r < 0)
		return r;
	len = name_folder(p->name.p, p->name.n, folder);
	l->v[l->n++] = (struct later_name){ row->serial, (uint32_t)l->text.len, (uint32_t)len };
	return buf_append(&l->text, folder, len);
}

static int take_rows(const struct store_txn *t, struct later_names *l)
{
	struct pinset_iter it;
	struct pin_row row;
	struct pin p;
	int r = pinset_iter_serials(t, t->info.names_after, &it);

	if (r < 0)
		return r;
	pin_init(&p);
	while (r == 0 && l->n < LATER_NAMES_MAX && l->text.len < LATER_TEXT_BYTES_MAX) {
		r = pinset_next(&it, &row);
		if (r == 0 && row.name == 0)
			r = take_name(l, &row, &p);
		if (r == 0)
			l->last = row.serial;
	}
	pin_deinit(&p);
	pinset_iter_end(&it);
	l->ends = r == -ENOENT;
	if (l->ends)
		l->last = t->info.next_serial - 1;
	return l->ends ? 0 : r;
}

static int compare_text(const struct later_name *x, const struct later_name *y, const uint8_t *text)
{
	int c = memcmp(text + x->at, text + y->at, x->len < y->len ? x->len : y->len);

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int by_text_then_serial(const void *a, const void *b, void *text)
{
	const struct later_name *x = a, *y = b;
	int c = compare_text(x, y, text);

	return c ? c : (x->serial > y->serial) - (x->serial < y->serial);
}

static int begin_round(const struct store_txn *t, struct later_names *l)
{
	int r;

	names_forget(l);
	*l = (struct later_names){ .generation = t->info.generation,
				   .text = BUF_INIT(LATER_TEXT_BYTES_MAX + NAME_FOLDER_MAX) };
	l->v = calloc(LATER_NAMES_MAX, sizeof(*l->v));
	r = l->v ? take_rows(t, l) : -ENOMEM;
	if (r == 0)
		qsort_r(l->v, l->n, sizeof(*l->v), by_text_then_serial, l->text.data);
	return r;
}

static bool is_like_the_last(const struct later_names *l, const struct later_name *x)
{
	return x > l->v && compare_text(x, x - 1, l->text.data) == 0;
}

/* The row may be gone by now, or have got its name when it was changed. *left counts the pages that
 * it dirties down; one with a new name dirties @each. */
static int bring_in(struct store_txn *t, const struct later_names *l, const struct later_name *x,
		    double each, double *left)
{
	struct pin_row row;
	uint64_t number;
	int r = pinset_row(t, x->serial, &row);

	*left -= PAGES_BY_NUMBER;
	if (r < 0 || row.name != 0)
		return r == -ENOENT ? 0 : r;
	r = names_add_folder(t, (const char *)l->text.data + x->at, x->len, x->serial, &number);
	if (r < 0)
		return r;
	if (!is_like_the_last(l, x))
		*left -= r == 1 ? PAGES_OF_OLD_NAME : each;
	return 0;
}

/* Pages of a new name: each page of the table is dirtied once in a round, or one for each name
 * where there are more of them. */
static double pages_of_new_name(const struct store_txn *t, const struct later_names *l)
{
	MDB_stat st;

	if (mdb_stat(t->txn, t->gen->dbi[TABLE_NAMES], &st) != 0 || st.ms_leaf_pages >= l->n)
		return 1;
	return (double)st.ms_leaf_pages / (double)l->n;
}

/* 1: there is more to do. */
static int step(struct store_txn *t, struct later_names *l)
{
	double left = (double)STORE_TXN_BYTES / PAGE_BYTES, each;
	bool begun = !l->v || l->generation != t->info.generation;
	int r;

	if (t->info.names_after == 0)
		return 0;
	r = begun ? begin_round(t, l) : 0;
	if (r < 0)
		return r;
	each = pages_of_new_name(t, l);
	for (; r == 0 && l->done < l->n && left > 0; l->done++)
		r = bring_in(t, l, &l->v[l->done], each, &left);
	if (r < 0 || l->done < l->n)
		return r < 0 ? r : 1;
	/* Between two steps, more may have been put off. */
	store_info_edit(t)->names_after = begun && l->ends ? 0 : l->last;
	names_forget(l);
	return t->info.names_after > 0;
}

static void fail(struct store *s, int r)
{
	names_forget(&s->names);
	if (atomic_exchange(&s->names_retry_ms, clock_mono_ms() + LATER_RETRY_MS) == 0)
		log_warn("names of pins could not be brought into by-name (%s): trying again later",
			 strerror(-r));
}

bool names_step(struct store *s)
{
	struct store_txn *t;
	int r = store_write(s, &t), more = 0;

	if (r == 0) {
		more = step(t, &s->names);
		if (more < 0)
			store_abort(t);
		r = more < 0 ? more : store_commit(t);
	}
	if (r < 0) {
		fail(s, r);
		return false;
	}
	if (more == 0) /* also where a cleanup or an import came in between */
		names_forget(&s->names);
	atomic_store(&s->names_retry_ms, 0);
	return more > 0;
}
