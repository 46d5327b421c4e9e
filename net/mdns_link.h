/*
 * Multicast DNS on one link, which is one interface and one family of addresses: when to ask who is
 * there, when to answer, and what a message that was heard means. No I/O; one thread at a time;
 * times in ms of any steady clock. Source: RFC 6762 sections 5.2, 6, 7.1, 8.3; zeroconf 2.2 as
 * ipfs-cluster 1.1.6 uses it; "mDNS" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/mdns_found.h"
#include "net/mdns_message.h"

#define MDNS_LABEL_LEN 40      /* of our instance, drawn at random */
#define MDNS_ASK_FIRST_MS 4000 /* between the first two questions; 1.5 to 2.5 times as long... */
#define MDNS_ASK_MOST_MS 60000 /* ...each time, up to this */
#define MDNS_DELAY_LEAST_MS 20 /* before an answer, or the first question: not everybody... */
#define MDNS_DELAY_MOST_MS 120 /* ...at once */
#define MDNS_ANSWER_MS 1000    /* between two answers on a link */
#define MDNS_ANNOUNCEMENTS 2   /* answers that nobody asked for, when there is something new */
#define MDNS_HEARD_BURST 256   /* messages of a link that are read at once... */
#define MDNS_HEARD_RATE_MS 16  /* ...then one in this time; the others are passed over */

/* What we say, on every link. */
struct mdns_self {
	struct peerid id;
	char label[MDNS_LABEL_LEN + 1];
	/* Whole messages; @answer and @goodbye are empty where we have no suitable address. */
	struct buf question, answer, goodbye;
};

/* After sodium_init. -ENOMEM, with nothing to deinit. */
int mdns_self_init(struct mdns_self *s, const struct peerid *id);
void mdns_self_deinit(struct mdns_self *s);
/* Where we are, without /p2p. 1: that is something else than before; 0. -ENOMEM: as before. */
int mdns_self_set(struct mdns_self *s, const struct multiaddr *v, size_t n);

struct mdns_link {
	uint64_t ask_at, ask_wait;
	uint64_t answer_at, answered_at; /* UINT64_MAX: nobody asked; 0: never */
	unsigned announcements;          /* that are left */
	uint64_t heard_at;
	uint32_t tokens; /* ms: a message takes MDNS_HEARD_RATE_MS of them */
};

void mdns_link_init(struct mdns_link *l, uint64_t now_ms);
/* There is something new to answer. */
void mdns_link_announce(struct mdns_link *l, uint64_t now_ms);
/* When to look for what is to be sent. */
uint64_t mdns_link_deadline(const struct mdns_link *l);
/* Whether to send the question, or the answer, now; if so it counts as sent. */
bool mdns_link_asks(struct mdns_link *l, uint64_t now_ms);
bool mdns_link_answers(struct mdns_link *l, uint64_t now_ms);

struct mdns_listener {
	const struct mdns_self *self;
	struct mdns_peers *peers;
	/* Another peer says it is there. False: it cannot be taken now, and is told of again. */
	bool (*found)(void *arg, const struct mdns_found *f);
	void *arg;
};
/* A message came from the port of mDNS. @near: from this machine. -EBADMSG: it is malformed and
 * means nothing; -EBUSY: too many came. */
int mdns_link_hear(struct mdns_link *l, const struct mdns_listener *to, const uint8_t *p, size_t n,
		   bool near, uint64_t now_ms);
