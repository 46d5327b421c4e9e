/* Beginning and end of both halves, and their timer. */
#include "net/gorpc.h"

#include <stdlib.h>

#include "net/gorpc_internal.h"
#include "util/container.h"

const char *const gorpc_protocol[1] = { GORPC_PROTOCOL };

/* ---- time ---- */

uint64_t gorpc_now(const struct gorpc *g)
{
	return uv_now(g->timer.loop);
}

static void on_timer(uv_timer_t *t)
{
	struct gorpc *g = container_of(t, struct gorpc, timer);
	uint64_t now = gorpc_now(g), next;

	g->wake_at = GORPC_NEVER;
	next = serve_expire(g, now);
	if (next != GORPC_NEVER)
		gorpc_wake(g, next);
	next = requests_expire(g, now);
	if (next != GORPC_NEVER)
		gorpc_wake(g, next);
}

void gorpc_wake(struct gorpc *g, uint64_t ms)
{
	uint64_t now = gorpc_now(g);

	if (g->closing || ms >= g->wake_at)
		return;
	g->wake_at = ms;
	uv_timer_start(&g->timer, on_timer, ms > now ? ms - now : 0, 0);
}

/* ---- life ---- */

int gorpc_new(struct host *h, uv_loop_t *loop, const struct gorpc_config *cfg, struct gorpc **ret,
	      struct err *e)
{
	struct gorpc *g = calloc(1, sizeof(*g));
	const struct stream_protocol p = { gorpc_protocol[0], serve_accepted, g };
	int r;

	if (!g)
		return err_sys(e, -ENOMEM, "starting remote calls");
	r = host_serve(h, &p);
	if (r < 0) {
		free(g);
		return err_sys(e, r, "starting remote calls");
	}
	g->host = h;
	g->cfg = cfg;
	g->wake_at = GORPC_NEVER;
	list_init(&g->callers);
	list_init(&g->requests);
	uv_timer_init(loop, &g->timer);
	*ret = g;
	return 0;
}

static void on_timer_closed(uv_handle_t *t)
{
	struct gorpc *g = container_of((uv_timer_t *)t, struct gorpc, timer);
	void (*closed)(void *) = g->closed;
	void *arg = g->closed_arg;

	free(g);
	if (closed)
		closed(arg);
}

void gorpc_close(struct gorpc *g, void (*closed)(void *arg), void *arg)
{
	g->closing = true;
	g->closed = closed;
	g->closed_arg = arg;
	host_unserve(g->host, gorpc_protocol[0]);
	serve_end_all(g);
	requests_end_all(g);
	uv_close((uv_handle_t *)&g->timer, on_timer_closed);
}
