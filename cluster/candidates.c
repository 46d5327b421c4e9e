#include "cluster/candidates.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct candidates {
	struct candidates_options opt;
	struct candidates_view *last;
	uint64_t version; /* of the monitor then */
	int64_t taken_ns;
};

int candidates_new(const struct candidates_options *opt, struct candidates **ret)
{
	struct candidates *c = calloc(1, sizeof(*c));

	assert(!opt->monitor ||
	       (opt->config->allocate_by.n > 0 && opt->config->allocate_by.n <= ALLOC_METRICS_MAX));
	if (!c)
		return -ENOMEM;
	c->opt = *opt;
	*ret = c;
	return 0;
}

void candidates_free(struct candidates *c)
{
	if (!c)
		return;
	candidates_view_put(c->last);
	free(c);
}

void candidates_view_put(struct candidates_view *v)
{
	if (!v || atomic_fetch_sub(&v->users, 1) > 1)
		return;
	bump_free_all(v->memory.chunks);
	free(v->members);
	free(v);
}

static void *view_alloc(struct candidates_view *v, size_t n, size_t size)
{
	return n <= CANDIDATES_BYTES_MAX / size ? bump_alloc(&v->memory, n * size) : NULL;
}

/* ---- taking a picture ---- */

/* The peers, in the order of their IDs, become fewer with each metric. */
struct taking {
	const struct candidates_options *opt;
	struct candidates_view *v;
	struct metric *metrics; /* v->n_metrics of each peer */
	size_t cap;
	size_t level;        /* the metric */
	size_t cursor, kept; /* peers that were looked at, and those that have it */
	bool failed;
};

static bool count(void *arg, const struct metric *m)
{
	++*(size_t *)arg;
	return true;
}

static bool may_pin(const struct candidates_options *opt, const struct peerid *peer)
{
	bool trusted = !opt->is_trusted || opt->is_trusted(opt->arg, peer);

	return trusted ? !opt->untrusted_only : !opt->trusted_only;
}

static bool add_peer(void *arg, const struct metric *m)
{
	struct taking *t = arg;
	struct candidates_view *v = t->v;

	if (may_pin(t->opt, &m->peer)) {
		v->peers[v->n_peers] =
		    (struct alloc_peer){ .peer = m->peer,
					 .metrics = &t->metrics[v->n_peers * v->n_metrics] };
		v->n_peers++;
	}
	return v->n_peers < t->cap;
}

static bool add_metric(void *arg, const struct metric *m)
{
	struct taking *t = arg;
	struct candidates_view *v = t->v;
	struct metric *place;
	char *value;
	int r = -1;

	while (t->cursor < v->n_peers &&
	       (r = peerid_compare(&v->peers[t->cursor].peer, &m->peer)) < 0)
		t->cursor++;
	if (r != 0)
		return t->cursor < v->n_peers;
	value = view_alloc(v, m->value_len, 1);
	t->failed = !value;
	if (!value)
		return false;
	if (m->value_len > 0)
		memcpy(value, m->value, m->value_len);
	place = &t->metrics[v->peers[t->cursor].metrics - t->metrics] + t->level;
	*place = *m;
	place->name = t->opt->config->allocate_by.v[t->level];
	place->value = value;
	v->peers[t->kept++] = v->peers[t->cursor++];
	return true;
}

static int take_peers(const struct candidates_options *opt, int64_t now_ns,
		      struct candidates_view *v)
{
	const struct names *by = &opt->config->allocate_by;
	struct taking t = { .opt = opt, .v = v };

	v->n_metrics = by->n;
	monitor_each(opt->monitor, by->v[0], now_ns, count, &t.cap);
	if (t.cap == 0)
		return 0;
	v->peers = view_alloc(v, t.cap, sizeof(*v->peers));
	t.metrics = view_alloc(v, t.cap * v->n_metrics, sizeof(*t.metrics));
	if (!v->peers || !t.metrics)
		return v->memory.err ? v->memory.err : -EFBIG;
	monitor_each(opt->monitor, by->v[0], now_ns, add_peer, &t);
	for (; t.level < v->n_metrics && !t.failed; t.level++) {
		t.cursor = t.kept = 0;
		monitor_each(opt->monitor, by->v[t.level], now_ns, add_metric, &t);
		v->n_peers = t.kept;
	}
	return t.failed ? v->memory.err : 0;
}

static int take_self(const struct candidates_options *opt, struct candidates_view *v)
{
	v->peers = view_alloc(v, 1, sizeof(*v->peers));
	v->members = malloc(sizeof(*v->members));
	if (!v->peers || !v->members)
		return -ENOMEM;
	v->peers[0] = (struct alloc_peer){ .peer = opt->self };
	v->members[0] = opt->self;
	v->n_peers = v->n_members = 1;
	return 0;
}

struct others {
	const struct peerid *self;
	bool any;
};

static bool find_other(void *arg, const struct metric *m)
{
	struct others *o = arg;

	o->any = !peerid_equal(o->self, &m->peer);
	return !o->any;
}

/* Also not while the others it knew are away: they come back. */
static bool is_alone(const struct candidates_options *opt)
{
	struct others o = { .self = &opt->self };

	if (opt->monitor)
		monitor_each_any(opt->monitor, opt->alive, find_other, &o);
	return !o.any;
}

static int take(const struct candidates_options *opt, int64_t now_ns, struct candidates_view *v)
{
	int r;

	if (is_alone(opt))
		return take_self(opt, v);
	r = monitor_members(opt->monitor, opt->alive, &opt->self, now_ns, &v->members,
			    &v->n_members);
	return r < 0 ? r : take_peers(opt, now_ns, v);
}

int candidates_view(struct candidates *c, int64_t now_ns, struct candidates_view **ret)
{
	uint64_t version = c->opt.monitor ? monitor_version(c->opt.monitor) : 0;
	int64_t age = now_ns - c->taken_ns;
	struct candidates_view *v = c->last;
	int r;

	if (!v || version != c->version || age < 0 || age >= CANDIDATES_AGE_NS) {
		v = calloc(1, sizeof(*v));
		if (!v)
			return -ENOMEM;
		v->users = 1;
		v->memory.left = CANDIDATES_BYTES_MAX;
		r = take(&c->opt, now_ns, v);
		if (r < 0) {
			candidates_view_put(v);
			return r;
		}
		candidates_view_put(c->last);
		c->last = v;
		c->version = version;
		c->taken_ns = now_ns;
	}
	atomic_fetch_add(&v->users, 1);
	*ret = v;
	return 0;
}
