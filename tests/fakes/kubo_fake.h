/*
 * The functions of ipfs/kubo.h over a set of pins in memory: linked in place of the real ones.
 * Calls end in the next iteration of the loop, unless they are held. Allocation failures abort.
 */
#pragma once

#include "ipfs/kubo.h"

enum kubo_fake_what {
	KUBO_FAKE_ID,
	KUBO_FAKE_STAT,
	KUBO_FAKE_ADD,
	KUBO_FAKE_UPDATE,
	KUBO_FAKE_RM,
	KUBO_FAKE_LS_ONE,
	KUBO_FAKE_LS,
	KUBO_FAKE_CONNECT,
	KUBO_FAKE_GC,
	KUBO_FAKE_PEERS,
	KUBO_FAKE_PUT,
	KUBO_FAKE_NR
};

#define KUBO_FAKE_ID_TEXT "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN" /* its peer ID */

struct kubo *kubo_fake_new(uv_loop_t *loop);
void kubo_fake_set(struct kubo *k, const struct cid *cid, enum kubo_pin_kind kind);
enum kubo_pin_kind kubo_fake_kind(const struct kubo *k, const struct cid *cid);
/* Every call is refused as when nobody listens. */
void kubo_fake_away(struct kubo *k, bool away);
/* Calls of this sort fail with @status, 0: as they would. */
void kubo_fake_fail(struct kubo *k, enum kubo_fake_what what, int status, const char *text);
/* Calls of this sort do not end; those held go on when it is taken back. */
void kubo_fake_hold(struct kubo *k, enum kubo_fake_what what, bool hold);
unsigned kubo_fake_calls(const struct kubo *k, enum kubo_fake_what what); /* begun so far */
unsigned kubo_fake_open(const struct kubo *k);                            /* begun and not ended */
/* The peers it is connected to; the caller's. */
void kubo_fake_peers(struct kubo *k, const struct peerid *peers, size_t n);
size_t kubo_fake_put_bytes(const struct kubo *k); /* of the blocks that were put */
const struct cid *kubo_fake_put_last(const struct kubo *k);
