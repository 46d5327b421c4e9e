/*
 * Giving. What a peer wants of us is a demand; it is due until it is answered, then it is over, or
 * waits for a block that is not here. Answers are looked up when a message is written, and again
 * when it could not be sent: a demand is all that is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "net/bitswap_internal.h"
#include "types/hash.h"

enum answer {
	ANSWER_NONE, /* not here, and it did not ask to be told so */
	ANSWER_DONT_HAVE,
	ANSWER_HAVE,
	ANSWER_BLOCK,
};

struct demand {
	struct list bucket; /* by CID, of all peers */
	struct list item;   /* of the peer: due or waiting */
	struct bpeer *peer;
	int32_t priority;
	bool due, want_have, send_dont_have;
	enum answer answer; /* in the message being written */
	size_t size;        /* of the block in it */
	uint16_t len;
	uint8_t cid[];
};

/* ---- demands ---- */

static struct list *bucket_of(struct bitswap *b, const struct cid *cid)
{
	return &b->demand_buckets[hash_short(cid->bytes, cid->len) % DEMAND_BUCKETS];
}

static bool is_of(const struct demand *d, const struct cid *cid)
{
	return d->len == cid->len && memcmp(d->cid, cid->bytes, d->len) == 0;
}

static struct demand *find(struct bitswap *b, const struct bpeer *p, const struct cid *cid)
{
	struct list *bucket = bucket_of(b, cid), *it;

	list_each (it, bucket) {
		struct demand *d = container_of(it, struct demand, bucket);

		if (d->peer == p && is_of(d, cid))
			return d;
	}
	return NULL;
}

static void demand_free(struct bitswap *b, struct demand *d)
{
	list_del(&d->bucket);
	list_del(&d->item);
	d->peer->n_demands--;
	b->n_demands--;
	free(d);
}

/* Behind those of its priority. */
static void make_due(struct bitswap *b, struct demand *d)
{
	struct list *due = &d->peer->due, *at;

	list_del(&d->item);
	at = due->prev;
	while (at != due && container_of(at, struct demand, item)->priority < d->priority)
		at = at->prev;
	list_add(at, &d->item);
	d->due = true;
	bpeer_stir(b, d->peer);
}

static void make_wait(struct demand *d)
{
	list_del(&d->item);
	list_add_tail(&d->peer->waiting, &d->item);
	d->due = false;
}

/* ---- too many of them ---- */

/* Room for a demand of @priority in place of one that matters less: the oldest that waits, else the
 * last that is due. False: there is none. */
static bool drop_least(struct bitswap *b, struct bpeer *p, int32_t priority)
{
	struct demand *d;

	if (list_empty(&p->waiting)) {
		d = container_of(p->due.prev, struct demand, item);
		if (d->priority >= priority)
			return false;
	} else {
		d = container_of(p->waiting.next, struct demand, item);
	}
	demand_free(b, d);
	return true;
}

/* Who has the most demands; @p where several have. */
static struct bpeer *greediest(const struct bitswap *b, struct bpeer *p)
{
	struct bpeer *most = p;
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *other = container_of(it, struct bpeer, item);

		if (other->n_demands > most->n_demands)
			most = other;
	}
	return most;
}

static bool make_room(struct bitswap *b, struct bpeer *p, int32_t priority)
{
	struct bpeer *most = p;

	if (p->n_demands < BITSWAP_PEER_WANTS_MAX && b->n_demands < BITSWAP_DEMANDS_MAX)
		return true;
	if (p->n_demands < BITSWAP_PEER_WANTS_MAX)
		most = greediest(b, p);
	return drop_least(b, most, most == p ? priority : INT32_MAX);
}

static struct demand *make(struct bitswap *b, struct bpeer *p, const struct bitswap_entry *en)
{
	struct demand *d;

	if (!make_room(b, p, en->priority))
		return NULL;
	d = calloc(1, sizeof(*d) + en->cid.len);
	if (!d)
		return NULL;
	d->peer = p;
	d->want_have = true;
	d->len = en->cid.len;
	memcpy(d->cid, en->cid.bytes, d->len);
	list_init(&d->item);
	list_add_tail(bucket_of(b, &en->cid), &d->bucket);
	p->n_demands++;
	b->n_demands++;
	return d;
}

