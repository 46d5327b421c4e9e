#include "net/targets.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "net/dnsaddr.h"

#define NAME_MAX_BYTES 256
/* A name server that is not there costs three seconds, in which a peer can be dialled otherwise. */
#define QUERY_S 1
#define QUERY_TRIES 3

/* ---- of IP ---- */

static size_t size_of(const struct sockaddr *a)
{
	return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

void targets_add(struct targets *t, const struct sockaddr *a)
{
	struct sockaddr_storage new = { 0 };

	if (t->n == TARGETS_MAX || (a->sa_family != AF_INET && a->sa_family != AF_INET6))
		return;
	memcpy(&new, a, size_of(a));
	for (size_t i = 0; i < t->n; i++)
		if (memcmp(&t->v[i], &new, sizeof(new)) == 0)
			return;
	t->v[t->n++] = new;
}

int targets_add_ip(struct targets *t, const struct multiaddr *a)
{
	char ip[NAME_MAX_BYTES];
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	uint16_t port;

	if (!multiaddr_is_plain_tcp(a) || multiaddr_tcp(a, ip, sizeof(ip), &port, NULL) < 0)
		return -EINVAL;
	if (uv_ip4_addr(ip, port, &four) == 0)
		targets_add(t, (const struct sockaddr *)&four);
	else if (uv_ip6_addr(ip, port, &six) == 0)
		targets_add(t, (const struct sockaddr *)&six);
	else
		return -EINVAL;
	return 0;
}

/* ---- of names ---- */

bool targets_is_name(const struct multiaddr *a)
{
	char name[NAME_MAX_BYTES];

	switch (multiaddr_first(a)) {
	case MULTIADDR_DNS:
	case MULTIADDR_DNS4:
	case MULTIADDR_DNS6:
		return multiaddr_is_plain_tcp(a);
	default:
		return multiaddr_dnsaddr(a, name, sizeof(name)) == 0;
	}
}

static int family_of(const struct multiaddr *a)
{
	switch (multiaddr_first(a)) {
	case MULTIADDR_DNS4:
		return AF_INET;
	case MULTIADDR_DNS6:
		return AF_INET6;
	default:
		return AF_UNSPEC;
	}
}

static int look_up_host(struct targets *t, const struct multiaddr *a, struct err *e)
{
	const struct addrinfo hints = { .ai_family = family_of(a), .ai_socktype = SOCK_STREAM };
	char name[NAME_MAX_BYTES], port[8];
	struct addrinfo *found;
	uint16_t number;
	int r;

	r = multiaddr_tcp(a, name, sizeof(name), &number, e);
	if (r < 0)
		return r;
	snprintf(port, sizeof(port), "%u", number);
	r = getaddrinfo(name, port, &hints, &found);
	if (r != 0)
		return err_set(e, -ENOENT, "%s: %s", name, gai_strerror(r));
	for (const struct addrinfo *it = found; it; it = it->ai_next)
		targets_add(t, it->ai_addr);
	freeaddrinfo(found);
	return 0;
}

/* The addresses that are still to be looked at, and those that were. */
struct trail {
	struct {
		struct multiaddr a;
		unsigned depth;
	} v[TARGETS_ADDRESSES_MAX];
	size_t n;
	struct multiaddr found[TARGETS_ADDRESSES_MAX];
	uint8_t answer[NS_MAXMSG];
};

static void follow(struct trail *tr, const struct multiaddr *a, unsigned depth)
{
	if (tr->n == TARGETS_ADDRESSES_MAX)
		return;
	for (size_t i = 0; i < tr->n; i++)
		if (multiaddr_equal(&tr->v[i].a, a))
			return;
	tr->v[tr->n].a = *a;
	tr->v[tr->n++].depth = depth;
}

static int ask(const char *name, uint8_t *answer, size_t cap)
{
	struct __res_state st = { 0 };
	int n;

	if (res_ninit(&st) < 0)
		return -1;
	st.retrans = QUERY_S;
	st.retry = QUERY_TRIES;
	n = res_nquery(&st, name, ns_c_in, ns_t_txt, answer, (int)cap);
	res_nclose(&st);
	return n > (int)cap ? (int)cap : n;
}

/* The addresses that a name leads to are looked at in their turn. */
static int look_up_dnsaddr(struct trail *tr, size_t i, const struct peerid *peer, struct err *e)
{
	char name[NAME_MAX_BYTES], full[NAME_MAX_BYTES + sizeof("_dnsaddr.")];
	int n;

	if (multiaddr_dnsaddr(&tr->v[i].a, name, sizeof(name)) < 0)
		return -EINVAL;
	if (tr->v[i].depth == TARGETS_DEPTH_MAX)
		return err_set(e, -ENOENT, "_dnsaddr.%s: too far away", name);
	snprintf(full, sizeof(full), "_dnsaddr.%s", name);
	n = ask(full, tr->answer, sizeof(tr->answer));
	if (n >= 0)
		n = dnsaddr_read(tr->answer, (size_t)n, peer, tr->found, TARGETS_ADDRESSES_MAX);
	if (n <= 0)
		return err_set(e, -ENOENT, "%s: no address of the peer", full);
	for (int k = 0; k < n; k++)
		follow(tr, &tr->found[k], tr->v[i].depth + 1);
	return 0;
}

/* This thread's part of libc gives up as early as `ask` does. */
static void set_patience(void)
{
	if (res_init() < 0)
		return;
	_res.retrans = QUERY_S;
	_res.retry = QUERY_TRIES;
}

int targets_look_up(struct targets *t, const struct multiaddr *a, const struct peerid *peer,
		    struct err *e)
{
	struct trail *tr = calloc(1, sizeof(*tr));
	size_t before = t->n;
	struct err why = { 0 };
	unsigned queries = 0;

	if (!tr)
		return err_sys(e, -ENOMEM, "looking up a name");
	set_patience();
	follow(tr, a, 0);
	for (size_t i = 0; i < tr->n; i++) {
		const struct multiaddr *next = &tr->v[i].a;

		if (targets_add_ip(t, next) == 0 || !targets_is_name(next) ||
		    queries == TARGETS_QUERIES_MAX)
			continue;
		queries++;
		if (multiaddr_first(next) == MULTIADDR_DNSADDR)
			look_up_dnsaddr(tr, i, peer, &why);
		else
			look_up_host(t, next, &why);
	}
	free(tr);
	if (t->n > before)
		return 0;
	return err_set(e, -ENOENT, "%s", why.code < 0 ? why.msg : "no address that can be dialled");
}
