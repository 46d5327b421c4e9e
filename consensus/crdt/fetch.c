#include "consensus/crdt/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

#define BLOCK_CID_BYTES 36

void fetches_init(struct fetches *fs)
{
	*fs = (struct fetches){ 0 };
	for (unsigned i = 0; i < FETCH_STATES; i++)
		list_init(&fs->of[i]);
	for (unsigned i = 0; i < FETCH_BUCKETS; i++)
		list_init(&fs->buckets[i]);
}

void fetches_clear(struct fetches *fs)
{
	for (unsigned i = 0; i < FETCH_STATES; i++)
		while (!list_empty(&fs->of[i]))
			fetch_free(fs, container_of(fs->of[i].next, struct fetch, item));
}

int fetch_normalise(const struct cid *cid, struct cid *ret)
{
	static const uint8_t v1[2] = { 1, CODEC_DAG_PB };
	size_t n;
	const uint8_t *hash = cid_multihash(cid, &n);

	if (n != BLOCK_CID_BYTES - sizeof(v1) || hash[0] != MULTIHASH_SHA2_256 ||
	    cid_codec(cid) != CODEC_DAG_PB)
		return -EINVAL;
	memcpy(ret->bytes, v1, sizeof(v1));
	memmove(ret->bytes + sizeof(v1), hash, n);
	ret->len = BLOCK_CID_BYTES;
	return 0;
}

/* ---- the lists ---- */

static size_t bucket_of(const struct cid *cid)
{
	return cid->bytes[BLOCK_CID_BYTES - 1] % FETCH_BUCKETS;
}

struct fetch *fetch_find(const struct fetches *fs, const struct cid *cid)
{
	const struct list *head = &fs->buckets[bucket_of(cid)];
	struct list *it;

	list_each (it, head) {
		struct fetch *f = container_of(it, struct fetch, bucket);

		if (cid_equal(&f->cid, cid))
			return f;
	}
	return NULL;
}

struct fetch *fetch_first(const struct fetches *fs, enum fetch_state state)
{
	const struct list *head = &fs->of[state];

	return list_empty(head) ? NULL : container_of(head->next, struct fetch, item);
}

size_t fetch_count_of(const struct fetches *fs, enum fetch_state state, const struct peerid *author)
{
	const struct list *head = &fs->of[state];
	struct list *it;
	size_t n = 0;

	list_each (it, head)
		n += peerid_equal(&container_of(it, struct fetch, item)->author, author);
	return n;
}

struct fetch *fetch_new(struct fetches *fs, const struct cid *cid, const struct peerid *author,
			const struct peerid *from)
{
	struct fetch *f = NULL;

	if (fs->n[FETCH_WAITING] < FETCH_WAITING_MAX)
		f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	cid_copy(&f->cid, cid);
	if (author)
		f->author = *author;
	if (from)
		f->from = *from;
	f->since_ms = clock_mono_ms();
	list_add_tail(&fs->of[FETCH_WAITING], &f->item);
	list_add_tail(&fs->buckets[bucket_of(cid)], &f->bucket);
	fs->n[FETCH_WAITING]++;
	return f;
}

static void drop_bytes(struct fetches *fs, struct fetch *f)
{
	if (f->open)
		merge_close(&f->merge);
	f->open = false;
	fs->held -= f->len;
	f->len = 0;
	free(f->bytes);
	f->bytes = NULL;
}

void fetch_free(struct fetches *fs, struct fetch *f)
{
	drop_bytes(fs, f);
	fs->n[f->state]--;
	fs->n_linked -= f->linked;
	list_del(&f->item);
	list_del(&f->bucket);
	free(f);
}

static void leave(struct fetches *fs, struct fetch *f, enum fetch_state state)
{
	list_del(&f->item);
	fs->n[f->state]--;
	fs->n[state]++;
	f->state = state;
	f->since_ms = clock_mono_ms();
}

static void forget_oldest(struct fetches *fs)
{
	struct fetch *f = fetch_first(fs, FETCH_FAILED), *bad = fetch_first(fs, FETCH_BAD);

	if (!f || (bad && bad->since_ms < f->since_ms))
		f = bad;
	fetch_free(fs, f);
}

void fetch_enter(struct fetches *fs, struct fetch *f, enum fetch_state state)
{
	bool lost = state == FETCH_FAILED || state == FETCH_BAD;

	if (lost && fs->n[FETCH_FAILED] + fs->n[FETCH_BAD] >= FETCH_LOST_MAX)
		forget_oldest(fs);
	leave(fs, f, state);
	list_add_tail(&fs->of[state], &f->item);
	if (state != FETCH_HERE && state != FETCH_MERGING)
		drop_bytes(fs, f);
}

void fetch_return(struct fetches *fs, struct fetch *f, enum fetch_state state)
{
	leave(fs, f, state);
	list_add(&fs->of[state], &f->item);
}

void fetch_mark_linked(struct fetches *fs, struct fetch *f)
{
	fs->n_linked += !f->linked;
	f->linked = true;
}

int fetch_take(struct fetches *fs, struct fetch *f, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, p, n);
	drop_bytes(fs, f);
	f->bytes = copy;
	f->len = n;
	fs->held += n;
	f->merge.place = (struct merge_place){ 0 };
	f->merged = f->bad = false;
	fetch_enter(fs, f, FETCH_HERE);
	return 0;
}
