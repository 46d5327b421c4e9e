/* What peers tell each other about messages and meshes: IHAVE, IWANT, GRAFT, PRUNE, IDONTWANT. */
#include "net/gossip_internal.h"

void gossip_control_ihave(void *arg, struct gossip_bytes topic, const struct gossip_id *id)
{
	struct gossip_turn *turn = arg;
	struct gossip_peer *p = turn->peer;

	if (!turn->ihave) {
		turn->ihave = true;
		p->ihave_rpcs++;
	}
	if (p->ihave_rpcs > GOSSIP_IHAVE_RPCS_MAX || p->asked >= GOSSIP_IHAVE_IDS_MAX)
		return;
	if (gossip_topic_find(turn->g, topic) < 0 ||
	    gossip_seen_has(&turn->g->seen, id, turn->now_ms))
		return;
	if (buf_append(&turn->iwant, id, sizeof(*id)) == 0)
		p->asked++;
}

static void send_answer(struct gossip_turn *turn)
{
	if (turn->answer.len > 0)
		gossip_send(turn->g, turn->peer, &turn->answer);
	buf_reset(&turn->answer);
}

void gossip_control_iwant(void *arg, const struct gossip_id *id)
{
	struct gossip_turn *turn = arg;
	struct gossip *g = turn->g;
	struct gossip_cached *m = gossip_cache_find(&g->cache, id);

	if (!m || !turn->peer->up || !gossip_cache_ask(m, (size_t)(turn->peer - g->peers)) ||
	    gossip_peer_unwants(g, turn->peer, id))
		return;
	if (turn->answer.len + m->n > turn->answer.max)
		send_answer(turn);
	buf_append(&turn->answer, m->frame, m->n); /* where there is no memory, it asks again */
}

void gossip_control_graft(void *arg, struct gossip_bytes topic)
{
	struct gossip_turn *turn = arg;
	struct gossip_peer *p = turn->peer;
	int t = gossip_topic_find(turn->g, topic);
	uint32_t bit;

	if (t < 0 || (p->up && p->version == GOSSIP_FLOOD))
		return;
	bit = 1u << t;
	if (p->mesh & bit)
		return;
	if (turn->now_ms < p->backoff_ms[t] ||
	    (gossip_mesh_size(turn->g, (unsigned)t) >= turn->g->d_high && !p->outbound)) {
		gossip_mesh_leave(p, (unsigned)t, turn->now_ms + GOSSIP_PRUNE_BACKOFF_MS);
		turn->prune |= bit;
		return;
	}
	p->mesh |= bit;
}

void gossip_control_prune(void *arg, struct gossip_bytes topic, uint64_t backoff_s)
{
	struct gossip_turn *turn = arg;
	int t = gossip_topic_find(turn->g, topic);
	uint64_t backoff_ms = GOSSIP_PRUNE_BACKOFF_MS;

	if (t < 0)
		return;
	if (backoff_s > GOSSIP_BACKOFF_MAX_MS / 1000)
		backoff_ms = GOSSIP_BACKOFF_MAX_MS;
	else if (backoff_s > 0)
		backoff_ms = backoff_s * 1000;
	gossip_mesh_leave(turn->peer, (unsigned)t, turn->now_ms + backoff_ms);
}

void gossip_control_idontwant(void *arg, const struct gossip_id *id)
{
	struct gossip_turn *turn = arg;
	struct gossip_peer *p = turn->peer;

	if (!turn->idontwant) {
		turn->idontwant = true;
		p->idontwant_rpcs++;
	}
	if (p->idontwant_rpcs <= GOSSIP_IDONTWANT_RPCS_MAX &&
	    turn->n_idontwant++ < GOSSIP_IDONTWANT_IDS_MAX)
		gossip_peer_unwant(turn->g, p, id);
}

/* The reference counts all frames with control as IHAVE, and reads no IHAVE behind the tenth of one
 * of its heartbeats: a peer that is outside of one mesh is told less of what comes in another.
 * Source: go-libp2p-pubsub 0.16, handleIHave. */
static bool may_say_idontwant(const struct gossip_peer *p)
{
	return (p->subscribed & ~p->mesh) == 0 || p->idontwant_said < GOSSIP_IDONTWANT_SAID_MAX;
}

void gossip_control_have_it(struct gossip *g, unsigned topic, const struct gossip_id *id,
			    const struct gossip_peer *from)
{
	struct gossip_rpc_control c = { .idontwant = id, .n_idontwant = 1 };
	struct buf frame = BUF_INIT(GOSSIP_RPC_MAX);

	if (gossip_rpc_control(&c, &frame) < 0)
		return;
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++) {
		struct gossip_peer *p = &g->peers[i];

		if (p->up && p->mesh & 1u << topic && p->version >= GOSSIP_1_2 && p != from &&
		    may_say_idontwant(p) && gossip_send(g, p, &frame))
			p->idontwant_said++;
	}
	buf_deinit(&frame);
}

void gossip_control_answer(struct gossip_turn *turn)
{
	struct gossip_rpc_control c = {
		.iwant = (const struct gossip_id *)turn->iwant.data,
		.n_iwant = turn->iwant.len / sizeof(struct gossip_id),
	};

	if (!turn->peer->up)
		return;
	send_answer(turn);
	gossip_mesh_say(turn->g, turn->peer, turn->graft, turn->prune, &c);
}
