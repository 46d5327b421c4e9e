/* What the files of status/, peers/ and health/ share. Private to fs/. */
#pragma once

#include "fs/text.h"
#include "store/status.h"

/* A pin, or a CID on its way out of Kubo, as status/ shows it. */
struct view_row {
	uint64_t serial; /* of the pin; of the row in the list of unpins */
	bool pinned;     /* in the pinset; then @pin is set */
	struct pin_row pin;
	struct cid cid;
	enum status status;
	const char *error; /* lives as long as the call's view, or the row */
	size_t error_len;
	int64_t since_ns, retry_s;
	uint32_t attempts;
	bool priority;               /* asked for just now */
	char text[STATUS_ERROR_MAX]; /* where the error has no other place */
};

/* By the serial of a node. -ESTALE: gone. */
int view_row(struct call *c, uint64_t serial, struct view_row *ret);
/* By the name of a file, "<cid>.json". -ENOENT. */
int view_find(struct call *c, const char *name, struct view_row *ret);
int view_of_pin(struct call *c, const struct pin_row *pin, struct view_row *ret);
/* The next row of the list of unpins behind @after, of the first that views show. @end is of the
 * listing (l->u[0]), 0 at first. -ENOENT. */
int view_next_unpin(struct call *c, uint64_t after, uint64_t *end, struct view_row *ret);
/* "<cid>.json" */
void view_name(const struct view_row *row, char out[256]);

/* This peer. */
void view_self(struct fs *fs, char out[PEERID_TEXT_MAX]);
const char *view_peername(struct fs *fs);
/* What is known of Kubo; false offline. */
bool view_kubo(struct fs *fs, struct tracker_kubo *ret);
/* Whether there are other members that could be asked for something. */
bool view_others(struct fs *fs);
/* A time as text, "" for 0. */
struct view_time {
	char s[40];
};
struct view_time view_time(int64_t ns);
/* json_string of text from outside: bytes that are no UTF-8 are replaced. */
json_t *view_string(const char *s);
/* The addresses that Kubo gave, one per line, as a list. */
json_t *view_lines(const char *lines);
