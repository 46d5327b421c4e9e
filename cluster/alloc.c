#include "cluster/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "types/hash.h"

#define DISTANCE_LEN 32

/* ---- the order of candidates ----
 *
 * A tree with one level for each metric of allocate_by. At a level the peers of one branch form
 * partitions: those with an equal value of a metric that says it is partitionable share one, any
 * other peer is one alone. Partitions go by weight, then by the weights of all that is in them,
 * heaviest first, then by value. Peers are taken from the partitions in turn, so that the copies
 * of a pin come to lie in as many groups as there are, and in the best places of each.
 *
 * The reference leaves open what comes first where all of this is equal; here it is the lower ID.
 */

struct node {
	const struct alloc_peer *peer;
	/* of its partition at the level that is being looked at: */
	int64_t weight, sum;
	const struct peerid *first; /* names it */
	/* its partition's place among those of its branch, per level */
	size_t part[ALLOC_METRICS_MAX];
	size_t pos; /* its place in its partition's order */
};

static const struct metric *metric_at(const struct node *n, size_t level)
{
	return &n->peer->metrics[level];
}

static int compare_values(const struct metric *a, const struct metric *b)
{
	size_t n = a->value_len < b->value_len ? a->value_len : b->value_len;
	int r = n > 0 ? memcmp(a->value, b->value, n) : 0;

	return r != 0 ? r : (a->value_len > b->value_len) - (a->value_len < b->value_len);
}

static bool same_partition(const struct node *a, const struct node *b, size_t level)
{
	const struct metric *x = metric_at(a, level), *y = metric_at(b, level);

	return x->partitionable && y->partitionable && compare_values(x, y) == 0;
}

/* Partitions become contiguous, their peers by ID. */
static int by_partition(const void *a, const void *b, void *level)
{
	const struct node *x = a, *y = b;
	const struct metric *m = metric_at(x, *(size_t *)level);
	const struct metric *n = metric_at(y, *(size_t *)level);
	int r = 0;

	if (m->partitionable != n->partitionable)
		return m->partitionable ? -1 : 1;
	if (m->partitionable)
		r = compare_values(m, n);
	return r != 0 ? r : peerid_compare(&x->peer->peer, &y->peer->peer);
}

static int by_weight(const void *a, const void *b, void *level)
{
	const struct node *x = a, *y = b;
	int r;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->sum != y->sum)
		return x->sum > y->sum ? -1 : 1;
	r = compare_values(metric_at(x, *(size_t *)level), metric_at(y, *(size_t *)level));
	if (r == 0)
		r = peerid_compare(x->first, y->first);
	return r != 0 ? r : peerid_compare(&x->peer->peer, &y->peer->peer);
}

/* In turn: all that are the first of their partition, then the second. */
static int by_turn(const void *a, const void *b, void *level)
{
	const struct node *x = a, *y = b;
	size_t p = x->part[*(size_t *)level], q = y->part[*(size_t *)level];

	if (x->pos != y->pos)
		return x->pos < y->pos ? -1 : 1;
	return (p > q) - (p < q);
}

/* How many of the @n nodes at @v are of the partition of the first. */
static size_t partition_len(const struct node *v, size_t n, size_t level)
{
	size_t k = 1;

	while (k < n && same_partition(&v[0], &v[k], level))
		k++;
	return k;
}

/* Sums run over, as those of the reference do. */
static int64_t sum_of(const struct node *v, size_t n, size_t from, size_t to)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t level = from; level < to; level++)
			sum += (uint64_t)metric_at(&v[i], level)->weight;
	return (int64_t)sum;
}

/* Puts the partitions of one branch into their order. */
static void partition(struct node *v, size_t n, size_t level, size_t levels)
{
	size_t len;

	qsort_r(v, n, sizeof(*v), by_partition, &level);
	for (size_t i = 0; i < n; i += len) {
		len = partition_len(&v[i], n - i, level);
		v[i].weight = sum_of(&v[i], len, level, level + 1);
		v[i].sum = sum_of(&v[i], len, level, levels);
		v[i].first = &v[i].peer->peer;
		for (size_t k = i + 1; k < i + len; k++) {
			v[k].weight = v[i].weight;
			v[k].sum = v[i].sum;
			v[k].first = v[i].first;
		}
	}
	qsort_r(v, n, sizeof(*v), by_weight, &level);
}

/* One branch; calls itself for its partitions, at most ALLOC_METRICS_MAX deep. */
static void order(struct node *v, size_t n, size_t level, size_t levels)
{
	size_t len, part = 0;

	if (level == levels)
		return; /* by ID already */
	partition(v, n, level, levels);
	for (size_t i = 0; i < n; i += len, part++) {
		len = partition_len(&v[i], n - i, level);
		order(&v[i], len, level + 1, levels);
		for (size_t k = 0; k < len; k++) {
			v[i + k].pos = k;
			v[i + k].part[level] = part;
		}
	}
	qsort_r(v, n, sizeof(*v), by_turn, &level);
}

