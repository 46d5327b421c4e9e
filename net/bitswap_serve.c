/* Giving: what peers want is remembered until they have it or cancel; blocks are read when sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/bitswap_internal.h"

#define DEMANDS_TOTAL_MAX 65536 /* of all peers */
#define RETRY_MS 1000
#define PRESENCES_MAX (256u * 1024)

/* ---- the ledger ---- */

static struct demand *demand_find(const struct bpeer *p, const struct cid *cid)
{
	struct list *it;

	list_each (it, &p->demands) {
		struct demand *d = container_of(it, struct demand, item);

		if (d->len == cid->len && memcmp(d->cid, cid->bytes, d->len) == 0)
			return d;
	}
	return NULL;
}

static void demand_free(struct bitswap *b, struct bpeer *p, struct demand *d)
{
	p->n_ready -= d->ready;
	p->n_demands--;
	b->n_demands--;
	list_del(&d->item);
	free(d);
}

/* Among those of its priority it comes last. */
static void place(struct bpeer *p, struct demand *d)
{
	struct list *at = p->demands.prev;

	while (at != &p->demands && container_of(at, struct demand, item)->priority < d->priority)
		at = at->prev;
	list_add(at, &d->item);
}

static struct demand *demand_new(struct bitswap *b, struct bpeer *p, const struct cid *cid,
				 int32_t priority)
{
	struct demand *d;

	if (p->n_demands >= BITSWAP_PEER_WANTS_MAX || b->n_demands >= DEMANDS_TOTAL_MAX) {
		struct demand *least =
		    p->n_demands ? container_of(p->demands.prev, struct demand, item) : NULL;

		if (!least || least->priority >= priority)
			return NULL;
		demand_free(b, p, least);
	}
	d = calloc(1, sizeof(*d) + cid->len);
	if (!d)
		return NULL;
	d->priority = priority;
	d->len = cid->len;
	memcpy(d->cid, cid->bytes, cid->len);
	place(p, d);
	p->n_demands++;
	b->n_demands++;
	return d;
}

void serve_forget_all(struct bitswap *b, struct bpeer *p)
{
	while (!list_empty(&p->demands))
		demand_free(b, p, container_of(p->demands.next, struct demand, item));
}

static void set_ready(struct bpeer *p, struct demand *d)
{
	p->n_ready += !d->ready;
	d->ready = true;
}

static void say_presence(struct bpeer *p, const struct cid *cid, bool have)
{
	if (p->presences.len < PRESENCES_MAX)
		bitswap_put_presence(&p->presences, cid, have);
}

void serve_demand(struct bitswap *b, struct bpeer *p, const struct bitswap_entry *en)
{
	struct demand *d = demand_find(p, &en->cid);
	size_t size;
	int r;

	if (en->cancel) {
		if (d)
			demand_free(b, p, d);
		return;
	}
	if (!d)
		d = demand_new(b, p, &en->cid, en->priority);
	if (!d)
		return;
	if (!en->want_have) /* a want of the block replaces one of knowing */
		d->want_have = false;
	else if (!d->ready)
		d->want_have = true;
	d->send_dont_have = en->send_dont_have;
	r = b->cfg.get(b->cfg.arg, &en->cid, NULL, &size);
	if (r == 1)
		set_ready(p, d);
	else if (en->send_dont_have)
		say_presence(p, &en->cid, false);
}

void serve_have(struct bitswap *b, const struct cid *cid)
{
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);
		struct demand *d = demand_find(p, cid);

		if (!d)
			continue;
		set_ready(p, d);
		serve_flush(b, p);
	}
}

/* ---- answers ---- */

static struct demand *next_ready(const struct bpeer *p)
{
	struct list *it;

	if (p->n_ready == 0)
		return NULL;
	list_each (it, &p->demands) {
		struct demand *d = container_of(it, struct demand, item);

		if (d->ready)
			return d;
	}
	return NULL;
}

static void cid_of(const struct demand *d, struct cid *ret)
{
	ret->len = d->len;
	memcpy(ret->bytes, d->cid, d->len);
}

/* The block, or that it is here. 0: taken into the message; 1: it goes into the next one. */
static int answer_one(struct bitswap *b, const struct demand *d, struct buf *message,
		      size_t *blocks)
{
	struct buf data = BUF_INIT(BITSWAP_BLOCK_MAX);
	struct cid cid;
	size_t size = 0;
	int r;

	cid_of(d, &cid);
	r = b->cfg.get(b->cfg.arg, &cid, NULL, &size);
	if (r == 1 && d->want_have && size > BITSWAP_INLINE_MAX)
		return bitswap_put_presence(message, &cid, true);
	if (r == 1 && *blocks > 0 && *blocks + size > BITSWAP_REPLY_TARGET)
		return 1;
	if (r == 1)
		r = b->cfg.get(b->cfg.arg, &cid, &data, &size);
	if (r == 1)
		r = bitswap_put_block(message, &cid, data.data, data.len);
	if (r == 0 && data.len > 0) {
		*blocks += data.len;
		b->counts.served++;
		b->counts.served_bytes += data.len;
	}
	buf_deinit(&data);
	return r < 0 ? r : 0;
}

/* One message of what the peer waits for. False: nothing more, or its queue is full. */
static bool answer(struct bitswap *b, struct bpeer *p)
{
	const struct bitswap_counts before = b->counts;
	struct list done;
	struct buf message = BUF_INIT(BITSWAP_MESSAGE_MAX);
	struct demand *d;
	size_t blocks = 0;
	bool sent = false;
	int r = bitswap_put_wantlist(&message, &p->wantlist, false);

	list_init(&done);
	if (r == 0 && p->presences.len > 0)
		r = buf_append(&message, p->presences.data, p->presences.len);
	while (r == 0 && (d = next_ready(p))) {
		r = answer_one(b, d, &message, &blocks);
		if (r != 0)
			break;
		d->ready = false; /* aside, until it is sent */
		p->n_ready--;
		list_del(&d->item);
		list_add_tail(&done, &d->item);
	}
	if (r >= 0 && (p->wantlist.len > 0 || p->presences.len > 0 || !list_empty(&done)))
		sent = b->cfg.send(b->cfg.send_arg, &p->id, message.data, message.len);
	p->blocked = r >= 0 && !sent;
	p->retry_at = b->now_ms + RETRY_MS;
	while (!list_empty(&done)) {
		d = container_of(done.next, struct demand, item);
		list_del(&d->item);
		place(p, d);
		if (sent)
			demand_free(b, p, d);
		else
			set_ready(p, d);
	}
	if (sent) {
		buf_deinit(&p->wantlist);
		buf_deinit(&p->presences);
	} else {
		b->counts = before;
	}
	buf_deinit(&message);
	return sent;
}

void serve_flush(struct bitswap *b, struct bpeer *p)
{
	while (p->wantlist.len > 0 || p->presences.len > 0 || p->n_ready > 0)
		if (!answer(b, p))
			return;
}
