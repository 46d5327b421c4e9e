/*
 * Dialling a peer: its addresses are resolved and tried one after the other, the next one beside
 * the last when that takes its time; the first connection that is open wins, the others are given
 * up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"
#include "util/container.h"

#define LOG_AREA "host"
#include "util/log.h"

#define HOST_NAME_MAX_BYTES 256

struct dial {
	struct list item; /* of the host */
	struct host *host;
	struct peer *peer; /* NULL: nobody waits for it any more */
	struct sockaddr_storage targets[HOST_TARGETS_MAX];
	size_t n_targets, next;
	size_t n_links;    /* being made */
	size_t n_resolves; /* under way */
	uint64_t next_at;  /* when the next target is tried */
	bool waiting;      /* for a slot among HOST_DIALS_MAX */
	struct err why;    /* what failed, one after the other */
};

struct resolve {
	uv_getaddrinfo_t req;
	struct dial *dial;
	char name[HOST_NAME_MAX_BYTES];
};

/* ---- the end ---- */

void waiters_tell(struct peer *p, int status, const struct err *why)
{
	const struct err none = { 0 };
	const struct peerid id = p->id;
	struct list waiting;

	list_init(&waiting);
	while (!list_empty(&p->waiters)) {
		struct list *first = p->waiters.next;

		list_del(first);
		list_add_tail(&waiting, first);
	}
	while (!list_empty(&waiting)) {
		struct waiter *w = container_of(waiting.next, struct waiter, item);

		list_del(&w->item);
		w->done(w->arg, &id, status, why ? why : &none);
		free(w);
	}
}

static void dial_settle(struct dial *d)
{
	struct host *h = d->host;

	if (d->peer || d->n_links > 0 || d->n_resolves > 0)
		return;
	list_del(&d->item);
	h->n_dials--;
	free(d);
	host_wake(h, host_now(h)); /* another may wait for its slot */
	host_check_closed(h);
}

/* The peer's part is over; connections and resolves that are under way end by themselves. */
static void let_go(struct dial *d)
{
	struct list *it;

	d->peer->dial = NULL;
	d->peer = NULL;
	list_each (it, &d->host->links) {
		struct link *l = container_of(it, struct link, item);

		if (l->dial == d && !l->peer)
			conn_close(l->conn);
	}
}

static void give_up(struct dial *d, int status)
{
	struct host *h = d->host;
	struct peer *p = d->peer;
	struct err why = d->why;

	let_go(d);
	waiters_tell(p, status, &why);
	peer_plan(h, p);
	peer_settle(h, p);
	dial_settle(d);
}

void dial_cancel(struct dial *d, int status, const char *why)
{
	err_set(&d->why, status, "%s", why);
	give_up(d, status);
}

/* Nothing is left to try. */
static void check_failed(struct dial *d)
{
	if (!d->peer || d->next < d->n_targets || d->n_links > 0 || d->n_resolves > 0)
		return;
	if (d->why.code == 0)
		err_set(&d->why, -EHOSTUNREACH, "no address of it that can be dialled is known");
	give_up(d, -EHOSTUNREACH);
}

/* ---- trying ---- */

static void format_sockaddr(const struct sockaddr *a, char out[64])
{
	char ip[INET6_ADDRSTRLEN] = "?";
	int port = 0;

	if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;

		uv_ip6_name(six, ip, sizeof(ip));
		port = ntohs(six->sin6_port);
		snprintf(out, 64, "[%s]:%d", ip, port);
		return;
	}
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;

		uv_ip4_name(four, ip, sizeof(ip));
		port = ntohs(four->sin_port);
	}
	snprintf(out, 64, "%s:%d", ip, port);
}

/* Adds to what failed, as far as there is room. */
static void note_failure(struct dial *d, const char *where, const char *what)
{
	size_t n = strlen(d->why.msg);

	d->why.code = -EHOSTUNREACH;
	snprintf(d->why.msg + n, sizeof(d->why.msg) - n, "%s%s: %s", n ? "; " : "", where, what);
}

static void try_next(struct dial *d)
{
	struct host *h = d->host;
	const struct sockaddr *to = (const struct sockaddr *)&d->targets[d->next++];
	struct err e = { 0 };
	struct conn *c;
	struct link *l;
	char text[64];
	int r;

	h->counts.dialled++;
	r = conn_dial(&h->ctx, to, &d->peer->id, h->opt.dial_timeout_ms, &c, &e);
	if (r == 0 && link_make(h, c, &l) == 0) {
		l->dial = d;
		memcpy(&l->remote, &d->targets[d->next - 1], sizeof(l->remote));
		d->n_links++;
	} else if (r == 0) {
		conn_close(c);
	} else {
		format_sockaddr(to, text);
		note_failure(d, text, e.msg);
	}
	d->next_at = host_now(h) + HOST_STAGGER_MS;
}

