#include "consensus/crdt/announce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consensus/crdt/broadcast.h"
#include "consensus/crdt/fetch.h"
#include "store/blocks.h"
#include "types/cid_set.h"
#include "util/container.h"

#define LOG_AREA "crdt"
#include "util/log.h"

struct announce {
	struct store *store;
	const struct crdt_config *cfg;
	const struct crdt_net *net;
	struct cid_set seen; /* named by others since the last time */
	uv_timer_t often, soon;
	uint64_t changed_ms; /* the last change of ours */
	unsigned burst;      /* changes up to that one */
	uint64_t again_ms;   /* until the heads are named after a burst; 0: there was none */
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- heads ---- */

static int read_heads_of(const struct store_txn *t, const struct cid_set *without,
			 struct cid *heads, size_t max, size_t *ret_n)
{
	uint64_t number = 0, height;
	size_t n = 0;
	int r = 0;

	while (n < max && (r = heads_next(t, &number, &height)) == 0) {
		struct block_row row;

		r = blocks_row(t, number, &row);
		if (r < 0)
			return r;
		if (!without || !cid_set_has(without, &row.cid))
			cid_copy(&heads[n++], &row.cid);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_n = n;
	return 0;
}

/* The present heads, as many as one message may name, but those in @without (may be NULL). The
 * caller frees. */
static int read_heads(struct store *s, const struct cid_set *without, struct cid **ret,
		      size_t *ret_n)
{
	struct cid *heads = NULL;
	struct store_txn *t;
	uint64_t count;
	int r = store_read(s, &t);

	if (r < 0)
		return r;
	r = heads_count(t, &count);
	if (count > BROADCAST_HEADS_MAX)
		count = BROADCAST_HEADS_MAX;
	if (r == 0) {
		heads = malloc((count + 1) * sizeof(*heads));
		r = heads ? read_heads_of(t, without, heads, count, ret_n) : -ENOMEM;
	}
	store_read_end(t);
	if (r < 0)
		free(heads);
	else
		*ret = heads;
	return r;
}

/* ---- publishing ---- */

static int say(struct announce *a, struct cid *heads, size_t n)
{
	struct buf out = BUF_INIT(0);
	int r = broadcast_encode(heads, n, &out);

	if (r == 0)
		r = a->net->publish(a->net->arg, out.data, out.len);
	buf_deinit(&out);
	return r;
}

static void publish(struct announce *a, const struct cid_set *without)
{
	struct cid *heads;
	size_t n;
	int r = read_heads(a->store, without, &heads, &n);

	if (r == 0) {
		r = n > 0 ? say(a, heads, n) : 0;
		free(heads);
	}
	if (r < 0)
		log_warn("the heads could not be announced: %s", strerror(-r));
}

static void on_soon(uv_timer_t *t)
{
	publish(container_of(t, struct announce, soon), NULL);
}

void announce_soon(struct announce *a)
{
	if (!uv_is_active((uv_handle_t *)&a->soon))
		uv_timer_start(&a->soon, on_soon, ANNOUNCE_SOON_MS, 0);
}

void announce_heard(struct announce *a, const struct cid *heads, size_t n)
{
	for (size_t i = 0; i < n && a->seen.n < ANNOUNCE_SEEN_MAX; i++) {
		struct cid plain;

		if (fetch_normalise(&heads[i], &plain) == 0)
			cid_set_add(&a->seen, &plain, 1); /* no memory: it is named once more */
	}
}

/* ---- time ---- */

static void plan(struct announce *a);

/* Heads that others keep naming need not be named by us too. */
static void on_often(uv_timer_t *t)
{
	struct announce *a = container_of(t, struct announce, often);

	publish(a, &a->seen);
	cid_set_deinit(&a->seen);
	cid_set_init(&a->seen);
	a->again_ms *= 2;
	plan(a);
}

/* 0.7 to 1.3 of the interval, so that peers do not speak all at once. */
static uint64_t period(const struct announce *a)
{
	uint64_t interval = (uint64_t)a->cfg->rebroadcast_interval_ms;
	uint16_t r = UINT16_MAX / 2;

	uv_random(NULL, NULL, &r, sizeof(r), 0, NULL);
	return interval * 7 / 10 + interval * 6 / 10 * r / UINT16_MAX;
}

static void plan(struct announce *a)
{
	if (a->again_ms >= (uint64_t)a->cfg->rebroadcast_interval_ms)
		a->again_ms = 0;
	uv_timer_start(&a->often, on_often, a->again_ms ? a->again_ms : period(a), 0);
}

void announce_now(struct announce *a)
{
	uint64_t now = uv_now(a->often.loop);
	bool goes_on = a->burst > 0 && now - a->changed_ms < ANNOUNCE_PAUSE_MS;

	publish(a, NULL);
	a->changed_ms = now;
	a->burst = goes_on ? a->burst + 1 : 1;
	if (a->burst < ANNOUNCE_BURST)
		return;
	a->again_ms = ANNOUNCE_PAUSE_MS;
	plan(a);
}

/* ---- life ---- */

int announce_new(struct store *s, uv_loop_t *loop, const struct crdt_config *cfg,
		 const struct crdt_net *net, struct announce **ret)
{
	struct announce *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->store = s;
	a->cfg = cfg;
	a->net = net;
	cid_set_init(&a->seen);
	uv_timer_init(loop, &a->often);
	uv_timer_init(loop, &a->soon);
	plan(a);
	*ret = a;
	return 0;
}

static void on_closed(struct announce *a)
{
	void (*closed)(void *) = a->closed;
	void *arg = a->closed_arg;

	if (--a->open > 0)
		return;
	cid_set_deinit(&a->seen);
	free(a);
	closed(arg);
}

static void often_closed(uv_handle_t *t)
{
	on_closed(container_of((uv_timer_t *)t, struct announce, often));
}

static void soon_closed(uv_handle_t *t)
{
	on_closed(container_of((uv_timer_t *)t, struct announce, soon));
}

void announce_close(struct announce *a, void (*closed)(void *arg), void *arg)
{
	a->closed = closed;
	a->closed_arg = arg;
	a->open = 2;
	uv_close((uv_handle_t *)&a->often, often_closed);
	uv_close((uv_handle_t *)&a->soon, soon_closed);
}
