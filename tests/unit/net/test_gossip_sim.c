/*
 * Routers on a virtual network with a clock of its own. Frames take up to a third of a second
 * each, so they overtake one another; some are lost, some are refused by a full queue, and links
 * break. All that is random comes from the seed, which a failure names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/pieces.h"
#include "tests/unit/net/gossip_text.h"

#define NODES_MAX 16
#define HEARTBEAT_MS 10000
#define DELAY_MAX_MS 300
#define MESSAGES 40      /* in all */
#define PUBLISH_MS 60000 /* within so long */
#define AWAY_MAX_MS 8000
#define END_MS 200000 /* long after the last heartbeat that speaks of the last message */
#define LONG_BYTES 2000

struct flight { /* a frame on its way */
	struct flight *next;
	uint64_t at;
	unsigned from, to, link; /* of this life of the link */
	size_t n;
	uint8_t frame[];
};

struct node {
	struct net *net;
	unsigned number;
	struct gossip *g;
	unsigned got[MESSAGES];
};

struct net {
	uint64_t now;
	uint32_t seed;
	unsigned n;
	struct node nodes[NODES_MAX];
	unsigned link[NODES_MAX][NODES_MAX]; /* counts breaks; odd: there is none now */
	bool fresh[NODES_MAX][NODES_MAX];    /* nothing was said on the stream yet */
	struct flight *flights;
	unsigned lost_percent, refused_percent;
	size_t published; /* frames with messages */
};

static struct net net;

static unsigned roll(unsigned n)
{
	return pieces_random(&net.seed) % n;
}

/* libsodium's numbers come from the seed too. */
static const char *seeded_name(void)
{
	return "seeded";
}

static uint32_t seeded_word(void)
{
	return pieces_random(&net.seed) << 16 ^ pieces_random(&net.seed);
}

static void seeded_buf(void *const out, const size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)pieces_random(&net.seed);
}

/* ---- the network ---- */

static bool on_send(void *arg, const struct peerid *to, const uint8_t *frame, size_t n)
{
	const struct node *from = arg;
	struct flight *f, **at = &net.flights;
	unsigned peer = fixture_number(to);
	bool hello;

	assert_int_equal(0, net.link[from->number][peer] % 2);
	/* A stream on which the hello is lost would be reset. */
	hello = net.fresh[from->number][peer];
	net.fresh[from->number][peer] = false;
	if (!hello && roll(100) < net.refused_percent)
		return false;
	net.published += frame[0] == 0x12; /* the field of messages */
	if (!hello && roll(100) < net.lost_percent)
		return true;
	f = malloc(sizeof(*f) + n);
	assert_non_null(f);
	f->at = net.now + 1 + roll(DELAY_MAX_MS);
	f->from = from->number;
	f->to = peer;
	f->link = net.link[from->number][peer];
	f->n = n;
	memcpy(f->frame, frame, n);
	while (*at && (*at)->at <= f->at)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
	return true;
}

static void land(struct flight *f)
{
	net.flights = f->next;
	if (f->link == net.link[f->from][f->to])
		assert_int_equal(0, gossip_feed(net.nodes[f->to].g, &fixture_identity(f->from)->id,
						f->frame, f->n, net.now, NULL));
	free(f);
}

static void on_message(void *arg, const struct peerid *author, const struct peerid *from,
		       const uint8_t *p, size_t n)
{
	struct node *node = arg;
	unsigned message;

	assert_true(n >= sizeof(message));
	memcpy(&message, p, sizeof(message));
	assert_true(message < MESSAGES);
	assert_true(peerid_equal(author, &fixture_identity(message % net.n)->id));
	assert_int_equal(1, ++node->got[message]);
}

static void connect(unsigned a, unsigned b)
{
	net.link[a][b]++;
	net.link[b][a]++;
	net.fresh[a][b] = net.fresh[b][a] = true;
	assert_int_equal(
	    0, gossip_peer_up(net.nodes[a].g, &fixture_identity(b)->id, GOSSIP_1_2, true, net.now));
	assert_int_equal(0, gossip_peer_up(net.nodes[b].g, &fixture_identity(a)->id,
					   b % 2 ? GOSSIP_1_1 : GOSSIP_1_2, false, net.now));
}

static void disconnect(unsigned a, unsigned b)
{
	net.link[a][b]++;
	net.link[b][a]++;
	for (int i = 0; i < 2; i++) {
		gossip_peer_down(net.nodes[a].g, &fixture_identity(b)->id);
		gossip_peer_silent(net.nodes[a].g, &fixture_identity(b)->id);
		a ^= b;
		b ^= a;
		a ^= b;
	}
}

static void start_node(unsigned number, unsigned d_factor)
{
	struct node *node = &net.nodes[number];
	struct gossip_config cfg = {
		.self = fixture_identity(number),
		.seqno = 1,
		.heartbeat_ms = HEARTBEAT_MS,
		.d_factor = d_factor,
		.history_length = 6,
		.history_gossip = 2,
		.send = on_send,
		.arg = node,
	};
	struct gossip_topic metrics = { .name = METRICS, .message = on_message, .arg = node };
	struct gossip_topic heads = { .name = HEADS, .message = on_message, .arg = node };

	*node = (struct node){ .net = &net, .number = number };
	assert_int_equal(0, gossip_new(&cfg, net.now, &node->g));
	assert_int_equal(0, gossip_subscribe(node->g, &metrics));
	assert_int_equal(0, gossip_subscribe(node->g, &heads));
	net.now += roll(HEARTBEAT_MS); /* they do not beat together */
}

