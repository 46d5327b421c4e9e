#include "net/addrbook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/list.h"

#define FOREVER UINT64_MAX

struct address {
	struct list item; /* of the peer */
	enum addrbook_ttl ttl;
	uint64_t until; /* ms */
	uint16_t len;
	uint8_t bytes[];
};

struct entry {
	struct list item; /* of the book */
	struct peerid peer;
	struct list addresses;
	size_t n;
};

struct addrbook {
	struct list entries;
	size_t n;
};

int addrbook_new(struct addrbook **ret)
{
	struct addrbook *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	list_init(&b->entries);
	*ret = b;
	return 0;
}

static void forget_address(struct entry *en, struct address *a)
{
	list_del(&a->item);
	free(a);
	en->n--;
}

static void forget_entry(struct addrbook *b, struct entry *en)
{
	while (!list_empty(&en->addresses))
		forget_address(en, container_of(en->addresses.next, struct address, item));
	list_del(&en->item);
	free(en);
	b->n--;
}

void addrbook_free(struct addrbook *b)
{
	if (!b)
		return;
	while (!list_empty(&b->entries))
		forget_entry(b, container_of(b->entries.next, struct entry, item));
	free(b);
}

/* ---- looking ---- */

static struct entry *find(const struct addrbook *b, const struct peerid *peer)
{
	struct list *it;

	list_each (it, &b->entries) {
		struct entry *en = container_of(it, struct entry, item);

		if (peerid_equal(&en->peer, peer))
			return en;
	}
	return NULL;
}

static struct address *find_address(const struct entry *en, const struct multiaddr *a)
{
	struct list *it;

	list_each (it, &en->addresses) {
		struct address *have = container_of(it, struct address, item);

		if (have->len == a->len && memcmp(have->bytes, a->bytes, a->len) == 0)
			return have;
	}
	return NULL;
}

static void expire(struct entry *en, uint64_t now_ms)
{
	struct list *it, *next;

	list_each_safe (it, next, &en->addresses) {
		struct address *a = container_of(it, struct address, item);

		if (a->until <= now_ms)
			forget_address(en, a);
	}
}

static void expire_all(struct addrbook *b, uint64_t now_ms)
{
	struct list *it, *next;

	list_each_safe (it, next, &b->entries) {
		struct entry *en = container_of(it, struct entry, item);

		expire(en, now_ms);
		if (en->n == 0)
			forget_entry(b, en);
	}
}

static size_t copy(const struct entry *en, struct multiaddr *ret, size_t cap)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &en->addresses) {
		const struct address *a = container_of(it, struct address, item);

		if (n == cap)
			break;
		ret[n].len = a->len;
		memcpy(ret[n++].bytes, a->bytes, a->len);
	}
	return n;
}

size_t addrbook_get(struct addrbook *b, const struct peerid *peer, uint64_t now_ms,
		    struct multiaddr *ret, size_t cap)
{
	struct entry *en = find(b, peer);

	if (!en)
		return 0;
	expire(en, now_ms);
	return copy(en, ret, cap);
}

void addrbook_each(struct addrbook *b, uint64_t now_ms,
		   bool (*fn)(void *arg, const struct peerid *peer, const struct multiaddr *v,
			      size_t n),
		   void *arg)
{
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX];
	struct list *it;

	expire_all(b, now_ms);
	list_each (it, &b->entries) {
		const struct entry *en = container_of(it, struct entry, item);

		if (!fn(arg, &en->peer, v, copy(en, v, ADDRBOOK_PER_PEER_MAX)))
			return;
	}
}

/* ---- learning ---- */

static uint64_t life(enum addrbook_ttl ttl, uint64_t now_ms)
{
	return ttl == ADDRBOOK_HOUR ? now_ms + ADDRBOOK_HOUR_MS : FOREVER;
}

static struct entry *entry_make(struct addrbook *b, const struct peerid *peer, uint64_t now_ms)
{
	struct entry *en = find(b, peer);

	if (en)
		return en;
	if (b->n >= ADDRBOOK_PEERS_MAX)
		expire_all(b, now_ms);
	en = b->n < ADDRBOOK_PEERS_MAX ? calloc(1, sizeof(*en)) : NULL;
	if (!en)
		return NULL;
	en->peer = *peer;
	list_init(&en->addresses);
	list_add_tail(&b->entries, &en->item);
	b->n++;
	return en;
}

static int add_new(struct entry *en, const struct multiaddr *a, enum addrbook_ttl ttl,
		   uint64_t now_ms)
{
	struct address *new;

	if (en->n >= ADDRBOOK_PER_PEER_MAX)
		expire(en, now_ms);
	if (en->n >= ADDRBOOK_PER_PEER_MAX)
		return -ENOSPC;
	new = malloc(sizeof(*new) + a->len);
	if (!new)
		return -ENOMEM;
	new->ttl = ttl;
	new->until = life(ttl, now_ms);
	new->len = a->len;
	memcpy(new->bytes, a->bytes, a->len);
	list_add_tail(&en->addresses, &new->item);
	en->n++;
	return 0;
}

int addrbook_add(struct addrbook *b, const struct peerid *peer, const struct multiaddr *a,
		 enum addrbook_ttl ttl, uint64_t now_ms)
{
	struct multiaddr plain = *a;
	struct address *have;
	struct peerid named;
	struct entry *en;
	int r;

	if (multiaddr_peerid(a, &named) == 0) {
		if (!peerid_equal(&named, peer))
			return -EINVAL;
		multiaddr_cut_peerid(&plain);
	}
	if (plain.len == 0)
		return -EINVAL;
	en = entry_make(b, peer, now_ms);
	if (!en)
		return -ENOSPC;
	have = find_address(en, &plain);
	if (!have) {
		r = add_new(en, &plain, ttl, now_ms);
		if (r < 0 && en->n == 0)
			forget_entry(b, en);
		return r;
	}
	if (ttl >= have->ttl || have->until <= now_ms) {
		have->ttl = ttl;
		have->until = life(ttl, now_ms);
	}
	return 0;
}

static void end_said(struct addrbook *b, const struct peerid *peer, uint64_t until)
{
	struct entry *en = find(b, peer);
	struct list *it;

	if (!en)
		return;
	list_each (it, &en->addresses) {
		struct address *a = container_of(it, struct address, item);

		if (a->ttl == ADDRBOOK_CONNECTED && a->until > until)
			a->until = until;
	}
}

void addrbook_said_before(struct addrbook *b, const struct peerid *peer, uint64_t now_ms)
{
	end_said(b, peer, now_ms);
}

void addrbook_gone(struct addrbook *b, const struct peerid *peer, uint64_t now_ms)
{
	end_said(b, peer, now_ms + ADDRBOOK_AFTERWARDS_MS);
}
