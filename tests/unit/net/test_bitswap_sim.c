/*
 * Five bitswaps on a virtual network with a clock of its own. Messages take up to a third of a
 * second, in their order; some are lost, queues fill up, streams break and peers go and come back.
 * All that is random comes from the seed, which a failure names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "net/bitswap_internal.h"
#include "tests/lib/pieces.h"
#include "tests/unit/net/bitswap_text.h"

#define NODES 5
#define BLOCKS 40 /* half of them small, half of them large */
#define DELAY_MAX_MS 300
#define WANT_MS 60000 /* wants and disturbances within so long */
#define END_MS 200000 /* long after: several rounds of asking */
#define SEEDS 200

struct flight { /* a message on its way */
	struct flight *next;
	uint64_t at;
	unsigned from, to;
	size_t n;
	uint8_t message[];
};

struct node {
	unsigned number;
	struct bitswap *b;
	bool here[BLOCKS], wanted[BLOCKS], got[BLOCKS];
	uint64_t since[BLOCKS]; /* wanted */
};

static struct net {
	uint64_t now;
	uint32_t seed;
	struct node nodes[NODES];
	bool up[NODES][NODES];
	uint64_t last[NODES][NODES]; /* landing of the last one sent */
	uint64_t full[NODES][NODES]; /* the queue takes nothing before */
	struct flight *flights;
	unsigned lost_percent, full_percent, break_percent;
	size_t large_sent, large_got;
	uint64_t slowest; /* of all wants, ms */
} net;

static unsigned roll(unsigned n)
{
	return pieces_random(&net.seed) % n;
}

static unsigned block_of(unsigned i)
{
	return i < BLOCKS / 2 ? i : LARGE + i;
}

static unsigned index_of(const struct cid *cid)
{
	unsigned block = block_number(cid);

	return block < LARGE ? block : block - LARGE;
}

/* ---- the network ---- */

static void see_block(void *arg, const struct cid *cid, const uint8_t *p, size_t n)
{
	net.large_sent += index_of(cid) >= BLOCKS / 2;
}

static bool on_send(void *arg, const struct peerid *to, const uint8_t *message, size_t n)
{
	static const struct bitswap_visitor v = { .block = see_block };
	const struct node *node = arg;
	unsigned from = node->number, peer = peer_number(to);
	struct flight *f, **at = &net.flights;

	assert_true(net.up[from][peer]);
	if (net.full[from][peer] > net.now)
		return false;
	if (roll(100) < net.full_percent) {
		net.full[from][peer] = net.now + 1 + roll(3000);
		return false;
	}
	assert_int_equal(0, bitswap_read(message, n, &v, NULL));
	if (roll(100) < net.lost_percent)
		return true;
	f = malloc(sizeof(*f) + n);
	assert_non_null(f);
	f->at = net.now + 1 + roll(DELAY_MAX_MS);
	if (f->at < net.last[from][peer])
		f->at = net.last[from][peer];
	net.last[from][peer] = f->at;
	f->from = from;
	f->to = peer;
	f->n = n;
	memcpy(f->message, message, n);
	while (*at && (*at)->at <= f->at)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
	return true;
}

static void land(struct flight *f)
{
	net.flights = f->next;
	assert_int_equal(
	    0, bitswap_feed(net.nodes[f->to].b, peer_id(f->from), f->message, f->n, net.now, NULL));
	free(f);
}

/* What is on its way from one to the other is lost. */
static void drop(unsigned from, unsigned to)
{
	struct flight **at = &net.flights;

	while (*at) {
		struct flight *f = *at;

		if (f->from != from || f->to != to) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		free(f);
	}
}

static void break_stream(unsigned from, unsigned to)
{
	drop(from, to);
	bitswap_lost(net.nodes[from].b, peer_id(to), net.now);
}

