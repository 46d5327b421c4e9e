/*
 * Where a dial goes: the addresses of sockets that the addresses of a peer stand for. Those of IP
 * are at hand; names are looked up, which blocks and is for threads of libuv's pool.
 * Source: go-multiaddr-dns 0.4; "Host" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "types/multiaddr.h"
#include "types/peerid.h"
#include "util/err.h"

#define TARGETS_MAX 64
#define TARGETS_DEPTH_MAX 4       /* of /dnsaddr that leads to /dnsaddr */
#define TARGETS_QUERIES_MAX 16    /* for one address */
#define TARGETS_ADDRESSES_MAX 100 /* that one address leads to */

struct targets {
	struct sockaddr_storage v[TARGETS_MAX];
	size_t n;
};

/* Of IPv4 or IPv6, with its port; in the order of coming. One that is there, or over the limit, is
 * passed over. Any thread. */
void targets_add(struct targets *t, const struct sockaddr *a);
/* An address of IP and a TCP port, perhaps with a peer. -EINVAL: another one. Any thread. */
int targets_add_ip(struct targets *t, const struct multiaddr *a);
/* Whether names have to be looked up to dial it. Any thread. */
bool targets_is_name(const struct multiaddr *a);
/* Looks up such an address of @peer, within seconds. On failure nothing is added: -ENOENT with the
 * reason, -ENOMEM. Blocks. */
int targets_look_up(struct targets *t, const struct multiaddr *a, const struct peerid *peer,
		    struct err *e);
