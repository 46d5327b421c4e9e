#include "net/gossip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/gossip_internal.h"
#include "net/gossip_message.h"

#define SIGNATURE_BYTES 64
#define HEARTBEAT_MAX_MS (24 * 60 * 60 * 1000)

int gossip_new(const struct gossip_config *cfg, uint64_t now_ms, struct gossip **ret)
{
	unsigned factor = cfg->d_factor < GOSSIP_PEERS_MAX ? cfg->d_factor : GOSSIP_PEERS_MAX;
	struct gossip *g;

	if (factor == 0 || cfg->history_length == 0 || cfg->history_gossip > cfg->history_length ||
	    cfg->heartbeat_ms == 0 || cfg->heartbeat_ms > HEARTBEAT_MAX_MS)
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	if (gossip_seen_init(&g->seen) < 0) {
		free(g);
		return -ENOMEM;
	}
	gossip_cache_init(&g->cache);
	g->cfg = *cfg;
	g->d = 6 * factor;
	g->d_low = 5 * factor;
	g->d_high = 12 * factor;
	g->d_out = 2 * factor;
	g->d_lazy = 6 * factor;
	g->seqno = cfg->seqno;
	g->deadline = now_ms + GOSSIP_FIRST_HEARTBEAT_MS;
	*ret = g;
	return 0;
}

void gossip_free(struct gossip *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < g->n_topics; i++)
		free(g->names[i]);
	gossip_peers_clear(g);
	gossip_cache_deinit(&g->cache);
	gossip_seen_deinit(&g->seen);
	free(g);
}

/* ---- topics ---- */

struct gossip_bytes gossip_topic_name(const struct gossip *g, unsigned topic)
{
	const char *name = g->topics[topic].name;

	return (struct gossip_bytes){ (const uint8_t *)name, strlen(name) };
}

int gossip_topic_find(const struct gossip *g, struct gossip_bytes name)
{
	for (unsigned t = 0; t < g->n_topics; t++) {
		struct gossip_bytes ours = gossip_topic_name(g, t);

		if (ours.n == name.n && memcmp(ours.p, name.p, name.n) == 0)
			return (int)t;
	}
	return -1;
}

static int find_by_text(const struct gossip *g, const char *name)
{
	return gossip_topic_find(g, (struct gossip_bytes){ (const uint8_t *)name, strlen(name) });
}

int gossip_subscribe(struct gossip *g, const struct gossip_topic *t)
{
	size_t n = strlen(t->name);
	unsigned topic = g->n_topics;

	if (n == 0 || n > GOSSIP_TOPIC_TEXT_MAX)
		return -EINVAL;
	if (find_by_text(g, t->name) >= 0)
		return -EEXIST;
	if (g->n_topics == GOSSIP_TOPICS_MAX)
		return -ENOSPC;
	g->names[topic] = strdup(t->name);
	if (!g->names[topic])
		return -ENOMEM;
	g->topics[topic] = *t;
	g->topics[topic].name = g->names[topic];
	g->n_topics++;
	gossip_peers_know_topic(g, topic);
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++) {
		struct gossip_peer *p = &g->peers[i];
		struct gossip_rpc_control c = { 0 };

		if (!p->up)
			continue;
		gossip_peer_hello(g, p); /* said again, the older ones change nothing */
		gossip_mesh_say(g, p, gossip_mesh_join(g, p, p->subscribed & 1u << topic, 0), 0,
				&c);
	}
	return 0;
}

static enum gossip_verdict reject(void *arg, const struct peerid *author, const uint8_t *p,
				  size_t n)
{
	return GOSSIP_REJECT;
}

void gossip_leave(struct gossip *g, const char *topic)
{
	int t = find_by_text(g, topic);

	if (t >= 0)
		g->topics[t].validate = reject;
}

size_t gossip_mesh(const struct gossip *g, const char *topic)
{
	int t = find_by_text(g, topic);

	return t < 0 ? 0 : gossip_mesh_size(g, (unsigned)t);
}

