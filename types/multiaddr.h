/*
 * Multiaddresses: text <-> binary, as go-multiaddr does it. Pure functions, fixed storage.
 * Source: multiformats/multiaddr; vectors/multiaddr.json. Unknown protocols are refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/peerid.h"
#include "util/buf.h"
#include "util/err.h"

#define MULTIADDR_BYTES_MAX 512

struct multiaddr {
	uint16_t len;
	uint8_t bytes[MULTIADDR_BYTES_MAX];
};

int multiaddr_parse(const char *s, size_t n, struct multiaddr *ret, struct err *e); /* -EINVAL */
int multiaddr_from_bytes(const uint8_t *p, size_t n, struct multiaddr *ret, struct err *e);
/* Appends the canonical text. */
int multiaddr_format(const struct multiaddr *a, struct buf *out);
/* The last /p2p component. -ENOENT when there is none. */
int multiaddr_peerid(const struct multiaddr *a, struct peerid *ret);
/* Appends /p2p/@id. -EFBIG. */
int multiaddr_add_peerid(struct multiaddr *a, const struct peerid *id);
/* Takes a /p2p at the end off, where there is one. */
void multiaddr_cut_peerid(struct multiaddr *a);
/* The address of a TCP socket: @n bytes (4 or 16) of an IP address, and a port. */
void multiaddr_from_tcp(const uint8_t *ip, size_t n, uint16_t port, struct multiaddr *ret);
/* A host and a TCP port, perhaps /p2p behind it, and nothing else: what can be dialled. */
bool multiaddr_is_plain_tcp(const struct multiaddr *a);
/* Whether @a begins with an address of the network that @filter is (/ip4/10.0.0.0/ipcidr/8). */
bool multiaddr_in_network(const struct multiaddr *a, const struct multiaddr *filter);
/* What a TCP client needs: "127.0.0.1", "::1" or a DNS name, and the port. -EINVAL when the address
 * does not begin with ip4, ip6, dns, dns4, dns6 followed by tcp. @ret_host gets at most @cap bytes.
 */
int multiaddr_tcp(const struct multiaddr *a, char *ret_host, size_t cap, uint16_t *ret_port,
		  struct err *e);
