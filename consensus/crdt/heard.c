#include "consensus/crdt/heard.h"

#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/fetch.h"

struct heard_peer {
	struct peerid peer;
	struct crdt_heads heads;
};

void heard_init(struct heard *h)
{
	*h = (struct heard){ 0 };
	pthread_mutex_init(&h->lock, NULL);
}

void heard_deinit(struct heard *h)
{
	pthread_mutex_destroy(&h->lock);
	free(h->peers);
}

static struct heard_peer *find(const struct heard *h, const struct peerid *peer)
{
	for (size_t i = 0; i < h->n; i++)
		if (peerid_equal(&h->peers[i].peer, peer))
			return &h->peers[i];
	return NULL;
}

static struct heard_peer *make_place(struct heard *h)
{
	struct heard_peer *oldest = &h->peers[0];

	if (h->n < HEARD_PEERS_MAX)
		return &h->peers[h->n++];
	for (size_t i = 1; i < h->n; i++)
		if (h->peers[i].heads.heard_s < oldest->heads.heard_s)
			oldest = &h->peers[i];
	return oldest;
}

static void keep(struct crdt_heads *to, const struct cid *heads, size_t n)
{
	for (size_t i = 0; i < n && to->n < CRDT_HEADS_KEPT; i++) {
		struct cid plain;

		if (fetch_normalise(&heads[i], &plain) == 0 && plain.len == CRDT_HEAD_BYTES)
			memcpy(to->v[to->n++], plain.bytes, CRDT_HEAD_BYTES);
	}
}

void heard_note(struct heard *h, const struct peerid *peer, const struct cid *heads, size_t n,
		int64_t now_s)
{
	struct heard_peer *p;

	pthread_mutex_lock(&h->lock);
	if (!h->peers)
		h->peers = calloc(HEARD_PEERS_MAX, sizeof(*h->peers));
	if (h->peers) {
		p = find(h, peer);
		if (!p)
			p = make_place(h);
		p->peer = *peer;
		p->heads = (struct crdt_heads){ .heard_s = now_s, .total = n };
		keep(&p->heads, heads, n);
	}
	pthread_mutex_unlock(&h->lock);
}

bool heard_get(struct heard *h, const struct peerid *peer, struct crdt_heads *ret)
{
	const struct heard_peer *p;

	pthread_mutex_lock(&h->lock);
	p = find(h, peer);
	if (p)
		*ret = p->heads;
	pthread_mutex_unlock(&h->lock);
	return p != NULL;
}
