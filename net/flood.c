#include "net/flood.h"

#include <netinet/in.h>
#include <string.h>

#define FULL (FLOOD_BURST * FLOOD_RATE_MS)
#define IP6_PREFIX 7 /* bytes of a /56 */

static void key_of_ip4(const uint8_t ip[4], struct flood_key *ret)
{
	if (ip[0] == 127)
		return;
	ret->n = 4;
	memcpy(ret->ip, ip, 4);
}

static void key_of_ip6(const struct in6_addr *ip, struct flood_key *ret)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		key_of_ip4(ip->s6_addr + 12, ret);
	} else if (!IN6_IS_ADDR_LOOPBACK(ip)) {
		ret->n = IP6_PREFIX;
		memcpy(ret->ip, ip->s6_addr, IP6_PREFIX);
	}
}

void flood_key(const struct sockaddr *a, struct flood_key *ret)
{
	*ret = (struct flood_key){ 0 };
	if (a->sa_family == AF_INET6)
		key_of_ip6(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, ret);
	else
		key_of_ip4(
		    (const uint8_t *)&((const struct sockaddr_in *)(const void *)a)->sin_addr, ret);
}

bool flood_key_equal(const struct flood_key *a, const struct flood_key *b)
{
	return a->n == b->n && memcmp(a->ip, b->ip, a->n) == 0;
}

/* Where @key is remembered, from now on if it was not. */
static size_t find(struct flood *f, const struct flood_key *key, uint64_t now_ms)
{
	size_t oldest = 0;

	for (size_t i = 0; i < FLOOD_KNOWN_MAX; i++) {
		if (flood_key_equal(&f->known[i].key, key))
			return i;
		if (f->known[i].at < f->known[oldest].at)
			oldest = i;
	}
	f->known[oldest].key = *key;
	f->known[oldest].at = now_ms;
	f->known[oldest].tokens = FULL;
	return oldest;
}

bool flood_admit(struct flood *f, const struct flood_key *key, size_t n, uint64_t now_ms)
{
	uint64_t tokens;
	size_t i;

	if (key->n == 0)
		return true;
	if (n >= FLOOD_AT_ONCE_MAX)
		return false;
	i = find(f, key, now_ms);
	tokens = f->known[i].tokens + (now_ms - f->known[i].at);
	if (tokens > FULL)
		tokens = FULL;
	f->known[i].at = now_ms;
	f->known[i].tokens = (uint32_t)tokens;
	if (tokens < FLOOD_RATE_MS)
		return false;
	f->known[i].tokens -= FLOOD_RATE_MS;
	return true;
}
