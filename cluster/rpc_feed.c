/* Calls that are answered by any number of values. */
#include <errno.h>

#include "cluster/rpc_internal.h"

#define PAGE_VALUES 256 /* of one feed in one turn of the loop */
#define PAGE_BYTES (256u << 10)

static void over(struct rpc_feed *f)
{
	list_del(&f->link);
	buf_deinit(&f->value);
	f->ops->free(f);
}

static void on_gone(struct rpc_wait *w)
{
	over(container_of(w, struct rpc_feed, wait));
}

void rpc_feed_go(struct rpc_feed *f)
{
	if (!f->wait.call)
		return;
	list_del(&f->link);
	list_add_tail(&f->s->going, &f->link);
	uv_idle_start(&f->s->idle, rpc_feed_run);
}

static void on_writable(void *arg, struct gorpc_call *call)
{
	rpc_feed_go(container_of(gorpc_call_arg(call), struct rpc_feed, wait));
}

void rpc_feed_begin(struct rpc_feed *f, struct rpc_server *s, struct gorpc_call *call,
		    const struct rpc_feed_ops *ops)
{
	f->s = s;
	f->ops = ops;
	list_init(&f->link);
	buf_init(&f->value, GORPC_VALUE_MAX);
	rpc_wait_begin(&f->wait, call, on_gone);
	gorpc_on_writable(call, on_writable);
	rpc_feed_go(f);
}

/* The next value out. As rpc_feed_ops.next, -EAGAIN also where the caller does not keep up. */
static int send_next(struct rpc_feed *f, const struct store_txn *t, size_t *bytes, struct err *e)
{
	int r = 1;

	if (f->value.len == 0)
		r = f->ops->next(f, t, &f->value, e);
	if (r == 1) {
		r = gorpc_reply(f->wait.call, f->value.data, f->value.len);
		if (r < 0)
			return r;
		*bytes += f->value.len;
		r = 1;
	}
	if (r >= 0)
		buf_reset(&f->value);
	return r;
}

static void end(struct rpc_feed *f, int r, const struct err *e)
{
	if (r == -ENOENT)
		gorpc_finish(f->wait.call);
	else
		rpc_fail(f->wait.call, "%s", e->code ? e->msg : strerror(-r));
	f->wait.call = NULL;
	over(f);
}

static void page(struct rpc_feed *f, const struct store_txn *t)
{
	struct err e = { 0 };
	size_t bytes = 0;
	int r = 0;

	for (unsigned n = 0; r >= 0 && n < PAGE_VALUES && bytes < PAGE_BYTES; n++)
		r = send_next(f, t, &bytes, &e);
	if (r >= 0) /* the others first */
		list_add_tail(&f->s->going, &f->link);
	else if (r != -EAGAIN)
		end(f, r, &e);
}

/* A page of each that is in the list now. */
void rpc_feed_run(uv_idle_t *idle)
{
	struct rpc_server *s = container_of(idle, struct rpc_server, idle);
	struct list now;
	struct store_txn *t;
	int r = store_read(s->c->opt.store, &t);

	list_init(&now);
	while (!list_empty(&s->going)) {
		struct list *it = s->going.next;

		list_del(it);
		list_add_tail(&now, it);
	}
	while (!list_empty(&now)) {
		struct rpc_feed *f = container_of(now.next, struct rpc_feed, link);

		list_del(&f->link);
		if (r < 0)
			end(f, r, &(struct err){ 0 });
		else
			page(f, t);
	}
	if (r == 0)
		store_read_end(t);
	if (list_empty(&s->going))
		uv_idle_stop(idle);
}
