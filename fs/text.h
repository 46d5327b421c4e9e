/*
 * Files whose whole text is rendered when they are opened: the functions that all of them share.
 * Such a kind gives a render function and is done.
 */
#pragma once

#include "fs/fixed.h"
#include "fs/internal.h"

/* Appends the bytes of @ino to @out and tells their time. */
typedef int (*text_render)(struct call *c, uint64_t ino, struct buf *out, int64_t *ret_mtime_ns);

/* Attributes with the exact size: of the caller's own open handle, else rendered now. */
int text_attr(struct call *c, uint64_t ino, text_render render, enum node_class class,
	      struct stat *st);
int text_open(struct call *c, uint64_t ino, struct handle *h, text_render render);
ssize_t text_read(struct call *c, struct handle *h, void *out, size_t n, uint64_t off);

/* JSON with indent 4, keys in order, final newline. Takes @j over (NULL: out of memory). */
int text_json_new(struct buf *out, json_t *j);

/* All of a kind: TEXT_OPS(readme, CLASS_READ_ONLY) uses render_readme. */
#define TEXT_OPS(name, class_)                                                                     \
	static int attr_##name(struct call *c, uint64_t ino, struct stat *st)                      \
	{                                                                                          \
		return text_attr(c, ino, render_##name, class_, st);                               \
	}                                                                                          \
	static int open_##name(struct call *c, uint64_t ino, struct handle *h)                     \
	{                                                                                          \
		return text_open(c, ino, h, render_##name);                                        \
	}                                                                                          \
	const struct node_ops ops_##name = { .attr = attr_##name,                                  \
					     .open = open_##name,                                  \
					     .read = text_read }
