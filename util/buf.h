/*
 * A growing, bounded byte buffer. Not thread-safe; one owner. A failed append leaves the buffer
 * as it was. Zero-initialised storage with a @max is a valid empty buffer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t *data; /* NULL while nothing was ever appended */
	size_t len;
	size_t cap;
	size_t max; /* appends beyond this give -EFBIG; 0 means no limit but memory */
};

#define BUF_INIT(limit)                                                                            \
	{                                                                                          \
		.max = (limit)                                                                     \
	}

void buf_init(struct buf *b, size_t max);
void buf_deinit(struct buf *b);             /* frees; the buffer is empty and usable again */
static inline void buf_reset(struct buf *b) /* empties, keeps the memory */
{
	b->len = 0;
}

/* Makes room for @n more bytes. -ENOMEM, -EFBIG. */
int buf_reserve(struct buf *b, size_t n);
int buf_append(struct buf *b, const void *p, size_t n);
int buf_byte(struct buf *b, uint8_t c);
int buf_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A terminating zero that does not count in len; for handing data to C string functions. */
int buf_terminate(struct buf *b);
