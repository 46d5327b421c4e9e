#include "consensus/crdt/chain.h"

#include <errno.h>
#include <stdlib.h>

#include "consensus/crdt/delta.h"
#include "util/buf.h"

struct chain_entry { /* offsets into text */
	size_t key, value, end;
};

struct chain {
	chain_block_fn fn;
	void *arg;
	struct cid head; /* of the last block */
	uint64_t n_blocks;
	struct chain_entry *entries; /* of the block to be */
	size_t n, cap;
	struct buf text, block;
	struct delta_entry *list;
	size_t cap_list;
	size_t size; /* encoded bytes, as the reference counts them */
};

int chain_new(chain_block_fn fn, void *arg, struct chain **ret)
{
	struct chain *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->fn = fn;
	c->arg = arg;
	*ret = c;
	return 0;
}

void chain_free(struct chain *c)
{
	if (!c)
		return;
	free(c->entries);
	free(c->list);
	buf_deinit(&c->text);
	buf_deinit(&c->block);
	free(c);
}

static struct delta_entry resolve(const struct chain *c, const struct chain_entry *en)
{
	return (struct delta_entry){
		.key = (const char *)c->text.data + en->key,
		.key_len = en->value - en->key,
		.value = c->text.data + en->value,
		.value_len = en->end - en->value,
	};
}

static int resolve_all(struct chain *c)
{
	if (c->cap_list < c->n) {
		struct delta_entry *p = reallocarray(c->list, c->cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		c->list = p;
		c->cap_list = c->cap;
	}
	for (size_t i = 0; i < c->n; i++)
		c->list[i] = resolve(c, &c->entries[i]);
	return 0;
}

static int cut(struct chain *c)
{
	struct delta d = { .n_elements = c->n, .priority = c->n_blocks + 1 };
	int r = resolve_all(c);

	if (r < 0)
		return r;
	d.elements = c->list;
	buf_reset(&c->block);
	r = block_encode(&d, &c->head, c->n_blocks > 0, &c->block);
	if (r < 0)
		return r;
	block_cid(c->block.data, c->block.len, &c->head);
	c->n_blocks++;
	c->n = 0;
	c->size = 0;
	buf_reset(&c->text);
	return c->fn(c->arg, &c->head, c->block.data, c->block.len, c->n_blocks);
}

int chain_add(struct chain *c, const struct cid *pin, const void *value, size_t len,
	      uint64_t *ret_block)
{
	struct chain_entry en = { .key = c->text.len };
	struct delta_entry resolved;
	int r;

	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct chain_entry *p = reallocarray(c->entries, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		c->entries = p;
		c->cap = cap;
	}
	r = delta_pin_key(pin, &c->text);
	en.value = c->text.len;
	if (r == 0)
		r = buf_append(&c->text, value, len);
	if (r < 0)
		return r;
	en.end = c->text.len;
	c->entries[c->n++] = en;
	resolved = resolve(c, &en);
	c->size += delta_entry_size(&resolved);
	*ret_block = c->n_blocks;
	return c->size > DELTA_BATCH_MAX ? cut(c) : 0;
}

int chain_finish(struct chain *c, struct cid *ret_head, uint64_t *ret_height)
{
	int r = c->n > 0 ? cut(c) : 0;

	cid_copy(ret_head, &c->head);
	*ret_height = c->n_blocks;
	return r;
}
