/* The peers of gossip: what is known of each, in bounded memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/gossip_internal.h"
#include "types/hash.h"

struct gossip_peer *gossip_peer_find(struct gossip *g, const struct peerid *id)
{
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		if (g->peers[i].used && peerid_equal(&g->peers[i].id, id))
			return &g->peers[i];
	return NULL;
}

static void forget_subscriptions(struct gossip_peer *p)
{
	free(p->others);
	p->others = NULL;
	p->n_others = 0;
	p->subscribed = 0;
	p->told = false;
}

static void clear(struct gossip_peer *p)
{
	forget_subscriptions(p);
	free(p->unwanted);
	*p = (struct gossip_peer){ 0 };
}

void gossip_peers_clear(struct gossip *g)
{
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		clear(&g->peers[i]);
}

/* Neither stream is left. */
static bool is_gone(const struct gossip_peer *p)
{
	return !p->up && !p->heard;
}

bool gossip_peer_backs_off(const struct gossip_peer *p, unsigned topic, uint64_t now_ms)
{
	uint64_t until = p->backoff_ms[topic];

	return until > 0 && now_ms < until + GOSSIP_BACKOFF_SLACK_MS;
}

static bool backs_off(const struct gossip_peer *p, uint64_t now_ms)
{
	for (unsigned t = 0; t < GOSSIP_TOPICS_MAX; t++)
		if (gossip_peer_backs_off(p, t, now_ms))
			return true;
	return false;
}

/* A peer that is gone keeps its slot while a backoff runs, so that coming back does not end it; but
 * only while nobody else needs it. */
static struct gossip_peer *free_slot(struct gossip *g)
{
	struct gossip_peer *gone = NULL;

	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++) {
		if (!g->peers[i].used)
			return &g->peers[i];
		if (!gone && is_gone(&g->peers[i]))
			gone = &g->peers[i];
	}
	return gone;
}

struct gossip_peer *gossip_peer_get(struct gossip *g, const struct peerid *id)
{
	struct gossip_peer *p = gossip_peer_find(g, id);

	if (p)
		return p;
	p = free_slot(g);
	if (!p)
		return NULL;
	clear(p);
	p->used = true;
	p->id = *id;
	gossip_cache_forget(&g->cache, (size_t)(p - g->peers));
	return p;
}

void gossip_peers_shift(struct gossip *g, uint64_t now_ms)
{
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++) {
		struct gossip_peer *p = &g->peers[i];

		if (!p->used)
			continue;
		p->ihave_rpcs = p->idontwant_rpcs = p->bad_signatures = p->asked = 0;
		p->idontwant_said = 0;
		if (p->hello_due)
			gossip_peer_hello(g, p);
		if (is_gone(p) && !backs_off(p, now_ms))
			clear(p);
	}
}

/* ---- subscriptions ---- */

static void add_other(struct gossip_peer *p, uint64_t topic)
{
	uint64_t *more;

	for (size_t i = 0; i < p->n_others; i++)
		if (p->others[i] == topic)
			return;
	if (p->n_others == GOSSIP_SUBSCRIPTIONS_MAX)
		return;
	more = realloc(p->others, (p->n_others + 1) * sizeof(*more));
	if (!more)
		return;
	p->others = more;
	p->others[p->n_others++] = topic;
}

static bool del_other(struct gossip_peer *p, uint64_t topic)
{
	for (size_t i = 0; i < p->n_others; i++)
		if (p->others[i] == topic) {
			p->others[i] = p->others[--p->n_others];
			return true;
		}
	return false;
}

void gossip_peer_subscription(struct gossip *g, struct gossip_peer *p, struct gossip_bytes topic,
			      bool subscribe)
{
	int t = gossip_topic_find(g, topic);

	if (topic.n == 0 || topic.n > GOSSIP_TOPIC_TEXT_MAX)
		return;
	if (t < 0 && subscribe) {
		add_other(p, hash_short(topic.p, topic.n));
	} else if (t < 0) {
		del_other(p, hash_short(topic.p, topic.n));
	} else if (subscribe) {
		p->subscribed |= 1u << t;
	} else {
		p->subscribed &= ~(1u << t);
		p->mesh &= ~(1u << t);
	}
}

void gossip_peers_know_topic(struct gossip *g, unsigned topic)
{
	struct gossip_bytes name = gossip_topic_name(g, topic);
	uint64_t hash = hash_short(name.p, name.n);

	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		if (g->peers[i].used && del_other(&g->peers[i], hash))
			g->peers[i].subscribed |= 1u << topic;
}

bool gossip_peer_hello(struct gossip *g, struct gossip_peer *p)
{
	struct gossip_bytes names[GOSSIP_TOPICS_MAX];
	struct buf frame = BUF_INIT(GOSSIP_RPC_MAX);

	for (unsigned t = 0; t < g->n_topics; t++)
		names[t] = gossip_topic_name(g, t);
	p->hello_due = gossip_rpc_subscriptions(names, g->n_topics, &frame) < 0 ||
		       (frame.len > 0 && !gossip_send(g, p, &frame));
	buf_deinit(&frame);
	return !p->hello_due;
}

/* ---- what it need not be sent ---- */

bool gossip_peer_unwants(const struct gossip *g, const struct gossip_peer *p,
			 const struct gossip_id *id)
{
	size_t n = p->n_unwanted < GOSSIP_UNWANTED_MAX ? p->n_unwanted : GOSSIP_UNWANTED_MAX;

	for (size_t i = 0; i < n; i++)
		if (g->cache.heartbeat - p->unwanted[i].heartbeat < GOSSIP_IDONTWANT_HEARTBEATS &&
		    memcmp(&p->unwanted[i].id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

void gossip_peer_unwant(struct gossip *g, struct gossip_peer *p, const struct gossip_id *id)
{
	if (!p->unwanted)
		p->unwanted = calloc(GOSSIP_UNWANTED_MAX, sizeof(*p->unwanted));
	if (!p->unwanted)
		return;
	p->unwanted[p->n_unwanted++ % GOSSIP_UNWANTED_MAX] =
	    (struct gossip_unwanted){ *id, g->cache.heartbeat };
}

/* ---- streams come and go ---- */

int gossip_peer_up(struct gossip *g, const struct peerid *peer, enum gossip_version v,
		   bool outbound, uint64_t now_ms)
{
	struct gossip_peer *p = gossip_peer_get(g, peer);
	struct gossip_rpc_control c = { 0 };

	if (!p)
		return -ENOSPC;
	p->up = true;
	p->version = v;
	p->outbound = outbound;
	if (v == GOSSIP_FLOOD)
		p->mesh = 0;
	if (!gossip_peer_hello(g, p)) {
		gossip_peer_down(g, peer);
		return -EAGAIN;
	}
	/* Of a peer that has said nothing yet, that it wants all of ours is assumed: else it would
	 * wait for its own heartbeat. */
	gossip_mesh_join(g, p, p->told ? p->subscribed : GOSSIP_ALL_TOPICS, now_ms);
	gossip_mesh_say(g, p, p->mesh, 0, &c);
	return 0;
}

void gossip_peer_down(struct gossip *g, const struct peerid *peer)
{
	struct gossip_peer *p = gossip_peer_find(g, peer);

	if (!p)
		return;
	p->up = false;
	p->mesh = 0;
	p->hello_due = false;
}

void gossip_peer_silent(struct gossip *g, const struct peerid *peer)
{
	struct gossip_peer *p = gossip_peer_find(g, peer);

	if (!p)
		return;
	p->heard = false;
	forget_subscriptions(p);
}
