/*
 * The mesh: to which peers the messages of a topic go at once. At each heartbeat it is brought into
 * its bounds, and some of those outside are told what they may have missed.
 */
#include <sodium.h>

#include "net/gossip_internal.h"

#define LAZY_SHARE 4 /* a quarter of those outside the mesh are told ids, where that is more */

static bool in_mesh(const struct gossip_peer *p, unsigned topic)
{
	return p->up && p->mesh >> topic & 1;
}

size_t gossip_mesh_size(const struct gossip *g, unsigned topic)
{
	size_t n = 0;

	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		n += in_mesh(&g->peers[i], topic);
	return n;
}

/* Speaks of meshes, and is not in this one. */
static bool is_outside(const struct gossip_peer *p, unsigned topic)
{
	return p->up && p->version != GOSSIP_FLOOD && !(p->mesh >> topic & 1);
}

static bool may_graft(const struct gossip_peer *p, unsigned topic, uint64_t now_ms)
{
	return is_outside(p, topic) && !gossip_peer_backs_off(p, topic, now_ms);
}

uint32_t gossip_mesh_join(struct gossip *g, struct gossip_peer *p, uint32_t topics, uint64_t now_ms)
{
	uint32_t joined = 0;

	for (unsigned t = 0; t < g->n_topics; t++)
		if (topics >> t & 1 && may_graft(p, t, now_ms) &&
		    gossip_mesh_size(g, t) < g->d_low) {
			p->mesh |= 1u << t;
			joined |= 1u << t;
		}
	return joined;
}

void gossip_mesh_leave(struct gossip_peer *p, unsigned topic, uint64_t until_ms)
{
	p->mesh &= ~(1u << topic);
	if (p->backoff_ms[topic] < until_ms)
		p->backoff_ms[topic] = until_ms;
}

static size_t put_topics(const struct gossip *g, uint32_t topics, struct gossip_bytes *out)
{
	size_t n = 0;

	for (unsigned t = 0; t < g->n_topics; t++)
		if (topics >> t & 1)
			out[n++] = gossip_topic_name(g, t);
	return n;
}

void gossip_mesh_say(struct gossip *g, struct gossip_peer *p, uint32_t graft, uint32_t prune,
		     struct gossip_rpc_control *c)
{
	struct buf frame = BUF_INIT(GOSSIP_RPC_MAX);

	if (p->version == GOSSIP_FLOOD)
		return;
	c->n_graft = put_topics(g, graft, c->graft);
	c->n_prune = put_topics(g, prune, c->prune);
	if (p->version >= GOSSIP_1_1)
		c->backoff_s = GOSSIP_PRUNE_BACKOFF_MS / 1000;
	if (c->n_graft + c->n_prune + c->n_ihave + c->n_iwant == 0)
		return;
	if (gossip_rpc_control(c, &frame) < 0 || !gossip_send(g, p, &frame))
		p->mesh &= ~graft; /* the next heartbeat tries again */
	buf_deinit(&frame);
}

/* ---- the heartbeat ---- */

/* What each peer is to be told. */
struct beat {
	uint64_t now_ms;
	uint32_t graft[GOSSIP_PEERS_MAX], prune[GOSSIP_PEERS_MAX], ihave[GOSSIP_PEERS_MAX];
	struct buf ids[GOSSIP_TOPICS_MAX]; /* of each topic */
};

/* Slots of some peers, in random order. */
struct slots {
	uint16_t v[GOSSIP_PEERS_MAX];
	size_t n;
};

static void shuffle(struct slots *s)
{
	for (size_t i = s->n; i > 1; i--) {
		size_t k = randombytes_uniform((uint32_t)i);
		uint16_t v = s->v[i - 1];

		s->v[i - 1] = s->v[k];
		s->v[k] = v;
	}
}

static size_t count_outbound(const struct gossip *g, const struct slots *s, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++)
		out += g->peers[s->v[i]].outbound;
	return out;
}

/* Those of the mesh, with up to Dout that we dialled standing first. */
static void list_mesh(const struct gossip *g, unsigned topic, struct slots *ret)
{
	size_t first = 0;

	ret->n = 0;
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		if (in_mesh(&g->peers[i], topic))
			ret->v[ret->n++] = (uint16_t)i;
	shuffle(ret);
	for (size_t i = 0; i < ret->n && first < g->d_out; i++)
		if (g->peers[ret->v[i]].outbound) {
			uint16_t v = ret->v[i];

			ret->v[i] = ret->v[first];
			ret->v[first++] = v;
		}
}

