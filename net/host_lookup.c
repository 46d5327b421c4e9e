/* Names that a dial needs the addresses of, looked up by few threads of the pool at a time. */
#include <errno.h>
#include <stdlib.h>

#include "net/host_internal.h"

struct lookup {
	struct list item; /* of the host */
	struct host *host;
	struct dial *dial;
	bool begun;
	uv_work_t work;
	/* The pool's, once it has begun. */
	struct multiaddr address;
	struct peerid peer;
	struct targets found;
	struct err why;
	int r;
};

static void work(uv_work_t *w)
{
	struct lookup *lk = container_of(w, struct lookup, work);

	lk->r = targets_look_up(&lk->found, &lk->address, &lk->peer, &lk->why);
}

static void begin_some(struct host *h);

static void after(uv_work_t *w, int status)
{
	struct lookup *lk = container_of(w, struct lookup, work);
	struct host *h = lk->host;

	if (status < 0)
		lk->r = err_sys(&lk->why, status, "looking up a name");
	list_del(&lk->item);
	h->n_lookups--;
	begin_some(h);
	dial_found(lk->dial, lk->r < 0 ? NULL : &lk->found, &lk->why);
	free(lk);
}

static void begin_some(struct host *h)
{
	struct list *it;

	list_each (it, &h->lookups) {
		struct lookup *lk = container_of(it, struct lookup, item);

		if (h->n_lookups == HOST_LOOKUPS_MAX)
			return;
		if (lk->begun)
			continue;
		lk->begun = true;
		h->n_lookups++;
		uv_queue_work(h->opt.loop, &lk->work, work, after);
	}
}

int lookup_start(struct host *h, struct dial *d, const struct multiaddr *a,
		 const struct peerid *peer)
{
	struct lookup *lk = calloc(1, sizeof(*lk));

	if (!lk)
		return -ENOMEM;
	lk->host = h;
	lk->dial = d;
	lk->address = *a;
	lk->peer = *peer;
	list_add_tail(&h->lookups, &lk->item);
	begin_some(h);
	return 0;
}

size_t lookup_drop(struct host *h, const struct dial *d)
{
	struct list *it, *next;
	size_t n = 0;

	list_each_safe (it, next, &h->lookups) {
		struct lookup *lk = container_of(it, struct lookup, item);

		if (lk->dial != d)
			continue;
		if (lk->begun) {
			uv_cancel((uv_req_t *)&lk->work); /* `after` comes, soon where it can be */
			continue;
		}
		list_del(&lk->item);
		free(lk);
		n++;
	}
	return n;
}
