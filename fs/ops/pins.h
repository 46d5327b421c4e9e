/* What the files of pins/ share: names, scratch files, documents on their way in. Private to fs/.
 */
#pragma once

#include "fs/text.h"
#include "types/cid.h"

#define PIN_SUFFIX ".json"

enum pin_name_kind {
	PIN_NAME_CID,
	PIN_NAME_SCRATCH,
	PIN_NAME_BAD
};

/* What a name in pins/ is. PIN_NAME_CID fills @ret; PIN_NAME_BAD fills @e with what is wrong. */
enum pin_name_kind pin_name_parse(const char *name, struct cid *ret, struct err *e);
/* "<cid>.json", cut where it would be too long. */
void pin_name_format(const uint8_t *cid, size_t n, char out[256]);
/* Finds the pin of a name, which may be one of the cut ones. -ENOENT. */
int pin_name_find(const struct store_txn *t, const char *name, struct pin_row *ret);
void pin_entry(struct fs *fs, const struct pin_row *row, struct node_entry *ret);
void pin_row_stat(struct fs *fs, const struct pin_row *row, struct stat *st);

/* ---- scratch files: temporaries of editors and tools, in memory ---- */

struct scratch {
	struct list link;
	uint64_t serial;
	char name[256];
	struct buf data;
	bool is_link; /* data is the target */
	int64_t mtime_ns, used_ms;
	unsigned open;        /* handles */
	bool removed;         /* its name is gone; it lives on while it is open */
	struct handle *watch; /* committed there: its content became a pin */
};

struct scratch_set *scratch_set_new(void);
void scratch_set_free(struct scratch_set *s);
struct scratch *scratch_find(struct fs *fs, const char *name);
struct scratch *scratch_by_serial(struct fs *fs, uint64_t serial);
/* The next by serial above @after, or NULL. */
struct scratch *scratch_next(struct fs *fs, uint64_t after);
/* -ENOSPC over the limits. */
int scratch_make(struct call *c, const char *name, struct scratch **ret);
int scratch_fill(struct call *c, struct scratch *s, const void *p, size_t n);
void scratch_remove(struct fs *fs, struct scratch *s);
/* The file goes once @h is marked committed. */
void scratch_watch(struct fs *fs, struct scratch *s, struct handle *h);
void scratch_entry(struct fs *fs, const struct scratch *s, struct node_entry *ret);

/* ---- documents ---- */

enum document_shape {
	DOCUMENT_CUT,
	DOCUMENT_WHOLE,
	DOCUMENT_BAD
};
/* Whether the text is one object: only brackets and strings are looked at, the parser does the
 * rest.
 * @reason is set for a bad one. */
enum document_shape document_shape(const char *p, size_t n, const char **reason);
/* Fills @item from a document for the pin @cid. */
int document_parse(const struct cid *cid, const void *text, size_t n, struct cluster_item *item,
		   struct err *e);
/* Checks a document for the pin @cid and posts it. */
int document_commit(struct call *c, const struct cid *cid, const void *text, size_t n,
		    const struct call_after *after);
/* The functions of files that take a document: pins, and pins to be. */
int document_write(struct call *c, struct handle *h, const void *p, size_t n, uint64_t off);
int document_truncate(struct call *c, uint64_t ino, struct handle *h, uint64_t size);
int document_flush(struct call *c, struct handle *h);
int document_fsync(struct call *c, struct handle *h);
void document_release(struct handle *h);
