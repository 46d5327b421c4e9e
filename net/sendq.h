/*
 * Bytes of one stream that wait to be sent: first in, first out, in chunks, so that a long queue is
 * neither moved nor copied as it grows. One thread at a time. Zeroed storage is an empty queue.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sendq_chunk;

struct sendq {
	struct sendq_chunk *head, *tail;
	size_t len;
};

/* All or nothing. -ENOMEM. */
int sendq_append(struct sendq *q, const void *p, size_t n);
/* The bytes that are next, as many as lie together; *ret_n is 0 when the queue is empty. */
const uint8_t *sendq_front(const struct sendq *q, size_t *ret_n);
/* @n of what sendq_front gave have been sent. */
void sendq_sent(struct sendq *q, size_t n);
void sendq_clear(struct sendq *q);