size_t gossip_subscribers(const struct gossip *g, const char *topic)
{
	int t = find_by_text(g, topic);
	size_t n = 0;

	for (size_t i = 0; t >= 0 && i < GOSSIP_PEERS_MAX; i++)
		n += g->peers[i].subscribed >> t & 1;
	return n;
}

void gossip_counts(const struct gossip *g, struct gossip_counts *ret)
{
	*ret = g->counts;
}

uint64_t gossip_seqno(const struct gossip *g)
{
	return g->seqno - 1;
}

/* ---- messages ---- */

bool gossip_send(struct gossip *g, const struct gossip_peer *p, const struct buf *frame)
{
	if (g->cfg.send(g->cfg.arg, &p->id, frame->data, frame->len))
		return true;
	g->counts.dropped++;
	return false;
}

/* A message on its way: its frame, and who need not get it. */
struct parcel {
	unsigned topic;
	struct gossip_id id;
	const struct peerid *author;
	const struct gossip_peer *from; /* NULL: it is ours */
	struct buf frame;
};

static bool is_for(const struct gossip *g, const struct parcel *m, const struct gossip_peer *p)
{
	bool subscribed = p->subscribed >> m->topic & 1;

	if (!p->up || p == m->from || peerid_equal(&p->id, m->author))
		return false;
	if (p->version == GOSSIP_FLOOD)
		return subscribed;
	if (!m->from && g->cfg.flood_publish && subscribed)
		return true;
	return p->mesh >> m->topic & 1 && !gossip_peer_unwants(g, p, &m->id);
}

/* Keeps it for those who ask, and sends it to the mesh. Returns how many got it. */
static size_t spread(struct gossip *g, const struct parcel *m)
{
	size_t reached = 0;

	gossip_cache_add(&g->cache, &m->id, m->topic, m->frame.data, m->frame.len);
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++)
		if (is_for(g, m, &g->peers[i]))
			reached += gossip_send(g, &g->peers[i], &m->frame);
	return reached;
}

static void put_seqno(uint64_t v, uint8_t out[GOSSIP_SEQNO_BYTES])
{
	for (int i = GOSSIP_SEQNO_BYTES; i-- > 0; v >>= 8)
		out[i] = (uint8_t)v;
}

int gossip_publish(struct gossip *g, const char *topic, const void *p, size_t n, uint64_t now_ms,
		   size_t *ret_reached)
{
	const struct peerid *self = &g->cfg.self->id;
	uint8_t seqno[GOSSIP_SEQNO_BYTES], signature[SIGNATURE_BYTES];
	struct gossip_message m = {
		.from = { self->bytes, self->len },
		.data = { n > 0 ? p : "", n }, /* said even where it is empty */
		.seqno = { seqno, sizeof(seqno) },
	};
	struct parcel parcel = { .author = self, .frame = BUF_INIT(GOSSIP_RPC_MAX) };
	int t = find_by_text(g, topic), r;
	size_t reached;

	if (t < 0)
		return -ENOENT;
	if (n > GOSSIP_RPC_MAX)
		return -EFBIG;
	parcel.topic = (unsigned)t;
	m.topic = gossip_topic_name(g, parcel.topic);
	put_seqno(g->seqno, seqno);
	gossip_message_id(&m, &parcel.id);
	r = gossip_message_sign(&m, g->cfg.self, signature);
	if (r == 0)
		r = gossip_rpc_message(&m, &parcel.frame);
	if (r < 0)
		goto out;
	g->seqno++;
	g->counts.published++;
	gossip_seen_add(&g->seen, &parcel.id, now_ms);
	reached = spread(g, &parcel);
	if (ret_reached)
		*ret_reached = reached;
out:
	buf_deinit(&parcel.frame);
	return r;
}

/* Whether a message is to be taken, and counts why not. */
static bool is_new(struct gossip_turn *turn, const struct gossip_message *m, struct peerid *author,
		   struct parcel *parcel)
{
	struct gossip *g = turn->g;
	int t = gossip_topic_find(g, m->topic);