void ledger_entry(struct bitswap *b, struct bpeer *p, const struct bitswap_entry *en)
{
	struct demand *d = find(b, p, &en->cid);

	if (en->cancel) {
		if (d)
			demand_free(b, d);
		return;
	}
	if (!d)
		d = make(b, p, en);
	if (!d)
		return;
	d->priority = en->priority;
	d->want_have = d->want_have && en->want_have; /* who wants a block wants no less later */
	d->send_dont_have = en->send_dont_have;
	make_due(b, d);
}

void ledger_forget(struct bitswap *b, struct bpeer *p)
{
	while (!list_empty(&p->due))
		demand_free(b, container_of(p->due.next, struct demand, item));
	while (!list_empty(&p->waiting))
		demand_free(b, container_of(p->waiting.next, struct demand, item));
}

void ledger_have(struct bitswap *b, const struct cid *cid)
{
	struct list *bucket = bucket_of(b, cid), *it;

	list_each (it, bucket) {
		struct demand *d = container_of(it, struct demand, bucket);

		if (!d->due && is_of(d, cid))
			make_due(b, d);
	}
}

/* ---- answers ---- */

static enum answer not_here(const struct demand *d)
{
	return d->send_dont_have ? ANSWER_DONT_HAVE : ANSWER_NONE;
}

static enum answer choose(const struct bitswap *b, const struct cid *cid, struct demand *d)
{
	d->size = 0;
	if (b->cfg.get(b->cfg.arg, cid, NULL, &d->size) != 1 || d->size > BITSWAP_BLOCK_MAX)
		return not_here(d);
	return d->want_have && d->size > BITSWAP_INLINE_MAX ? ANSWER_HAVE : ANSWER_BLOCK;
}

/* 1: the block is appended; 0: it cannot be read after all; -errno. */
static int put_block(const struct bitswap *b, const struct cid *cid, size_t size,
		     struct buf *message)
{
	size_t before = message->len, begin, got = 0;
	int r = buf_reserve(message, size + BITSWAP_BLOCK_HEAD_MAX);

	if (r == 0)
		r = bitswap_put_block_head(message, cid, size);
	if (r < 0)
		return r;
	begin = message->len;
	if (b->cfg.get(b->cfg.arg, cid, message, &got) == 1 && message->len - begin == size)
		return 1;
	message->len = before;
	return 0;
}

/* 0: what there is to say is in the message; 1: it is for the next one; -errno. */
static int answer(const struct bitswap *b, struct demand *d, size_t begin, struct buf *message)
{
	struct cid cid;
	size_t cost;
	int r;

	cid.len = d->len;
	memcpy(cid.bytes, d->cid, d->len);
	d->answer = choose(b, &cid, d);
	cost = d->answer == ANSWER_BLOCK ? d->size : d->len;
	if (message->len > begin && message->len - begin + cost > BITSWAP_REPLY_TARGET)
		return 1;
	if (d->answer == ANSWER_BLOCK) {
		r = put_block(b, &cid, d->size, message);
		if (r != 0)
			return r < 0 ? r : 0;
		d->answer = not_here(d);
	}
	if (d->answer == ANSWER_NONE)
		return 0;
	return bitswap_put_presence(message, &cid, d->answer == ANSWER_HAVE);
}

int ledger_write(struct bitswap *b, struct bpeer *p, struct buf *message)
{
	const size_t begin = message->len;
	struct list *it, *next;

	p->n_answered = 0;
	list_each_safe (it, next, &p->due) {
		struct demand *d = container_of(it, struct demand, item);
		int r = answer(b, d, begin, message);

		if (r != 0)
			return r < 0 ? r : 0;
		if (d->answer == ANSWER_NONE)
			make_wait(d);
		else
			p->n_answered++;
	}
	return 0;
}

void ledger_said(struct bitswap *b, struct bpeer *p)
{
	for (; p->n_answered > 0; p->n_answered--) {
		struct demand *d = container_of(p->due.next, struct demand, item);

		if (d->answer == ANSWER_DONT_HAVE) {
			make_wait(d);
			continue;
		}
		if (d->answer == ANSWER_BLOCK) {
			b->counts.served++;
			b->counts.served_bytes += d->size;
		}
		demand_free(b, d);
	}
}

void ledger_init(struct bitswap *b)
{
	for (unsigned i = 0; i < DEMAND_BUCKETS; i++)
		list_init(&b->demand_buckets[i]);
}
