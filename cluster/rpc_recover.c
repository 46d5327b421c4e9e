/* Trying again what failed, for others: one pin, or all of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/rpc_internal.h"

/* ---- one ---- */

struct one {
	struct rpc_wait wait;
	struct rpc_server *s;
	struct cid cid;
	struct tracker_recovery recovery;
};

static void one_done(struct tracker_recovery *r, int status)
{
	struct one *x = container_of(r, struct one, recovery);

	if (x->wait.call && status < 0)
		rpc_fail(x->wait.call, "queueing it again: %s", strerror(-status));
	else if (x->wait.call)
		rpc_answer_status(x->s, x->wait.call, &x->cid);
	free(x);
}

/* What is to be done for the CID; without @serial and @sequence nothing, but to answer. */
struct task {
	uint64_t serial;   /* of a pin that failed */
	uint64_t sequence; /* of an unpin that failed */
	uint64_t check;    /* of a pin that Kubo should have */
};

static int find_failure(const struct cluster *c, const struct store_txn *t, uint64_t serial,
			struct task *ret)
{
	struct status_row st;
	int r = cluster_pin_status(c, t, serial, &st);

	if (r < 0)
		return r;
	if (st.status == STATUS_PIN_ERROR || st.status == STATUS_UNEXPECTEDLY_UNPINNED)
		ret->serial = serial;
	else if (st.status == STATUS_PINNED)
		ret->check = serial;
	return 0;
}

static int find_unpin(const struct cluster *c, const struct store_txn *t, const struct cid *cid,
		      struct task *ret)
{
	struct unpin_row row;
	const char *error;
	int r = rpc_status_find_unpin(t, cid, &row);

	if (r == 0 && cluster_unpin_status(c, &row, &error) == STATUS_UNPIN_ERROR)
		ret->sequence = row.sequence;
	return r == -ENOENT ? 0 : r;
}

/* -ENOENT: it is not in the pinset, and has to be. */
static int find_task(const struct cluster *c, const struct cid *cid, bool only_pins,
		     struct task *ret)
{
	struct pin_row row;
	struct store_txn *t;
	int r = store_read(c->opt.store, &t);

	if (r < 0)
		return r;
	r = pinset_find(t, cid, &row);
	if (r == 0)
		r = find_failure(c, t, row.serial, ret);
	else if (r == -ENOENT && !only_pins)
		r = find_unpin(c, t, cid, ret);
	store_read_end(t);
	return r;
}

static int begin(struct tracker *t, const struct task *task, struct one *x)
{
	if (task->serial)
		return tracker_recover_pin(t, task->serial, &x->recovery);
	return tracker_recover_unpin(t, task->sequence, &x->recovery);
}

static void recover(struct rpc_server *s, struct gorpc_call *call, const struct cid *cid,
		    const struct task *task)
{
	struct tracker *t = s->c->tracker;
	struct one *x;
	int r;

	if (t && task->check)
		tracker_recover(t, task->check);
	if (!t || (!task->serial && !task->sequence)) {
		rpc_answer_status(s, call, cid);
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!x) {
		rpc_fail(call, "out of memory");
		return;
	}
	x->s = s;
	cid_copy(&x->cid, cid);
	x->recovery.done = one_done;
	rpc_wait_begin(&x->wait, call, NULL);
	r = begin(t, task, x);
	if (r == 0)
		return;
	free(x);
	rpc_fail(call, "queueing it again: %s", strerror(-r));
}

static void recover_one(struct rpc_server *s, struct gorpc_call *call, const uint8_t *p, size_t n,
			bool only_pins)
{
	struct task task = { 0 };
	struct cid cid;
	int r;

	if (!rpc_take_cid(call, p, n, &cid))
		return;
	r = find_task(s->c, &cid, only_pins, &task);
	if (r == -ENOENT)
		rpc_fail(call, "pin is not part of the pinset");
	else if (r < 0)
		rpc_fail(call, "%s", strerror(-r));
	else
		recover(s, call, &cid, &task);
}

void rpc_tracker_recover(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	recover_one(arg, call, p, n, false);
}

void rpc_cluster_recover_local(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	recover_one(arg, call, p, n, true);
}

/* ---- all: page by page, each pin told of once it is queued ---- */

struct all {
	struct rpc_feed feed;
	struct rpc_status st;
	struct tracker_recovery recovery; /* its page is being told */
	unsigned told;
	bool under_way, last, over;
	int failed;
};

static void all_free(struct all *x)
{
	rpc_status_deinit(&x->st);
	free(x);
}

static void page_done(struct tracker_recovery *r, int status)
{
	struct all *x = container_of(r, struct all, recovery);

	x->under_way = false;
	x->told = 0;
	x->last = status == 0;
	x->failed = status < 0 ? status : 0;
	if (x->over)
		all_free(x);
	else
		rpc_feed_go(&x->feed);
}

static int tell(struct all *x, const struct store_txn *t, struct buf *out)
{
	struct rpc_pin_info info;
	struct pin_row row;
	int r = pinset_row(t, x->recovery.serials[x->told++], &row);

	if (r == 0)
		r = rpc_status_of_pin(&x->st, t, &row, &info);
	if (r == -ENOENT || r == -EBADMSG) /* gone since, or unreadable */
		return 0;
	if (r == 0)
		r = rpc_pin_info_encode(&info, out);
	return r < 0 ? r : 1;
}

static int next_recovered(struct rpc_feed *f, const struct store_txn *t, struct buf *out,
			  struct err *e)
{
	struct all *x = container_of(f, struct all, feed);
	struct tracker *tracker = x->st.c->tracker;
	int r;

	if (x->under_way)
		return -EAGAIN;
	if (x->failed < 0)
		return err_sys(e, x->failed, "queueing pins again");
	if (x->told < x->recovery.n)
		return tell(x, t, out);
	if (x->last) { /* what Kubo has lost since it was last compared, and unpins */
		tracker_recover_all(tracker);
		return -ENOENT;
	}
	r = tracker_recover_failed(tracker, &x->recovery);
	x->under_way = r == 0;
	return r < 0 ? r : -EAGAIN;
}

static void free_all(struct rpc_feed *f)
{
	struct all *x = container_of(f, struct all, feed);

	x->over = true;
	if (!x->under_way)
		all_free(x);
}

void rpc_cluster_recover_all_local(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	static const struct rpc_feed_ops ops = { .next = next_recovered, .free = free_all };
	struct rpc_server *s = arg;
	struct all *x;

	if (p)
		return;
	if (!s->c->tracker) {
		gorpc_finish(call);
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!x || rpc_status_init(&x->st, s->c) < 0) {
		free(x);
		rpc_fail(call, "out of memory");
		return;
	}
	x->recovery.done = page_done;
	rpc_feed_begin(&x->feed, s, call, &ops);
}
