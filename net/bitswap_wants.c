/*
 * Asking. A want goes to one peer first: to whom it was heard from, to who says that it has the
 * block, or to who gave the last one. When that peer has it not, or nothing comes from it for a
 * while, the others are asked whether they have it, which costs little whoever answers, and the
 * block is asked of one that does. In the end all were asked: a round is over, and the next one
 * begins after a while. What a peer was told it is told to forget when the block has come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/bitswap_internal.h"
#include "types/hash.h"

/* ---- sets of wants ---- */

static bool has(const struct want_set *s, unsigned slot)
{
	return s->words[slot / 64] >> slot % 64 & 1;
}

static void add(struct want_set *s, unsigned slot)
{
	s->words[slot / 64] |= UINT64_C(1) << slot % 64;
}

static void del(struct want_set *s, unsigned slot)
{
	s->words[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

/* The first from @slot on; BITSWAP_WANTS_MAX: none. */
static unsigned next_in(const struct want_set *s, unsigned slot)
{
	while (slot < BITSWAP_WANTS_MAX) {
		uint64_t left = s->words[slot / 64] >> slot % 64;

		if (left)
			return slot + (unsigned)__builtin_ctzll(left);
		slot = (slot / 64 + 1) * 64;
	}
	return BITSWAP_WANTS_MAX;
}

/* ---- wants ---- */

static struct list *bucket_of(struct bitswap *b, const struct cid *cid)
{
	return &b->want_buckets[hash_short(cid->bytes, cid->len) % WANT_BUCKETS];
}

static struct want *find(struct bitswap *b, const struct cid *cid)
{
	struct list *bucket = bucket_of(b, cid), *it;

	list_each (it, bucket) {
		struct want *w = container_of(it, struct want, bucket);

		if (cid_equal(&w->cid, cid))
			return w;
	}
	return NULL;
}

static unsigned free_slot(const struct bitswap *b)
{
	unsigned slot = 0;

	while (b->wants[slot])
		slot++;
	return slot;
}

static int make(struct bitswap *b, const struct cid *cid, struct want **ret)
{
	struct want *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->slot = free_slot(b);
	cid_copy(&w->cid, cid);
	w->priority = b->priority;
	b->priority = b->priority > 1 ? b->priority - 1 : INT32_MAX;
	b->wants[w->slot] = w;
	list_add_tail(bucket_of(b, cid), &w->bucket);
	b->n_wants++;
	*ret = w;
	return 0;
}

/* ---- whom to ask ---- */

static void owe(struct bitswap *b, struct bpeer *p, const struct want *w)
{
	add(&p->owed, w->slot);
	bpeer_stir(b, p);
}

static void set_due(struct bitswap *b, struct want *w, uint64_t ms)
{
	w->due_ms = ms;
	bitswap_due(b, ms);
}

/* How likely a peer has the block; 0: as likely as any other. */
static unsigned promise(const struct bitswap *b, const struct want *w, const struct bpeer *p)
{
	if (peerid_equal(&p->id, &w->hint))
		return 3;
	if (has(&p->has, w->slot))
		return 2;
	return p == b->giver && !w->asked && !w->spread;
}

static struct bpeer *choose(const struct bitswap *b, const struct want *w)
{
	struct bpeer *best = NULL;
	unsigned most = 0, untried = 0;
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);
		unsigned n = promise(b, w, p);

		if (has(&p->tried, w->slot))
			continue;
		untried++;
		if (!best || n > most) {
			best = p;
			most = n;
		}
	}
	/* There is no use in asking the only one whether it has it. */
	return most > 0 || (untried == 1 && !w->spread) ? best : NULL;
}

static void ask(struct bitswap *b, struct want *w, struct bpeer *p)
{
	w->asked = p;
	w->asked_ms = b->now_ms;
	add(&p->tried, w->slot);
	owe(b, p, w);
	set_due(b, w, b->now_ms + BITSWAP_ASK_MS);
}

