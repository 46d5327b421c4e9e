/*
 * Asking: each want goes to one peer at a time, first to who is likely to have the block; a peer
 * that has it not, or says nothing for a while, is followed by the next. When all were asked, all
 * are asked again after a while, and newcomers at once.
 */
#include "net/bitswap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/bitswap_internal.h"

#define NOBODY UINT32_MAX

struct want {
	struct list item;
	struct cid cid;
	struct peerid hint;
	uint8_t tried[BITSWAP_PEERS_MAX / 8]; /* by slots */
	unsigned asked;                       /* slot of who is asked now, or NOBODY */
	uint64_t due;                         /* ms: the next peer, or all again */
};

static bool bit(const uint8_t *bits, unsigned i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static void set_bit(uint8_t *bits, unsigned i, bool on)
{
	bits[i / 8] = (uint8_t)(on ? bits[i / 8] | 1u << i % 8 : bits[i / 8] & ~(1u << i % 8));
}

/* ---- peers ---- */

struct bpeer *bpeer_find(const struct bitswap *b, const struct peerid *id)
{
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (peerid_equal(&p->id, id))
			return p;
	}
	return NULL;
}

static struct want *want_find(const struct bitswap *b, const struct cid *cid)
{
	struct list *it;

	list_each (it, &b->wants) {
		struct want *w = container_of(it, struct want, item);

		if (cid_equal(&w->cid, cid))
			return w;
	}
	return NULL;
}

/* ---- asking ---- */

static void put_entry(struct bpeer *p, const struct cid *cid, bool cancel)
{
	struct bitswap_entry en = { .priority = 1, .cancel = cancel, .send_dont_have = !cancel };

	cid_copy(&en.cid, cid);
	bitswap_put_entry(&p->wantlist, &en);
}

static struct bpeer *choose(struct bitswap *b, const struct want *w)
{
	struct bpeer *hinted = w->hint.len ? bpeer_find(b, &w->hint) : NULL, *best = NULL;
	struct list *it;
	unsigned nearest = UINT32_MAX;

	if (hinted && !bit(w->tried, hinted->slot))
		return hinted;
	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);
		unsigned distance = (p->slot - b->first) % BITSWAP_PEERS_MAX;

		if (!bit(w->tried, p->slot) && distance < nearest) {
			best = p;
			nearest = distance;
		}
	}
	return best;
}

static void ask_next(struct bitswap *b, struct want *w, uint64_t now_ms)
{
	struct bpeer *p = choose(b, w);

	w->asked = p ? p->slot : NOBODY;
	if (!p) {
		w->due = now_ms + BITSWAP_AGAIN_MS;
		return;
	}
	set_bit(w->tried, p->slot, true);
	w->due = now_ms + BITSWAP_ASK_MS;
	put_entry(p, &w->cid, false);
}

static void flush_all(struct bitswap *b)
{
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (p->wantlist.len > 0 && !p->blocked)
			serve_flush(b, p);
	}
}

int bitswap_want(struct bitswap *b, const struct cid *cid, const struct peerid *hint,
		 uint64_t now_ms)
{
	struct want *w = want_find(b, cid);

	b->now_ms = now_ms;
	if (w)
		return 0;
	if (b->n_wants >= BITSWAP_WANTS_MAX)
		return -EAGAIN;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	cid_copy(&w->cid, cid);
	if (hint)
		w->hint = *hint;
	list_add_tail(&b->wants, &w->item);
	b->n_wants++;
	b->counts.wanted++;
	ask_next(b, w, now_ms);
	flush_all(b);
	return 0;
}

/* Whoever was asked need not look any further; @from has given it. */
static void want_end(struct bitswap *b, struct want *w, const struct bpeer *from)
{
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (p != from && bit(w->tried, p->slot))
			put_entry(p, &w->cid, true);
	}
	list_del(&w->item);
	b->n_wants--;
	free(w);
}

void bitswap_cancel(struct bitswap *b, const struct cid *cid)
{
	struct want *w = want_find(b, cid);

	if (!w)
		return;
	want_end(b, w, NULL);
	flush_all(b);
}

void bitswap_have(struct bitswap *b, const struct cid *cid, uint64_t now_ms)
{
	b->now_ms = now_ms;
	serve_have(b, cid);
}

size_t bitswap_wants(const struct bitswap *b)
{
	return b->n_wants;
}

/* ---- what comes ---- */

struct incoming {
	struct bitswap *b;
	struct bpeer *p;
	uint64_t now_ms;
};

static void on_full(void *arg)
{
	struct incoming *in = arg;

	serve_forget_all(in->b, in->p);
}

static void on_entry(void *arg, const struct bitswap_entry *en)
{
	struct incoming *in = arg;

	serve_demand(in->b, in->p, en);
}

static void on_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct incoming *in = arg;
	struct bitswap *b = in->b;
	struct want *w = want_find(b, cid);

	if (!w) {
		b->counts.unwanted++;
		return;
	}
	b->counts.received++;
	want_end(b, w, in->p);
	b->cfg.block(b->cfg.arg, cid, &in->p->id, p, n);
}

