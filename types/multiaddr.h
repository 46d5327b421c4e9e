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

/* The protocols that more than their values are known of, by their numbers. */
#define MULTIADDR_IP4 4
#define MULTIADDR_TCP 6
#define MULTIADDR_IP6 41
#define MULTIADDR_IPCIDR 43
#define MULTIADDR_DNS 53
#define MULTIADDR_DNS4 54
#define MULTIADDR_DNS6 55
#define MULTIADDR_DNSADDR 56
#define MULTIADDR_P2P 421

struct multiaddr {
	uint16_t len;
	uint8_t bytes[MULTIADDR_BYTES_MAX];
};

int multiaddr_parse(const char *s, size_t n, struct multiaddr *ret, struct err *e); /* -EINVAL */
int multiaddr_from_bytes(const uint8_t *p, size_t n, struct multiaddr *ret, struct err *e);
bool multiaddr_equal(const struct multiaddr *a, const struct multiaddr *b);
/* The number of its first protocol; 0 of an empty one. */
uint32_t multiaddr_first(const struct multiaddr *a);
/* Appends the canonical text. */
int multiaddr_format(const struct multiaddr *a, struct buf *out);
/* The IP address it begins with: 4 or 16 bytes; 0 where it begins with something else. */
size_t multiaddr_ip(const struct multiaddr *a, uint8_t ret[16]);
/* The last /p2p component. -ENOENT when there is none. */
int multiaddr_peerid(const struct multiaddr *a, struct peerid *ret);
/* Appends /p2p/@id. -EFBIG. */
int multiaddr_add_peerid(struct multiaddr *a, const struct peerid *id);
/* Takes a /p2p at the end off, where there is one. */
void multiaddr_cut_peerid(struct multiaddr *a);
/* The address of a TCP socket: @n bytes (4 or 16) of an IP address, and a port. */
void multiaddr_from_tcp(const uint8_t *ip, size_t n, uint16_t port, struct multiaddr *ret);
/* The name whose records hold addresses: /dnsaddr/NAME, perhaps /p2p behind it, and nothing else.
 * -EINVAL: another address, or a name that does not fit @cap with its zero. */
int multiaddr_dnsaddr(const struct multiaddr *a, char *ret_name, size_t cap);
/* A host and a TCP port, perhaps /p2p behind it, and nothing else: what can be dialled. */
bool multiaddr_is_plain_tcp(const struct multiaddr *a);
/* Whether @a begins with an address of the network that @filter is (/ip4/10.0.0.0/ipcidr/8). */
bool multiaddr_in_network(const struct multiaddr *a, const struct multiaddr *filter);
/* What a TCP client needs: "127.0.0.1", "::1" or a DNS name, and the port. -EINVAL when the address
 * does not begin with ip4, ip6, dns, dns4, dns6 followed by tcp. @ret_host gets at most @cap bytes.
 */
int multiaddr_tcp(const struct multiaddr *a, char *ret_host, size_t cap, uint16_t *ret_port,
		  struct err *e);
