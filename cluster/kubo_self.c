#include "cluster/kubo_self.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/container.h"

/* Source: go-multiaddr net/private.go, what is private or unroutable. */
static const char *const not_public[] = {
	"/ip4/0.0.0.0/ipcidr/8",      "/ip4/10.0.0.0/ipcidr/8",     "/ip4/100.64.0.0/ipcidr/10",
	"/ip4/127.0.0.0/ipcidr/8",    "/ip4/169.254.0.0/ipcidr/16", "/ip4/172.16.0.0/ipcidr/12",
	"/ip4/192.0.0.0/ipcidr/26",   "/ip4/192.0.2.0/ipcidr/24",   "/ip4/192.88.99.0/ipcidr/24",
	"/ip4/192.168.0.0/ipcidr/16", "/ip4/198.18.0.0/ipcidr/15",  "/ip4/198.51.100.0/ipcidr/24",
	"/ip4/203.0.113.0/ipcidr/24", "/ip4/224.0.0.0/ipcidr/4",    "/ip4/240.0.0.0/ipcidr/4",
	"/ip6/::/ipcidr/128",         "/ip6/::1/ipcidr/128",        "/ip6/fc00::/ipcidr/7",
	"/ip6/fe80::/ipcidr/10",      "/ip6/ff00::/ipcidr/8",       "/ip6/2001:db8::/ipcidr/32",
};

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static bool is_public(const char *line, const struct multiaddr *a)
{
	if (begins(line, "/dns"))
		return !begins(line, "/dns4/localhost/") && !begins(line, "/dns6/localhost/") &&
		       !begins(line, "/dns/localhost/");
	if (!begins(line, "/ip4/") && !begins(line, "/ip6/"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(not_public); i++) {
		struct multiaddr network;

		if (multiaddr_parse(not_public[i], strlen(not_public[i]), &network, NULL) < 0 ||
		    multiaddr_in_network(a, &network))
			return false;
	}
	return true;
}

void kubo_self_peer(const struct tracker_kubo *k, struct peerid *ret)
{
	if (peerid_parse(k->id, strlen(k->id), ret, NULL) < 0)
		ret->len = 0;
}

static size_t count_lines(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

int kubo_self_addresses(const struct tracker_kubo *k, bool public_only, size_t max,
			struct multiaddr **ret, size_t *ret_n)
{
	size_t lines = count_lines(k->addresses), n = 0;
	struct multiaddr *v = calloc(lines + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (const char *at = k->addresses; *at && n < max;) {
		size_t len = strcspn(at, "\n");

		if (multiaddr_parse(at, len, &v[n], NULL) == 0 &&
		    (!public_only || is_public(at, &v[n])))
			n++;
		at += len + (at[len] == '\n');
	}
	*ret = v;
	*ret_n = n;
	return 0;
}
