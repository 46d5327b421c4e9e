/*
 * Floods: how many connections, and how fast, one remote address may make. An address of IPv6 is
 * its /56, which is what one customer gets. Loopback is not limited. No I/O; one thread at a time;
 * times in ms of any steady clock. Source: go-libp2p 0.48 resource manager; "Host" in
 * docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define FLOOD_AT_ONCE_MAX 8 /* connections of one address */
#define FLOOD_BURST 16      /* new ones of it at once... */
#define FLOOD_RATE_MS 5000  /* ...then one in this time */
#define FLOOD_KNOWN_MAX 256 /* addresses remembered; the one that is longest silent goes */

/* Whose connection it is. */
struct flood_key {
	uint8_t n; /* bytes that count; 0: not limited */
	uint8_t ip[16];
};

struct flood {
	struct {
		struct flood_key key;
		uint64_t at;     /* last heard of */
		uint32_t tokens; /* ms: a new connection takes FLOOD_RATE_MS of them */
	} known[FLOOD_KNOWN_MAX];
};

void flood_key(const struct sockaddr *a, struct flood_key *ret);
bool flood_key_equal(const struct flood_key *a, const struct flood_key *b);
/* A new connection comes, of an address that has @n already. False: refuse it. */
bool flood_admit(struct flood *f, const struct flood_key *key, size_t n, uint64_t now_ms);
