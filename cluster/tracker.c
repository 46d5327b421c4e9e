/* The tracker's life, and what others tell it. The work is in the files tracker_*.c. */
#include "cluster/tracker_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

void tracker_tell(struct tracker *t, const struct cid *cid, uint64_t serial, enum status status,
		  const char *error)
{
	if (t->opt.events.changed)
		t->opt.events.changed(t->opt.events.arg, cid, serial, status, error ? error : "");
}

void tracker_tell_now(struct tracker *t, const uint64_t *serials, unsigned n)
{
	struct store_txn *txn;

	if (n == 0 || t->closing || store_read(t->opt.store, &txn) < 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		char error[STATUS_ERROR_MAX + 1] = "";
		struct status_row status;
		struct pin_row row;
		struct cid cid;

		if (pinset_row(txn, serials[i], &row) < 0 ||
		    status_get(txn, serials[i], &status) < 0 ||
		    cid_from_bytes(row.cid, row.cid_len, &cid, NULL) < 0)
			continue;
		if (status.error_len <= STATUS_ERROR_MAX)
			memcpy(error, status.error, status.error_len);
		tracker_tell(t, &cid, serials[i], status.status, error);
	}
	store_read_end(txn);
}

void tracker_tell_worked(struct tracker *t)
{
	if (t->opt.events.worked && !t->closing)
		t->opt.events.worked(t->opt.events.arg);
}

/* ---- timers ---- */

static void on_soon(uv_timer_t *timer)
{
	struct tracker *t = container_of(timer, struct tracker, soon);

	tracker_save(t);
	tracker_choose(t);
	tracker_save(t); /* what needed no call */
}

void tracker_soon(struct tracker *t)
{
	if (!t->closing && !uv_is_active((uv_handle_t *)&t->soon))
		uv_timer_start(&t->soon, on_soon, 0, 0);
}

void tracker_tick(struct tracker *t)
{
	t->unpin_after = 0;
	tracker_due(t);
	tracker_soon(t);
}

static void on_tick(uv_timer_t *timer)
{
	tracker_tick(container_of(timer, struct tracker, tick));
}

static void on_recover(uv_timer_t *timer)
{
	tracker_round(container_of(timer, struct tracker, recover));
}

static int timers_start(struct tracker *t)
{
	uint64_t recover = (uint64_t)t->opt.pin_recover_interval_ms;
	int r = uv_timer_init(t->opt.loop, &t->soon);

	if (r == 0)
		r = uv_timer_init(t->opt.loop, &t->tick);
	if (r == 0)
		r = uv_timer_init(t->opt.loop, &t->recover);
	if (r < 0)
		return r;
	t->users += 3;
	uv_timer_start(&t->tick, on_tick, TRACKER_TICK_MS, TRACKER_TICK_MS);
	if (recover > 0)
		uv_timer_start(&t->recover, on_recover, recover, recover);
	return 0;
}

/* ---- life ---- */

int tracker_new(const struct tracker_options *opt, struct tracker **ret, struct err *e)
{
	struct tracker *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_sys(e, -ENOMEM, "starting the pin tracker");
	t->opt = *opt;
	t->limit = (unsigned)opt->config->concurrent_pins;
	t->halved_ms = INT64_MIN / 2;
	pin_init(&t->pin);
	pthread_mutex_init(&t->lock, NULL);
	list_init(&t->calling);
	list_init(&t->finished);
	list_init(&t->saving);
	list_init(&t->background);
	r = timers_start(t);
	if (r == 0)
		r = tracker_kubo_start(t);
	if (r < 0) {
		/* libuv's timers need nothing of the system: this is a bug of the caller */
		pthread_mutex_destroy(&t->lock);
		free(t);
		return err_sys(e, r, "starting the pin tracker");
	}
	tracker_round(t);
	tracker_soon(t);
	*ret = t;
	return 0;
}

static void free_ops(struct list *l)
{
	while (!list_empty(l)) {
		struct op *op = container_of(l->next, struct op, link);

		list_del(&op->link);
		op_free(op);
	}
}

void tracker_unuse(struct tracker *t)
{
	void (*closed)(void *arg) = t->closed;
	void *arg = t->closed_arg;

	if (--t->users > 0 || !t->closing)
		return;
	free_ops(&t->finished);
	free_ops(&t->saving);
	buf_deinit(&t->gc_keys);
	pin_deinit(&t->pin);
	pthread_mutex_destroy(&t->lock);
	free(t);
	if (closed)
		closed(arg);
}

