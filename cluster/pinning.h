/*
 * What a request for a pin comes to: defaults, limits, allocation and time, on the pin that is
 * stored now. Pure decisions on a transaction; nothing is written. Writer's thread. Source: "Pin
 * documents" in pinfs-tree(7); "Re-pin rules" and "Allocation" in docs/formats.md.
 */
#pragma once

#include "cluster/cluster_config.h"
#include "store/store.h"
#include "types/pin.h"
#include "types/pin_json.h"
#include "util/err.h"

struct candidates_view;
struct cluster_item;

/* Decides @item, and among @candidates who shall pin. Returns 1 with the pin to store in @ret, 0
 * when it is stored like that already, or -errno with the reason. @stored gets the present pin (cid
 * undefined: not pinned). Both were initialised, and live as long as the transaction and @item. */
int pinning_decide(const struct store_txn *t, const struct cluster_config *cfg,
		   const struct candidates_view *candidates, const struct cluster_item *item,
		   struct pin *stored, struct pin *ret, struct err *e);

/* The same for the pin of @cid as it is stored: where too few of its allocations but @gone are
 * candidates, it is given others. Not pinned, allocated everywhere, enough, or @gone is a member
 * again: 0. */
int pinning_repin(const struct store_txn *t, const struct candidates_view *candidates,
		  const struct peerid *gone, const struct cid *cid, struct pin *stored,
		  struct pin *ret, struct err *e);

/* Factors as configured where they are 0, then the reference's rules for them. */
int pinning_factors(const struct cluster_config *cfg, int32_t *min, int32_t *max, struct err *e);
