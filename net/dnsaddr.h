/*
 * Addresses in DNS: the TXT records of _dnsaddr.NAME hold "dnsaddr=" and a multiaddress each. Pure.
 * Source: multiformats/multiaddr, DNSADDR; RFC 1035 3.3.14.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "types/multiaddr.h"
#include "types/peerid.h"

#define DNSADDR_TEXT_MAX 1024 /* bytes of one record; a longer one is passed over */

/* Reads an answer of a DNS server: at most @cap addresses that end in /p2p/@peer; what is malformed
 * among the records is passed over. Returns how many; -EBADMSG: that is no answer. */
int dnsaddr_read(const uint8_t *answer, size_t n, const struct peerid *peer, struct multiaddr *ret,
		 size_t cap);
