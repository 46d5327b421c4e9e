/* The service Consensus. A trusted peer may have a pin stored as it gives it, past all that is
 * decided for a pin that is asked for here; in crdt there is no peerset to be changed. */
#include <errno.h>
#include <stdlib.h>

#include "cluster/rpc_internal.h"

struct logged {
	struct rpc_wait wait;
	struct cluster_request *rq;
};

/* Where it has not begun, it does not. */
static void logged_gone(struct rpc_wait *w)
{
	cluster_request_cancel(container_of(w, struct logged, wait)->rq);
}

static void logged_done(struct cluster_request *rq, int status)
{
	struct logged *x = rq->arg;

	if (x->wait.call && status < 0)
		rpc_fail(x->wait.call, "%s", rq->error.msg);
	else if (x->wait.call)
		rpc_answer_empty(x->wait.call);
	cluster_request_free(rq);
	free(x);
}

static struct cluster_request *request(struct gorpc_call *call, const uint8_t *p, size_t n,
				       bool unpin, struct err *e)
{
	struct cluster_request *rq = cluster_request_new(CLUSTER_CHANGE, 1);
	int r;

	if (!rq) {
		err_sys(e, -ENOMEM, "taking a pin");
		return NULL;
	}
	r = rpc_pin_decode(p, n, &rq->items[0].pin, e);
	if (r == 0 && !cid_defined(&rq->items[0].pin.cid))
		r = err_set(e, -EBADMSG, "a pin without a CID");
	if (r < 0) {
		cluster_request_free(rq);
		return NULL;
	}
	rq->items[0].unpin = unpin;
	rq->kind = CHANGE_LOGGED;
	rq->who.peer = *gorpc_call_peer(call);
	rq->done = logged_done;
	return rq;
}

static void change(struct rpc_server *s, struct gorpc_call *call, const uint8_t *p, size_t n,
		   bool unpin)
{
	struct err e = { 0 };
	struct logged *x;

	if (s->c->closing) {
		rpc_fail(call, "the peer is shutting down");
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!x) {
		rpc_fail(call, "out of memory");
		return;
	}
	x->rq = request(call, p, n, unpin, &e);
	if (!x->rq) {
		free(x);
		rpc_bad_argument(call, &e);
		return;
	}
	x->rq->arg = x;
	rpc_wait_begin(&x->wait, call, logged_gone);
	cluster_post(s->c, x->rq);
}

void rpc_consensus_log_pin(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	change(arg, call, p, n, false);
}

void rpc_consensus_log_unpin(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	change(arg, call, p, n, true);
}

void rpc_consensus_add_peer(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	rpc_answer_empty(call);
}

void rpc_consensus_rm_peer(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	rpc_cluster_peer_remove(arg, call, p, n);
}