#define ON_CLOSED(timer)                                                                           \
	static void on_##timer##_closed(uv_handle_t *h)                                            \
	{                                                                                          \
		tracker_unuse(container_of(h, struct tracker, timer));                             \
	}
ON_CLOSED(soon)
ON_CLOSED(tick)
ON_CLOSED(recover)
ON_CLOSED(probe)

void tracker_close(struct tracker *t, void (*closed)(void *arg), void *arg)
{
	struct list *it, *next;

	t->closing = true;
	t->closed = closed;
	t->closed_arg = arg;
	list_each_safe (it, next, &t->calling)
		op_cancel(container_of(it, struct op, link));
	tracker_round_stop(t);
	tracker_kubo_stop(t);
	if (t->gc_call)
		kubo_cancel(t->gc_call);
	uv_close((uv_handle_t *)&t->soon, on_soon_closed);
	uv_close((uv_handle_t *)&t->tick, on_tick_closed);
	uv_close((uv_handle_t *)&t->recover, on_recover_closed);
	uv_close((uv_handle_t *)&t->probe, on_probe_closed);
}

/* ---- the pinset changed ---- */

void tracker_pin_put(struct tracker *t, const struct cid *cid, uint64_t serial)
{
	tracker_look(t, serial);
}

static bool is_gone(struct tracker *t, uint64_t serial)
{
	struct store_txn *txn;
	struct pin_row row;
	bool gone;

	if (store_read(t->opt.store, &txn) < 0)
		return false;
	gone = pinset_row(txn, serial, &row) == -ENOENT;
	store_read_end(txn);
	return gone;
}

const char *tracker_unpin_refusal(const struct tracker *t)
{
	return t->opt.kubo_config->unpin_disable
		   ? "ipfs unpinning is disallowed by configuration on this peer"
		   : NULL;
}

void tracker_pin_del(struct tracker *t, const struct cid *cid, uint64_t serial)
{
	struct op *op = tracker_op_of(t, false, serial);
	const char *refusal = tracker_unpin_refusal(t);

	if (op && op->started_ms)
		op_cancel(op);
	tracker_tell(t, cid, 0, refusal ? STATUS_UNPIN_ERROR : STATUS_UNPIN_QUEUED, refusal);
}

void tracker_replaced(struct tracker *t)
{
	struct list *it, *next;

	list_each_safe (it, next, &t->calling) {
		struct op *op = container_of(it, struct op, link);

		if (op->kind != OP_UNPIN && is_gone(t, op->serial))
			op_cancel(op);
	}
	t->replaced++;
	t->surveyed = false;
	tracker_round(t);
	tracker_soon(t);
}

/* ---- what is under way ---- */

static bool is_calling(struct tracker *t, bool (*match)(const struct op *op, const void *arg),
		       const void *arg)
{
	struct list *it;
	bool found = false;

	pthread_mutex_lock(&t->lock);
	list_each (it, &t->calling)
		found |= match(container_of(it, struct op, link), arg);
	pthread_mutex_unlock(&t->lock);
	return found;
}

static bool is_pin(const struct op *op, const void *serial)
{
	return op->kind == OP_PIN && op->serial == *(const uint64_t *)serial;
}

static bool is_unpin(const struct op *op, const void *cid)
{
	return op->kind == OP_UNPIN && cid_equal(&op->cid, cid);
}

bool tracker_pinning(struct tracker *t, uint64_t serial)
{
	return is_calling(t, is_pin, &serial);
}

bool tracker_unpinning(struct tracker *t, const struct cid *cid)
{
	return is_calling(t, is_unpin, cid);
}

int tracker_next_pinning(struct tracker *t, uint64_t after, uint64_t *ret_serial)
{
	struct list *it;
	int r = -ENOENT;

	pthread_mutex_lock(&t->lock);
	list_each (it, &t->calling) {
		const struct op *op = container_of(it, struct op, link);

		if (op->kind != OP_PIN || op->serial <= after ||
		    (r == 0 && op->serial >= *ret_serial))
			continue;
		*ret_serial = op->serial;
		r = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}