/* ---- how many, and whom ---- */

static bool is_in(const struct peerid *id, const struct peerid *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (peerid_equal(id, &v[i]))
			return true;
	return false;
}

/* Those of the existing allocations that can be allocated now, in their order. */
static size_t valid_current(const struct alloc_request *rq, struct peerid *out)
{
	size_t n = 0;

	for (size_t i = 0; i < rq->n_current; i++) {
		bool is_peer = false;

		for (size_t k = 0; k < rq->n_peers && !is_peer; k++)
			is_peer = peerid_equal(&rq->current[i], &rq->peers[k].peer);
		if (is_peer && !is_in(&rq->current[i], out, n))
			out[n++] = rq->current[i];
	}
	return n;
}

/* All others: first those asked for, then the rest, each in their order. */
static size_t candidates(const struct alloc_request *rq, struct node *out)
{
	size_t n = 0, first = 0;

	for (int asked = 1; asked >= 0; asked--) {
		first = n;
		for (size_t i = 0; i < rq->n_peers; i++) {
			const struct peerid *id = &rq->peers[i].peer;

			if (!is_in(id, rq->current, rq->n_current) &&
			    is_in(id, rq->priority, rq->n_priority) == asked)
				out[n++].peer = &rq->peers[i];
		}
		order(&out[first], n - first, 0, rq->n_metrics);
	}
	return n;
}

static int too_few(int64_t needed, int64_t wanted, size_t available, struct err *e)
{
	return err_set(e, -ENOSPC,
		       "not enough peers to allocate CID. Needed at least: %lld. Wanted at most: "
		       "%lld. Available candidates: %zu. See logs for more info.",
		       (long long)needed, (long long)wanted, available);
}

/* Behind the @n valid ones at @list. Returns how many it has then. */
static int add_picked(const struct alloc_request *rq, struct peerid *list, size_t n, struct err *e)
{
	int64_t needed = rq->min - (int64_t)n, wanted = rq->max - (int64_t)n;
	struct node *v = calloc(rq->n_peers + 1, sizeof(*v));
	size_t available;
	int r = 0;

	if (!v)
		return err_sys(e, -ENOMEM, "choosing peers");
	available = candidates(rq, v);
	if ((int64_t)available < needed)
		r = too_few(needed, wanted, available, e);
	for (size_t i = 0; r == 0 && i < available && (int64_t)i < wanted; i++)
		list[n++] = v[i].peer->peer;
	free(v);
	return r < 0 ? r : (int)n;
}

int alloc_pick(const struct alloc_request *rq, struct peerid **ret, size_t *ret_n, bool *ret_kept,
	       struct err *e)
{
	struct peerid *list;
	int n;

	*ret = NULL;
	*ret_n = 0;
	*ret_kept = false;
	if (rq->max < 0)
		return 0;
	list = calloc(rq->n_current + rq->n_peers + 1, sizeof(*list));
	if (!list)
		return err_sys(e, -ENOMEM, "choosing peers");
	n = (int)valid_current(rq, list);
	if (n > rq->max) {
		n = rq->max;
	} else if (n >= rq->min) {
		n = (int)rq->n_current;
		for (int i = 0; i < n; i++)
			list[i] = rq->current[i];
		*ret_kept = true;
	} else {
		n = add_picked(rq, list, (size_t)n, e);
	}
	if (n < 0) {
		free(list);
		return n;
	}
	*ret = list;
	*ret_n = (size_t)n;
	return 0;
}

/* ---- who of all does it ---- */

struct distance {
	uint8_t bytes[DISTANCE_LEN];
};

static struct distance distance_of(const struct distance *cid, const struct peerid *peer)
{
	struct distance d;

	hash_blake2b(d.bytes, sizeof(d.bytes), peer->bytes, peer->len);
	for (size_t i = 0; i < sizeof(d.bytes); i++)
		d.bytes[i] ^= cid->bytes[i];
	return d;
}

bool alloc_is_closest(const struct cid *cid, const struct peerid *self, const struct peerid *v,
		      size_t n)
{
	struct distance hash, mine, other;

	hash_blake2b(hash.bytes, sizeof(hash.bytes), cid->bytes, cid->len);
	mine = distance_of(&hash, self);
	for (size_t i = 0; i < n; i++) {
		other = distance_of(&hash, &v[i]);
		if (memcmp(mine.bytes, other.bytes, sizeof(mine.bytes)) > 0)
			return false;
	}
	return true;
}