	if (gossip_message_author(m, author) < 0) {
		g->counts.malformed++;
		return false;
	}
	if (t < 0 || peerid_equal(author, &g->cfg.self->id)) {
		g->counts.rejected++;
		return false;
	}
	gossip_message_id(m, &parcel->id);
	if (gossip_seen_has(&g->seen, &parcel->id, turn->now_ms)) {
		g->counts.duplicates++;
		return false;
	}
	parcel->topic = (unsigned)t;
	parcel->author = author;
	parcel->from = turn->peer;
	return true;
}

/* -EBADMSG, -ENOMEM, -EBUSY: the peer has sent too many that were not signed. */
static int verify(struct gossip_turn *turn, const struct gossip_message *m)
{
	int r;

	if (turn->peer->bad_signatures == GOSSIP_BAD_SIGNATURES_MAX) {
		turn->g->counts.dropped++;
		return -EBUSY;
	}
	r = gossip_message_verify(m);
	if (r == -EBADMSG) {
		turn->peer->bad_signatures++;
		turn->g->counts.bad_signature++;
	}
	return r;
}

static void take_message(void *arg, const struct gossip_message *m)
{
	struct gossip_turn *turn = arg;
	struct gossip *g = turn->g;
	struct parcel parcel = { .frame = BUF_INIT(GOSSIP_RPC_MAX) };
	const struct gossip_topic *topic;
	struct peerid author;

	if (!is_new(turn, m, &author, &parcel) || verify(turn, m) < 0)
		return;
	gossip_seen_add(&g->seen, &parcel.id, turn->now_ms);
	if (m->data.n >= GOSSIP_IDONTWANT_AT)
		gossip_control_have_it(g, parcel.topic, &parcel.id, turn->peer);
	topic = &g->topics[parcel.topic];
	if (topic->validate &&
	    topic->validate(topic->arg, &author, m->data.p, m->data.n) == GOSSIP_REJECT) {
		g->counts.rejected++;
		return;
	}
	/* In the form that everybody writes, whatever the neighbour's. */
	if (gossip_rpc_message(m, &parcel.frame) == 0)
		spread(g, &parcel);
	buf_deinit(&parcel.frame);
	g->counts.delivered++;
	topic->message(topic->arg, &author, &turn->peer->id, m->data.p, m->data.n);
}

static void take_subscription(void *arg, struct gossip_bytes topic, bool subscribe)
{
	struct gossip_turn *turn = arg;

	turn->subscribed = true;
	gossip_peer_subscription(turn->g, turn->peer, topic, subscribe);
}

/* After a frame that bore subscriptions. Until the first one it was in the mesh of all topics. */
static void settle(struct gossip_turn *turn)
{
	struct gossip_peer *p = turn->peer;

	if (!turn->subscribed)
		return;
	if (!p->told)
		p->mesh &= p->subscribed;
	p->told = true;
	turn->graft |= gossip_mesh_join(turn->g, p, p->subscribed, turn->now_ms);
}

int gossip_feed(struct gossip *g, const struct peerid *from, const uint8_t *frame, size_t n,
		uint64_t now_ms, struct err *e)
{
	static const struct gossip_rpc_events events = {
		.subscription = take_subscription,
		.message = take_message,
		.ihave = gossip_control_ihave,
		.iwant = gossip_control_iwant,
		.graft = gossip_control_graft,
		.prune = gossip_control_prune,
		.idontwant = gossip_control_idontwant,
	};
	struct gossip_turn turn = {
		.g = g,
		.peer = gossip_peer_get(g, from),
		.now_ms = now_ms,
		.iwant = BUF_INIT(GOSSIP_IHAVE_IDS_MAX * GOSSIP_ID_BYTES),
		.answer = BUF_INIT(GOSSIP_RPC_MAX),
	};
	int r;

	if (!turn.peer) {
		g->counts.dropped++;
		return 0;
	}
	turn.peer->heard = true;
	r = gossip_rpc_read(frame, n, &events, &turn, e);
	if (r == -EBADMSG)
		g->counts.malformed++;
	if (r == 0) {
		settle(&turn);
		gossip_control_answer(&turn);
	}
	buf_deinit(&turn.iwant);
	buf_deinit(&turn.answer);
	return r;
}
