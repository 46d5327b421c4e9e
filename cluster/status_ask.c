/*
 * The status of a pin in the whole cluster: the members that hold it are asked, the others are
 * remote. Answers are kept for two seconds, so that a file that is read twice asks once.
 * Source: ipfs-cluster 1.1.6 cluster.go, globalPinInfoCid.
 */
#include "cluster/status_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/internal.h"
#include "cluster/members.h"
#include "cluster/rpc_server.h"
#include "store/pinset.h"
#include "types/pin_info_json.h"
#include "util/clock.h"

#define CACHE_MAX 256
#define CACHE_MS 2000
#define CACHED_BYTES_MAX (64u << 10) /* of one answer; a longer one is not kept */
#define ANSWER_MEMORY_MAX (256u << 10)

/* One other peer. */
struct entry {
	struct peerid peer;
	char id[PEERID_TEXT_MAX];
	json_t *names;   /* "peer_name" and "ipfs_id" as far as they are known */
	bool ask;        /* else it has the status of those that hold nothing */
	struct buf text; /* its part of peer_map; empty: it is left out */
};

struct status_ask {
	struct cluster_request *rq;
	struct entry *v;
	size_t n, cap;
};

/* An answer without our own entry: what stands before it, and behind. */
struct answer {
	struct cid cid;
	int64_t until_ms;
	struct buf before, after;
};

struct status_cache {
	struct answer v[CACHE_MAX];
	size_t next;
};

/* ---- the cache ---- */

int status_cache_new(struct status_cache **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void answer_clear(struct answer *a)
{
	buf_deinit(&a->before);
	buf_deinit(&a->after);
	*a = (struct answer){ 0 };
}

void status_cache_free(struct status_cache *cache)
{
	for (size_t i = 0; cache && i < CACHE_MAX; i++)
		answer_clear(&cache->v[i]);
	free(cache);
}

static const struct answer *cached(const struct status_cache *cache, const struct cid *cid)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < CACHE_MAX; i++)
		if (cache->v[i].until_ms > now && cid_equal(&cache->v[i].cid, cid))
			return &cache->v[i];
	return NULL;
}

/* Takes over what @a has. */
static void keep(struct status_cache *cache, const struct cid *cid, struct answer *a)
{
	struct answer *to = &cache->v[cache->next++ % CACHE_MAX];

	if (a->before.len + a->after.len > CACHED_BYTES_MAX) {
		answer_clear(a);
		return;
	}
	answer_clear(to);
	*to = *a;
	cid_copy(&to->cid, cid);
	to->until_ms = clock_mono_ms() + CACHE_MS;
}

/* ---- the answer ---- */

static int add(struct buf *out, const struct buf *part)
{
	int r = part->len > 0 && out->len > 0 ? buf_byte(out, ',') : 0;

	return r < 0 ? r : buf_append(out, part->data, part->len);
}

