#include "net/bitswap.h"

#include <errno.h>
#include <stdlib.h>

#include "net/bitswap_internal.h"

/* ---- peers ---- */

static struct bpeer *bpeer_find(const struct bitswap *b, const struct peerid *id)
{
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (peerid_equal(&p->id, id))
			return p;
	}
	return NULL;
}

void bpeer_stir(struct bitswap *b, struct bpeer *p)
{
	p->unsaid = true;
	if (!p->blocked)
		b->unsaid = true;
}

static void bpeer_free(struct bitswap *b, struct bpeer *p)
{
	ledger_forget(b, p);
	buf_deinit(&p->cancels);
	free(p);
}

int bitswap_peer_up(struct bitswap *b, const struct peerid *peer, uint64_t now_ms)
{
	struct bpeer *p;

	b->now_ms = now_ms;
	if (bpeer_find(b, peer))
		return 0;
	if (b->n_peers == BITSWAP_PEERS_MAX)
		return -ENOSPC;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->id = *peer;
	buf_init(&p->cancels, BITSWAP_CANCELS_MAX);
	list_init(&p->due);
	list_init(&p->waiting);
	list_add_tail(&b->peers, &p->item);
	b->n_peers++;
	wants_peer_up(b, p);
	return 0;
}

void bitswap_peer_down(struct bitswap *b, const struct peerid *peer, uint64_t now_ms)
{
	struct bpeer *p = bpeer_find(b, peer);

	b->now_ms = now_ms;
	if (!p)
		return;
	list_del(&p->item);
	b->n_peers--;
	wants_peer_down(b, p);
	bpeer_free(b, p);
}

void bitswap_progress(struct bitswap *b, const struct peerid *from, uint64_t now_ms)
{
	struct bpeer *p = bpeer_find(b, from);

	if (p)
		p->moved_ms = now_ms;
}

/* ---- what goes out ---- */

/* One message: what we want, then answers. 1: there may be more; 0: there was nothing to say;
 * -errno: it could not be written or sent, and is written anew later. */
static int say(struct bitswap *b, struct bpeer *p)
{
	struct buf wantlist = BUF_INIT(0), message = BUF_INIT(BITSWAP_MESSAGE_MAX);
	int r = wants_write(b, p, &wantlist);

	if (r == 0)
		r = bitswap_put_wantlist(&message, &wantlist, p->stale);
	if (r == 0)
		r = ledger_write(b, p, &message);
	if (r == 0 && (wantlist.len > 0 || p->stale || p->n_answered > 0))
		r = b->cfg.send(b->cfg.send_arg, &p->id, message.data, message.len) ? 1 : -EAGAIN;
	if (r == 1) {
		wants_said(b, p);
		ledger_said(b, p);
	}
	buf_deinit(&message);
	buf_deinit(&wantlist);
	return r;
}

static void flush(struct bitswap *b, struct bpeer *p)
{
	int r = 1;

	while (r == 1)
		r = say(b, p);
	p->unsaid = r < 0;
	p->blocked = r < 0;
	if (!p->blocked)
		return;
	p->retry_ms = b->now_ms + BITSWAP_RETRY_MS;
	bitswap_due(b, p->retry_ms);
}

static void flush_all(struct bitswap *b)
{
	struct list *it;

	b->unsaid = false;
	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (p->unsaid && !p->blocked)
			flush(b, p);
	}
}

void bitswap_writable(struct bitswap *b, const struct peerid *peer, uint64_t now_ms)
{
	struct bpeer *p = bpeer_find(b, peer);

	b->now_ms = now_ms;
	if (p)
		flush(b, p);
}

void bitswap_lost(struct bitswap *b, const struct peerid *peer, uint64_t now_ms)
{
	struct bpeer *p = bpeer_find(b, peer);

	b->now_ms = now_ms;
	if (p)
		wants_peer_lost(b, p);
}

/* ---- what comes in ---- */

struct incoming {
	struct bitswap *b;
	const struct peerid *from;
	struct bpeer *p; /* NULL: gone meanwhile */
	unsigned n_wants;
};

static void on_full(void *arg)
{
	struct incoming *in = arg;

	if (in->p)
		ledger_forget(in->b, in->p);
}

/* More than a peer may want cannot be meant. */
static void on_entry(void *arg, const struct bitswap_entry *en)
{
	struct incoming *in = arg;

	if (in->p && (en->cancel || in->n_wants++ < BITSWAP_PEER_WANTS_MAX))
		ledger_entry(in->b, in->p, en);
}

static void on_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	struct incoming *in = arg;
	struct bitswap *b = in->b;

	if (!in->p || !wants_block(b, in->p, cid)) {
		b->counts.unwanted++;
		return;
	}
	b->counts.received++;
	b->cfg.block(b->cfg.arg, cid, in->from, p, n);
	in->p = bpeer_find(b, in->from);
}

static void on_presence(void *arg, const struct cid *cid, bool have)
{
	struct incoming *in = arg;

	if (in->p)
		wants_presence(in->b, in->p, cid, have);
}

int bitswap_feed(struct bitswap *b, const struct peerid *from, const uint8_t *message, size_t n,
		 uint64_t now_ms, struct err *e)
{
	struct incoming in = { .b = b, .from = from, .p = bpeer_find(b, from) };
	const struct bitswap_visitor v = { .full = on_full,
					   .entry = on_entry,
					   .block = on_block,
					   .presence = on_presence,
					   .arg = &in };
	int r;

	b->now_ms = now_ms;
	if (!in.p)
		return 0;
	in.p->moved_ms = now_ms;
	r = bitswap_read(message, n, &v, e);
	b->counts.malformed += r < 0;
	flush_all(b);
	return r;
}

/* ---- time ---- */

void bitswap_due(struct bitswap *b, uint64_t ms)
{
	if (ms < b->due_ms)
		b->due_ms = ms;
}

uint64_t bitswap_deadline(const struct bitswap *b)
{
	return b->unsaid ? 0 : b->due_ms;
}

void bitswap_tick(struct bitswap *b, uint64_t now_ms)
{
	struct list *it;

	b->now_ms = now_ms;
	if (b->due_ms <= now_ms) {
		b->due_ms = UINT64_MAX;
		wants_tick(b);
		list_each (it, &b->peers) {
			struct bpeer *p = container_of(it, struct bpeer, item);

			if (p->blocked && p->retry_ms <= now_ms)
				p->blocked = false;
			else if (p->blocked)
				bitswap_due(b, p->retry_ms);
		}
	}
	flush_all(b);
}

/* ---- what others ask of it ---- */

void bitswap_have(struct bitswap *b, const struct cid *cid, uint64_t now_ms)
{
	b->now_ms = now_ms;
	ledger_have(b, cid);
}

size_t bitswap_wants(const struct bitswap *b)
{
	return b->n_wants;
}

void bitswap_counts(const struct bitswap *b, struct bitswap_counts *ret)
{
	*ret = b->counts;
}

int bitswap_new(const struct bitswap_config *cfg, struct bitswap **ret)
{
	struct bitswap *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->cfg = *cfg;
	b->due_ms = UINT64_MAX;
	list_init(&b->peers);
	wants_init(b);
	ledger_init(b);
	*ret = b;
	return 0;
}

void bitswap_free(struct bitswap *b)
{
	if (!b)
		return;
	while (!list_empty(&b->peers)) {
		struct bpeer *p = container_of(b->peers.next, struct bpeer, item);

		list_del(&p->item);
		bpeer_free(b, p);
	}
	wants_free(b);
	free(b);
}
