#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/cluster/tracker_fixture.h"

int64_t fix_now_ns;

static int64_t now(void)
{
	return fix_now_ns;
}

/* Each millisecond, so that no step of the loop waits for the next tick. */
static void on_guard(uv_timer_t *timer)
{
	struct fix *f = container_of(timer, struct fix, guard);

	if (++f->ran_ms < GUARD_MS)
		return;
	fprintf(stderr, "the test hangs\n");
	abort();
}

static void on_changed(void *arg, const struct cid *cid, uint64_t serial, enum status status,
		       const char *error)
{
	struct fix *f = arg;

	f->changed[status]++;
}

static void on_kubo(void *arg, bool up, const char *error)
{
	struct fix *f = arg;

	f->ups += up;
	f->downs += !up;
}

static void on_repo(void *arg)
{
	struct fix *f = arg;

	f->repos++;
}

static void on_worked(void *arg)
{
	struct fix *f = arg;

	f->worked++;
}

int fix_setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fix_now_ns = 1750000000 * NS_PER_S;
	clock_fake(now);
	store_fix_setup(&f->s);
	f->kubo = kubo_fake_new(&f->s.loop);
	uv_timer_init(&f->s.loop, &f->guard);
	uv_timer_start(&f->guard, on_guard, 1, 1);
	f->config = (struct tracker_config){ .concurrent_pins = 10,
					     .priority_pin_max_age_ms = 86400000,
					     .priority_pin_max_retries = 5 };
	peerid_from_ed25519((const uint8_t[32]){ 1 }, &f->self);
	peerid_from_ed25519((const uint8_t[32]){ 2 }, &f->other);
	pin_init(&f->pin);
	*state = f;
	return 0;
}

static void on_closed(void *arg)
{
	*(bool *)arg = true;
}

void fix_start(struct fix *f)
{
	const struct tracker_options opt = {
		.store = f->s.store,
		.loop = &f->s.loop,
		.kubo = f->kubo,
		.kubo_config = &f->kubo_config,
		.config = &f->config,
		.pin_recover_interval_ms = 3600000,
		.self = f->self,
		.events = { .changed = on_changed,
			    .kubo = on_kubo,
			    .repo = on_repo,
			    .worked = on_worked,
			    .arg = f },
	};

	assert_int_equal(0, tracker_new(&opt, &f->t, NULL));
}

void fix_close(struct fix *f)
{
	tracker_close(f->t, on_closed, &f->closed);
	assert_false(f->closed);
	while (!f->closed)
		uv_run(&f->s.loop, UV_RUN_ONCE);
	f->t = NULL;
}

int fix_teardown(void **state)
{
	struct fix *f = *state;

	if (f->t)
		fix_close(f);
	kubo_close(f->kubo, NULL, NULL);
	uv_close((uv_handle_t *)&f->guard, NULL);
	pin_deinit(&f->pin);
	store_fix_teardown(&f->s);
	clock_fake(NULL);
	free(f);
	return 0;
}

static bool is_busy(const struct fix *f, unsigned held)
{
	const struct tracker *t = f->t;

	return !t->known.asked || kubo_fake_open(f->kubo) != held || t->n_waiting || t->round ||
	       t->due_busy || t->save_busy || uv_is_active((const uv_handle_t *)&t->soon);
}

void fix_settle(struct fix *f, unsigned held)
{
	while (is_busy(f, held))
		uv_run(&f->s.loop, UV_RUN_ONCE);
}

void fix_until_call(struct fix *f, enum kubo_fake_what what)
{
	unsigned before = kubo_fake_calls(f->kubo, what);

	while (kubo_fake_calls(f->kubo, what) == before)
		uv_run(&f->s.loop, UV_RUN_ONCE);
}

void fix_pass(struct fix *f, int64_t seconds)
{
	fix_now_ns += seconds * NS_PER_S;
	tracker_tick(f->t);
}

void fix_run(struct fix *f)
{
	fix_start(f);
	fix_settle(f, 0);
}

void fix_after(struct fix *f, int64_t seconds)
{
	fix_pass(f, seconds);
	fix_settle(f, 0);
}

struct pin *fix_pin(struct fix *f, unsigned i)
{
	store_fix_pin(&f->pin, i, "");
	f->pin.timestamp = fix_now_ns / NS_PER_S;
	return &f->pin;
}

void fix_leave_to_other(struct fix *f)
{
	f->pin.replication_min = f->pin.replication_max = 1;
	f->pin.allocations = &f->other;
	f->pin.n_allocations = 1;
}

static uint64_t store(struct fix *f, uint8_t rank)
{
	struct store_txn *t = store_fix_write(&f->s);
	uint64_t serial = store_fix_set(t, &f->pin, rank);

	assert_int_equal(0, store_commit(t));
	return serial;
}

uint64_t fix_store(struct fix *f)
{
	return store(f, 1);
}

uint64_t fix_put(struct fix *f)
{
	uint64_t serial = store(f, 0);

	tracker_pin_put(f->t, &f->pin.cid, serial);
	return serial;
}

uint64_t fix_add(struct fix *f, unsigned i)
{
	fix_pin(f, i);
	return fix_put(f);
}

uint64_t fix_pinned(struct fix *f, unsigned i)
{
	uint64_t serial = fix_add(f, i);

	fix_settle(f, 0);
	return serial;
}

void fix_del(struct fix *f, unsigned i)
{
	struct store_txn *t = store_fix_write(&f->s);
	struct pin_row row;
	struct cid cid;
	uint64_t serial;

	store_fix_cid(i, &cid);
	assert_int_equal(0, pinset_find(t, &cid, &row));
	serial = row.serial;
	store_fix_unset(t, &cid);
	assert_int_equal(0, store_commit(t));
	tracker_pin_del(f->t, &cid, serial);
}

void fix_set_kubo(struct fix *f, unsigned i, enum kubo_pin_kind kind)
{
	struct cid cid;

	store_fix_cid(i, &cid);
	kubo_fake_set(f->kubo, &cid, kind);
}

enum kubo_pin_kind fix_kind(struct fix *f, unsigned i)
{
	struct cid cid;

	store_fix_cid(i, &cid);
	return kubo_fake_kind(f->kubo, &cid);
}

struct status_row fix_status(struct fix *f, uint64_t serial)
{
	struct store_txn *t = store_fix_read(&f->s);
	struct status_row row;

	assert_int_equal(0, status_get(t, serial, &row));
	memcpy(f->error, row.error, row.error_len);
	f->error[row.error_len] = '\0';
	row.error = f->error;
	store_read_end(t);
	return row;
}

uint64_t fix_count(struct fix *f, enum status status)
{
	struct store_txn *t = store_fix_read(&f->s);
	uint64_t n = store_info(t)->by_status[status];

	store_read_end(t);
	return n;
}

uint64_t fix_unpins(struct fix *f)
{
	struct store_txn *t = store_fix_read(&f->s);
	uint64_t n;

	assert_int_equal(0, unpin_count(t, &n));
	store_read_end(t);
	return n;
}
