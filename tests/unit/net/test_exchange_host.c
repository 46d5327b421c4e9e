/* Exchanges of three hosts on loopback, in one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/bitswap_internal.h"
#include "net/exchange.h"
#include "tests/unit/net/bitswap_text.h"
#include "types/hash.h"

#define HOSTS 3
#define GUARD_S 120 /* a test that hangs is ended */
#define CHAIN 20
#define MANY 16

struct peer {
	struct net *net;
	struct identity id;
	struct host *host;
	struct exchange *x;
	bool here[BLOCKS_END];
	unsigned n_got;
	unsigned leads_to; /* a block leads to the next one, up to this */
};

struct net {
	uv_loop_t loop;
	uint8_t secret[32];
	struct peer peers[HOSTS];
	unsigned closed;
};

/* Runs the loop until @condition holds. */
#define until(net, condition)                                                                      \
	do {                                                                                       \
		while (!(condition))                                                               \
			uv_run(&(net)->loop, UV_RUN_ONCE);                                         \
	} while (0)

static int on_get(void *arg, const struct cid *cid, struct buf *out, size_t *ret_size)
{
	const struct peer *p = arg;
	const uint8_t *bytes = block_bytes(block_number(cid), ret_size);

	if (!p->here[block_number(cid)])
		return 0;
	return out && buf_append(out, bytes, *ret_size) < 0 ? -ENOMEM : 1;
}

static void on_block(void *arg, const struct cid *cid, const struct peerid *from,
		     const uint8_t *bytes, size_t n)
{
	struct peer *p = arg;
	unsigned block = block_number(cid);
	size_t size;

	assert_memory_equal(block_bytes(block, &size), bytes, n);
	assert_int_equal(size, n);
	p->here[block] = true;
	p->n_got++;
	exchange_have(p->x, cid);
	if (block < p->leads_to)
		assert_int_equal(0, exchange_want(p->x, block_cid(block + 1), NULL));
}

static void start_peer(struct net *n, struct peer *p)
{
	const struct bitswap_config cfg = { .get = on_get, .block = on_block };
	struct multiaddr listen;
	struct host_options opt = {
		.loop = &n->loop,
		.self = &p->id,
		.psk = n->secret,
		.listen = &listen,
		.n_listen = 1,
		.agent = "test",
		.dial_timeout_ms = 10000,
	};

	p->net = n;
	assert_int_equal(0, identity_generate(&p->id, NULL));
	assert_int_equal(0, multiaddr_parse("/ip4/127.0.0.1/tcp/0", 20, &listen, NULL));
	assert_int_equal(0, host_new(&opt, &p->host, NULL));
	assert_int_equal(0, exchange_new(p->host, &n->loop, &cfg, p, &p->x, NULL));
}