/* Grafts up to @want peers that are subscribed; @outbound: only such as we dialled. */
static void graft_some(struct gossip *g, unsigned topic, size_t want, bool outbound, struct beat *b)
{
	struct slots s = { .n = 0 };

	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++) {
		const struct gossip_peer *p = &g->peers[i];

		if (may_graft(p, topic, b->now_ms) && p->subscribed >> topic & 1 &&
		    (p->outbound || !outbound))
			s.v[s.n++] = (uint16_t)i;
	}
	shuffle(&s);
	for (size_t i = 0; i < s.n && i < want; i++) {
		g->peers[s.v[i]].mesh |= 1u << topic;
		b->graft[s.v[i]] |= 1u << topic;
	}
}

static void tend(struct gossip *g, unsigned topic, struct beat *b)
{
	struct slots mesh;
	size_t outbound;

	list_mesh(g, topic, &mesh);
	if (mesh.n < g->d_low)
		graft_some(g, topic, g->d - mesh.n, false, b);
	if (mesh.n >= g->d_high)
		for (; mesh.n > g->d; mesh.n--) {
			size_t i = mesh.v[mesh.n - 1];

			gossip_mesh_leave(&g->peers[i], topic, b->now_ms + GOSSIP_PRUNE_BACKOFF_MS);
			b->prune[i] |= 1u << topic;
		}
	if (mesh.n < g->d_low)
		return;
	outbound = count_outbound(g, &mesh, mesh.n);
	if (outbound < g->d_out)
		graft_some(g, topic, g->d_out - outbound, true, b);
}

/* Chooses who is told the ids of the last heartbeats. */
static void choose_lazy(struct gossip *g, unsigned topic, struct beat *b)
{
	struct slots s = { .n = 0 };
	size_t want = g->d_lazy;

	gossip_cache_ids(&g->cache, topic, g->cfg.history_gossip, &b->ids[topic]);
	if (b->ids[topic].len == 0)
		return;
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		if (is_outside(&g->peers[i], topic) && g->peers[i].subscribed >> topic & 1)
			s.v[s.n++] = (uint16_t)i;
	shuffle(&s);
	if (want < s.n / LAZY_SHARE)
		want = s.n / LAZY_SHARE;
	for (size_t i = 0; i < s.n && i < want; i++)
		b->ihave[s.v[i]] |= 1u << topic;
}

/* A receiver takes so many ids in all. Where there are more, each is told others. */
static void put_ids(const struct gossip *g, const struct beat *b, unsigned topic,
		    struct gossip_rpc_control *c)
{
	const struct gossip_id *ids = (const struct gossip_id *)b->ids[topic].data;
	size_t n = b->ids[topic].len / sizeof(*ids);
	size_t max = GOSSIP_IHAVE_IDS_MAX / g->n_topics, from = 0;

	if (n > max) {
		from = randombytes_uniform((uint32_t)(n - max + 1));
		n = max;
	}
	c->ihave[c->n_ihave].topic = gossip_topic_name(g, topic);
	c->ihave[c->n_ihave].ids = ids + from;
	c->ihave[c->n_ihave++].n = n;
}

static void say(struct gossip *g, size_t slot, const struct beat *b)
{
	struct gossip_rpc_control c = { .n_ihave = 0 };

	for (unsigned t = 0; t < g->n_topics; t++)
		if (b->ihave[slot] >> t & 1)
			put_ids(g, b, t, &c);
	gossip_mesh_say(g, &g->peers[slot], b->graft[slot], b->prune[slot], &c);
}

static void heartbeat(struct gossip *g, uint64_t now_ms)
{
	struct beat b = { .now_ms = now_ms };

	gossip_peers_shift(g, now_ms);
	for (unsigned t = 0; t < g->n_topics; t++) {
		tend(g, t, &b);
		choose_lazy(g, t, &b);
	}
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		if (g->peers[i].up)
			say(g, i, &b);
	for (unsigned t = 0; t < g->n_topics; t++)
		buf_deinit(&b.ids[t]);
	gossip_cache_shift(&g->cache, g->cfg.history_length);
}

uint64_t gossip_deadline(const struct gossip *g)
{
	return g->deadline;
}

void gossip_tick(struct gossip *g, uint64_t now_ms)
{
	if (now_ms < g->deadline)
		return;
	heartbeat(g, now_ms);
	/* Not all at the same time, for ever. */
	g->deadline = now_ms + g->cfg.heartbeat_ms +
		      randombytes_uniform((uint32_t)(g->cfg.heartbeat_ms / 16 + 1));
}
