#include "net/addrbook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/list.h"

#define FOREVER UINT64_MAX

struct address {
	struct list item; /* of the entry */
	/* Believed before these times: by what the peer said, by what anybody claimed, and by
	 * everything else. 0: never was. */
	uint64_t said_until, claimed_until, until;
	uint16_t len;
	uint8_t bytes[];
};

struct entry {
	struct list item; /* of the book */
	struct peerid peer;
	struct list addresses;
	size_t n;
	bool kept;
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

static bool is_believed(const struct address *a, uint64_t now_ms)
{
	return a->until > now_ms || a->said_until > now_ms || a->claimed_until > now_ms;
}

/* Known by nothing but a claim. */
static bool is_claimed_only(const struct address *a)
{
	return a->until == 0 && a->said_until == 0;
}

static void expire(struct entry *en, uint64_t now_ms)
{
	struct list *it, *next;

	if (en->kept)
		return;
	list_each_safe (it, next, &en->addresses) {
		struct address *a = container_of(it, struct address, item);

		if (!is_believed(a, now_ms))
			forget_address(en, a);
	}
}

static void expire_all(struct addrbook *b, uint64_t now_ms)
{
	struct list *it, *next;

	list_each_safe (it, next, &b->entries) {
		struct entry *en = container_of(it, struct entry, item);

		expire(en, now_ms);
		if (en->n == 0 && !en->kept)
			forget_entry(b, en);
	}
}

/* Copies those that are believed, or those that are not. */
static size_t copy(const struct entry *en, bool believed, bool claims, uint64_t now_ms,
		   struct multiaddr *ret, size_t cap)
{
	struct list *it;
	size_t n = 0;

	list_each (it, &en->addresses) {
		const struct address *a = container_of(it, struct address, item);

		if (is_believed(a, now_ms) != believed || n == cap ||
		    (!claims && is_claimed_only(a)))
			continue;
		ret[n].len = a->len;
		memcpy(ret[n++].bytes, a->bytes, a->len);
	}
	return n;
}

static size_t copy_all(const struct entry *en, bool claims, uint64_t now_ms, struct multiaddr *ret,
		       size_t cap)
{
	size_t n = copy(en, true, claims, now_ms, ret, cap);

	return n + copy(en, false, claims, now_ms, ret + n, cap - n);
}

size_t addrbook_get(struct addrbook *b, const struct peerid *peer, uint64_t now_ms,
		    struct multiaddr *ret, size_t cap)
{
	struct entry *en = find(b, peer);

	if (!en)
		return 0;
	expire(en, now_ms);
	return copy_all(en, true, now_ms, ret, cap);
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
		size_t n = copy_all(en, false, now_ms, v, ADDRBOOK_PER_PEER_MAX);

		if (n > 0 && !fn(arg, &en->peer, v, n))
			return;
	}
}

/* ---- learning ---- */

static bool is_hearsay(const struct entry *en, uint64_t now_ms)
{
	struct list *it;

	list_each (it, &en->addresses) {
		const struct address *a = container_of(it, struct address, item);

		if (a->until == FOREVER || a->said_until > now_ms)
			return false;
	}
	return !en->kept;
}

/* What others told of a peer makes room for what is known better: what came last goes first. */
static void forget_hearsay(struct addrbook *b, uint64_t now_ms)
{
	for (struct list *it = b->entries.prev; it != &b->entries; it = it->prev) {
		struct entry *en = container_of(it, struct entry, item);

		if (is_hearsay(en, now_ms)) {
			forget_entry(b, en);
			return;
		}
	}
}

static int entry_make(struct addrbook *b, const struct peerid *peer, bool hearsay, uint64_t now_ms,
		      struct entry **ret)
{
	struct entry *en = find(b, peer);

