/* What this peer has made of a pin, or of a CID that is on its way out of Kubo: what the store
 * knows, with what is under way. Any thread. */
#include <stdio.h>

#include "cluster/internal.h"

int cluster_pin_status(const struct cluster *c, const struct store_txn *t, uint64_t serial,
		       struct status_row *row)
{
	int r = status_get(t, serial, row);

	if (r == 0 && c->tracker && tracker_pinning(c->tracker, serial))
		row->status = STATUS_PINNING;
	return r;
}

bool cluster_pin_waits(const struct cluster *c, enum status status, char out[STATUS_ERROR_MAX])
{
	struct tracker_kubo kubo;

	if (status != STATUS_PIN_QUEUED || !c->tracker)
		return false;
	tracker_kubo(c->tracker, &kubo);
	if (!kubo.asked || kubo.up)
		return false;
	snprintf(out, STATUS_ERROR_MAX, "waiting for IPFS: %.400s", kubo.error);
	return true;
}

enum status cluster_unpin_status(const struct cluster *c, const struct unpin_row *row,
				 const char **ret_error)
{
	const char *refusal = c->tracker ? tracker_unpin_refusal(c->tracker) : NULL;

	*ret_error = refusal ? refusal : row->error;
	if (c->tracker && tracker_unpinning(c->tracker, &row->cid))
		return STATUS_UNPINNING;
	return (*ret_error)[0] ? STATUS_UNPIN_ERROR : STATUS_UNPIN_QUEUED;
}
