#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "store/blocks.h"
#include "store/pinset.h"
#include "tests/sim/sim.h"
#include "types/pin_pb.h"
#include "util/container.h"

#define NAMES 4
#define CIDS (SIM_CIDS + 2 * SIM_MANY)
#define SMALL_MAX 4 /* changes of an ordinary operation */

struct sim_ack *sim_acks;
size_t sim_n_acks;
static size_t cap_acks;
static uint64_t next_stamp, next_order;
static uint64_t latest[SIM_REPLICAS_MAX][CIDS];

void sim_ops_start(void)
{
	sim_n_acks = 0;
	next_stamp = next_order = 1;
	memset(latest, 0, sizeof(latest));
}

void sim_ops_stop(void)
{
	free(sim_acks);
	sim_acks = NULL;
	sim_n_acks = cap_acks = 0;
}

void sim_cid(unsigned i, struct cid *ret)
{
	cid_of_block(CODEC_RAW, &i, sizeof(i), ret);
}

size_t sim_value(unsigned cid, unsigned name, uint64_t stamp, uint8_t out[256])
{
	static const char *const names[NAMES] = { "", "a", "b", "folder/name" };
	struct buf value = BUF_INIT(256);
	struct pin p;
	size_t n;

	pin_init(&p);
	sim_cid(cid, &p.cid);
	p.type = PIN_TYPE_DATA;
	p.replication_min = p.replication_max = -1;
	p.max_depth = PIN_DEPTH_RECURSIVE;
	p.timestamp = 1700000000 + (int64_t)stamp;
	p.name.p = names[name % NAMES];
	p.name.n = strlen(p.name.p);
	assert_int_equal(0, pin_pb_encode(&p, &value));
	memcpy(out, value.data, n = value.len);
	buf_deinit(&value);
	pin_deinit(&p);
	return n;
}

/* ---- one operation ---- */

struct op_change {
	unsigned cid;
	uint64_t order;
	uint8_t value[256]; /* put, or seen when it was removed */
	size_t value_len;
};

struct op {
	struct consensus_op op;
	struct sim_replica *r;
	unsigned life;
	struct op_change *about;
};

/* What a removal removes. */
static void see(const struct store_txn *t, const struct consensus_change *ch, struct op_change *a)
{
	struct pin_row row;

	a->value_len = 0;
	if (pinset_find(t, &ch->cid, &row) < 0 || row.flags & PIN_ROW_PENDING)
		return;
	assert_true(row.value_len <= sizeof(a->value));
	memcpy(a->value, row.value, row.value_len);
	a->value_len = row.value_len;
}

static int decide(struct store_txn *t, struct consensus_op *base)
{
	struct op *o = container_of(base, struct op, op);

	for (size_t i = 0; i < base->n_changes; i++)
		if (base->changes[i].unpin)
			see(t, &base->changes[i], &o->about[i]);
	return 1;
}

static void acknowledged(const struct op *o, size_t i)
{
	const struct op_change *a = &o->about[i];
	struct sim_ack *ack;

	if (sim_n_acks == cap_acks) {
		cap_acks = cap_acks ? 2 * cap_acks : 256;
		sim_acks = realloc(sim_acks, cap_acks * sizeof(*sim_acks));
		assert_non_null(sim_acks);
	}
	ack = &sim_acks[sim_n_acks++];
	*ack = (struct sim_ack){ .replica = o->r->number,
				 .cid = a->cid,
				 .order = a->order,
				 .unpin = o->op.changes[i].unpin,
				 .value_len = a->value_len };
	memcpy(ack->value, a->value, a->value_len);
	sim_say("%6.1f %u: %s %u, order %llu\n", (double)sim_now() / 1000, ack->replica,
		ack->unpin ? "removed" : "put", ack->cid, (unsigned long long)ack->order);
}

static void done(struct consensus_op *base, int status)
{
	struct op *o = container_of(base, struct op, op);

	for (size_t i = 0; i < base->n_changes; i++) {
		if (status == 0 && o->life == o->r->life && base->changes[i].applied &&
		    o->about[i].value_len > 0)
			acknowledged(o, i);
		buf_deinit(&base->changes[i].value);
	}
	assert_true(status == 0 || status == -ENOSPC);
	free(base->changes);
	free(o->about);
	free(o);
}

/* A later change of the same pin, on a peer that gathers changes, may be all that is left of both.
 */
static void supersede(const struct sim_replica *r, unsigned cid, uint64_t order)
{
	if (r->cfg.max_batch_size > 0)
		latest[r->number][cid] = order;
}

bool sim_ack_counts(const struct sim_ack *a)
{
	return !a->void_ && a->order >= latest[a->replica][a->cid];
}

struct plan { /* of an operation */
	unsigned first;
	size_t n;
	struct {
		bool unpin;
		unsigned name;
		uint64_t stamp;
	} changes[SIM_MANY];
};

static void plan_op(struct plan *p, bool many)
{
	p->n = many ? 100 + sim_roll(SIM_MANY - 100) : 1 + sim_roll(SMALL_MAX);
	p->first = many ? SIM_CIDS + sim_roll(SIM_MANY - (unsigned)p->n + 1) : sim_roll(SIM_CIDS);
	for (size_t i = 0; i < p->n; i++) {
		p->changes[i].unpin = sim_chance(30);
		p->changes[i].name = sim_roll(NAMES);
		/* Now and then the same value again. */
		p->changes[i].stamp = sim_chance(80) ? next_stamp++ : 1;
	}
}

