#include "consensus/crdt/announce.h"

#include <errno.h>
#include <stdlib.h>

#include "consensus/crdt/broadcast.h"
#include "store/blocks.h"
#include "util/container.h"

#define LOG_AREA "crdt"
#include "util/log.h"

struct announce {
	struct store *store;
	const struct crdt_config *cfg;
	const struct crdt_net *net;
	struct block_id *seen; /* named by others since the last time */
	size_t n_seen;
	uv_timer_t often, soon;
	unsigned open;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool is_seen(const struct announce *a, const struct cid *cid)
{
	struct block_id id;

	block_id_of_cid(cid, &id);
	for (size_t i = 0; i < a->n_seen; i++)
		if (memcmp(a->seen[i].bytes, id.bytes, sizeof(id.bytes)) == 0)
			return true;
	return false;
}

/* The present heads; those that others named are left out where @unseen. The caller frees. */
static int read_heads(struct announce *a, bool unseen, struct cid **ret, size_t *ret_n)
{
	struct cid *heads = NULL;
	struct store_txn *t;
	uint64_t number = 0, height, count;
	size_t n = 0;
	int r = store_read(a->store, &t);

	if (r < 0)
		return r;
	r = heads_count(t, &count);
	if (r == 0) {
		if (count > BROADCAST_HEADS_MAX)
			count = BROADCAST_HEADS_MAX;
		heads = malloc((count + 1) * sizeof(*heads));
		r = heads ? 0 : -ENOMEM;
	}
	while (r == 0 && n < count && (r = heads_next(t, &number, &height)) == 0) {
		struct block_row row;

		r = blocks_row(t, number, &row);
		if (r == 0 && !(unseen && is_seen(a, &row.cid)))
			cid_copy(&heads[n++], &row.cid);
	}
	store_read_end(t);
	if (r < 0 && r != -ENOENT) {
		free(heads);
		return r;
	}
	*ret = heads;
	*ret_n = n;
	return 0;
}

static void publish(struct announce *a, bool unseen)
{
	struct buf out = BUF_INIT(0);
	struct cid *heads = NULL;
	size_t n;
	int r = read_heads(a, unseen, &heads, &n);

	if (r == 0 && n > 0) {
		r = broadcast_encode(heads, n, &out);
		if (r == 0)
			r = a->net->publish(a->net->arg, out.data, out.len);
		for (size_t i = 0; !unseen && i < n; i++)
			a->net->have(a->net->arg, &heads[i]);
	}
	if (r < 0)
		log_warn("the heads could not be announced: %s", strerror(-r));
	free(heads);
	buf_deinit(&out);
}

void announce_now(struct announce *a)
{
	publish(a, false);
}

static void soon(uv_timer_t *t)
{
	publish(container_of(t, struct announce, soon), false);
}

void announce_soon(struct announce *a)
{
	if (!uv_is_active((uv_handle_t *)&a->soon))
		uv_timer_start(&a->soon, soon, ANNOUNCE_SOON_MS, 0);
}

void announce_heard(struct announce *a, const struct cid *heads, size_t n)
{
	for (size_t i = 0; i < n && a->n_seen < ANNOUNCE_SEEN_MAX; i++)
		if (!is_seen(a, &heads[i]))
			block_id_of_cid(&heads[i], &a->seen[a->n_seen++]);
}

static void plan(struct announce *a);

/* Heads that others keep naming need not be named by us too. */
static void often(uv_timer_t *t)
{
	struct announce *a = container_of(t, struct announce, often);

	publish(a, true);
	a->n_seen = 0;
	plan(a);
}

/* 0.7 to 1.3 of the interval, so that peers do not speak all at once. */
static void plan(struct announce *a)
{
	uint64_t interval = (uint64_t)a->cfg->rebroadcast_interval_ms;
	uint16_t r;

	uv_random(NULL, NULL, &r, sizeof(r), 0, NULL);
	uv_timer_start(&a->often, often, interval * 7 / 10 + interval * 6 / 10 * r / UINT16_MAX, 0);
}

int announce_new(struct store *s, uv_loop_t *loop, const struct crdt_config *cfg,
		 const struct crdt_net *net, struct announce **ret)
{
	struct announce *a = calloc(1, sizeof(*a));

	if (a)
		a->seen = calloc(ANNOUNCE_SEEN_MAX, sizeof(*a->seen));
	if (!a || !a->seen) {
		free(a);
		return -ENOMEM;
	}
	a->store = s;
	a->cfg = cfg;
	a->net = net;
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
	free(a->seen);
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
