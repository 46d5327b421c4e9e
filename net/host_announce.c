/* What we say of where we can be dialled. */
#include <stdlib.h>
#include <string.h>

#include "net/host_internal.h"
#include "net/reach.h"

struct announced {
	struct multiaddr v[HOST_ANNOUNCED_MAX];
	size_t n;
};

void announce_address_of(const struct sockaddr *a, struct multiaddr *ret)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;

	if (a->sa_family == AF_INET6)
		multiaddr_from_tcp(six->sin6_addr.s6_addr, 16, ntohs(six->sin6_port), ret);
	else
		multiaddr_from_tcp((const uint8_t *)&four->sin_addr, 4, ntohs(four->sin_port), ret);
}

static bool is_withheld(const struct host *h, const struct multiaddr *a)
{
	for (size_t i = 0; i < h->opt.n_no_announce; i++)
		if (multiaddr_equal(&h->opt.no_announce[i], a) ||
		    multiaddr_in_network(a, &h->opt.no_announce[i]))
			return true;
	return false;
}

static void add(const struct host *h, struct announced *out, const struct multiaddr *a)
{
	if (out->n == HOST_ANNOUNCED_MAX || is_withheld(h, a))
		return;
	for (size_t i = 0; i < out->n; i++)
		if (multiaddr_equal(&out->v[i], a))
			return;
	out->v[out->n++] = *a;
}

static bool is_any(const struct sockaddr *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;

	return a->sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)
					: four->sin_addr.s_addr == INADDR_ANY;
}

/* An address of an interface, with the listener's port. Link-local ones are of use to nobody who
 * does not know the interface. */
static void add_interface(const struct host *h, struct announced *out,
			  const struct sockaddr *listener, const uv_interface_address_t *face,
			  bool loopback)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)listener;
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)listener;
	const struct in6_addr *ip = &face->address.address6.sin6_addr;
	struct multiaddr a;

	if (face->address.address4.sin_family != listener->sa_family)
		return;
	if (listener->sa_family == AF_INET)
		multiaddr_from_tcp((const uint8_t *)&face->address.address4.sin_addr, 4,
				   ntohs(four->sin_port), &a);
	else if (IN6_IS_ADDR_LINKLOCAL(ip))
		return;
	else
		multiaddr_from_tcp(ip->s6_addr, 16, ntohs(six->sin6_port), &a);
	if ((reach_of(&a) == REACH_MACHINE) == loopback)
		add(h, out, &a);
}

static void add_interfaces(const struct host *h, struct announced *out,
			   const struct sockaddr *listener, bool loopback)
{
	uv_interface_address_t *faces;
	int n;

	if (uv_interface_addresses(&faces, &n) < 0)
		return;
	for (int i = 0; i < n; i++)
		add_interface(h, out, listener, &faces[i], loopback);
	uv_free_interface_addresses(faces, n);
}

static void add_listeners(const struct host *h, struct announced *out, bool loopback)
{
	for (size_t i = 0; i < h->n_listeners; i++) {
		const struct sockaddr *at = (const struct sockaddr *)&h->listeners[i]->at;
		struct multiaddr a;

		announce_address_of(at, &a);
		if (is_any(at))
			add_interfaces(h, out, at, loopback);
		else if ((reach_of(&a) == REACH_MACHINE) == loopback)
			add(h, out, &a);
	}
}

bool announce_look(struct host *h)
{
	struct announced *now = calloc(1, sizeof(*now));
	bool same;

	if (!now)
		return false;
	for (size_t i = 0; i < h->opt.n_announce; i++)
		add(h, now, &h->opt.announce[i]);
	if (h->opt.n_announce == 0) {
		add_listeners(h, now, false);
		add_listeners(h, now, true);
	}
	same = now->n == h->n_addresses;
	for (size_t i = 0; same && i < now->n; i++)
		same = multiaddr_equal(&now->v[i], &h->addresses[i]);
	if (!same) {
		memcpy(h->addresses, now->v, now->n * sizeof(*now->v));
		h->n_addresses = now->n;
	}
	free(now);
	return !same;
}