static void fill_change(struct op *o, const struct plan *p, size_t i)
{
	struct consensus_change *ch = &o->op.changes[i];
	struct op_change *a = &o->about[i];

	a->cid = p->first + (unsigned)i;
	if (p->n <= SMALL_MAX)
		a->cid %= SIM_CIDS;
	a->order = next_order++;
	sim_cid(a->cid, &ch->cid);
	ch->unpin = p->changes[i].unpin;
	supersede(o->r, a->cid, a->order);
	if (ch->unpin)
		return;
	a->value_len = sim_value(a->cid, p->changes[i].name, p->changes[i].stamp, a->value);
	assert_int_equal(0, buf_append(&ch->value, a->value, a->value_len));
}

static void submit(struct sim_replica *r, const struct plan *p)
{
	struct op *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->op.changes = calloc(p->n, sizeof(*o->op.changes));
	o->about = calloc(p->n, sizeof(*o->about));
	assert_true(o->op.changes && o->about);
	o->op.n_changes = p->n;
	o->op.decide = decide;
	o->op.done = done;
	o->r = r;
	o->life = r->life;
	for (size_t i = 0; i < p->n; i++)
		fill_change(o, p, i);
	sim_say("%6.1f %u: %zu changes from %u, order %llu\n", (double)sim_now() / 1000, r->number,
		p->n, p->first, (unsigned long long)o->about[0].order);
	r->engine->ops->submit(r->engine, &o->op);
}

void sim_op(struct sim_replica *r)
{
	static struct plan p;

	plan_op(&p, r->cfg.max_batch_size == 0 && sim_chance(2));
	submit(r, &p);
}

void sim_op_twice(struct sim_replica *a, struct sim_replica *b)
{
	static struct plan p;

	plan_op(&p, sim_chance(20));
	submit(a, &p);
	submit(b, &p);
}

/* ---- jobs ---- */

struct job {
	struct store_batch batch;
	struct sim_replica *r;
	unsigned life;
	int left; /* changes still to be made up */
	unsigned from;
};

static void job_done(struct store_batch *b, int status)
{
	struct job *j = container_of(b, struct job, batch);
	struct sim_replica *r = j->r;

	assert_true(status >= 0);
	if (r->engine && r->life == j->life)
		r->engine->ops->replaced(r->engine);
	free(j);
}

static void submit_job(struct sim_replica *r, int (*fn)(struct store_txn *, struct store_batch *))
{
	struct job *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	j->r = r;
	j->life = r->life;
	j->batch = (struct store_batch){ .fn = fn, .done = job_done };
	store_submit_job(r->disk.store, &j->batch);
}

/* Others have what it had; what it acknowledged itself may be gone. */
static int clean(struct store_txn *none, struct store_batch *b)
{
	struct sim_replica *r = container_of(b, struct job, batch)->r;
	struct store_txn *t;
	int c;

	sim_say("%6.1f %u: cleaned\n", (double)sim_now() / 1000, r->number);
	assert_int_equal(0, store_read(r->disk.store, &t));
	for (uint64_t n = 1; n < store_info(t)->next_block; n++) {
		struct block_row row;

		if (blocks_row(t, n, &row) == 0 && row.stored)
			sim_stranger_keep(&row.cid, row.data, row.len);
	}
	store_read_end(t);
	for (size_t i = 0; i < sim_n_acks; i++)
		if (sim_acks[i].replica == r->number)
			sim_acks[i].void_ = true;
	c = store_clean(r->disk.store);
	return c;
}

void sim_clean(struct sim_replica *r)
{
	submit_job(r, clean);
}

static int next_change(void *arg, const struct store_txn *t, struct consensus_change *ch,
		       struct err *e)
{
	struct job *j = arg;
	unsigned cid = j->from + (unsigned)j->left;
	uint8_t value[256];
	size_t n;

	if (j->left-- == 0)
		return 0;
	supersede(j->r, cid, next_order++);
	sim_cid(cid, &ch->cid);
	ch->unpin = sim_chance(30);
	n = sim_value(cid, sim_roll(NAMES), next_stamp++, value);
	return ch->unpin || buf_append(&ch->value, value, n) == 0 ? 1 : -ENOMEM;
}

static int allow(void *arg, const struct store_txn *t, struct err *e)
{
	return 0;
}

static int many(struct store_txn *none, struct store_batch *b)
{
	struct job *j = container_of(b, struct job, batch);
	struct consensus_many m = { .next = next_change, .allow = allow, .arg = j };
	struct err e = { 0 };
	int r;

	j->left = 1 + (int)sim_roll(SIM_MANY - 1);
	j->from = SIM_CIDS + sim_roll(SIM_MANY);
	sim_say("%6.1f %u: %d changes at once\n", (double)sim_now() / 1000, j->r->number, j->left);
	r = j->r->engine ? j->r->engine->ops->apply_many(j->r->engine, &m, &e) : 0;
	return r;
}

void sim_many(struct sim_replica *r)
{
	submit_job(r, many);
}