static void connect(unsigned a, unsigned b)
{
	net.up[a][b] = net.up[b][a] = true;
	net.full[a][b] = net.full[b][a] = 0;
	assert_int_equal(0, bitswap_peer_up(net.nodes[a].b, peer_id(b), net.now));
	assert_int_equal(0, bitswap_peer_up(net.nodes[b].b, peer_id(a), net.now));
}

static void disconnect(unsigned a, unsigned b)
{
	drop(a, b);
	drop(b, a);
	net.up[a][b] = net.up[b][a] = false;
	bitswap_peer_down(net.nodes[a].b, peer_id(b), net.now);
	bitswap_peer_down(net.nodes[b].b, peer_id(a), net.now);
}

/* ---- nodes ---- */

static int on_get(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	const struct node *node = arg;
	const uint8_t *p = block_bytes(block_number(cid), ret_size);

	if (!node->here[index_of(cid)])
		return 0;
	if (out)
		assert_int_equal(0, buf_append(out, p, *ret_size));
	return 1;
}

static void on_block(void *arg, const struct cid *cid, const struct peerid *from, const uint8_t *p,
		     size_t n)
{
	struct node *node = arg;
	unsigned i = index_of(cid);
	size_t size;

	assert_true(node->wanted[i]);
	assert_false(node->got[i]);
	assert_memory_equal(block_bytes(block_of(i), &size), p, n);
	assert_int_equal(size, n);
	node->got[i] = node->here[i] = true;
	net.large_got += i >= BLOCKS / 2;
	if (net.now - node->since[i] > net.slowest)
		net.slowest = net.now - node->since[i];
	bitswap_have(node->b, cid, net.now);
}

static void start(uint32_t seed)
{
	net = (struct net){ .now = 1000, .seed = seed };
	for (unsigned i = 0; i < NODES; i++) {
		struct node *node = &net.nodes[i];
		const struct bitswap_config cfg = { on_get, on_block, on_send, node, node };

		node->number = i;
		peer_id(i);
		assert_int_equal(0, bitswap_new(&cfg, &node->b));
	}
	for (unsigned a = 0; a < NODES; a++)
		for (unsigned b = 0; b < a; b++)
			connect(a, b);
}

static void stop(void)
{
	while (net.flights)
		drop(net.flights->from, net.flights->to);
	for (unsigned i = 0; i < NODES; i++)
		bitswap_free(net.nodes[i].b);
}

/* A queue that was full is writable again. */
static bool relieve(void)
{
	for (unsigned a = 0; a < NODES; a++)
		for (unsigned b = 0; b < NODES; b++)
			if (net.full[a][b] > 0 && net.full[a][b] <= net.now) {
				net.full[a][b] = 0;
				bitswap_writable(net.nodes[a].b, peer_id(b), net.now);
				return true;
			}
	return false;
}

static void run_until(uint64_t until)
{
	for (;;) {
		uint64_t next = net.flights ? net.flights->at : UINT64_MAX;
		struct node *due = NULL;

		if (relieve())
			continue;
		for (unsigned i = 0; i < NODES; i++)
			if (bitswap_deadline(net.nodes[i].b) < next) {
				due = &net.nodes[i];
				next = bitswap_deadline(due->b);
			}
		if (next > until)
			break;
		if (next > net.now)
			net.now = next;
		if (due)
			bitswap_tick(due->b, net.now);
		else
			land(net.flights);
	}
	net.now = until;
}

/* ---- what happens ---- */

static void appear(unsigned node, unsigned i)
{
	net.nodes[node].here[i] = true;
	bitswap_have(net.nodes[node].b, block_cid(block_of(i)), net.now);
}

static void want(unsigned node, unsigned i)
{
	struct node *n = &net.nodes[node];
	unsigned hint = roll(NODES + 1); /* right or wrong, itself or nobody */

	if (n->here[i] || n->wanted[i])
		return;
	n->wanted[i] = true;
	n->since[i] = net.now;
	assert_int_equal(0, bitswap_want(n->b, block_cid(block_of(i)),
					 hint < NODES ? peer_id(hint) : NULL, net.now));
}

