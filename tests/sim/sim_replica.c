#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/sim/sim.h"

struct sim sim;

static void on_put(void *arg, const struct cid *cid, uint64_t serial)
{
	((struct sim_replica *)arg)->puts++;
}

static void on_del(void *arg, const struct cid *cid, uint64_t serial)
{
	((struct sim_replica *)arg)->dels++;
}

static void on_replaced(void *arg)
{
	((struct sim_replica *)arg)->replaced++;
}

static void on_closed(void *arg)
{
	((struct sim_replica *)arg)->closed = true;
}

static void on_image(void *arg)
{
	struct sim_replica *r = arg;

	sim_replica_crash(r);
	sim_replica_start(r);
}

void sim_replica_start(struct sim_replica *r)
{
	struct err e = { 0 };

	r->disk.crash = on_image;
	r->disk.arg = r;
	r->events = (struct consensus_events){
		.pin_put = on_put, .pin_del = on_del, .replaced = on_replaced, .arg = r
	};
	sim_disk_open(&r->disk);
	sim_net_init(r);
	if (crdt_new(r->disk.store, &sim_loop, &r->cfg, &r->events, &r->engine, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(0, crdt_attach(r->engine, &r->net));
	sim_net_joined(r);
}

void sim_replica_stop(struct sim_replica *r)
{
	struct consensus *engine = r->engine;

	r->engine = NULL; /* nobody reaches it any more */
	r->closed = false;
	engine->ops->close(engine, on_closed, r);
	while (!r->closed) {
		sim_disk_step(&r->disk);
		uv_run(&sim_loop, UV_RUN_NOWAIT);
	}
	r->life++;
	sim_disk_close(&r->disk);
	sim_net_forget(r);
}

void sim_replica_crash(struct sim_replica *r)
{
	sim_say("%6.1f %u: crash\n", (double)sim_now() / 1000, r->number);
	sim_disk_image(&r->disk);
	r->life++; /* what it acknowledges now is not heard */
	sim_replica_stop(r);
	sim_disk_use_image(&r->disk);
}

void sim_replica_remove(struct sim_replica *r)
{
	sim_disk_remove(&r->disk);
	*r = (struct sim_replica){ 0 };
}
