#include "net/sendq.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 2048 /* many small writes share one */

struct sendq_chunk {
	struct sendq_chunk *next;
	size_t from, to, cap; /* data[from..to) waits */
	uint8_t data[];
};

static void fill(struct sendq_chunk *c, const uint8_t *p, size_t n)
{
	memcpy(c->data + c->to, p, n);
	c->to += n;
}

/* Behind the tail: a chunk with room for @n bytes. */
static int grow(struct sendq *q, size_t n)
{
	size_t cap = n < CHUNK_MIN ? CHUNK_MIN : n;
	struct sendq_chunk *c = malloc(sizeof(*c) + cap);

	if (!c)
		return -ENOMEM;
	*c = (struct sendq_chunk){ .cap = cap };
	if (q->tail)
		q->tail->next = c;
	else
		q->head = c;
	q->tail = c;
	return 0;
}

int sendq_append(struct sendq *q, const void *p, size_t n)
{
	struct sendq_chunk *last = q->tail;
	size_t room = last ? last->cap - last->to : 0;
	size_t first = n < room ? n : room;
	const uint8_t *from = p;

	if (first < n && grow(q, n - first) < 0)
		return -ENOMEM;
	if (first > 0)
		fill(last, from, first);
	if (first < n)
		fill(q->tail, from + first, n - first);
	q->len += n;
	return 0;
}

const uint8_t *sendq_front(const struct sendq *q, size_t *ret_n)
{
	if (!q->head) {
		*ret_n = 0;
		return NULL;
	}
	*ret_n = q->head->to - q->head->from;
	return q->head->data + q->head->from;
}

void sendq_sent(struct sendq *q, size_t n)
{
	struct sendq_chunk *c = q->head;

	if (n == 0)
		return;
	assert(n <= c->to - c->from);
	c->from += n;
	q->len -= n;
	if (c->from < c->to)
		return;
	q->head = c->next;
	if (!q->head)
		q->tail = NULL;
	free(c);
}

void sendq_clear(struct sendq *q)
{
	struct sendq_chunk *next;

	for (struct sendq_chunk *c = q->head; c; c = next) {
		next = c->next;
		free(c);
	}
	*q = (struct sendq){ 0 };
}