static void disturb(void)
{
	unsigned a = roll(NODES), b = roll(NODES);

	if (a == b)
		return;
	if (!net.up[a][b])
		connect(a, b);
	else if (roll(2))
		disconnect(a, b);
	else
		break_stream(a, b);
}

/* Wants come while blocks appear: most were there before, the rest come late, or come to whoever
 * wants them from elsewhere. */
static void play(void)
{
	uint64_t end = net.now + WANT_MS;
	unsigned next = 0;

	for (unsigned i = 0; i < BLOCKS; i++)
		if (i % 4 != 0)
			appear(roll(NODES), i);
	while (net.now < end) {
		run_until(net.now + 1 + roll(400));
		if (roll(3) == 0 && next < BLOCKS) {
			appear(roll(NODES), next);
			next += 4;
		}
		want(roll(NODES), roll(BLOCKS));
		if (roll(100) < net.break_percent)
			disturb();
	}
	for (; next < BLOCKS; next += 4)
		appear(roll(NODES), next);
	for (unsigned a = 0; a < NODES; a++)
		for (unsigned b = 0; b < a; b++)
			if (!net.up[a][b])
				connect(a, b);
}

static void assert_all_came(uint32_t seed)
{
	for (unsigned i = 0; i < NODES; i++) {
		const struct node *n = &net.nodes[i];

		for (unsigned j = 0; j < BLOCKS; j++)
			if (n->wanted[j] && !n->here[j])
				fail_msg("seed %u: node %u did not get block %u", seed, i, j);
	}
}

static struct bitswap_counts counts_of_all(void)
{
	struct bitswap_counts sum = { 0 };

	for (unsigned i = 0; i < NODES; i++) {
		struct bitswap_counts c;

		bitswap_counts(net.nodes[i].b, &c);
		sum.wanted += c.wanted;
		sum.received += c.received;
		sum.unwanted += c.unwanted;
		sum.served += c.served;
	}
	return sum;
}

static void every_want_of_a_block_that_exists_is_satisfied(void **state)
{
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		start(seed);
		net.lost_percent = roll(20);
		net.full_percent = roll(20);
		net.break_percent = roll(30);
		play();
		net.lost_percent = net.full_percent = 0;
		run_until(net.now + END_MS);
		assert_all_came(seed);
		stop();
	}
}

/* Where nothing is lost every block comes in the time of a few messages, once, and nothing is left
 * behind at anybody. */
static void without_loss_it_is_quick_and_leaves_nothing(void **state)
{
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		struct bitswap_counts c;

		start(seed);
		for (unsigned i = 0; i < BLOCKS; i++)
			appear(roll(NODES), i);
		for (unsigned i = 0; i < 4 * BLOCKS; i++) {
			run_until(net.now + 1 + roll(100));
			want(roll(NODES), roll(BLOCKS));
		}
		run_until(net.now + BITSWAP_ASK_MS);
		assert_all_came(seed);
		/* Asked, had not; whether they have it, have it; asked, given. */
		assert_in_range(net.slowest, 1, 6 * DELAY_MAX_MS);
		c = counts_of_all();
		assert_int_equal(c.wanted, c.received);
		assert_int_equal(c.served, c.received + c.unwanted);
		/* Small ones may come from several that have them by now, and large ones from who
		 * had it not when it was asked, and got it meanwhile. */
		assert_in_range(c.unwanted, 0, c.received / 2);
		assert_in_range(net.large_sent, net.large_got, net.large_got * 5 / 4);
		for (unsigned i = 0; i < NODES; i++)
			assert_int_equal(0, net.nodes[i].b->n_wants + net.nodes[i].b->n_demands);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_want_of_a_block_that_exists_is_satisfied),
		cmocka_unit_test(without_loss_it_is_quick_and_leaves_nothing),
	};

	return cmocka_run_group_tests_name("bitswap_sim", tests, NULL, NULL);
}
