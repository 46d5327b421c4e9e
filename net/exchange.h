/*
 * Bitswap over the host's streams: one long-lived stream of ours to each peer for wants and
 * answers, opened when there is something to say; what peers open is only read. A peer takes part
 * when it says that it speaks it, or opens a stream for it. Loop's thread.
 * Source: "Bitswap" in docs/network.md.
 */
#pragma once

#include "net/bitswap.h"
#include "net/host.h"

#define EXCHANGE_PROTOCOL "/ipfs/bitswap/1.2.0"
#define EXCHANGE_REOPEN_MS 100  /* after our stream broke */
#define EXCHANGE_REOPEN_TRIES 3 /* so often in a row, then after a pause */
#define EXCHANGE_PAUSE_MS 10000 /* and a stream that lasted so long did not break in a row */
#define EXCHANGE_PARTIAL_MAX                                                                       \
	(32u << 20) /* bytes of messages that have begun, of all peers: beyond                     \
		     * it whoever has sent the most loses a stream */

struct exchange;

/* send and send_arg of @cfg are set here, its other functions get @arg; they may not close the
 * exchange. Registers its protocol with @h, so before it connects. */
int exchange_new(struct host *h, uv_loop_t *loop, const struct bitswap_config *cfg, void *arg,
		 struct exchange **ret, struct err *e);
/* Before the host is closed; nothing else is called after it. */
void exchange_close(struct exchange *x, void (*closed)(void *arg), void *arg);
int exchange_want(struct exchange *x, const struct cid *cid, const struct peerid *hint);
void exchange_cancel(struct exchange *x, const struct cid *cid);
void exchange_have(struct exchange *x, const struct cid *cid);
struct bitswap *exchange_bitswap(struct exchange *x); /* for counts */