/* Our own entry, which came with the request, goes where its ID stands. */
static int compose(struct cluster_request *rq, const struct answer *a)
{
	const struct buf own = { .data = (uint8_t *)rq->text, .len = strlen(rq->text) };
	int r = add(&rq->answer, &a->before);

	if (r == 0)
		r = add(&rq->answer, &own);
	return r < 0 ? r : add(&rq->answer, &a->after);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

static int collect(struct status_ask *ask, struct answer *a)
{
	char self[PEERID_TEXT_MAX];
	int r = 0;

	peerid_format(&ask->rq->cluster->opt.self, self);
	qsort(ask->v, ask->n, sizeof(*ask->v), by_id);
	for (size_t i = 0; r == 0 && i < ask->n; i++)
		r = add(strcmp(ask->v[i].id, self) < 0 ? &a->before : &a->after, &ask->v[i].text);
	return r;
}

static void ask_free(struct status_ask *ask)
{
	for (size_t i = 0; i < ask->n; i++) {
		json_decref(ask->v[i].names);
		buf_deinit(&ask->v[i].text);
	}
	free(ask->v);
	free(ask);
}

static void finish(struct status_ask *ask)
{
	struct cluster_request *rq = ask->rq;
	struct answer a = { 0 };
	int r = collect(ask, &a);

	if (r == 0)
		r = compose(rq, &a);
	if (r == 0)
		keep(rq->cluster->status_cache, &rq->items[0].pin.cid, &a);
	else
		answer_clear(&a);
	ask_free(ask);
	request_end(rq, r);
}

/* ---- what each one says ---- */

static struct pin_text name_in(const struct entry *en, const char *key)
{
	const char *s = json_string_value(json_object_get(en->names, key));

	return pin_text_of(s ? s : "");
}

/* A status that it did not say itself. */
static void write_for_it(struct entry *en, enum status status, const char *error)
{
	const struct pin_info_text info = { .peer = en->id,
					    .peername = name_in(en, "peer_name"),
					    .ipfs_peer = name_in(en, "ipfs_id"),
					    .status = status,
					    .since_ns = clock_now_ns(),
					    .error = pin_text_of(error) };

	if (pin_info_json_write(&info, &en->text) < 0)
		buf_reset(&en->text);
}

int64_t said_time_ns(const struct rpc_time *t)
{
	const int64_t furthest = INT64_MAX / NS_PER_S - 1;

	if (!t->set)
		return 0;
	if (t->s > furthest || t->s < -furthest)
		return (t->s > 0 ? furthest : -furthest) * NS_PER_S;
	return t->s * NS_PER_S + t->ns;
}

static int write_said(struct entry *en, const struct rpc_pin_info *i)
{
	char ipfs[PEERID_TEXT_MAX] = "";
	const struct pin_info_text info = { .peer = en->id,
					    .peername = i->peername,
					    .ipfs_peer = { .p = ipfs },
					    .status = i->status,
					    .since_ns = said_time_ns(&i->since),
					    .error = i->error,
					    .attempts = i->attempts,
					    .priority = i->priority };
	struct pin_info_text with_ipfs = info;

	if (i->ipfs_peer.len > 0)
		with_ipfs.ipfs_peer.n = peerid_format(&i->ipfs_peer, ipfs);
	return pin_info_json_write(&with_ipfs, &en->text);
}

static void on_value(void *arg, struct survey_peer *p, const uint8_t *data, size_t n)
{
	struct bump bump = { .left = ANSWER_MEMORY_MAX };
	struct entry *en = p->arg;
	struct rpc_pin_info info;
	struct err e = { 0 };
	int r = rpc_pin_info_decode(data, n, &bump, &info, &e);

	buf_reset(&en->text);
	if (r == 0)
		r = write_said(en, &info);
	if (r < 0) {
		buf_reset(&en->text);
		write_for_it(en, STATUS_CLUSTER_ERROR, "its answer cannot be read");
	}
	bump_free_all(bump.chunks);
}

static void on_done(void *arg, struct survey_peer *peers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (peers[i].end == SURVEY_FAILED)
			write_for_it(peers[i].arg, STATUS_CLUSTER_ERROR, peers[i].error);
	finish(arg);
}

/* ---- whom to ask ---- */

static struct entry *entry_of(struct status_ask *ask, const struct peerid *peer)
{
	struct entry *v;

	for (size_t i = 0; i < ask->n; i++)
		if (peerid_equal(&ask->v[i].peer, peer))
			return &ask->v[i];
	if (ask->n == ask->cap) {
		size_t cap = ask->cap ? 2 * ask->cap : 8;

		v = realloc(ask->v, cap * sizeof(*v));
		if (!v)
			return NULL;
		ask->v = v;
		ask->cap = cap;
	}
	v = &ask->v[ask->n++];
	*v = (struct entry){ .peer = *peer };
	peerid_format(peer, v->id);
	return v;
}

static bool add_member(void *arg, const struct member *m)
{
	return !m->alive || entry_of(arg, &m->peer);
}

/* Names come with the pings. */
static bool add_names(void *arg, const struct metric *m)
{
	struct status_ask *ask = arg;

	for (size_t i = 0; i < ask->n; i++)
		if (!ask->v[i].names && peerid_equal(&ask->v[i].peer, &m->peer))
			ask->v[i].names = json_loadb(m->value, m->value_len, 0, NULL);
	return true;
}

/* Everywhere, or where it is allocated; nobody when it is not pinned. */
static int mark(struct status_ask *ask, const struct pin_row *row)
{
	struct pin pin;
	int r;

	pin_init(&pin);
	r = pinset_decode(row, &pin, NULL);
	for (size_t i = 0; r == 0 && i < ask->n; i++)
		ask->v[i].ask = pin.replication_min == -1;
	for (size_t i = 0; r == 0 && i < pin.n_allocations; i++) {
		struct entry *en;

		if (peerid_equal(&pin.allocations[i], &ask->rq->cluster->opt.self))
			continue;
		en = entry_of(ask, &pin.allocations[i]);
		if (en)
			en->ask = true;
		else
			r = -ENOMEM;
	}
	pin_deinit(&pin);
	return r;
}

static int choose(struct status_ask *ask, bool *ret_pinned)
{
	struct cluster *c = ask->rq->cluster;
	struct store_txn *t;
	struct pin_row row;
	int r = store_read(c->opt.store, &t);

	if (r < 0)
		return r;
	r = pinset_find(t, &ask->rq->items[0].pin.cid, &row);
	*ret_pinned = r == 0;
	if (r == 0)
		r = mark(ask, &row);
	store_read_end(t);
	return r == -ENOENT ? 0 : r;
}

static int put_question(struct status_ask *ask)
{
	const struct survey_events events = { .value = on_value, .done = on_done, .arg = ask };
	struct survey_question q = { .service = "PinTracker", .method = "Status" };
	struct survey_peer *peers = calloc(ask->n + 1, sizeof(*peers));
	struct cluster *c = ask->rq->cluster;
	struct buf argument = BUF_INIT(0);
	size_t n = 0;
	int r = peers ? rpc_cid_encode(&ask->rq->items[0].pin.cid, &argument) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ask->n; i++) {
		if (!ask->v[i].ask)
			continue;
		peers[n].peer = ask->v[i].peer;
		peers[n++].arg = &ask->v[i];
	}
	q.argument = argument.data;
	q.len = argument.len;
	if (r == 0)
		r = survey_start(&c->surveys, c->rpc ? rpc_server_gorpc(c->rpc) : NULL, &q, peers,
				 n, &events);
	if (r < 0)
		free(peers);
	buf_deinit(&argument);
	return r;
}

void status_ask_start(struct cluster_request *rq)
{
	struct cluster *c = rq->cluster;
	const struct answer *known = cached(c->status_cache, &rq->items[0].pin.cid);
	struct status_ask *ask;
	bool pinned = false;
	int r;

	if (known || !c->members) {
		const struct answer nobody = { 0 };

		request_end(rq, compose(rq, known ? known : &nobody));
		return;
	}
	ask = calloc(1, sizeof(*ask));
	if (!ask) {
		request_end(rq, -ENOMEM);
		return;
	}
	ask->rq = rq;
	members_each(c->members, add_member, ask);
	r = choose(ask, &pinned);
	monitor_each(c->monitor, MONITOR_PING, clock_now_ns(), add_names, ask);
	for (size_t i = 0; r == 0 && i < ask->n; i++)
		if (!ask->v[i].ask)
			write_for_it(&ask->v[i], pinned ? STATUS_REMOTE : STATUS_UNPINNED, "");
	if (r == 0)
		r = put_question(ask);
	if (r < 0) {
		ask_free(ask);
		request_end(rq, r);
	}
}
