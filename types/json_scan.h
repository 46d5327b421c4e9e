/*
 * Reading JSON text token by token, the way Go's decoder reads it: strict RFC 8259 syntax, but
 * broken UTF-8 and lone surrogates in strings become U+FFFD, \u0000 is a character, and repeated
 * keys and numbers of any size are seen as they are written, with their position. The documents
 * that people and other peers write for us come through here, because jansson refuses or hides
 * each of these; all other JSON goes through jansson.
 *
 * Does not allocate and does not recurse. One thread at a time per scan.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define SCAN_DEPTH_MAX 512 /* arrays and objects within each other */

enum scan_kind {
	SCAN_END, /* of the text, or no value begins here */
	SCAN_NULL,
	SCAN_BOOL,
	SCAN_NUMBER,
	SCAN_STRING,
	SCAN_ARRAY,
	SCAN_OBJECT,
};

struct scan {
	const char *text;
	size_t n, at;          /* at: of the next byte */
	uint64_t line, column; /* of the text's first byte, from 1 */
	struct err *e;         /* takes the reason of every failure; may be NULL */
};

/* A token within the text: of a string what is between the quotes. */
struct scan_token {
	const char *p;
	size_t n;
	bool plain; /* a string that is its own value */
};

/* Sets the error to "line L, column C: ..." for the byte at @at; returns @code. */
int scan_fail(const struct scan *s, int code, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Skips white space and says what comes next. */
enum scan_kind scan_peek(struct scan *s);

/* The following return -EINVAL for bad syntax, and for a value of another kind. */
int scan_null(struct scan *s);
int scan_number(struct scan *s, struct scan_token *ret);
int scan_string(struct scan *s, struct scan_token *ret);
int scan_skip(struct scan *s);   /* any value */
int scan_finish(struct scan *s); /* nothing but white space is left */

/* For every member: 1 with its key, at its value; 0 behind the end. The loop starts with @first
 * true at the bracket. */
int scan_member(struct scan *s, bool *first, struct scan_token *ret_key);
int scan_element(struct scan *s, bool *first);

/* Writes the value of a string token; returns its length, which is at most 3 * t->n. */
size_t scan_unquote(const struct scan_token *t, char *out);
