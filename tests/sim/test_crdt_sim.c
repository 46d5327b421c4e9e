/*
 * Whatever happens on the way, replicas of the set end with the same pins: those that the rules
 * give for all blocks together. Each run is made of a seed. PINFS_SIM_FIRST and PINFS_SIM_SEEDS
 * choose which, PINFS_SIM_TRACE says what happens in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>

#include "tests/sim/sim.h"
#include "util/container.h"

#define LOG_AREA "sim"
#include "util/log.h"

#define SEEDS 200
#define SECOND 1000
#define MINUTE (60 * SECOND)
#define TROUBLE_MS (8 * MINUTE)
#define PEACE_MS (60 * MINUTE) /* at most, until all is quiet */
#define LOOK_MS (5 * SECOND)
#define STEPS_MAX 120

static void configure(struct sim_replica *r)
{
	r->cfg = (struct crdt_config){ .trust_all = true,
				       .repair_interval_ms = (2 + sim_roll(10)) * MINUTE,
				       .rebroadcast_interval_ms = MINUTE };
	if (sim_chance(75))
		return;
	r->cfg.max_batch_size = 2 + sim_roll(6);
	r->cfg.max_batch_age_ms = 1 + sim_roll(20 * SECOND);
	sim_say("%u gathers %d changes for %d ms\n", r->number, (int)r->cfg.max_batch_size,
		(int)r->cfg.max_batch_age_ms);
}

static void begin(uint64_t seed)
{
	sim_clock_start(seed);
	sim = (struct sim){ .lost = sim_roll(4) * 12,
			    .doubled = sim_roll(3) * 10,
			    .refused = sim_roll(3) * 10,
			    .whole = sim_roll(3) * 50,
			    .delay_ms = 1 + sim_roll(3000) };
	sim.n = 2 + sim_roll(sim_chance(20) ? SIM_REPLICAS_MAX - 1 : 4);
	sim_ops_start();
	sim_stranger_start();
	for (unsigned i = 0; i < sim.n; i++) {
		struct sim_replica *r = &sim.replicas[i];

		r->number = i;
		configure(r);
		sim_disk_init(&r->disk);
		r->disk.fail_percent = sim_chance(30) ? 10 : 0;
	}
	for (unsigned i = 0; i < sim.n; i++)
		sim_replica_start(&sim.replicas[i]);
}

static void end(void)
{
	for (unsigned i = 0; i < sim.n; i++)
		sim_replica_stop(&sim.replicas[i]);
	sim_clock_stop();
	for (unsigned i = 0; i < sim.n; i++)
		sim_replica_remove(&sim.replicas[i]);
	sim_ops_stop();
	sim_stranger_stop();
}

/* ---- trouble ---- */

static void disturb(struct sim_replica *r)
{
	switch (sim_roll(8)) {
	case 0:
	case 1:
		sim_replica_crash(r);
		if (sim_chance(70))
			sim_replica_start(r);
		break;
	case 2: /* in the middle of what it will be doing */
		r->disk.crash_after = 1 + sim_roll(6);
		break;
	case 3:
		sim_replica_stop(r);
		sim_replica_start(r);
		break;
	case 4:
		sim_net_part(1 + sim_roll(3));
		break;
	case 5:
		if (sim_chance(30))
			sim_clean(r);
		break;
	case 6:
		if (sim_chance(30))
			sim_many(r);
		break;
	default:
		sim_stranger_act();
	}
}

/* At best what both have is the same too: then it is one block. */
static void do_the_same(struct sim_replica *a, struct sim_replica *b)
{
	if (a != b && b->engine)
		sim_op_twice(a, b);
}

static void make_trouble(void)
{
	unsigned pace = 200 + sim_roll(20 * SECOND);

	for (unsigned n = 0; n < STEPS_MAX && sim_now() < TROUBLE_MS; n++) {
		struct sim_replica *r = &sim.replicas[sim_roll(sim.n)];

		sim_run(sim_now() + sim_roll(pace));
		if (!r->engine)
			sim_replica_start(r);
		else if (sim_chance(15))
			disturb(r);
		else if (sim_chance(15))
			do_the_same(r, &sim.replicas[sim_roll(sim.n)]);
		else
			sim_op(r);
	}
}

/* ---- peace ---- */

static void make_peace(void)
{
	sim.refused = sim.lost = 0;
	for (unsigned i = 0; i < sim.n; i++) {
		struct sim_replica *r = &sim.replicas[i];

		r->disk.fail_percent = 0;
		r->disk.crash_after = 0;
		if (!r->engine)
			sim_replica_start(r);
	}
	sim_net_part(1);
}

static uint64_t wait_for_quiet(void)
{
	uint64_t begun = sim_now();

	while (!sim_oracle_quiet() && sim_now() < begun + PEACE_MS)
		sim_run(sim_now() + LOOK_MS);
	return sim_now() - begun;
}

static void run(uint64_t seed, uint64_t *longest)
{
	uint64_t ms;

	begin(seed);
	make_trouble();
	make_peace();
	ms = wait_for_quiet();
	sim_oracle_check();
	if (ms > *longest)
		*longest = ms;
	end();
}

static unsigned number_of(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void replicas_end_with_the_pins_that_the_rules_give(void **state)
{
	unsigned first = number_of("PINFS_SIM_FIRST", 1), n = number_of("PINFS_SIM_SEEDS", SEEDS);
	uint64_t longest = 0;

	sim_trace = getenv("PINFS_SIM_TRACE") != NULL;
	for (unsigned seed = first; seed < first + n; seed++) {
		/* Seen when the test fails. */
		print_message("# seed %u\n", seed);
		run(seed, &longest);
	}
	print_message("# %u seeds, the last was quiet after %llu s\n", n,
		      (unsigned long long)longest / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replicas_end_with_the_pins_that_the_rules_give),
	};

	if (sodium_init() < 0)
		return 1;
	if (!getenv("PINFS_SIM_TRACE"))
		log_init(LOG_LEVEL_ERROR, false);
	return cmocka_run_group_tests_name("crdt_sim", tests, NULL, NULL);
}