static int setup(void **state)
{
	struct net *n = calloc(1, sizeof(*n));

	if (!n || hash_init() < 0 || uv_loop_init(&n->loop) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	alarm(GUARD_S);
	memset(n->secret, 7, sizeof(n->secret));
	for (unsigned i = 0; i < HOSTS; i++)
		start_peer(n, &n->peers[i]);
	*state = n;
	return 0;
}

static void on_host_closed(void *arg)
{
	((struct peer *)arg)->net->closed++;
}

static void on_exchange_closed(void *arg)
{
	struct peer *p = arg;

	host_close(p->host, on_host_closed, p);
}

static int teardown(void **state)
{
	struct net *n = *state;

	for (unsigned i = 0; i < HOSTS; i++)
		exchange_close(n->peers[i].x, on_exchange_closed, &n->peers[i]);
	until(n, n->closed == HOSTS);
	while (uv_run(&n->loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(0, uv_loop_close(&n->loop));
	for (unsigned i = 0; i < HOSTS; i++)
		identity_clear(&n->peers[i].id);
	free(n);
	alarm(0);
	return 0;
}

static bool are_up(const struct peer *a, const struct peer *b)
{
	return host_speaks(a->host, &b->id.id, EXCHANGE_PROTOCOL) &&
	       host_speaks(b->host, &a->id.id, EXCHANGE_PROTOCOL);
}

/* @a dials @b. */
static void dial(struct peer *a, struct peer *b)
{
	size_t n;
	const struct multiaddr *at = host_addresses(b->host, &n);

	assert_in_range(n, 1, 16);
	assert_int_equal(0, host_learn(a->host, &b->id.id, &at[0], HOST_TTL_PERMANENT));
	assert_int_equal(0, host_connect(a->host, &b->id.id, NULL, NULL));
}

static void connect_all(struct net *n)
{
	for (unsigned i = 0; i < HOSTS; i++)
		for (unsigned j = 0; j < i; j++) {
			dial(&n->peers[i], &n->peers[j]);
			until(n, are_up(&n->peers[i], &n->peers[j]));
		}
}

static void want(struct peer *p, unsigned block, const struct peer *hint)
{
	assert_int_equal(0, exchange_want(p->x, block_cid(block), hint ? &hint->id.id : NULL));
}

static struct bitswap_counts counts(const struct peer *p)
{
	struct bitswap_counts c;

	bitswap_counts(exchange_bitswap(p->x), &c);
	return c;
}

/* What others wait for from it. */
static size_t demands(const struct peer *p)
{
	return exchange_bitswap(p->x)->n_demands;
}

/* ---- what happens ---- */

static void a_block_comes_from_who_has_it(void **state)
{
	struct net *n = *state;
	struct peer *a = &n->peers[0], *b = &n->peers[1], *c = &n->peers[2];

	connect_all(n);
	a->here[7] = b->here[LARGE] = true;
	want(c, 7, a);     /* right */
	want(c, LARGE, a); /* wrong */
	until(n, c->n_got == 2);
	assert_int_equal(1, counts(a).served);
	assert_int_equal(1, counts(b).served);
	want(a, LARGE, NULL);
	until(n, a->n_got == 1);
	assert_int_equal(0, counts(a).unwanted + counts(b).unwanted + counts(c).unwanted);
}

static void a_chain_of_great_blocks_comes(void **state)
{
	struct net *n = *state;
	struct peer *a = &n->peers[0], *b = &n->peers[1];

	connect_all(n);
	for (unsigned i = 0; i < CHAIN; i++)
		a->here[GREAT + i] = true;
	b->leads_to = GREAT + CHAIN - 1;
	want(b, GREAT, a);
	until(n, b->n_got == CHAIN);
	assert_int_equal(CHAIN, counts(a).served);
	assert_int_equal(0, counts(b).unwanted);
}

/* They are more than the queue to a peer takes. */
static void many_great_blocks_come_at_once(void **state)
{
	struct net *n = *state;
	struct peer *a = &n->peers[0], *b = &n->peers[1], *c = &n->peers[2];

	connect_all(n);
	for (unsigned i = 0; i < MANY; i++) {
		a->here[GREAT + i] = true;
		want(b, GREAT + i, a);
		want(c, GREAT + i, b); /* which gets it */
	}
	until(n, b->n_got == MANY && c->n_got == MANY);
	assert_int_equal(0, bitswap_wants(exchange_bitswap(b->x)));
}

static void a_block_that_comes_to_one_goes_on_to_who_waits(void **state)
{
	struct net *n = *state;
	struct peer *a = &n->peers[0], *b = &n->peers[1], *c = &n->peers[2];
	uint64_t begin;

	connect_all(n);
	want(b, 7, a);
	want(c, 8, b);
	until(n, demands(a) == 2 && demands(b) == 1 && demands(c) == 1); /* all were asked */
	begin = uv_now(&n->loop);
	a->here[7] = b->here[8] = true;
	exchange_have(a->x, block_cid(7));
	exchange_have(b->x, block_cid(8));
	until(n, b->n_got == 1 && c->n_got == 1);
	assert_true(uv_now(&n->loop) - begin < BITSWAP_ASK_MS);
}

static void what_is_wanted_survives_a_connection(void **state)
{
	struct net *n = *state;
	struct peer *a = &n->peers[0], *b = &n->peers[1];

	want(b, GREAT, a);
	want(b, GREAT + 1, NULL);
	a->here[GREAT] = a->here[GREAT + 1] = true;
	dial(b, a);
	until(n, counts(a).served > 0); /* on its way */
	host_disconnect(a->host, &b->id.id);
	until(n, host_count(a->host) == 0 && host_count(b->host) == 0);
	assert_in_range(bitswap_wants(exchange_bitswap(b->x)), 1, 2);
	dial(a, b);
	until(n, b->n_got == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_block_comes_from_who_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chain_of_great_blocks_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(many_great_blocks_come_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_block_that_comes_to_one_goes_on_to_who_waits,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_wanted_survives_a_connection, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("exchange_host", tests, NULL, NULL);
}
