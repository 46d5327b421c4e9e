/*
 * The brake against mass removals. Unpins less than a minute apart are one burst; the one that
 * would pass the limit is refused, and the pinset as it was before the burst is dumped to backups/.
 *
 * Counting happens where removals are decided, on the writer's thread; the rest on the loop's. A
 * lock inside. Source: "Brake" in pinfs-tree(7).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"
#include "util/err.h"

struct brake;

/* @max_unpins: 0 the rule max(100, 10 % of the pins), -1 no brake. */
int brake_new(struct store *s, int64_t max_unpins, struct brake **ret);
void brake_free(struct brake *b);

/* Writer's thread: may @n more pins go? -EPERM with numbers and the way on in words. The first of a
 * burst keeps a view of the state before it. */
int brake_check(struct brake *b, const struct store_txn *t, uint64_t n, struct err *e);
/* The removals of a passed check are applied. Returns what they used up of the allowance. */
uint64_t brake_count(struct brake *b, uint64_t n);
/* The removals of a brake_count, which used up @spent, did not become durable. */
void brake_uncount(struct brake *b, uint64_t n, uint64_t spent);

/* An import may remove half of the pins, when they are more than 100. */
int brake_check_import(struct brake *b, uint64_t pins, uint64_t removed, struct err *e);
/* One that passed did remove them: they use up what is allowed, whether or not they needed it. */
void brake_count_import(struct brake *b, uint64_t removed);

bool brake_engaged(struct brake *b); /* a burst is being refused */
/* The state before the burst should be dumped: removals are being refused, or the view of it keeps
 * too many old pages. */
bool brake_wants_dump(struct brake *b);
/* Takes the view of the state before the burst (to be dumped, then ended), or NULL. Loop's thread,
 * when a dump is wanted, or before an allowance. */
struct store_txn *brake_take_view(struct brake *b);
/* Gives one back that could not be dumped. */
void brake_return_view(struct brake *b, struct store_txn *view);
/* @n removals pass within the next ten minutes. */
void brake_allow(struct brake *b, uint64_t n);
uint64_t brake_allowance(struct brake *b);
/* Ends the view of a burst that is over. Loop's thread, now and then. */
void brake_tick(struct brake *b);