static void start(uint32_t seed, unsigned nodes, unsigned d_factor)
{
	static randombytes_implementation seeded = {
		.implementation_name = seeded_name,
		.random = seeded_word,
		.buf = seeded_buf,
	};

	for (unsigned i = 0; i < nodes; i++)
		fixture_identity(i);
	net = (struct net){ .seed = seed, .now = 1000, .n = nodes };
	randombytes_set_implementation(&seeded);
	for (unsigned i = 0; i < net.n; i++)
		start_node(i, d_factor);
	for (unsigned a = 0; a < net.n; a++)
		for (unsigned b = 0; b < a; b++)
			net.link[a][b] = net.link[b][a] = 1;
	for (unsigned a = 0; a < net.n; a++)
		for (unsigned b = 0; b < a; b++)
			connect(a, b);
}

/* Everything up to @until. */
static void run_until(uint64_t until)
{
	for (;;) {
		uint64_t next = net.flights ? net.flights->at : UINT64_MAX;
		struct node *beats = NULL;

		for (unsigned i = 0; i < net.n; i++)
			if (gossip_deadline(net.nodes[i].g) < next) {
				beats = &net.nodes[i];
				next = gossip_deadline(beats->g);
			}
		if (next > until)
			break;
		if (next > net.now)
			net.now = next;
		if (beats)
			gossip_tick(beats->g, net.now);
		else
			land(net.flights);
	}
	net.now = until;
}

static void publish(unsigned message)
{
	static uint8_t data[LONG_BYTES];
	size_t n = roll(2) ? sizeof(data) : sizeof(message);

	memcpy(data, &message, sizeof(message));
	assert_int_equal(0, gossip_publish(net.nodes[message % net.n].g, roll(2) ? HEADS : METRICS,
					   data, n, net.now, NULL));
}

static void stop(void)
{
	while (net.flights)
		land(net.flights);
	for (unsigned i = 0; i < net.n; i++)
		gossip_free(net.nodes[i].g);
	randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

static void assert_all_have_all(uint32_t seed)
{
	for (unsigned m = 0; m < MESSAGES; m++)
		for (unsigned i = 0; i < net.n; i++)
			if (net.nodes[i].got[m] != (m % net.n != i))
				fail_msg("seed %u: message %u reached node %u %u times", seed, m, i,
					 net.nodes[i].got[m]);
}

/* ---- what happens ---- */

static void run_with_loss(uint32_t seed, unsigned d_factor)
{
	uint64_t at;

	start(seed, 8, d_factor);
	net.lost_percent = 7;
	net.refused_percent = 3;
	at = net.now;
	for (unsigned m = 0; m < MESSAGES; m++) {
		unsigned a = roll(net.n), b = roll(net.n);

		at += roll(2 * PUBLISH_MS / MESSAGES) + 1;
		run_until(at);
		publish(m);
		if (a == b || roll(4) > 0)
			continue;
		disconnect(a, b);
		connect(a, b);
	}
	run_until(at + END_MS);
	assert_all_have_all(seed);
	stop();
}

static void every_message_reaches_everyone_in_spite_of_loss(void **state)
{
	for (uint32_t seed = 1; seed <= 60; seed++)
		run_with_loss(seed, 4);
}

static void it_does_in_a_mesh_that_is_not_full(void **state)
{
	for (uint32_t seed = 1; seed <= 60; seed++)
		run_with_loss(seed, 1);
}

/* One after the other is cut off from all, and what is said meanwhile, by others and by itself,
 * comes through IHAVE and IWANT when it is back. */
static void run_with_absences(uint32_t seed)
{
	unsigned m = 0;

	start(seed, 16, 1);
	run_until(net.now + 30000);
	for (unsigned away = 0; m < MESSAGES; away = (away + 1) % net.n) {
		uint64_t back = net.now + 1 + roll(AWAY_MAX_MS);

		for (unsigned i = 0; i < net.n; i++)
			if (i != away)
				disconnect(i, away);
		while (net.now < back) {
			if (m < MESSAGES)
				publish(m++);
			run_until(net.now + 1 + roll(2000));
		}
		for (unsigned i = 0; i < net.n; i++)
			if (i != away)
				connect(i, away);
		run_until(net.now + 30000);
	}
	run_until(net.now + END_MS);
	assert_all_have_all(seed);
	stop();
}

static void who_was_away_is_told_what_it_missed(void **state)
{
	for (uint32_t seed = 1; seed <= 60; seed++)
		run_with_absences(seed);
}

/* Without loss a message costs little more than its share of the mesh. */
static void the_mesh_is_no_flood(void **state)
{
	size_t before;

	start(1, 8, 1);
	run_until(net.now + 60000);
	before = net.published;
	publish(0);
	run_until(net.now + 5000);
	for (unsigned i = 1; i < net.n; i++)
		assert_int_equal(1, net.nodes[i].got[0]);
	/* All know each other, 7 x 8 directions; who gave it does not get it back. */
	assert_in_range(net.published - before, 7, 7 * 8);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_reaches_everyone_in_spite_of_loss),
		cmocka_unit_test(it_does_in_a_mesh_that_is_not_full),
		cmocka_unit_test(who_was_away_is_told_what_it_missed),
		cmocka_unit_test(the_mesh_is_no_flood),
	};

	return cmocka_run_group_tests_name("gossip_sim", tests, NULL, NULL);
}
