/* Pins in error whose next attempt is due go back into the queue. */
#include "cluster/tracker_internal.h"

#include <errno.h>

#include "util/clock.h"

int64_t tracker_retry_delay_s(const struct tracker *t, uint32_t attempts)
{
	int64_t max = t->opt.pin_recover_interval_ms / 1000, s = TRACKER_RETRY_MIN_S;

	if (max < 1)
		max = 1;
	while (attempts-- > 1 && s < max)
		s *= 2;
	return s < max ? s : max;
}

int tracker_requeue(struct store_txn *t, const struct tracker *tr, uint64_t serial, bool now)
{
	const struct tracker_config *cfg = tr->opt.config;
	struct status_row row;
	struct pin_row pin;
	int r = status_get(t, serial, &row);
	int64_t age_ms;

	if (r == 0)
		r = pinset_row(t, serial, &pin);
	if (r < 0)
		return r;
	age_ms = (clock_now_s() - pin.timestamp) * 1000;
	if (!now)
		now = (int64_t)row.attempts <= cfg->priority_pin_max_retries &&
		      age_ms <= cfg->priority_pin_max_age_ms;
	row.held |= row.status == STATUS_PINNED || row.status == STATUS_UNEXPECTEDLY_UNPINNED;
	row.status = STATUS_PIN_QUEUED;
	row.rank = now ? 0 : 1;
	row.since_ns = clock_now_ns();
	row.retry_s = 0;
	row.error_len = 0;
	return status_put(t, serial, &row);
}

static int requeue_due(struct store_txn *t, struct store_batch *b)
{
	const struct tracker *tr = container_of(b, struct tracker, due);
	int64_t second = 0, now = clock_now_s();
	uint64_t serial = 0;
	int n = 0;

	while (n < TRACKER_PAGE) {
		int r = due_next(t, DUE_RETRY, &second, &serial);

		if (r == -ENOENT || (r == 0 && second > now))
			break;
		if (r == 0)
			r = tracker_requeue(t, tr, serial, false);
		if (r < 0 && r != -ENOENT)
			return r;
		n += r == 0;
	}
	return n;
}

static void requeued(struct store_batch *b, int status)
{
	struct tracker *t = container_of(b, struct tracker, due);

	t->due_busy = false;
	if (status > 0 && !t->closing) {
		tracker_soon(t);
		tracker_due(t);
	}
	tracker_unuse(t);
}

void tracker_due(struct tracker *t)
{
	struct store_txn *txn;
	uint64_t n;

	if (t->due_busy || !t->known.up || store_read(t->opt.store, &txn) < 0)
		return;
	n = store_info(txn)->by_status[STATUS_PIN_ERROR] +
	    store_info(txn)->by_status[STATUS_UNEXPECTEDLY_UNPINNED];
	store_read_end(txn);
	if (n == 0)
		return;
	t->due_busy = true;
	t->due.fn = requeue_due;
	t->due.done = requeued;
	tracker_use(t);
	store_submit(t->opt.store, &t->due);
}
