/* PinTracker.Status and StatusAll. Source: ipfs-cluster 1.1.6 pintracker/stateless. */
#include <errno.h>
#include <stdlib.h>

#include "cluster/rpc_internal.h"

/* ---- one ---- */

static int encode_status(struct rpc_server *s, const struct cid *cid, struct buf *out)
{
	struct rpc_status st;
	struct rpc_pin_info info;
	struct store_txn *t;
	int r = store_read(s->c->opt.store, &t);

	if (r < 0)
		return r;
	r = rpc_status_init(&st, s->c);
	if (r == 0)
		r = rpc_status_of(&st, t, cid, &info);
	if (r == 0)
		r = rpc_pin_info_encode(&info, out);
	rpc_status_deinit(&st);
	store_read_end(t);
	return r;
}

void rpc_answer_status(struct rpc_server *s, struct gorpc_call *call, const struct cid *cid)
{
	struct buf out = BUF_INIT(0);

	rpc_answer(call, encode_status(s, cid, &out), &out);
}

bool rpc_take_cid(struct gorpc_call *call, const uint8_t *p, size_t n, struct cid *ret)
{
	struct err e = { 0 };
	int r = rpc_cid_decode(p, n, ret, &e);

	if (r == 0 && !cid_defined(ret))
		r = err_set(&e, -EBADMSG, "no CID is named");
	if (r < 0)
		rpc_bad_argument(call, &e);
	return r == 0;
}

void rpc_tracker_status(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	struct cid cid;

	if (rpc_take_cid(call, p, n, &cid))
		rpc_answer_status(arg, call, &cid);
}

/* ---- all ---- */

/*
 * Every pin once, in the order of arrival, where all are asked for; otherwise the lists of the
 * states that are, one behind the other, in the order in which pins move on, so that one that moves
 * meanwhile may be told twice but is not passed over. CIDs that left the pinset are told of only
 * where a state of theirs is asked for.
 */
static const enum status lists[] = {
	STATUS_PIN_ERROR,  STATUS_UNEXPECTEDLY_UNPINNED,
	STATUS_PIN_QUEUED, STATUS_PINNING,
	STATUS_PINNED,     STATUS_REMOTE,
	STATUS_SHARDED,    STATUS_UNPIN_ERROR,
};
#define LIST_UNPINS (ARRAY_LEN(lists) - 1)

struct all {
	struct rpc_feed feed;
	struct rpc_status st;
	uint32_t filter; /* 0: all pins */
	unsigned list;
	struct status_place place; /* in it */
};

static bool matches(const struct all *x, enum status status)
{
	return x->filter == 0 || (x->filter & status_bit(status));
}

static int next_pin(struct all *x, const struct store_txn *t, struct pin_row *ret)
{
	struct pinset_iter it;
	int r = pinset_iter_serials(t, x->place.serial, &it);

	if (r < 0)
		return r;
	r = pinset_next(&it, ret);
	pinset_iter_end(&it);
	if (r == 0)
		x->place.serial = ret->serial;
	return r;
}

/* What is being pinned is in the list of what is queued, as the store knows it. */
static int next_listed(struct all *x, const struct store_txn *t)
{
	enum status list = lists[x->list];

	if (list != STATUS_PINNING)
		return status_next(t, list, &x->place);
	if (matches(x, STATUS_PIN_QUEUED) || !x->st.c->tracker)
		return -ENOENT;
	return tracker_next_pinning(x->st.c->tracker, x->place.serial, &x->place.serial);
}

static int next_unpin(struct all *x, const struct store_txn *t, struct rpc_pin_info *info)
{
	struct pin_row again;
	int r = unpin_next(t, x->place.serial, &x->st.unpin);

	if (r < 0)
		return r;
	x->place.serial = x->st.unpin.sequence;
	if (pinset_find(t, &x->st.unpin.cid, &again) == 0)
		return 0;
	rpc_status_of_unpin(&x->st, &x->st.unpin, info);
	return 1;
}

static bool is_asked_for(const struct all *x, unsigned list)
{
	if (list == LIST_UNPINS)
		return matches(x, STATUS_UNPIN_ERROR) || matches(x, STATUS_UNPINNING) ||
		       matches(x, STATUS_UNPIN_QUEUED);
	return matches(x, lists[list]);
}

/* The next of the lists. 1: in @info, 0: one that is to be passed over. */
static int next_of_lists(struct all *x, const struct store_txn *t, struct rpc_pin_info *info)
{
	struct pin_row row;
	int r = -ENOENT;

	if (!is_asked_for(x, x->list)) {
		r = -ENOENT;
	} else if (x->list == LIST_UNPINS) {
		r = next_unpin(x, t, info);
	} else {
		r = next_listed(x, t);
		if (r == 0)
			r = pinset_row(t, x->place.serial, &row) == 0
				? rpc_status_of_pin(&x->st, t, &row, info)
				: -EBADMSG;
		r = r == 0 ? 1 : r;
	}
	if (r != -ENOENT || x->list == LIST_UNPINS)
		return r;
	x->list++;
	x->place = (struct status_place){ 0 };
	return 0;
}

static int next_of_all(struct all *x, const struct store_txn *t, struct rpc_pin_info *info)
{
	struct pin_row row;
	int r = next_pin(x, t, &row);

	if (r < 0)
		return r;
	r = rpc_status_of_pin(&x->st, t, &row, info);
	return r == 0 ? 1 : r;
}

static int next_status(struct rpc_feed *f, const struct store_txn *t, struct buf *out,
		       struct err *e)
{
	struct all *x = container_of(f, struct all, feed);
	struct rpc_pin_info info;
	int r = x->filter ? next_of_lists(x, t, &info) : next_of_all(x, t, &info);

	if (r == -EBADMSG) /* unreadable, or gone since: nothing to tell */
		return 0;
	if (r <= 0 || !matches(x, info.status))
		return r < 0 ? r : 0;
	r = rpc_pin_info_encode(&info, out);
	return r < 0 ? r : 1;
}

static void free_all(struct rpc_feed *f)
{
	struct all *x = container_of(f, struct all, feed);

	rpc_status_deinit(&x->st);
	free(x);
}

void rpc_tracker_status_all(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	static const struct rpc_feed_ops ops = { .next = next_status, .free = free_all };
	struct rpc_server *s = arg;
	struct err e = { 0 };
	uint32_t filter = 0;
	struct all *x;

	if (gorpc_call_arg(call)) /* one filter is enough */
		return;
	if (p && rpc_filter_decode(p, n, &filter, &e) < 0) {
		rpc_bad_argument(call, &e);
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!x || rpc_status_init(&x->st, s->c) < 0) {
		free(x);
		rpc_fail(call, "out of memory");
		return;
	}
	x->filter = filter;
	rpc_feed_begin(&x->feed, s, call, &ops);
}
