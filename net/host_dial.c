/*
 * Dialling a peer: its addresses are tried one after the other, the next one beside the last when
 * that takes its time; the first connection that is open wins, the others are given up. Nobody is
 * called from here: whoever waits gets an answer by the timer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"

struct dial {
	struct list item; /* of the host */
	struct host *host;
	struct peer *peer; /* NULL: nobody waits for it any more */
	struct targets targets;
	size_t next;               /* of them */
	size_t n_links, n_lookups; /* under way */
	uint64_t next_at;          /* ms: when the next target is tried */
	bool waiting;              /* for a place among HOST_DIALS_MAX */
	struct err why;            /* what failed, one after the other */
};

/* ---- the end ---- */

static void settle(struct dial *d)
{
	struct host *h = d->host;

	if (d->peer || d->n_links > 0 || d->n_lookups > 0)
		return;
	list_del(&d->item);
	h->n_dials--;
	free(d);
	host_wake(h, host_now(h)); /* another may wait for its place */
	host_check_closed(h);
}

/* The peer's part is over; connections and lookups that are under way end by themselves. */
static void let_go(struct dial *d)
{
	struct list *it;

	d->peer->dial = NULL;
	d->peer = NULL;
	d->n_lookups -= lookup_drop(d->host, d);
	list_each (it, &d->host->links) {
		struct link *l = container_of(it, struct link, item);

		if (l->dial == d && !l->peer)
			conn_close(l->conn);
	}
}

/* Nothing is left to try; the peer may have come by itself. */
static void give_up(struct dial *d)
{
	struct host *h = d->host;
	struct peer *p = d->peer;

	if (d->why.code == 0)
		err_set(&d->why, -EHOSTUNREACH, "no address of it that can be dialled is known");
	let_go(d);
	if (peer_link(p))
		peer_attend(h, p);
	else
		peer_answer(h, p, d->why.code, &d->why);
	peer_plan(h, p);
	peer_settle(h, p);
	settle(d);
}

void dial_cancel(struct dial *d, const char *why)
{
	struct host *h = d->host;
	struct peer *p = d->peer;
	struct err e = { 0 };

	err_set(&e, -ECANCELED, "%s", why);
	let_go(d);
	peer_answer(h, p, e.code, &e);
	settle(d);
}

/* ---- trying ---- */

static void format_sockaddr(const struct sockaddr *a, char out[64])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;

		uv_ip6_name(six, ip, sizeof(ip));
		snprintf(out, 64, "[%s]:%u", ip, ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;

		uv_ip4_name(four, ip, sizeof(ip));
		snprintf(out, 64, "%s:%u", ip, ntohs(four->sin_port));
	}
}

/* Adds to what failed, as far as there is room. */
static void note(struct dial *d, const char *what)
{
	size_t n = strlen(d->why.msg);

	d->why.code = -EHOSTUNREACH;
	snprintf(d->why.msg + n, sizeof(d->why.msg) - n, "%s%s", n > 0 ? "; " : "", what);
}

static void note_target(struct dial *d, const struct sockaddr *where, const struct err *why)
{
	struct err e = *why;
	char text[64];

	format_sockaddr(where, text);
	err_wrap(&e, e.code, "%s", text);
	note(d, e.msg);
}

static void try_next(struct dial *d)
{
	struct host *h = d->host;
	const struct sockaddr *to = (const struct sockaddr *)&d->targets.v[d->next++];
	struct err e = { 0 };
	struct conn *c;
	struct link *l;

	h->counts.dialled++;
	d->next_at = host_now(h) + HOST_STAGGER_MS;
	if (conn_dial(&h->ctx, to, &d->peer->id, h->opt.dial_timeout_ms, &c, &e) < 0) {
		h->counts.dial_failures++;
		note_target(d, to, &e);
		return;
	}
	h->n_conns++;
	if (link_make(h, c, &l) < 0) {
		conn_close(c);
		return;
	}
	l->dial = d;
	d->n_links++;
}

/* Goes on with it, or ends it. */
static void step(struct dial *d, uint64_t now)
{
	bool more;

	if (!d->peer || d->waiting)
		return;
	more = !peer_link(d->peer); /* it may have come by itself */
	while (more && d->next < d->targets.n && (d->n_links == 0 || now >= d->next_at))
		try_next(d);
	if (more && d->next < d->targets.n)
		host_wake(d->host, d->next_at);
	else if (d->n_links == 0 && !(more && d->n_lookups > 0))
		give_up(d);
}

void dial_lost(struct dial *d, const struct link *l, const struct err *why)
{
	d->n_links--;
	if (!d->peer) {
		settle(d);
		return;
	}
	note_target(d, conn_remote(l->conn), why);
	step(d, host_now(d->host));
}

void dial_won(struct dial *d)
{
	d->n_links--;
	if (d->peer)
		let_go(d);
	settle(d);
}

void dial_found(struct dial *d, const struct targets *t, const struct err *why)
{
	d->n_lookups--;
	if (!d->peer) {
		settle(d);
		return;
	}
	for (size_t i = 0; t && i < t->n; i++)
		targets_add(&d->targets, (const struct sockaddr *)&t->v[i]);
	if (!t)
		note(d, why->msg);
	step(d, host_now(d->host));
}

/* ---- the beginning ---- */

/* The tick goes on with it. */
static void begin(struct dial *d)
{
	struct host *h = d->host;
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX];
	size_t n = addrbook_get(h->book, &d->peer->id, host_now(h), v, ADDRBOOK_PER_PEER_MAX);

	d->waiting = false;
	for (size_t i = 0; i < n; i++) {
		if (targets_add_ip(&d->targets, &v[i]) == 0 || !targets_is_name(&v[i]))
			continue;
		if (lookup_start(h, d, &v[i], &d->peer->id) == 0)
			d->n_lookups++;
		else
			note(d, "no memory to look up a name");
	}
	host_wake(h, host_now(h));
}

void dial_start(struct host *h, struct peer *p)
{
	struct dial *d = calloc(1, sizeof(*d));
	struct err why = { 0 };

	if (!d) {
		err_sys(&why, -ENOMEM, "dialling");
		peer_answer(h, p, why.code, &why);
		peer_plan(h, p);
		return;
	}
	d->host = h;
	d->peer = p;
	p->dial = d;
	list_add_tail(&h->dials, &d->item);
	d->waiting = h->n_dials++ >= HOST_DIALS_MAX;
	if (!d->waiting)
		begin(d);
}

void dial_tick(struct host *h, uint64_t now)
{
	struct list *it, *next;
	size_t at = 0;

	list_each_safe (it, next, &h->dials) {
		struct dial *d = container_of(it, struct dial, item);

		if (at++ == HOST_DIALS_MAX)
			return;
		if (d->waiting)
			begin(d);
		step(d, now);
	}
}
