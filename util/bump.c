#include "util/bump.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNK_MIN 4096
#define ALIGNMENT _Alignof(max_align_t)

struct bump_chunk {
	struct bump_chunk *next;
	size_t size, used;
	_Alignas(max_align_t) unsigned char data[];
};

void *bump_alloc(struct bump *b, size_t n)
{
	struct bump_chunk *c = b->chunks;
	void *ret;

	n = (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (n > b->left) {
		b->err = -EFBIG;
		return NULL;
	}
	if (!c || n > c->size - c->used) {
		size_t size = c ? 2 * c->size : CHUNK_MIN;

		if (size > b->left)
			size = b->left;
		if (size < n)
			size = n;
		c = malloc(sizeof(*c) + size);
		if (!c) {
			b->err = -ENOMEM;
			return NULL;
		}
		c->next = b->chunks;
		c->size = size;
		c->used = 0;
		b->chunks = c;
	}
	ret = c->data + c->used;
	c->used += n;
	b->left -= n;
	return ret;
}

void bump_free_all(struct bump_chunk *chunks)
{
	while (chunks) {
		struct bump_chunk *next = chunks->next;

		free(chunks);
		chunks = next;
	}
}
