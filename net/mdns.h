/*
 * Multicast DNS: peers of the local network find each other. One socket for each link (an interface
 * and a family of addresses), bound to the group, so that nothing from beyond the network is heard;
 * the port is shared with other responders. Interfaces that come and go are looked for. What it
 * cannot have is said in the log, and it goes on with the rest.
 *
 * Loop's thread. Source: RFC 6762; go-libp2p 0.48 p2p/discovery/mdns; "mDNS" in docs/network.md.
 */
#pragma once

#include <uv.h>

#include "net/host.h"
#include "net/mdns_found.h"
#include "util/err.h"

#define MDNS_PORT 5353
#define MDNS_GROUP4 "224.0.0.251"
#define MDNS_GROUP6 "ff02::fb"
#define MDNS_LINKS_MAX 32  /* others are passed over */
#define MDNS_LOOK_MS 10000 /* between two looks at the interfaces, and at what we announce */

struct mdns;

struct mdns_options {
	uv_loop_t *loop;
	const struct host *host; /* whose addresses are told; lives longer */
	/* Another peer says it is there: at first, and again after growing times. False: it cannot
	 * be taken now, and comes again when it is heard of again. May not close. */
	bool (*found)(void *arg, const struct mdns_found *f);
	void *arg;
};

/* Begins; @found comes in later turns of the loop. */
int mdns_new(const struct mdns_options *opt, struct mdns **ret, struct err *e);
/* Takes back what it said, ends, then calls @closed. Once. */
void mdns_close(struct mdns *m, void (*closed)(void *arg), void *arg);
