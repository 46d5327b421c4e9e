/*
 * A peer among others whose calls the test makes: a real cluster, store, engine, host (that listens
 * to nothing) and gossip, a fake Kubo, and fake calls. Include after cmocka.h.
 */
#pragma once

#include "cluster/rpc_internal.h"
#include "cluster/tracker_internal.h"
#include "net/pubsub.h"
#include "tests/fakes/gorpc_fake.h"
#include "tests/fakes/kubo_fake.h"
#include "tests/lib/store_fixture.h"
#include "types/identity.h"
#include "util/clock.h"

#define ADDRESS "/ip4/1.2.3.4/tcp/9096" /* what the peer announces */

struct fix {
	struct store_fix s;
	struct cluster_config config;
	struct tracker_config tracker;
	struct monitor_config monitor;
	struct crdt_config crdt;
	struct informer_config informer;
	struct allocator_config allocator;
	struct kubo_config kubo_config;
	struct identity self;
	struct peerid friend, stranger; /* of which the first is trusted */
	struct multiaddr address;
	struct host *host;
	struct pubsub *pubsub;
	struct kubo *kubo;
	struct consensus *consensus;
	struct cluster *cluster;
	struct gorpc *rpc;
	uv_timer_t guard;
	unsigned ran_ms;
	bool closed, kubo_closed, host_closed, pubsub_closed;
	struct bump memory;
	struct pin pin;
};

int fix_setup(void **state);
int fix_teardown(void **state);
/* The peer's end; what is called after it fails. */
void fix_close(struct fix *f);
void fix_turn(struct fix *f); /* one turn of the loop */
#define fix_until(f, condition)                                                                    \
	while (!(condition))                                                                       \
	fix_turn(f)

/* The friend calls a method with this argument (NULL: a stream without any); freed by the caller.
 */
struct gorpc_call *fix_call(struct fix *f, const char *service, const char *method,
			    const struct buf *argument);
struct gorpc_call *fix_call_cid(struct fix *f, const char *service, const char *method,
				const struct cid *cid);
/* It comes to a good end. */
void fix_finished(struct fix *f, struct gorpc_call *c);
/* It ends in this error. Frees it. */
void fix_failed(struct fix *f, struct gorpc_call *c, const char *text);
/* The value of a unary call, or the i-th of a stream; its memory is the fixture's. */
void fix_info(struct fix *f, const struct gorpc_call *c, size_t i, struct rpc_pin_info *ret);
bool fix_is(const struct pin_text *t, const char *want);

/* A pin with number @i in this state, past all that watches. Returns its serial. */
uint64_t fix_pin(struct fix *f, unsigned i, enum status status);
void fix_unpin(struct fix *f, unsigned i, const char *error); /* an entry in the list of unpins */
enum status fix_status(struct fix *f, uint64_t serial);
bool fix_is_pinned(struct fix *f, const struct cid *cid, struct pin *ret); /* in the pinset */
