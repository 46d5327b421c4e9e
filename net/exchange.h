/*
 * Bitswap over the host's streams: one long-lived stream of ours to each peer for wants and
 * answers; what peers open is only read. Loop's thread. Source: "Bitswap" in docs/network.md.
 */
#pragma once

#include "net/bitswap.h"
#include "net/host.h"

struct exchange;

/* send and send_arg of @cfg are set here, its other functions get @arg. Registers its protocol with
 * @h, so before it connects. */
int exchange_new(struct host *h, uv_loop_t *loop, const struct bitswap_config *cfg, void *arg,
		 struct exchange **ret, struct err *e);
/* Before the host is closed. */
void exchange_close(struct exchange *x, void (*closed)(void *arg), void *arg);
int exchange_want(struct exchange *x, const struct cid *cid, const struct peerid *hint);
void exchange_cancel(struct exchange *x, const struct cid *cid);
void exchange_have(struct exchange *x, const struct cid *cid);
struct bitswap *exchange_bitswap(struct exchange *x); /* for counts */
