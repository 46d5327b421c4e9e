/*
 * Any frames to a router with two peers: what it sends is well-formed, what it passes on is signed
 * by its author, and what it keeps stays within its bounds. An input is a row of actions: a byte,
 * and for a frame its length in two bytes and its bytes.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/gossip_internal.h"
#include "net/gossip_message.h"
#include "types/hash.h"

#define PEERS 2
#define ACTIONS_MAX 64 /* of an input; the rest of it does not matter */

enum action {
	FRAME_0,
	FRAME_1,
	HEARTBEAT,
	UP,
	DOWN,
	SILENT,
	PUBLISH,
	ACTIONS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct identity self;
static struct peerid peers[PEERS];

static void set_up(void)
{
	if (self.secret_key)
		return;
	check(hash_init() == 0 && identity_generate(&self, NULL) == 0);
	for (uint8_t i = 0; i < PEERS; i++) {
		uint8_t key[32] = { i };

		peerid_from_ed25519(key, &peers[i]);
	}
}

static void on_subscription(void *arg, struct gossip_bytes topic, bool subscribe)
{
	check(topic.n > 0 && subscribe);
}

static void on_sent_message(void *arg, const struct gossip_message *m)
{
	check(gossip_message_verify(m) == 0);
}

static void on_topic_id(void *arg, struct gossip_bytes topic, const struct gossip_id *id)
{
	check(topic.n > 0);
}

static void on_id(void *arg, const struct gossip_id *id)
{
}

static void on_graft(void *arg, struct gossip_bytes topic)
{
	check(topic.n > 0);
}

static void on_prune(void *arg, struct gossip_bytes topic, uint64_t backoff_s)
{
	check(topic.n > 0 && (backoff_s == 0 || backoff_s == GOSSIP_PRUNE_BACKOFF_MS / 1000));
}

static bool on_send(void *arg, const struct peerid *to, const uint8_t *frame, size_t n)
{
	static const struct gossip_rpc_events events = {
		on_subscription, on_sent_message, on_topic_id, on_id, on_graft, on_prune, on_id,
	};
	uint64_t *now = arg;

	check(n > 0 && n <= GOSSIP_RPC_MAX);
	check(gossip_rpc_read(frame, n, &events, NULL, NULL) == 0);
	return ++*now % 7 > 0; /* now and then its queue is full */
}

static enum gossip_verdict on_validate(void *arg, const struct peerid *author, const uint8_t *p,
				       size_t n)
{
	return n % 2 ? GOSSIP_REJECT : GOSSIP_ACCEPT;
}

static void on_message(void *arg, const struct peerid *author, const struct peerid *from,
		       const uint8_t *p, size_t n)
{
	check(author->len >= GOSSIP_FROM_MIN && !peerid_equal(author, &self.id));
}

static struct gossip *start(uint64_t *now)
{
	const struct gossip_config cfg = {
		.self = &self,
		.seqno = 1,
		.heartbeat_ms = 10000,
		.d_factor = 4,
		.history_length = 6,
		.history_gossip = 2,
		.send = on_send,
		.arg = now,
	};
	struct gossip_topic metrics = { .name = "monitor.metrics", .message = on_message };
	struct gossip_topic heads = {
		.name = "fzhnp2UwTBkgNabrJi1VanzwgN",
		.validate = on_validate,
		.message = on_message,
	};
	struct gossip *g;

	check(gossip_new(&cfg, *now, &g) == 0);
	check(gossip_subscribe(g, &metrics) == 0 && gossip_subscribe(g, &heads) == 0);
	return g;
}

/* A frame: its length and bytes are taken from *p. */
static void feed(struct gossip *g, unsigned peer, const uint8_t **p, const uint8_t *end,
		 uint64_t now)
{
	size_t n;
	int r;

	if (end - *p < 2)
		return;
	n = (size_t)(*p)[0] << 8 | (*p)[1];
	*p += 2;
	if (n > (size_t)(end - *p))
		n = (size_t)(end - *p);
	r = gossip_feed(g, &peers[peer], *p, n, now, NULL);
	check(r == 0 || r == -EBADMSG);
	*p += n;
}

static void check_cache(const struct gossip *g)
{
	check(g->cache.bytes <= GOSSIP_CACHE_BYTES_MAX);
}

static void check_peers(const struct gossip *g)
{
	for (size_t i = 0; i < GOSSIP_PEERS_MAX; i++) {
		const struct gossip_peer *p = &g->peers[i];

		check(!p->used || i < PEERS);
		check(p->n_others <= GOSSIP_SUBSCRIPTIONS_MAX && p->asked <= GOSSIP_IHAVE_IDS_MAX);
		check(p->bad_signatures <= GOSSIP_BAD_SIGNATURES_MAX);
		check(p->mesh < 1u << g->n_topics && p->subscribed < 1u << g->n_topics);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *p = data, *end = data + n;
	uint64_t now = 1000;
	struct gossip *g;

	set_up();
	g = start(&now);
	for (unsigned acts = 0; p < end && acts < ACTIONS_MAX; acts++) {
		uint8_t byte = *p++;
		unsigned peer = byte / ACTIONS % PEERS;

		switch ((enum action)(byte % ACTIONS)) {
		case FRAME_0:
		case FRAME_1:
			feed(g, byte % ACTIONS == FRAME_1, &p, end, now);
			break;
		case HEARTBEAT:
			now = gossip_deadline(g);
			gossip_tick(g, now);
			break;
		case UP:
			gossip_peer_up(g, &peers[peer], (enum gossip_version)(byte / 16 % 4),
				       byte > 127, now);
			break;
		case DOWN:
			gossip_peer_down(g, &peers[peer]);
			break;
		case SILENT:
			gossip_peer_silent(g, &peers[peer]);
			break;
		case PUBLISH:
			check(gossip_publish(g, "monitor.metrics", data, n < 4096 ? n : 4096, now,
					     NULL) == 0);
			break;
		case ACTIONS:
			break;
		}
		check_cache(g);
	}
	check_peers(g);
	gossip_free(g);
	return 0;
}
