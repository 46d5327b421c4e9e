/* Between the replicas: broadcasts that are lost, doubled and overtake one another, blocks that
 * come from whoever is reached and has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/sim/sim.h"
#include "util/container.h"

#define LOOK_MS 200   /* at most, until somebody is asked for a block */
#define AGAIN_MS 4000 /* at most, until somebody is asked again */

struct want {
	struct list item;
	struct cid cid;
	uint64_t number; /* never used twice */
};

static uint64_t next_want;

bool sim_net_reaches(const struct sim_replica *a, const struct sim_replica *b)
{
	return a != b && a->engine && b->engine && a->group == b->group;
}

/* ---- messages ---- */

struct message {
	struct sim_replica *from, *to; /* from NULL: a stranger */
	size_t n;
	uint8_t bytes[];
};

static void arrive(void *arg)
{
	struct message *m = arg;
	static const struct peerid nobody = { .len = 1 };
	const struct peerid *from = m->from ? &m->from->id : &nobody;

	if (m->to->engine && (!m->from || sim_net_reaches(m->from, m->to)))
		crdt_heard(m->to->engine, from, from, m->bytes, m->n);
	free(m);
}

static void send_one(struct sim_replica *from, struct sim_replica *to, const void *p, size_t n)
{
	struct message *m = malloc(sizeof(*m) + n);

	assert_non_null(m);
	m->from = from;
	m->to = to;
	m->n = n;
	memcpy(m->bytes, p, n);
	sim_after(1 + sim_roll((unsigned)sim.delay_ms), arrive, m);
}

void sim_net_tell(struct sim_replica *to, const void *p, size_t n)
{
	if (to->engine && !sim_chance(sim.lost))
		send_one(NULL, to, p, n);
}

static int publish(void *arg, const void *p, size_t n)
{
	struct sim_replica *from = arg;

	for (unsigned i = 0; i < sim.n; i++) {
		struct sim_replica *to = &sim.replicas[i];

		if (!sim_net_reaches(from, to) || sim_chance(sim.lost))
			continue;
		send_one(from, to, p, n);
		if (sim_chance(sim.doubled))
			send_one(from, to, p, n);
	}
	return 0;
}

/* ---- blocks ---- */

static struct want *want_find(const struct sim_replica *r, const struct cid *cid)
{
	struct list *it;

	list_each (it, &r->wants) {
		struct want *w = container_of(it, struct want, item);

		if (cid_equal(&w->cid, cid))
			return w;
	}
	return NULL;
}

static void want_free(struct want *w)
{
	list_del(&w->item);
	free(w);
}

/* Somebody is about to be asked, or a block is on its way. */
struct errand {
	struct sim_replica *r;
	uint64_t want;
	struct cid cid;
	struct buf block;
	bool again; /* comes though it is not wanted any more */
};

static void look(void *arg);

static void plan_look(struct sim_replica *r, const struct want *w, unsigned ms)
{
	struct errand *er = calloc(1, sizeof(*er));

	assert_non_null(er);
	er->r = r;
	er->want = w->number;
	cid_copy(&er->cid, &w->cid);
	sim_after(1 + sim_roll(ms), look, er);
}

static void errand_free(struct errand *er)
{
	buf_deinit(&er->block);
	free(er);
}

static void block_arrives(void *arg)
{
	struct errand *er = arg;
	struct sim_replica *r = er->r;
	static const struct peerid nobody = { .len = 1 };
	struct want *w = r->engine ? want_find(r, &er->cid) : NULL;

	if (w)
		want_free(w);
	if (w || (er->again && r->engine))
		crdt_block(r->engine, &er->cid, &nobody, er->block.data, er->block.len);
	errand_free(er);
}

/* Whoever has it gives it, beginning anywhere. */
static bool find_block(const struct sim_replica *r, const struct cid *cid, struct buf *out)
{
	const struct buf *kept = sim_stranger_block(cid);
	unsigned first = sim_roll(sim.n);
	size_t size;

	for (unsigned i = 0; i < sim.n; i++) {
		struct sim_replica *other = &sim.replicas[(first + i) % sim.n];

		if (!sim_net_reaches(r, other))
			continue;
		if (crdt_block_get(other->engine, cid, out, &size) == 1)
			return true;
	}
	if (!kept)
		return false;
	assert_int_equal(0, buf_append(out, kept->data, kept->len));
	return true;
}

