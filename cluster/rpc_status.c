/* The state of a pin on this peer, as the reference's PinInfo says it. Source: "RPC types" in
 * docs/formats.md; ipfs-cluster 1.1.6 pintracker/stateless. */
#include <errno.h>
#include <stdlib.h>

#include "cluster/kubo_self.h"
#include "cluster/rpc_internal.h"
#include "util/clock.h"

/* So that looking for a CID in the list of unpins, which has no index, takes bounded time. */
#define UNPINS_LOOKED_AT 1024

int rpc_status_init(struct rpc_status *x, struct cluster *c)
{
	struct tracker_kubo kubo = { 0 };

	*x = (struct rpc_status){ .c = c };
	pin_init(&x->pin);
	if (c->tracker)
		tracker_kubo(c->tracker, &kubo);
	kubo_self_peer(&kubo, &x->ipfs);
	return kubo_self_addresses(&kubo, true, RPC_IPFS_ADDRESSES_MAX, &x->ipfs_addresses,
				   &x->n_ipfs_addresses);
}

void rpc_status_deinit(struct rpc_status *x)
{
	pin_deinit(&x->pin);
	free(x->ipfs_addresses);
}

static struct rpc_time time_s(int64_t s)
{
	return (struct rpc_time){ .set = s != PIN_TIME_UNSET, .s = s };
}

static struct rpc_time time_ns(int64_t ns)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (rest < 0) {
		s--;
		rest += NS_PER_S;
	}
	return (struct rpc_time){ .set = true, .s = s, .ns = (uint32_t)rest };
}

/* What every answer says. */
static void begin(const struct rpc_status *x, struct rpc_pin_info *ret)
{
	const struct cluster_options *opt = &x->c->opt;

	*ret = (struct rpc_pin_info){
		.peer = opt->self,
		.ipfs_peer = x->ipfs,
		.ipfs_addresses = x->n_ipfs_addresses ? x->ipfs_addresses : NULL,
		.n_ipfs_addresses = x->n_ipfs_addresses,
	};
	if (opt->config->peername)
		ret->peername = rpc_text(opt->config->peername);
}

/* The reference tells of these when the pin was asked for: it has no record of its own of them. */
static bool is_as_old_as_the_pin(enum status status)
{
	return status == STATUS_PINNED || status == STATUS_REMOTE || status == STATUS_SHARDED ||
	       status == STATUS_UNEXPECTEDLY_UNPINNED;
}

static void add_pin(const struct pin *p, struct rpc_pin_info *ret)
{
	static const struct peerid nobody;
	static const struct multiaddr nowhere;

	cid_copy(&ret->cid, &p->cid);
	ret->name = (struct pin_text){ p->name.p ? p->name.p : "", p->name.n };
	ret->allocations = p->n_allocations ? p->allocations : &nobody; /* empty is not missing */
	ret->n_allocations = p->n_allocations;
	ret->origins = p->n_origins ? p->origins : &nowhere;
	ret->n_origins = p->n_origins;
	ret->metadata = p->n_metadata ? p->metadata : NULL;
	ret->n_metadata = p->n_metadata;
	ret->created = time_s(p->timestamp);
}

int rpc_status_of_pin(struct rpc_status *x, const struct store_txn *t, const struct pin_row *row,
		      struct rpc_pin_info *ret)
{
	struct status_row st = { .status = STATUS_PIN_QUEUED, .error = "" };
	int r = cluster_pin_status(x->c, t, row->serial, &st);

	if (r == 0 || r == -ENOENT)
		r = pinset_decode(row, &x->pin, NULL);
	if (r < 0)
		return r;
	begin(x, ret);
	add_pin(&x->pin, ret);
	ret->status = st.status;
	ret->since = is_as_old_as_the_pin(st.status) || st.since_ns == 0 ? ret->created
									 : time_ns(st.since_ns);
	ret->error = (struct pin_text){ st.error, st.error_len };
	if (st.error_len == 0 && cluster_pin_waits(x->c, st.status, x->error))
		ret->error = rpc_text(x->error);
	ret->attempts = st.attempts;
	ret->priority =
	    st.rank == 0 && (st.status == STATUS_PIN_QUEUED || st.status == STATUS_PINNING);
	return 0;
}

void rpc_status_of_unpin(struct rpc_status *x, const struct unpin_row *row,
			 struct rpc_pin_info *ret)
{
	const char *error;

	begin(x, ret);
	cid_copy(&ret->cid, &row->cid);
	ret->status = cluster_unpin_status(x->c, row, &error);
	ret->since = time_ns(row->since_ns);
	ret->error = rpc_text(error);
	ret->attempts = row->attempts;
}

int rpc_status_find_unpin(const struct store_txn *t, const struct cid *cid, struct unpin_row *ret)
{
	int r = 0;

	ret->sequence = 0;
	for (unsigned i = 0; r == 0 && i < UNPINS_LOOKED_AT; i++) {
		r = unpin_next(t, ret->sequence, ret);
		if (r == 0 && cid_equal(&ret->cid, cid))
			return 0;
	}
	return r < 0 ? r : -ENOENT;
}

int rpc_status_of(struct rpc_status *x, const struct store_txn *t, const struct cid *cid,
		  struct rpc_pin_info *ret)
{
	struct pin_row row;
	int r = pinset_find(t, cid, &row);

	if (r == 0)
		return rpc_status_of_pin(x, t, &row, ret);
	if (r == -ENOENT)
		r = rpc_status_find_unpin(t, cid, &x->unpin);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		rpc_status_of_unpin(x, &x->unpin, ret);
		return 0;
	}
	begin(x, ret);
	cid_copy(&ret->cid, cid);
	ret->status = STATUS_UNPINNED;
	ret->since = time_ns(clock_now_ns());
	return 0;
}
