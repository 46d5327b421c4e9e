/*
 * Messages of multicast DNS, as far as finding peers needs them: any message is read, a question
 * for our service and an answer to it are written. Pure functions. Source: RFC 1035 section 4, RFC
 * 6762 section 18, RFC 6763; libp2p specs, mdns; vectors/mdns.json; "mDNS" in docs/network.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "types/multiaddr.h"
#include "util/buf.h"

#define MDNS_MESSAGE_MAX 9000 /* bytes of one that is read */
#define MDNS_SENT_MAX 1440    /* of ours, so that it is one packet of Ethernet */
#define MDNS_ENTRIES_MAX 128  /* questions and records of a message; with more it is malformed */
#define MDNS_NAME_MAX 255     /* bytes of a name, with lengths and the final zero */
#define MDNS_LABEL_MAX 63
#define MDNS_JUMPS_MAX 16 /* pointers that are followed in one name */

#define MDNS_TTL_S 3200     /* of what we say, as the reference has it */
#define MDNS_HOST_TTL_S 120 /* of the addresses of our host */
#define MDNS_SRV_PORT 4001  /* means nothing; the reference has this one */

#define MDNS_TEXT "dnsaddr=" /* begins a string with an address */

enum mdns_type {
	MDNS_A = 1,
	MDNS_PTR = 12,
	MDNS_TXT = 16,
	MDNS_AAAA = 28,
	MDNS_SRV = 33,
	MDNS_ANY = 255,
};

/* Labels, each behind its length, and a zero. ASCII letters are small ones. */
struct mdns_name {
	uint8_t len;
	uint8_t bytes[MDNS_NAME_MAX];
};

enum mdns_part {
	MDNS_QUESTIONS,
	MDNS_ANSWERS,
	MDNS_AUTHORITIES,
	MDNS_ADDITIONAL,
	MDNS_PARTS
};

/* A question, or a record. */
struct mdns_entry {
	enum mdns_part part;
	struct mdns_name name;
	uint16_t type;
	uint32_t ttl;        /* seconds */
	const uint8_t *data; /* in the message, of @n bytes; NULL of a question */
	size_t n;
};

struct mdns_reader {
	const uint8_t *p; /* the message, which lives as long as this */
	size_t n, at;
	bool response;
	uint16_t left[MDNS_PARTS];
};

/* Begins with a message. -EBADMSG: none, or one that is to be ignored. */
int mdns_read(const uint8_t *p, size_t n, struct mdns_reader *ret);
/* 1: the next entry of the class of the Internet; 0: there is no more. -EBADMSG. */
int mdns_next(struct mdns_reader *r, struct mdns_entry *ret);
/* The name that a PTR record is about. -EBADMSG. */
int mdns_target(const struct mdns_reader *r, const struct mdns_entry *en, struct mdns_name *ret);
/* The next string of a TXT record, from *@at on, which is 0 for the first; false: there is no more.
 * What is left of a malformed record is passed over. */
bool mdns_text(const struct mdns_entry *en, size_t *at, const char **ret, size_t *ret_n);

/* The name of our service; that of an instance of it, or of the one with this label. */
bool mdns_is_service(const struct mdns_name *name);
bool mdns_is_instance(const struct mdns_name *name);
bool mdns_is_instance_of(const struct mdns_name *name, const char *label);

/* Both write into an empty @out, with its room of MDNS_SENT_MAX. @label: of 1 to MDNS_LABEL_MAX
 * small letters and digits. -ENOMEM. */

/* Who is there? @label: of our own answer, which is known; NULL: there is none. */
int mdns_write_question(const char *label, struct buf *out);
/* The peer @label can be found at these addresses, which end in its /p2p: as many as there is room
 * for. @there: false takes it back. Returns how many were written. */
int mdns_write_answer(const char *label, const struct multiaddr *v, size_t n, bool there,
		      struct buf *out);
