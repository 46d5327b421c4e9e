#include "net/reach.h"

#include <string.h>

#include "util/container.h"

/* The networks that are not the world: @bits of a prefix, of addresses of @n bytes. */
static const struct {
	uint8_t n, bits, prefix[2];
	enum reach reach;
} networks[] = {
	{ 4, 8, { 0 }, REACH_NOWHERE },
	{ 4, 4, { 224 }, REACH_NOWHERE },
	{ 4, 4, { 240 }, REACH_NOWHERE },
	{ 4, 8, { 127 }, REACH_MACHINE },
	{ 4, 8, { 10 }, REACH_NETWORK },
	{ 4, 10, { 100, 64 }, REACH_NETWORK },
	{ 4, 16, { 169, 254 }, REACH_NETWORK },
	{ 4, 12, { 172, 16 }, REACH_NETWORK },
	{ 4, 16, { 192, 168 }, REACH_NETWORK },
	{ 16, 8, { 0xff }, REACH_NOWHERE },
	{ 16, 10, { 0xfe, 0x80 }, REACH_NETWORK },
	{ 16, 7, { 0xfc }, REACH_NETWORK },
};

static bool in_network(const uint8_t ip[16], const uint8_t prefix[2], unsigned bits)
{
	unsigned front = (unsigned)ip[0] << 8 | ip[1], want = (unsigned)prefix[0] << 8 | prefix[1];

	return front >> (16 - bits) == want >> (16 - bits);
}

enum reach reach_of(const struct multiaddr *a)
{
	static const uint8_t unspecified[16] = { 0 }, loopback[16] = { [15] = 1 };
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t ip[16];
	size_t n = multiaddr_ip(a, ip);

	if (n == 16 && memcmp(ip, mapped, sizeof(mapped)) == 0) {
		n = 4;
		memmove(ip, ip + sizeof(mapped), n);
	}
	if (n == 16 && memcmp(ip, unspecified, n) == 0)
		return REACH_NOWHERE;
	if (n == 16 && memcmp(ip, loopback, n) == 0)
		return REACH_MACHINE;
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		if (networks[i].n == n && in_network(ip, networks[i].prefix, networks[i].bits))
			return networks[i].reach;
	return REACH_WORLD;
}

bool reach_is_useful(const struct multiaddr *said, const struct multiaddr *remote)
{
	enum reach r = reach_of(said);

	return r != REACH_NOWHERE && r >= reach_of(remote);
}
