#include "cluster/brake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "util/clock.h"

#define BRAKE_BURST_MS (60 * 1000)
#define BRAKE_ALLOW_MS (10 * 60 * 1000)
#define BRAKE_FLOOR 100         /* so many may always go */
#define BRAKE_VIEW_COMMITS 5000 /* a view that is older keeps too many pages of the store */

struct brake {
	struct store *store;
	int64_t max_unpins;

	pthread_mutex_t lock; /* what follows */
	uint64_t burst;       /* removals so far */
	uint64_t pins_before; /* the burst */
	int64_t last_ms;      /* the last removal, or refusal */
	bool engaged;
	struct store_txn *view; /* the state before the burst */
	uint64_t allowance;
	int64_t allowance_until_ms;
};

int brake_new(struct store *s, int64_t max_unpins, struct brake **ret)
{
	struct brake *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->store = s;
	b->max_unpins = max_unpins;
	b->last_ms = INT64_MIN / 2;
	pthread_mutex_init(&b->lock, NULL);
	*ret = b;
	return 0;
}

void brake_free(struct brake *b)
{
	if (!b)
		return;
	if (b->view)
		store_read_end(b->view);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static bool burst_over(const struct brake *b, int64_t now)
{
	return now - b->last_ms >= BRAKE_BURST_MS;
}

static void burst_end(struct brake *b)
{
	if (b->view)
		store_read_end(b->view);
	b->view = NULL;
	b->burst = 0;
	b->engaged = false;
}

static uint64_t limit_of(const struct brake *b)
{
	uint64_t tenth = b->pins_before / 10;

	if (b->max_unpins > 0)
		return (uint64_t)b->max_unpins;
	return tenth > BRAKE_FLOOR ? tenth : BRAKE_FLOOR;
}

/* So few pins that all may go need no view. */
static bool worth_a_view(const struct brake *b)
{
	uint64_t limit = limit_of(b);

	return b->pins_before > (limit < BRAKE_FLOOR ? limit : BRAKE_FLOOR);
}

static uint64_t allowance_now(const struct brake *b, int64_t now)
{
	return now < b->allowance_until_ms ? b->allowance : 0;
}

static uint64_t spend(struct brake *b, uint64_t n)
{
	uint64_t spent = n < b->allowance ? n : b->allowance;

	b->allowance -= spent;
	return spent;
}

static int refuse(struct brake *b, uint64_t n, uint64_t limit, struct err *e)
{
	uint64_t left = b->pins_before > b->burst ? b->pins_before - b->burst : 0;

	b->engaged = true;
	return err_set(e, -EPERM,
		       "the brake: %llu of %llu pins removed within a minute, %llu more asked for, "
		       "%llu may go at once; to let it pass: echo %llu > state/allow",
		       (unsigned long long)b->burst, (unsigned long long)b->pins_before,
		       (unsigned long long)n, (unsigned long long)limit,
		       (unsigned long long)(left > n ? left : n));
}

int brake_check(struct brake *b, const struct store_txn *t, uint64_t n, struct err *e)
{
	int64_t now = clock_mono_ms();
	uint64_t limit;
	int r = 0;

	if (b->max_unpins < 0)
		return 0;
	pthread_mutex_lock(&b->lock);
	if (burst_over(b, now))
		burst_end(b);
	if (b->burst == 0 && !b->engaged) {
		b->pins_before = store_info(t)->pins;
		/* What the writer has committed so far is the state before the burst. */
		if (!b->view && worth_a_view(b))
			r = store_read(b->store, &b->view);
	}
	limit = limit_of(b);
	if (r < 0)
		err_sys(e, r, "keeping the state before the removal");
	else if (b->burst + n > limit && n > allowance_now(b, now))
		r = refuse(b, n, limit, e);
	b->last_ms = now;
	pthread_mutex_unlock(&b->lock);
	return r;
}

uint64_t brake_count(struct brake *b, uint64_t n)
{
	int64_t now = clock_mono_ms();
	uint64_t spent = 0;

	pthread_mutex_lock(&b->lock);
	b->burst += n;
	b->last_ms = now;
	if (b->burst > limit_of(b))
		spent = spend(b, n);
	pthread_mutex_unlock(&b->lock);
	return spent;
}

void brake_uncount(struct brake *b, uint64_t n, uint64_t spent)
{
	pthread_mutex_lock(&b->lock);
	b->allowance += spent;
	b->burst -= n < b->burst ? n : b->burst;
	pthread_mutex_unlock(&b->lock);
}

int brake_check_import(struct brake *b, uint64_t pins, uint64_t removed, struct err *e)
{
	int r = 0;

	if (b->max_unpins < 0)
		return 0;
	pthread_mutex_lock(&b->lock);
	if (pins > BRAKE_FLOOR && removed > pins / 2 && removed > allowance_now(b, clock_mono_ms()))
		r = err_set(e, -EPERM,
			    "the brake: the dump would remove %llu of %llu pins; to let it pass: "
			    "echo %llu > state/allow, then import again",
			    (unsigned long long)removed, (unsigned long long)pins,
			    (unsigned long long)removed);
	pthread_mutex_unlock(&b->lock);
	return r;
}

void brake_count_import(struct brake *b, uint64_t removed)
{
	pthread_mutex_lock(&b->lock);
	spend(b, removed);
	pthread_mutex_unlock(&b->lock);
}

bool brake_engaged(struct brake *b)
{
	bool engaged;

	pthread_mutex_lock(&b->lock);
	engaged = b->engaged && !burst_over(b, clock_mono_ms());
	pthread_mutex_unlock(&b->lock);
	return engaged;
}

bool brake_wants_dump(struct brake *b)
{
	bool wanted;

	pthread_mutex_lock(&b->lock);
	wanted = b->view && (b->engaged || store_commits_since(b->view) > BRAKE_VIEW_COMMITS);
	pthread_mutex_unlock(&b->lock);
	return wanted;
}

struct store_txn *brake_take_view(struct brake *b)
{
	struct store_txn *view;

	pthread_mutex_lock(&b->lock);
	view = b->view;
	b->view = NULL;
	pthread_mutex_unlock(&b->lock);
	return view;
}

void brake_return_view(struct brake *b, struct store_txn *view)
{
	pthread_mutex_lock(&b->lock);
	if (!b->view) {
		b->view = view;
		view = NULL;
	}
	pthread_mutex_unlock(&b->lock);
	if (view) /* there is a new burst, with a view of its own */
		store_read_end(view);
}

void brake_allow(struct brake *b, uint64_t n)
{
	pthread_mutex_lock(&b->lock);
	b->allowance = n;
	b->allowance_until_ms = clock_mono_ms() + BRAKE_ALLOW_MS;
	b->engaged = false;
	pthread_mutex_unlock(&b->lock);
}

uint64_t brake_allowance(struct brake *b)
{
	uint64_t n;

	pthread_mutex_lock(&b->lock);
	n = allowance_now(b, clock_mono_ms());
	pthread_mutex_unlock(&b->lock);
	return n;
}

void brake_tick(struct brake *b)
{
	pthread_mutex_lock(&b->lock);
	if (burst_over(b, clock_mono_ms()))
		burst_end(b);
	pthread_mutex_unlock(&b->lock);
}
