/* A tracker over a store in a scratch folder, a fake Kubo and a clock of its own. Include after
 * cmocka.h. */
#pragma once

#include "cluster/tracker_internal.h"
#include "tests/fakes/kubo_fake.h"
#include "tests/lib/store_fixture.h"
#include "util/clock.h"

#define GUARD_MS 30000

struct fix {
	struct store_fix s;
	struct kubo *kubo;
	struct tracker *t;
	struct kubo_config kubo_config;
	struct tracker_config config;
	struct peerid self, other;
	struct pin pin;
	uv_timer_t guard;
	unsigned ran_ms;
	bool closed;
	/* events */
	unsigned changed[STATUS_NR];
	char error[STATUS_ERROR_MAX];
	unsigned ups, downs, repos, worked;
};

extern int64_t fix_now_ns; /* the clock */

int fix_setup(void **state);
int fix_teardown(void **state);
/* Starts the tracker; the store and Kubo may have been filled before. */
void fix_start(struct fix *f);
void fix_run(struct fix *f); /* starts and settles */
void fix_close(struct fix *f);
/* Runs the loop until nothing is under way that ends by itself. @held: calls that are held. */
void fix_settle(struct fix *f, unsigned held);
void fix_until_call(struct fix *f, enum kubo_fake_what what); /* until one more has begun */
void fix_pass(struct fix *f, int64_t seconds);                /* time passes, the tick comes */
void fix_after(struct fix *f, int64_t seconds);               /* passes and settles */

/* f->pin is a pin of everybody with CID @i; change it, then put it. */
struct pin *fix_pin(struct fix *f, unsigned i);
void fix_leave_to_other(struct fix *f); /* f->pin becomes one of the other peer alone */
uint64_t fix_store(struct fix *f);      /* f->pin into the store, no word to the tracker; rank 1 */
uint64_t fix_put(struct fix *f);
uint64_t fix_add(struct fix *f, unsigned i);    /* puts a pin of everybody */
uint64_t fix_pinned(struct fix *f, unsigned i); /* adds and settles */
void fix_del(struct fix *f, unsigned i);
void fix_set_kubo(struct fix *f, unsigned i, enum kubo_pin_kind kind);
enum kubo_pin_kind fix_kind(struct fix *f, unsigned i);

/* The state of a pin; its error in f->error. */
struct status_row fix_status(struct fix *f, uint64_t serial);
uint64_t fix_count(struct fix *f, enum status status);
uint64_t fix_unpins(struct fix *f);
