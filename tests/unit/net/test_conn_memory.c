/* Every allocation of our own code is counted, and can be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdlib.h>

#include "tests/unit/net/conn_fixture.h"

#define KB 1024u

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static size_t live, peak;
static unsigned allocations, fail_at; /* fail_at: which one fails, 0: none */

static void *counted(void *p)
{
	live += p ? malloc_usable_size(p) : 0;
	if (live > peak)
		peak = live;
	return p;
}

static bool refused(void)
{
	return ++allocations == fail_at;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
	if (refused())
		return NULL;
	live -= p ? malloc_usable_size(p) : 0;
	return counted(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
	live -= p ? malloc_usable_size(p) : 0;
	__real_free(p);
}

/* ---- how much ---- */

static void a_connection_at_rest_is_small(void **state)
{
	struct net *n = *state;
	size_t before = live;

	net_connect(n);
	net_turns(n, 10);
	assert_in_range(live - before, 1, 2 * 16 * KB);
	net_close(n);
	net_turns(n, 3);
	assert_int_equal(before, live);
}

#define STREAMS 200

static void open_many(struct net *n, struct chan *chans)
{
	memset(chans, 0, STREAMS * sizeof(*chans));
	for (size_t i = 0; i < STREAMS; i++)
		chan_open(&chans[i], n->b.conn, false);
	until(n, n->a.n_chans == STREAMS);
	for (size_t i = 0; i < STREAMS; i++)
		until(n, chans[i].agreed);
}

/* All windows are full, the owners keep nothing: nor do the connections. */
static void what_owners_hold_is_not_kept_twice_and_has_a_limit(void **state)
{
	static struct chan chans[STREAMS];
	struct net *n = *state;
	size_t before = live, refused_ones = 0, got = 0;

	net_connect(n);
	open_many(n, chans);
	for (size_t i = 0; i < STREAMS; i++) {
		n->a.chans[i].bulk = true;
		stream_hold(n->a.chans[i].s);
		chan_send_on(&chans[i], 200 * KB);
	}
	for (size_t i = 0; i < STREAMS; i++)
		until(n, chans[i].ended ||
			     (stream_queued(chans[i].s) == 0 && n->a.chans[i].n_got == 200 * KB));
	for (size_t i = 0; i < STREAMS; i++) {
		refused_ones += chans[i].ended != 0;
		got += n->a.chans[i].ended ? 0 : n->a.chans[i].n_got;
	}
	assert_true(got <= YAMUX_BUFFERED_MAX);
	assert_true(refused_ones >= STREAMS - YAMUX_BUFFERED_MAX / (200 * KB));
	assert_true(refused_ones < STREAMS / 2 + STREAMS / 4);
	assert_true(conn_is_open(n->a.conn) && conn_is_open(n->b.conn));
	assert_in_range(live - before, 1, 2 * (256 * KB + STREAMS * 1 * KB));
	net_close(n);
}

static void what_waits_for_a_deaf_peer_is_in_the_queues_alone(void **state)
{
	static struct chan chans[STREAMS];
	struct net *n = *state;
	size_t before = live, queued = 0;

	proxy_start(n, SIZE_MAX);
	net_connect(n);
	open_many(n, chans);
	proxy_deaf(n->proxy);
	peak = live;
	for (size_t i = 0; i < STREAMS; i++)
		chan_send_on(&chans[i], YAMUX_WINDOW);
	net_turns(n, 50);
	for (size_t i = 0; i < STREAMS; i++)
		queued += stream_queued(chans[i].s);
	assert_true(queued > 0);
	/* A piece with the socket, one in the muxer, and what sealing takes for a moment. */
	assert_in_range(peak - before, queued, STREAMS * YAMUX_WINDOW + 4096 * KB);
	assert_in_range(live - before, queued, queued + queued / 50 + 2048 * KB);
	net_close(n);
	net_turns(n, 3);
	proxy_end(n->proxy);
}

/* ---- none left ---- */

/* The whole of a short life. True: an allocation failed. */
static bool live_with_failure(unsigned at)
{
	struct chan ch = { .bulk = true };
	struct stream *s;
	struct net *n;
	bool failed;

	assert_int_equal(0, net_setup((void **)&n));
	n->may_fail = true;
	n->a.chans[0].bulk = true;
	n->a.chans[0].echo = true;
	allocations = 0;
	fail_at = at;
	net_dial(n);
	until(n, (n->a.opened == 1 && n->b.opened == 1) || (!n->a.conn && !n->b.conn));
	if (n->b.conn && stream_open(n->b.conn, chan_protocol, 1, true, &chan_ops, &ch, &s) == 0) {
		ch.s = s;
		chan_send_on(&ch, 2 * YAMUX_WINDOW);
	}
	until(n, !ch.s || ch.n_got == 2 * YAMUX_WINDOW);
	if (ch.s)
		chan_close(&ch);
	net_close(n);
	failed = allocations >= fail_at;
	fail_at = 0;
	assert_int_equal(0, net_teardown((void **)&n));
	return failed;
}

static void every_allocation_can_fail(void **state)
{
	size_t before = live;
	unsigned at = 1;

	while (live_with_failure(at)) {
		assert_int_equal(before, live);
		at++;
	}
	assert_true(at > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
		test(a_connection_at_rest_is_small),
		test(what_owners_hold_is_not_kept_twice_and_has_a_limit),
		test(what_waits_for_a_deaf_peer_is_in_the_queues_alone),
		cmocka_unit_test(every_allocation_can_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
