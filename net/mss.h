/*
 * multistream-select: how both ends of a connection or stream agree on a protocol. A state machine
 * without I/O: bytes come in through mss_feed, bytes to send are appended to a buffer. What follows
 * the negotiation in the same bytes belongs to the protocol and is left to the caller. Source:
 * multistream-select 1.0; "Agreeing on a protocol" in docs/network.md, vectors/multistream.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

#define MSS_TOKEN_MAX 1024   /* encoded length, newline included */
#define MSS_PROPOSALS_MAX 16 /* by one opener, then it is hopeless */

enum mss_state {
	MSS_RUNNING,
	MSS_AGREED,
	MSS_REFUSED /* opener: every proposal */
};

struct mss {
	bool opener;
	enum mss_state state;
	const char *const *protocols; /* the opener's in order of preference; the acceptor's all */
	size_t n_protocols;
	const char *agreed; /* one of protocols, when MSS_AGREED */

	bool header_seen; /* the peer speaks multistream */

	/* private */
	size_t proposal; /* opener: which one is being asked; acceptor: how many came */
	uint8_t token[MSS_TOKEN_MAX + 2];
	size_t token_len;
};

/* The lists live as long as the negotiation. The opener's header and first proposal, and the
 * acceptor's header, are appended to @out. */
int mss_init_opener(struct mss *m, const char *const *protocols, size_t n, struct buf *out);
int mss_init_acceptor(struct mss *m, const char *const *protocols, size_t n, struct buf *out);
/* Feeds bytes; *ret_used of them were taken, none after the state left MSS_RUNNING. -EPROTO: a
 * token that is not one, or a first one that cannot become the header any more; close. */
int mss_feed(struct mss *m, const uint8_t *p, size_t n, size_t *ret_used, struct buf *out,
	     struct err *e);
/* A lazy opener sends its first bytes behind the proposal at once: one token, for that. */
int mss_token(const char *text, struct buf *out);
