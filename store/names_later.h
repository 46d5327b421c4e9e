/*
 * Names that are brought in afterwards. The table of names is in the order of their text, so that
 * each pin of a flood dirties a page of its own there. A merge of many pins puts their names off
 * (names_later): the counters remember after which serial that is so, and the writer brings them in
 * later, many thousands in the order of their text, in steps of bounded size. A crash in between
 * costs nothing: what is there already is passed over. Writer's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct store;
struct store_txn;
struct store_info;

#define LATER_NAMES_MAX 65536           /* of one round */
#define LATER_TEXT_BYTES_MAX (4u << 20) /* of them; the last one may be beyond it */
#define LATER_QUIET_MS 200              /* without other work: then the rest is brought in too */
#define LATER_LONGEST_MS 3000           /* of waiting where there is always other work */
#define LATER_RETRY_MS 30000            /* after a step that failed: the disk was full */

struct later_name {
	uint64_t serial;
	uint32_t at;
	uint32_t len;
};

/* One round: names in their order, and how many are in. */
struct later_names {
	uint64_t generation;
	uint64_t last; /* serial: up to here all rows were looked at */
	bool ends;     /* there were none beyond it */
	struct later_name *v;
	struct buf text;
	size_t n, done;
};

/* The row of @serial is new and gets no name for now. */
void names_put_off(struct store_txn *t, uint64_t serial);

/* What is waiting after a commit. */
void names_note(struct store *s, const struct store_info *info);
/* So many wait, or for so long, that they are brought in beside other work. */
bool names_are_due(const struct store *s);
/* How long the writer may wait for other work before the next step, ms; -1: none is to come. */
int64_t names_wait(const struct store *s);
/* One step, in a transaction of its own. True: there is more to do. */
bool names_step(struct store *s);
void names_forget(struct later_names *l);
