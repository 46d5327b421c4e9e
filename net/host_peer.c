/* Whom the host knows, who is told of them, and who waits for them. */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"

/* Who asked to be connected. */
struct waiter {
	struct list item; /* of the peer; once it has an answer, of the host */
	struct peerid peer;
	host_connect_done done;
	void *arg;
	int status;
	struct err why;
};

/* ---- life ---- */

struct peer *peer_find(const struct host *h, const struct peerid *id)
{
	struct list *it;

	list_each (it, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		if (peerid_equal(&p->id, id))
			return p;
	}
	return NULL;
}

int peer_make(struct host *h, const struct peerid *id, struct peer **ret)
{
	struct peer *p = peer_find(h, id);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->id = *id;
		p->backoff = h->backoff_first_ms;
		buf_init(&p->protocols, HOST_SPOKEN_BYTES_MAX);
		list_init(&p->links);
		list_init(&p->waiters);
		list_add_tail(&h->peers, &p->item);
	}
	*ret = p;
	return 0;
}

void peer_settle(struct host *h, struct peer *p)
{
	if (p->n_links > 0 || p->kept || p->dial || p->held || !list_empty(&p->waiters))
		return;
	list_del(&p->item);
	buf_deinit(&p->protocols);
	free(p);
}

struct link *peer_link(const struct peer *p)
{
	struct list *it;

	if (!p)
		return NULL;
	list_each (it, &p->links) {
		struct link *l = container_of(it, struct link, of_peer);

		if (conn_is_open(l->conn))
			return l;
	}
	return NULL;
}

bool peer_speaks(const struct peer *p, const char *protocol)
{
	const char *name = (const char *)p->protocols.data;
	size_t left = p->protocols.len;

	while (left > 0) {
		size_t n = strlen(name) + 1;

		if (strcmp(name, protocol) == 0)
			return true;
		name += n;
		left -= n;
	}
	return false;
}

/* ---- watches ---- */

enum event {
	PEER_UP,
	PEER_CHANGED,
	PEER_DOWN
};

static void tell_one(struct host_watch *w, const struct peerid *peer, enum event what)
{
	switch (what) {
	case PEER_UP:
		w->up(w, peer);
		break;
	case PEER_CHANGED:
		if (w->changed)
			w->changed(w, peer);
		break;
	case PEER_DOWN:
		w->down(w, peer);
		break;
	}
}

/* Never from within itself: what tells are events of connections. */
static void tell(struct host *h, struct peer *p, enum event what)
{
	assert(!p->held && h->next_watch == &h->watches);
	p->held = true;
	h->next_watch = h->watches.next;
	while (h->next_watch != &h->watches) {
		struct host_watch *w = container_of(h->next_watch, struct host_watch, item);

		h->next_watch = w->item.next;
		tell_one(w, &p->id, what);
	}
	p->held = false;
}

void peer_identified(struct host *h, struct peer *p, bool changed)
{
	p->backoff = h->backoff_first_ms;
	if (!p->up) {
		p->up = true;
		tell(h, p, PEER_UP);
	} else if (changed) {
		tell(h, p, PEER_CHANGED);
	}
	if (peer_link(p)) /* still */
		peer_answer(h, p, 0, NULL);
}

void peer_lost(struct host *h, struct peer *p)
{
	struct err why = { 0 };

	if (p->n_links > 0)
		return;
	addrbook_gone(h->book, &p->id, host_now(h));
	buf_deinit(&p->protocols);
	p->agent[0] = '\0';
	if (p->up) {
		p->up = false;
		tell(h, p, PEER_DOWN);
	}
	if (!p->dial) {
		err_set(&why, -ECONNRESET, "the connection ended before the peer said who it is");
		peer_answer(h, p, why.code, &why);
	}
	peer_plan(h, p);
	peer_settle(h, p);
}

/* ---- peers that are kept ---- */

/* Between three and five quarters of @ms, so that peers that fell together come back apart. */
static uint64_t jitter(uint64_t ms)
{
	return ms * 3 / 4 + randombytes_uniform((uint32_t)(ms / 2) + 1);
}

void peer_plan(struct host *h, struct peer *p)
{
	if (!p->kept || peer_link(p) || p->dial || h->closing)
		return;
	p->next_dial = host_now(h) + jitter(p->backoff);
	p->backoff = p->backoff * 2 < h->backoff_most_ms ? p->backoff * 2 : h->backoff_most_ms;
	host_wake(h, p->next_dial);
}

void peers_tick(struct host *h, uint64_t now)
{
	struct list *it;

	list_each (it, &h->peers) {
		struct peer *p = container_of(it, struct peer, item);

		if (!p->kept || p->dial || peer_link(p))
			continue;
		if (p->next_dial <= now)
			dial_start(h, p);
		else
			host_wake(h, p->next_dial);
	}
}

/* ---- who waits ---- */

int peer_wait(struct host *h, struct peer *p, host_connect_done done, void *arg)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->peer = p->id;
	w->done = done;
	w->arg = arg;
	list_add_tail(&p->waiters, &w->item);
	return 0;
}

void peer_answer(struct host *h, struct peer *p, int status, const struct err *why)
{
	while (!list_empty(&p->waiters)) {
		struct waiter *w = container_of(p->waiters.next, struct waiter, item);

		w->status = status;
		if (why)
			w->why = *why;
		list_del(&w->item);
		list_add_tail(&h->told, &w->item);
		host_wake(h, host_now(h));
	}
}

void peer_attend(struct host *h, struct peer *p)
{
	struct link *l = peer_link(p);

	if (!l && !p->dial)
		dial_start(h, p);
	else if (l && p->up)
		peer_answer(h, p, 0, NULL);
	else if (l && p->asks == 0)
		identify_ask(l);
}

void waiters_run(struct host *h)
{
	while (!list_empty(&h->told)) {
		struct waiter *w = container_of(h->told.next, struct waiter, item);

		list_del(&w->item);
		w->done(w->arg, &w->peer, w->status, &w->why);
		free(w);
	}
}
