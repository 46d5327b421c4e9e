#include "cluster/swarms.h"

#include <errno.h>
#include <stdlib.h>

#include "types/multiaddr.h"
#include "util/container.h"
#include "util/list.h"

#define LOG_AREA "swarms"
#include "util/log.h"

/* The Kubo of a member, which is or was connected to. */
struct swarm {
	struct list link; /* in swarms.all, until it is forgotten */
	struct swarms *s;
	struct peerid member, kubo;
	struct multiaddr *addresses; /* NULL: it is settled */
	size_t n, next;              /* the next one to try */
	struct kubo_call *call;
	bool forgotten; /* the end of the call frees it */
};

struct swarms {
	struct swarms_options opt;
	struct list all;
	unsigned calling;
	uv_timer_t timer;
	bool due; /* the delay is over */
	bool closing;
	unsigned users; /* the timer and calls that have yet to end */
	void (*closed)(void *arg);
	void *closed_arg;
};

static void unuse(struct swarms *s)
{
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;

	if (--s->users > 0)
		return;
	free(s);
	closed(arg);
}

/* ---- the list ---- */

static struct swarm *find(const struct swarms *s, const struct peerid *member)
{
	struct list *it;

	list_each (it, &s->all) {
		struct swarm *w = container_of(it, struct swarm, link);

		if (peerid_equal(&w->member, member))
			return w;
	}
	return NULL;
}

static void settle(struct swarm *w)
{
	free(w->addresses);
	w->addresses = NULL;
}

static void forget(struct swarm *w)
{
	list_del(&w->link);
	w->forgotten = true;
	if (w->call) {
		kubo_cancel(w->call);
		return;
	}
	settle(w);
	free(w);
}

static void forget_all(struct swarms *s)
{
	while (!list_empty(&s->all))
		forget(container_of(s->all.next, struct swarm, link));
}

/* Those that name that very Kubo, for the others could be anybody's. */
static size_t take_addresses(const struct rpc_ipfs_id *ipfs, struct multiaddr *v)
{
	size_t n = 0;

	for (size_t i = 0; i < ipfs->n_addresses && n < SWARMS_ADDRESSES_MAX; i++) {
		struct peerid peer;

		if (multiaddr_peerid(&ipfs->addresses[i], &peer) == 0 &&
		    peerid_equal(&peer, &ipfs->peer))
			v[n++] = ipfs->addresses[i];
	}
	return n;
}

/* NULL: there is no address, or no memory. */
static struct swarm *make(struct swarms *s, const struct peerid *member,
			  const struct rpc_ipfs_id *ipfs)
{
	struct swarm *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->addresses = calloc(SWARMS_ADDRESSES_MAX, sizeof(*w->addresses));
	w->n = w->addresses ? take_addresses(ipfs, w->addresses) : 0;
	if (w->n == 0) {
		settle(w);
		free(w);
		return NULL;
	}
	w->s = s;
	w->member = *member;
	w->kubo = ipfs->peer;
	list_add_tail(&s->all, &w->link);
	return w;
}

/* ---- connecting ---- */

static void on_connected(void *arg, int status, const struct err *e);

static void try_next(struct swarm *w)
{
	struct swarms *s = w->s;

	while (w->next < w->n) {
		if (kubo_swarm_connect(s->opt.kubo, &w->addresses[w->next++], on_connected, w,
				       &w->call) == 0) {
			s->calling++;
			s->users++;
			return;
		}
		w->call = NULL;
	}
	settle(w);
}

static void go_on(struct swarms *s)
{
	struct list *it;

	list_each (it, &s->all) {
		struct swarm *w = container_of(it, struct swarm, link);

		if (s->calling == SWARMS_CALLS_MAX)
			break;
		if (w->addresses && !w->call)
			try_next(w);
	}
}

static void note(const struct swarm *w, int status, const struct err *e)
{
	char id[PEERID_TEXT_MAX];

	peerid_format(&w->kubo, id);
	if (status < 0)
		log_dbg("IPFS cannot reach that of a member, %s: %s", id, e->msg);
	else
		log_dbg("IPFS is connected to that of a member, %s", id);
}

static void on_connected(void *arg, int status, const struct err *e)
{
	struct swarm *w = arg;
	struct swarms *s = w->s;

	w->call = NULL;
	s->calling--;
	if (w->forgotten) {
		settle(w);
		free(w);
	} else {
		note(w, status, e);
		if (status == 0 || w->next == w->n)
			settle(w);
		list_del(&w->link); /* others first */
		list_add_tail(&s->all, &w->link);
	}
	go_on(s);
	unuse(s);
}

/* ---- what happens ---- */

static void on_due(uv_timer_t *timer)
{
	struct swarms *s = container_of(timer, struct swarms, timer);

	s->due = true;
	if (s->opt.up)
		s->opt.ask(s->opt.arg);
}

void swarms_kubo(struct swarms *s, bool up)
{
	s->opt.up = up;
	if (!up)
		forget_all(s);
	else if (s->due && !s->closing)
		s->opt.ask(s->opt.arg);
}

void swarms_said(struct swarms *s, const struct peerid *member, const struct rpc_ipfs_id *ipfs)
{
	struct swarm *w = find(s, member);
	bool there = ipfs->error.n == 0 && ipfs->peer.len > 0;

	if (!s->due || !s->opt.up || s->closing)
		return;
	if (w && there && peerid_equal(&w->kubo, &ipfs->peer))
		return;
	if (w)
		forget(w);
	if (there && make(s, member, ipfs))
		go_on(s);
}

void swarms_gone(struct swarms *s, const struct peerid *member)
{
	struct swarm *w = find(s, member);

	if (w)
		forget(w);
}

/* ---- life ---- */

int swarms_new(const struct swarms_options *opt, struct swarms **ret, struct err *e)
{
	struct swarms *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, -ENOMEM, "connecting IPFS with the members'");
	s->opt = *opt;
	list_init(&s->all);
	uv_timer_init(opt->loop, &s->timer);
	s->users = 1;
	uv_timer_start(&s->timer, on_due, (uint64_t)opt->delay_ms, 0);
	*ret = s;
	return 0;
}

static void on_timer_closed(uv_handle_t *h)
{
	unuse(container_of((uv_timer_t *)h, struct swarms, timer));
}

void swarms_close(struct swarms *s, void (*closed)(void *arg), void *arg)
{
	s->closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	forget_all(s);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
