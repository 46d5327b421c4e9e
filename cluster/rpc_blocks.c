/*
 * IPFSConnector.BlockStream: an adder somewhere in the cluster sends the blocks that this peer is
 * allocated. They are put into Kubo one by one, in their order; nobody pins them here, a pin
 * follows. A caller that is faster than Kubo is held back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/rpc_internal.h"

#define WAITING_MAX (1u << 20) /* bytes; then the caller is held back */

struct block {
	struct list link;
	struct cid cid;
	size_t n;
	uint8_t data[];
};

struct blocks {
	struct rpc_wait wait;
	struct cluster *c;
	struct list waiting;
	size_t bytes; /* of memory for it */
	struct block *current;
	struct kubo_call *putting; /* of it */
	bool held, last;
};

static void drop_waiting(struct blocks *x)
{
	while (!list_empty(&x->waiting)) {
		struct block *b = container_of(x->waiting.next, struct block, link);

		list_del(&b->link);
		free(b);
	}
}

/* Once. While Kubo reads from a block of it, that one's end frees it. */
static void blocks_end(struct blocks *x)
{
	kubo_worked(x->c);
	drop_waiting(x);
	if (x->current)
		kubo_cancel(x->putting);
	else
		free(x);
}

static void blocks_gone(struct rpc_wait *w)
{
	blocks_end(container_of(w, struct blocks, wait));
}

static void blocks_fail(struct blocks *x, const char *why)
{
	rpc_fail(x->wait.call, "putting a block: %s", why);
	x->wait.call = NULL;
	blocks_end(x);
}

static void on_put(void *arg, int status, const struct err *e);

/* False: the call is over. */
static bool put_next(struct blocks *x)
{
	int r;

	if (x->current)
		return true;
	if (list_empty(&x->waiting)) {
		if (!x->last)
			return true;
		gorpc_finish(x->wait.call);
		blocks_end(x);
		return false;
	}
	x->current = container_of(x->waiting.next, struct block, link);
	list_del(&x->current->link);
	x->bytes -= sizeof(*x->current) + x->current->n;
	r = kubo_block_put(x->c->opt.kubo, &x->current->cid, x->current->data, x->current->n,
			   on_put, x, &x->putting);
	if (r == 0)
		return true;
	free(x->current);
	x->current = NULL;
	blocks_fail(x, r == -EOPNOTSUPP ? "IPFS has no such hash" : strerror(-r));
	return false;
}

static void on_put(void *arg, int status, const struct err *e)
{
	struct blocks *x = arg;

	free(x->current);
	x->current = NULL;
	if (!x->wait.call) {
		free(x);
		return;
	}
	if (status < 0) {
		blocks_fail(x, e->msg);
		return;
	}
	if (!put_next(x) || !x->held || x->bytes >= WAITING_MAX / 2)
		return;
	x->held = false;
	gorpc_unhold(x->wait.call); /* more may come from within: @x may be gone after it */
}

static int keep(struct blocks *x, const struct rpc_node *node)
{
	struct block *b = malloc(sizeof(*b) + node->len);

	if (!b)
		return -ENOMEM;
	list_init(&b->link);
	cid_copy(&b->cid, &node->cid);
	b->n = node->len;
	if (node->len > 0)
		memcpy(b->data, node->data, node->len);
	list_add_tail(&x->waiting, &b->link);
	x->bytes += sizeof(*b) + node->len;
	return 0;
}

static struct blocks *begin(struct rpc_server *s, struct gorpc_call *call)
{
	struct blocks *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->c = s->c;
	list_init(&x->waiting);
	rpc_wait_begin(&x->wait, call, blocks_gone);
	return x;
}

static int take(struct blocks *x, const uint8_t *p, size_t n, struct err *e)
{
	struct rpc_node node;
	int r = rpc_node_decode(p, n, &node, e);

	if (r == 0 && !cid_defined(&node.cid))
		r = err_set(e, -EBADMSG, "a block without a CID");
	return r < 0 ? r : keep(x, &node);
}

void rpc_ipfs_block_stream(void *arg, struct gorpc_call *call, const uint8_t *p, size_t n)
{
	struct blocks *x = gorpc_call_arg(call);
	struct err e = { 0 };
	int r;

	if (!x)
		x = begin(arg, call);
	if (!x) {
		rpc_fail(call, "out of memory");
		return;
	}
	x->last = !p;
	r = p ? take(x, p, n, &e) : 0;
	if (r < 0) {
		blocks_fail(x, e.code ? e.msg : strerror(-r));
		return;
	}
	if (put_next(x) && !x->held && x->bytes >= WAITING_MAX) {
		x->held = true;
		gorpc_hold(call);
	}
}