static void ask_all(struct bitswap *b, struct want *w)
{
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (has(&p->tried, w->slot))
			continue;
		w->spread = true;
		owe(b, p, w);
	}
}

/* Who was asked, if anybody was, does not count any more: who is next. */
static void seek(struct bitswap *b, struct want *w)
{
	struct bpeer *p = choose(b, w);

	w->asked = NULL;
	if (p) {
		ask(b, w, p);
		return;
	}
	if (!w->spread)
		ask_all(b, w);
	set_due(b, w, b->now_ms + BITSWAP_AGAIN_MS);
}

static void begin_again(struct bitswap *b, struct want *w)
{
	struct list *it;

	w->spread = false;
	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		del(&p->tried, w->slot);
		del(&p->has, w->slot);
	}
}

/* How long to wait for who was asked: as long as bytes come from it, but not for ever. */
static uint64_t patience_ends(const struct want *w)
{
	uint64_t last = w->asked->moved_ms > w->asked_ms ? w->asked->moved_ms : w->asked_ms;
	uint64_t until = last + BITSWAP_ASK_MS, most = w->asked_ms + BITSWAP_ASK_MAX_MS;

	return until < most ? until : most;
}

void wants_tick(struct bitswap *b)
{
	for (unsigned i = 0; i < BITSWAP_WANTS_MAX; i++) {
		struct want *w = b->wants[i];

		if (!w)
			continue;
		if (w->asked)
			w->due_ms = patience_ends(w);
		if (w->due_ms > b->now_ms) {
			bitswap_due(b, w->due_ms);
			continue;
		}
		if (!w->asked)
			begin_again(b, w);
		seek(b, w);
	}
}

/* ---- wanting ---- */

static bool is_ours(const struct cid *cid)
{
	size_t n;
	const uint8_t *hash = cid_multihash(cid, &n);

	return n == 2 + BITSWAP_DIGEST && hash[0] == MULTIHASH_SHA2_256;
}

int bitswap_want(struct bitswap *b, const struct cid *cid, const struct peerid *hint,
		 uint64_t now_ms)
{
	struct want *w;
	int r;

	b->now_ms = now_ms;
	if (!is_ours(cid))
		return -EINVAL;
	if (find(b, cid))
		return 0;
	if (b->n_wants == BITSWAP_WANTS_MAX)
		return -EAGAIN;
	r = make(b, cid, &w);
	if (r < 0)
		return r;
	if (hint)
		w->hint = *hint;
	b->counts.wanted++;
	seek(b, w);
	return 0;
}

/* When they are too many, the peer is told the whole list instead. */
static void owe_cancel(struct bitswap *b, struct bpeer *p, const struct cid *cid)
{
	struct bitswap_entry en = { .cancel = true };

	cid_copy(&en.cid, cid);
	if (!p->stale && bitswap_put_entry(&p->cancels, &en) < 0) {
		p->stale = true;
		buf_deinit(&p->cancels);
	}
	bpeer_stir(b, p);
}

/* @from has given the block, and has forgotten the want with that. */
static void end(struct bitswap *b, struct want *w, const struct bpeer *from)
{
	struct list *it;

	list_each (it, &b->peers) {
		struct bpeer *p = container_of(it, struct bpeer, item);

		if (p != from && has(&p->told, w->slot))
			owe_cancel(b, p, &w->cid);
		del(&p->told, w->slot);
		del(&p->owed, w->slot);
		del(&p->tried, w->slot);
		del(&p->has, w->slot);
	}
	list_del(&w->bucket);
	b->wants[w->slot] = NULL;
	b->n_wants--;
	free(w);
}

void bitswap_cancel(struct bitswap *b, const struct cid *cid)
{
	struct want *w = find(b, cid);

	if (w)
		end(b, w, NULL);
}

/* ---- what peers say ---- */

