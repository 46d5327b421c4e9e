#include "store/names_later.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "store/rows.h"
#include "types/name.h"

#define LOG_AREA "store"
#include "util/log.h"

#define PAGE_BYTES 4096
/* Rows of the tables by number, which are written one behind the other. */
#define PAGES_BY_NUMBER 0.03

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
	atomic_store(&s->names_behind,
		     info->names_after > 0 ? info->next_serial - info->names_after : 0);
}

bool names_are_many(const struct store *s)
{
	/* A pin takes two numbers. */
	return s->names.v || atomic_load(&s->names_behind) >= 2 * LATER_NAMES_MAX;
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
	if (r == -ENOENT)
		l->last = UINT64_MAX;
	return r == -ENOENT ? 0 : r;
}

static int by_text_then_serial(const void *a, const void *b, void *arg)
{
	const struct later_name *x = a, *y = b;
	const char *text = arg;
	size_t n = x->len < y->len ? x->len : y->len;
	int c = memcmp(text + x->at, text + y->at, n);

	if (c == 0)
		c = (x->len > y->len) - (x->len < y->len);
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

/* The row may be gone by now, or have got its name when it was changed. */
static int bring_in(struct store_txn *t, const struct later_names *l, const struct later_name *x)
{
	struct pin_row row;
	uint64_t number;
	int r = pinset_row(t, x->serial, &row);

	if (r < 0 || row.name != 0)
		return r == -ENOENT ? 0 : r;
	return names_add_folder(t, (const char *)l->text.data + x->at, x->len, x->serial, &number);
}

/* As many as dirty about STORE_TXN_BYTES: of the names, each page of the table once in a round, or
 * one for each name where the table is larger. */
static size_t step_names(const struct store_txn *t, const struct later_names *l)
{
	double pages = STORE_TXN_BYTES / PAGE_BYTES, each = 1;
	MDB_stat st;

	if (mdb_stat(t->txn, t->gen->dbi[TABLE_NAMES], &st) == 0 && st.ms_leaf_pages < l->n)
		each = (double)st.ms_leaf_pages / (double)l->n;
	return (size_t)(pages / (each + PAGES_BY_NUMBER));
}

/* 1: there is more to do. */
static int step(struct store_txn *t, struct later_names *l)
{
	size_t end;
	int r = 0;

	if (t->info.names_after == 0)
		return 0;
	if (!l->v || l->generation != t->info.generation)
		r = begin_round(t, l);
	if (r < 0)
		return r;
	end = l->done + step_names(t, l);
	for (; r == 0 && l->done < l->n && l->done < end; l->done++)
		r = bring_in(t, l, &l->v[l->done]);
	if (r < 0 || l->done < l->n)
		return r < 0 ? r : 1;
	store_info_edit(t)->names_after = l->last == UINT64_MAX ? 0 : l->last;
	names_forget(l);
	return t->info.names_after > 0;
}

static void fail(struct store *s, int r)
{
	names_forget(&s->names);
	atomic_store(&s->names_behind, 0); /* until the next commit */
	if (!s->names_failed)
		log_warn("names of pins could not be brought into by-name (%s): trying again after "
			 "each change",
			 strerror(-r));
	s->names_failed = true;
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
	s->names_failed = false;
	return more > 0;
}