static void on_presence(void *arg, const struct cid *cid, bool have)
{
	struct incoming *in = arg;
	struct want *w = want_find(in->b, cid);

	if (!w)
		return;
	if (have && w->asked != in->p->slot) { /* it comes next, when the present one fails */
		w->hint = in->p->id;
		set_bit(w->tried, in->p->slot, false);
	} else if (!have && w->asked == in->p->slot) {
		ask_next(in->b, w, in->now_ms);
	}
}

int bitswap_feed(struct bitswap *b, const struct peerid *from, const uint8_t *message, size_t n,
		 uint64_t now_ms, struct err *e)
{
	struct incoming in = { .b = b, .p = bpeer_find(b, from), .now_ms = now_ms };
	const struct bitswap_visitor v = { .full = on_full,
					   .entry = on_entry,
					   .block = on_block,
					   .presence = on_presence,
					   .arg = &in };
	int r;

	b->now_ms = now_ms;
	if (!in.p)
		return 0;
	r = bitswap_read(message, n, &v, e);
	in.p = bpeer_find(b, from); /* `block` may do much */
	if (r == 0 && in.p && !in.p->blocked)
		serve_flush(b, in.p);
	flush_all(b);
	return r;
}

void bitswap_writable(struct bitswap *b, const struct peerid *peer, uint64_t now_ms)
{
	struct bpeer *p = bpeer_find(b, peer);

	b->now_ms = now_ms;
	if (!p)
		return;
	p->blocked = false;
	serve_flush(b, p);
}

/* ---- coming and going ---- */

int bitswap_peer_up(struct bitswap *b, const struct peerid *peer, uint64_t now_ms)
{
	struct bpeer *p = bpeer_find(b, peer);
	struct list *it;
	unsigned slot = 0;

	b->now_ms = now_ms;
	if (p)
		return 0;
	while (slot < BITSWAP_PEERS_MAX && bit(b->slots, slot))
		slot++;
	p = slot < BITSWAP_PEERS_MAX ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return slot < BITSWAP_PEERS_MAX ? -ENOMEM : -ENOSPC;
	p->id = *peer;
	p->slot = slot;
	list_init(&p->demands);
	set_bit(b->slots, slot, true);
	list_add_tail(&b->peers, &p->item);
	b->n_peers++;
	list_each (it, &b->wants) {
		struct want *w = container_of(it, struct want, item);

		set_bit(w->tried, slot, false);
		if (w->asked == NOBODY)
			ask_next(b, w, now_ms);
	}
	flush_all(b);
	return 0;
}

void bitswap_peer_down(struct bitswap *b, const struct peerid *peer, uint64_t now_ms)
{
	struct bpeer *p = bpeer_find(b, peer);
	struct list *it;
	unsigned slot;

	b->now_ms = now_ms;
	if (!p)
		return;
	slot = p->slot;
	serve_forget_all(b, p);
	buf_deinit(&p->wantlist);
	buf_deinit(&p->presences);
	list_del(&p->item);
	b->n_peers--;
	set_bit(b->slots, slot, false);
	free(p);
	list_each (it, &b->wants) {
		struct want *w = container_of(it, struct want, item);

		set_bit(w->tried, slot, false);
		if (w->asked == slot)
			ask_next(b, w, now_ms);
	}
	flush_all(b);
}

/* ---- time ---- */

uint64_t bitswap_deadline(const struct bitswap *b)
{
	uint64_t due = UINT64_MAX;
	struct list *it;

	list_each (it, &b->peers) {
		const struct bpeer *p = container_of(it, struct bpeer, item);

		if (p->blocked && p->retry_at < due)
			due = p->retry_at;
	}
	list_each (it, &b->wants) {
		const struct want *w = container_of(it, struct want, item);

		if (w->due < due)
			due = w->due;
	}
	return due;
}

void bitswap_tick(struct bitswap *b, uint64_t now_ms)
{
	struct list *it;

	b->now_ms = now_ms;
	list_each (it, &b->wants) {
		struct want *w = container_of(it, struct want, item);

		if (w->due > now_ms)
			continue;
		if (w->asked == NOBODY) { /* all were asked: from the beginning */
			memset(w->tried, 0, sizeof(w->tried));
			b->first++;
		}
		ask_next(b, w, now_ms);
	}
	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (p->blocked && p->retry_at <= now_ms)
			bitswap_writable(b, &p->id, now_ms);
	}
	flush_all(b);
}

/* ---- life ---- */

int bitswap_new(const struct bitswap_config *cfg, struct bitswap **ret)
{
	struct bitswap *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->cfg = *cfg;
	list_init(&b->peers);
	list_init(&b->wants);
	*ret = b;
	return 0;
}

void bitswap_free(struct bitswap *b)
{
	if (!b)
		return;
	while (!list_empty(&b->peers))
		bitswap_peer_down(b, &container_of(b->peers.next, struct bpeer, item)->id, 0);
	while (!list_empty(&b->wants)) {
		struct want *w = container_of(b->wants.next, struct want, item);

		list_del(&w->item);
		free(w);
	}
	free(b);
}

void bitswap_counts(const struct bitswap *b, struct bitswap_counts *ret)
{
	*ret = b->counts;
}