static void look(void *arg)
{
	struct errand *er = arg;
	struct sim_replica *r = er->r;
	struct want *w = r->engine ? want_find(r, &er->cid) : NULL;

	if (!w || w->number != er->want) {
		errand_free(er);
		return;
	}
	if (sim_chance(sim.lost) || !find_block(r, &er->cid, &er->block)) {
		plan_look(r, w, AGAIN_MS);
		errand_free(er);
		return;
	}
	if (sim_chance(sim.doubled)) {
		struct errand *twin = calloc(1, sizeof(*twin));

		assert_non_null(twin);
		twin->r = r;
		twin->again = true;
		cid_copy(&twin->cid, &er->cid);
		assert_int_equal(0, buf_append(&twin->block, er->block.data, er->block.len));
		sim_after(1 + sim_roll(1000), block_arrives, twin);
	}
	sim_after(1 + sim_roll((unsigned)sim.delay_ms), block_arrives, er);
}

static int want(void *arg, const struct cid *cid, const struct peerid *hint)
{
	struct sim_replica *r = arg;
	struct want *w;

	if (want_find(r, cid))
		return 0;
	if (sim_chance(sim.refused))
		return -EAGAIN;
	w = calloc(1, sizeof(*w));
	assert_non_null(w);
	cid_copy(&w->cid, cid);
	w->number = ++next_want;
	list_add_tail(&r->wants, &w->item);
	plan_look(r, w, LOOK_MS);
	return 0;
}

static void cancel(void *arg, const struct cid *cid)
{
	struct want *w = want_find(arg, cid);

	if (w)
		want_free(w);
}

static void have(void *arg, const struct cid *cid)
{
	struct sim_replica *r = arg;

	for (unsigned i = 0; i < sim.n; i++) {
		struct sim_replica *other = &sim.replicas[i];
		struct want *w;

		if (!sim_net_reaches(r, other))
			continue;
		w = want_find(other, cid);
		if (w)
			plan_look(other, w, LOOK_MS);
	}
}

/* ---- who is there ---- */

void sim_net_init(struct sim_replica *r)
{
	static const uint8_t head[] = { 0, 36, 8, 1, 18, 32 };

	memcpy(r->id.bytes, head, sizeof(head));
	r->id.bytes[sizeof(head)] = (uint8_t)r->number;
	r->id.len = 38;
	list_init(&r->wants);
	r->net = (struct crdt_net){
		.publish = publish, .want = want, .cancel = cancel, .have = have, .arg = r
	};
}

void sim_net_forget(struct sim_replica *r)
{
	while (!list_empty(&r->wants))
		want_free(container_of(r->wants.next, struct want, item));
}

void sim_net_joined(struct sim_replica *r)
{
	for (unsigned i = 0; i < sim.n; i++) {
		struct sim_replica *other = &sim.replicas[i];

		if (!sim_net_reaches(r, other))
			continue;
		crdt_peer_up(r->engine, &other->id);
		crdt_peer_up(other->engine, &r->id);
	}
}

void sim_net_part(unsigned groups)
{
	unsigned before[SIM_REPLICAS_MAX];

	for (unsigned i = 0; i < sim.n; i++) {
		before[i] = sim.replicas[i].group;
		sim.replicas[i].group = sim_roll(groups);
	}
	for (unsigned i = 0; i < sim.n; i++) {
		for (unsigned k = i + 1; k < sim.n; k++) {
			struct sim_replica *a = &sim.replicas[i], *b = &sim.replicas[k];

			if (!sim_net_reaches(a, b) || before[i] == before[k])
				continue;
			crdt_peer_up(a->engine, &b->id);
			crdt_peer_up(b->engine, &a->id);
		}
	}
}