	*ret = en;
	if (en)
		return 0;
	if (b->n == ADDRBOOK_PEERS_MAX)
		expire_all(b, now_ms);
	if (b->n == ADDRBOOK_PEERS_MAX && !hearsay)
		forget_hearsay(b, now_ms);
	if (b->n == ADDRBOOK_PEERS_MAX)
		return -ENOSPC;
	en = calloc(1, sizeof(*en));
	if (!en)
		return -ENOMEM;
	en->peer = *peer;
	list_init(&en->addresses);
	list_add_tail(&b->entries, &en->item);
	b->n++;
	*ret = en;
	return 0;
}

/* Forgets the oldest address that is not believed any more, or that is only claimed where the new
 * one is more than that. */
static void make_room(struct entry *en, enum addrbook_source source, uint64_t now_ms)
{
	struct list *it, *next;

	list_each_safe (it, next, &en->addresses) {
		struct address *a = container_of(it, struct address, item);

		if (en->n == ADDRBOOK_PER_PEER_MAX &&
		    (!is_believed(a, now_ms) || (source != ADDRBOOK_CLAIMED && is_claimed_only(a))))
			forget_address(en, a);
	}
}

static int address_make(struct entry *en, const struct multiaddr *a, enum addrbook_source source,
			uint64_t now_ms, struct address **ret)
{
	struct address *new = find_address(en, a);

	*ret = new;
	if (new)
		return 0;
	make_room(en, source, now_ms);
	if (en->n == ADDRBOOK_PER_PEER_MAX)
		return -ENOSPC;
	new = calloc(1, sizeof(*new) + a->len);
	if (!new)
		return -ENOMEM;
	new->len = a->len;
	memcpy(new->bytes, a->bytes, a->len);
	list_add_tail(&en->addresses, &new->item);
	en->n++;
	*ret = new;
	return 0;
}

static void believe(struct address *a, enum addrbook_source source, uint64_t now_ms)
{
	switch (source) {
	case ADDRBOOK_SAID:
		a->said_until = FOREVER;
		break;
	case ADDRBOOK_CLAIMED:
		a->claimed_until = now_ms + ADDRBOOK_CLAIMED_MS;
		break;
	case ADDRBOOK_HEARD:
		if (a->until < now_ms + ADDRBOOK_HOUR_MS)
			a->until = now_ms + ADDRBOOK_HOUR_MS;
		break;
	case ADDRBOOK_CONFIGURED:
		a->until = FOREVER;
		break;
	}
}

/* @a without the peer at its end, which must be @peer. */
static int plain_of(const struct multiaddr *a, const struct peerid *peer, struct multiaddr *ret)
{
	struct peerid named;

	*ret = *a;
	multiaddr_cut_peerid(ret);
	if (ret->len < a->len && (multiaddr_peerid(a, &named) < 0 || !peerid_equal(&named, peer)))
		return -EINVAL;
	return ret->len > 0 ? 0 : -EINVAL;
}

int addrbook_add(struct addrbook *b, const struct peerid *peer, const struct multiaddr *a,
		 enum addrbook_source source, uint64_t now_ms)
{
	struct multiaddr plain;
	struct address *address;
	struct entry *en;
	int r = plain_of(a, peer, &plain);

	if (r == 0)
		r = entry_make(b, peer, source == ADDRBOOK_HEARD, now_ms, &en);
	if (r < 0)
		return r;
	r = address_make(en, &plain, source, now_ms, &address);
	if (r == 0)
		believe(address, source, now_ms);
	else if (en->n == 0 && !en->kept)
		forget_entry(b, en);
	return r;
}

static void end_said(struct addrbook *b, const struct peerid *peer, uint64_t until)
{
	struct entry *en = find(b, peer);
	struct list *it;

	if (!en)
		return;
	list_each (it, &en->addresses) {
		struct address *a = container_of(it, struct address, item);

		if (a->said_until > until)
			a->said_until = until;
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

int addrbook_keep(struct addrbook *b, const struct peerid *peer, bool kept, uint64_t now_ms)
{
	struct entry *en = find(b, peer);
	int r = en || !kept ? 0 : entry_make(b, peer, false, now_ms, &en);

	if (r == 0 && en)
		en->kept = kept;
	return r;
}