static void step(struct dial *d, uint64_t now)
{
	if (!d->peer || d->waiting)
		return;
	while (d->next < d->n_targets && (d->n_links == 0 || now >= d->next_at))
		try_next(d);
	if (d->next < d->n_targets)
		host_wake(d->host, d->next_at);
	check_failed(d);
}

void dial_lost(struct dial *d, struct link *l, const struct err *why)
{
	char text[64];

	l->dial = NULL;
	d->n_links--;
	if (!d->peer) {
		dial_settle(d);
		return;
	}
	format_sockaddr((const struct sockaddr *)&l->remote, text);
	note_failure(d, text, why->msg);
	step(d, host_now(d->host));
}

void dial_won(struct dial *d, struct link *l)
{
	l->dial = NULL;
	d->n_links--;
	if (d->peer)
		let_go(d);
	dial_settle(d);
}

/* ---- addresses ---- */

static void add_target(struct dial *d, const struct sockaddr *a, uint16_t port)
{
	struct sockaddr_storage *to = &d->targets[d->n_targets];

	if (d->n_targets == HOST_TARGETS_MAX ||
	    (a->sa_family != AF_INET && a->sa_family != AF_INET6))
		return;
	memset(to, 0, sizeof(*to));
	if (a->sa_family == AF_INET) {
		memcpy(to, a, sizeof(struct sockaddr_in));
		((struct sockaddr_in *)to)->sin_port = htons(port);
	} else {
		memcpy(to, a, sizeof(struct sockaddr_in6));
		((struct sockaddr_in6 *)to)->sin6_port = htons(port);
	}
	d->n_targets++;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct resolve *rs = container_of(req, struct resolve, req);
	struct dial *d = rs->dial;

	d->n_resolves--;
	d->host->open_handles--;
	for (struct addrinfo *it = res; status == 0 && it; it = it->ai_next) {
		uint16_t port;

		if (it->ai_family == AF_INET)
			port = ((struct sockaddr_in *)(void *)it->ai_addr)->sin_port;
		else
			port = ((struct sockaddr_in6 *)(void *)it->ai_addr)->sin6_port;
		add_target(d, it->ai_addr, ntohs(port));
	}
	uv_freeaddrinfo(res);
	if (status < 0 && d->peer)
		note_failure(d, rs->name, uv_strerror(status));
	free(rs);
	if (d->peer)
		step(d, host_now(d->host));
	else
		dial_settle(d);
}

static void resolve(struct dial *d, const char *name, int family, uint16_t port)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	struct resolve *rs = calloc(1, sizeof(*rs));
	char service[8];

	if (!rs)
		return;
	snprintf(service, sizeof(service), "%u", port);
	snprintf(rs->name, sizeof(rs->name), "%s", name);
	rs->dial = d;
	if (uv_getaddrinfo(d->host->opt.loop, &rs->req, on_resolved, name, service, &hints) < 0) {
		free(rs);
		return;
	}
	d->n_resolves++;
	d->host->open_handles++;
}

static void add_address(struct dial *d, const struct multiaddr *a)
{
	char name[HOST_NAME_MAX_BYTES];
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	int family = AF_UNSPEC;
	uint16_t port;

	if (!multiaddr_is_plain_tcp(a) || multiaddr_tcp(a, name, sizeof(name), &port, NULL) < 0)
		return;
	if (uv_ip4_addr(name, port, &four) == 0) {
		add_target(d, (const struct sockaddr *)&four, port);
	} else if (uv_ip6_addr(name, port, &six) == 0) {
		add_target(d, (const struct sockaddr *)&six, port);
	} else {
		if (a->bytes[0] == 54) /* dns4 */
			family = AF_INET;
		else if (a->bytes[0] == 55) /* dns6 */
			family = AF_INET6;
		resolve(d, name, family, port);
	}
}

static void begin(struct dial *d)
{
	struct host *h = d->host;
	struct multiaddr v[ADDRBOOK_PER_PEER_MAX];
	size_t n = addrbook_get(h->book, &d->peer->id, host_now(h), v, ADDRBOOK_PER_PEER_MAX);

	d->waiting = false;
	for (size_t i = 0; i < n; i++)
		add_address(d, &v[i]);
	d->next_at = host_now(h); /* the tick goes on: nobody is told from within */
	host_wake(h, d->next_at);
}

void dial_start(struct host *h, struct peer *p)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d) {
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

		if (d->waiting && at < HOST_DIALS_MAX)
			begin(d);
		at++;
		step(d, now);
	}
}