bool wants_block(struct bitswap *b, struct bpeer *p, const struct cid *cid)
{
	struct want *w = find(b, cid);

	if (!w)
		return false;
	b->giver = p;
	end(b, w, p);
	return true;
}

void wants_presence(struct bitswap *b, struct bpeer *p, const struct cid *cid, bool have)
{
	struct want *w = find(b, cid);

	if (!w || !has(&p->told, w->slot))
		return;
	if (have)
		add(&p->has, w->slot);
	else
		del(&p->has, w->slot);
	if (have ? !w->asked && !has(&p->tried, w->slot) : w->asked == p)
		seek(b, w);
}

/* ---- peers ---- */

void wants_peer_up(struct bitswap *b, struct bpeer *p)
{
	for (unsigned i = 0; i < BITSWAP_WANTS_MAX; i++) {
		struct want *w = b->wants[i];

		if (w && !w->asked)
			ask(b, w, p);
		else if (w && w->spread)
			owe(b, p, w);
	}
}

void wants_peer_down(struct bitswap *b, struct bpeer *p)
{
	if (b->giver == p)
		b->giver = NULL;
	for (unsigned i = 0; i < BITSWAP_WANTS_MAX; i++) {
		struct want *w = b->wants[i];

		if (w && w->asked == p)
			seek(b, w);
	}
}

void wants_peer_lost(struct bitswap *b, struct bpeer *p)
{
	if (next_in(&p->told, 0) < BITSWAP_WANTS_MAX)
		p->stale = true;
	if (p->stale)
		bpeer_stir(b, p);
}

/* ---- telling ---- */

/* What the next list names. */
static struct want_set list_for(const struct bpeer *p)
{
	struct want_set list = p->owed;

	for (unsigned i = 0; p->stale && i < WANT_WORDS; i++)
		list.words[i] |= p->told.words[i];
	return list;
}

static int write_entry(const struct want *w, const struct bpeer *p, struct buf *wantlist)
{
	struct bitswap_entry en = { .priority = w->priority,
				    .want_have = w->asked != p,
				    .send_dont_have = true };

	cid_copy(&en.cid, &w->cid);
	return bitswap_put_entry(wantlist, &en);
}

/* Cancels go alone: where one message names a CID twice, the reference takes a want behind a cancel
 * for a cancel. */
int wants_write(const struct bitswap *b, const struct bpeer *p, struct buf *wantlist)
{
	struct want_set list;
	int r = 0;

	if (p->cancels.len > 0 && !p->stale)
		return buf_append(wantlist, p->cancels.data, p->cancels.len);
	list = list_for(p);
	for (unsigned i = next_in(&list, 0); r == 0 && i < BITSWAP_WANTS_MAX;
	     i = next_in(&list, i + 1))
		r = write_entry(b->wants[i], p, wantlist);
	return r;
}

void wants_said(struct bitswap *b, struct bpeer *p)
{
	struct want_set list;

	if (p->cancels.len > 0 && !p->stale) {
		buf_deinit(&p->cancels);
		return;
	}
	list = list_for(p);
	for (unsigned i = next_in(&list, 0); i < BITSWAP_WANTS_MAX; i = next_in(&list, i + 1)) {
		add(&p->told, i);
		if (b->wants[i]->asked != p) /* too late: it was told another thing than meant */
			del(&p->tried, i);
	}
	memset(&p->owed, 0, sizeof(p->owed));
	buf_deinit(&p->cancels);
	p->stale = false;
}

/* ---- life ---- */

void wants_init(struct bitswap *b)
{
	b->priority = INT32_MAX;
	for (unsigned i = 0; i < WANT_BUCKETS; i++)
		list_init(&b->want_buckets[i]);
}

void wants_free(struct bitswap *b)
{
	for (unsigned i = 0; i < BITSWAP_WANTS_MAX; i++)
		free(b->wants[i]);
}
