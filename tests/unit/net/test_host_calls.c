/*
 * Whoever is called by a host calls it back: every callback, with everything that it may do. What
 * goes wrong here is mostly seen by the address sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "tests/unit/net/host_fixture.h"

#define CALLS_MAX 8

/* ---- what callbacks do ---- */

enum action {
	DISCONNECT_IT,
	DISCONNECT_ALL,
	CONNECT_IT,
	CONNECT_ANOTHER,
	KEEP_IT,
	RECONNECT,
	OPEN_STREAM,
	UNWATCH_THIS,
	UNWATCH_NEXT,
	UNWATCH_ALL,
	WATCH_MORE,
	CLOSE,
	ACTIONS
};

struct watcher {
	struct host_watch watch;
	bool on;
	unsigned calls;
};

static struct node *actor; /* b, of whose host it is */
static struct peerid others[2];
static enum action action;
static unsigned acted;
static struct watcher watchers[3], more;
static struct call calls[CALLS_MAX];
static unsigned n_calls;
static struct talk talk;

static void unwatch(struct watcher *w)
{
	if (w->on)
		host_unwatch(actor->h, &w->watch);
	/* Whoever unwatches may free it: */
	memset(&w->watch, 0xa5, sizeof(w->watch));
	w->on = false;
}

static void on_event(struct host_watch *w, const struct peerid *peer);

static void watch(struct watcher *w)
{
	w->watch = (struct host_watch){ .up = on_event, .changed = on_event, .down = on_event };
	w->on = true;
	host_watch(actor->h, &w->watch);
}

static void connect_to(const struct peerid *peer)
{
	unsigned n = n_calls;
	int r;

	if (n == CALLS_MAX)
		return;
	n_calls++;
	r = host_connect(actor->h, peer, call_done, &calls[n]);
	assert_true(r == 0 || (r == -ECANCELED && actor->h->closing));
	if (r < 0)
		n_calls--;
	else
		assert_int_equal(0, calls[n].n);
}

/* Once in a test, from within whatever it is that calls. */
static void act(const struct peerid *peer)
{
	const struct peerid id = *peer; /* of which nothing may be left afterwards */

	if (acted++ > 0 || actor->h->closing)
		return;
	switch (action) {
	case DISCONNECT_IT:
		host_disconnect(actor->h, &id);
		break;
	case DISCONNECT_ALL:
		host_disconnect(actor->h, &others[0]);
		host_disconnect(actor->h, &others[1]);
		break;
	case CONNECT_IT:
		connect_to(&id);
		break;
	case CONNECT_ANOTHER:
		connect_to(&others[0]);
		connect_to(&others[1]);
		break;
	case KEEP_IT:
		host_keep(actor->h, &id);
		break;
	case RECONNECT:
		host_disconnect(actor->h, &id);
		connect_to(&id);
		break;
	case OPEN_STREAM:
		if (!talk.s && host_is_connected(actor->h, &id))
			talk_open(&talk, actor, &id);
		break;
	case UNWATCH_THIS:
		unwatch(&watchers[0]);
		break;
	case UNWATCH_NEXT:
		unwatch(&watchers[1]);
		break;
	case UNWATCH_ALL:
		for (size_t i = 0; i < 3; i++)
			unwatch(&watchers[i]);
		break;
	case WATCH_MORE:
		watch(&more);
		break;
	case CLOSE:
		node_close(actor);
		break;
	case ACTIONS:
		break;
	}
}

/* ---- who is called ---- */

enum event {
	UP,
	CHANGED,
	DOWN,
	DONE,        /* of a connect that works */
	DONE_FAILED, /* of one that does not */
	STREAM_ENDED,
	EVENTS
};

static enum event event;

static void on_event(struct host_watch *w, const struct peerid *peer)
{
	struct watcher *x = container_of(w, struct watcher, watch);

	assert_true(x->on);
	x->calls++;
}

static void on_up(struct host_watch *w, const struct peerid *peer)
{
	on_event(w, peer);
	if (event == UP)
		act(peer);
}

static void on_changed(struct host_watch *w, const struct peerid *peer)
{
	on_event(w, peer);
	if (event == CHANGED)
		act(peer);
}

static void on_down(struct host_watch *w, const struct peerid *peer)
{
	on_event(w, peer);
	if (event == DOWN)
		act(peer);
}

static void done_and_act(void *arg, const struct peerid *peer, int status, const struct err *why)
{
	call_done(arg, peer, status, why);
	act(peer);
}

static void end_and_act(void *arg, struct stream *s, int why)
{
	const struct peerid peer = *stream_peer(s);

	*(struct stream **)arg = NULL;
	act(&peer);
}

static void no_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

/* ---- one round ---- */

static void prepare(struct hosts *f)
{
	actor = f->b;
	acted = n_calls = 0;
	memset(calls, 0, sizeof(calls));
	memset(&talk, 0, sizeof(talk));
	memset(watchers, 0, sizeof(watchers));
	memset(&more, 0, sizeof(more));
	others[0] = *node_id(f->a);
	others[1] = *node_id(f->c);
	node_start(f->c);
	node_learn(f->b, f->a);
	node_learn(f->b, f->c);
	watch(&watchers[0]);
	watchers[0].watch.up = on_up;
	watchers[0].watch.changed = on_changed;
	watchers[0].watch.down = on_down;
	watch(&watchers[1]);
	watch(&watchers[2]);
}

/* a speaks another protocol, and says so. */
static void cause_change(struct hosts *f)
{
	assert_int_equal(0, host_serve(f->a->h, &(struct stream_protocol){ .name = "/test/2" }));
	identify_push_all(f->a->h);
}

/* Brings the event about; something of it must have acted in the end. */
static void cause(struct hosts *f)
{
	static const struct stream_ops ops = { .data = no_data, .ended = end_and_act };
	static struct stream *s;
	struct call first = { 0 };

	if (event == DONE_FAILED) {
		node_stop(f->a);
		node_stop(f->c);
	}
	if (event == DONE || event == DONE_FAILED) {
		/* Three of them wait for two peers. */
		assert_int_equal(0, host_connect(f->b->h, &others[0], done_and_act, &calls[0]));
		assert_int_equal(0, host_connect(f->b->h, &others[0], call_done, &calls[1]));
		assert_int_equal(0, host_connect(f->b->h, &others[1], done_and_act, &calls[2]));
		n_calls = 3;
		until(f, calls[0].n + calls[1].n + calls[2].n == 3);
		return;
	}
	node_connect(f->b, f->a, &first);
	node_connect(f->b, f->c, NULL);
	until(f, acted > 0 || (f->a->ups == 1 && f->b->ups == 2 && first.n == 1));
	if (event == CHANGED)
		cause_change(f);
	if (event == STREAM_ENDED)
		assert_int_equal(0, host_open(f->b->h, &others[0], test_protocol, 1, &ops, &s, &s));
	if (event == DOWN || event == STREAM_ENDED)
		node_stop(f->a);
	until(f, acted > 0);
	until(f, first.n == 1);
}

/* Nobody is called who has gone, and nobody is forgotten. */
static void check(struct hosts *f)
{
	node_stop(f->b);
	for (unsigned i = 0; i < n_calls; i++)
		assert_int_equal(1, calls[i].n);
}

static void go_on(struct hosts *f)
{
	for (unsigned i = 0; i < 8; i++)
		hosts_time(f, i < 4 ? 1 : 5000);
	if (talk.s && actor->h)
		talk_close(&talk);
}

static void callbacks_may_do_everything(void **state)
{
	for (event = 0; event < EVENTS; event++) {
		for (action = 0; action < ACTIONS; action++) {
			struct hosts *f;

			assert_int_equal(0, hosts_setup((void **)&f));
			prepare(f);
			cause(f);
			assert_true(acted > 0);
			go_on(f);
			check(f);
			assert_int_equal(0, hosts_teardown((void **)&f));
		}
	}
}

/* The watch that is next when one goes is told, and one that went is not. */
static void watches_are_told_once_each(void **state)
{
	static const struct {
		enum action action;
		unsigned told[3], more;
	} cases[] = {
		{ ACTIONS, { 1, 1, 1 }, 0 },      { UNWATCH_THIS, { 1, 1, 1 }, 0 },
		{ UNWATCH_NEXT, { 1, 0, 1 }, 0 }, { UNWATCH_ALL, { 1, 0, 0 }, 0 },
		{ WATCH_MORE, { 1, 1, 1 }, 1 },
	};

	event = UP;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hosts *f;

		action = cases[i].action;
		assert_int_equal(0, hosts_setup((void **)&f));
		prepare(f);
		node_connect(f->b, f->a, NULL);
		until(f, f->a->ups == 1 && acted == 1);
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(cases[i].told[k], watchers[k].calls);
		assert_int_equal(cases[i].more, more.calls);
		check(f);
		assert_int_equal(0, hosts_teardown((void **)&f));
	}
}

/* ---- closing ---- */

#define TURNS 60

/* Whatever is under way: dials, handshakes, queries, streams. */
static void a_host_can_be_closed_at_any_time(void **state)
{
	unsigned seen_up = 0, seen_before = 0;

	for (unsigned turns = 0; turns < TURNS; turns++) {
		struct call call[2] = { 0 };
		struct multiaddr dead = address_of("/ip4/127.0.0.1/tcp/1");
		struct hosts *f;

		assert_int_equal(0, hosts_setup((void **)&f));
		node_learn(f->b, f->a);
		node_learn(f->a, f->b);
		assert_int_equal(0, host_learn(f->b->h, node_id(f->c), &dead, HOST_TTL_HOUR));
		node_connect(f->b, f->a, &call[0]);
		node_connect(f->b, f->c, &call[1]);
		host_keep(f->b->h, node_id(f->c));
		if (turns % 2)
			host_keep(f->a->h, node_id(f->b));
		hosts_turns(f, turns);
		seen_before += f->b->ups == 0 && f->b->h->n_links > 0;
		seen_up += f->b->ups;
		node_close(f->b);
		assert_false(f->b->closed); /* not from within */
		if (turns % 3 == 0)
			node_close(f->a);
		until(f, f->b->closed);
		assert_int_equal(1, call[0].n);
		assert_int_equal(1, call[1].n);
		assert_int_equal(f->b->ups, f->b->downs);
		assert_int_equal(0, hosts_teardown((void **)&f));
	}
	assert_true(seen_before > 0 && seen_up > 0);
}

static void a_closing_host_takes_no_orders(void **state)
{
	struct hosts *f = *state;
	struct call call = { 0 };
	struct talk t = { 0 };

	node_join(f->b, f->a);
	node_close(f->b);
	assert_int_equal(-ECANCELED, host_connect(f->b->h, node_id(f->c), call_done, &call));
	assert_int_equal(-ENOTCONN,
			 host_open(f->b->h, node_id(f->a), test_protocol, 1, &talk_ops, &t, &t.s));
	host_keep(f->b->h, node_id(f->c));
	host_disconnect(f->b->h, node_id(f->a));
	node_learn(f->b, f->a);
	until(f, f->b->closed);
	assert_int_equal(0, call.n);
}

/* One that was refused has not ended when everything else has. */
static void a_refused_connection_does_not_outlive_its_host(void **state)
{
	struct hosts *f = *state;
	struct stranger st;

	stranger_start(f, &st);
	f->a->h->n_upgrading += HOST_UPGRADING_MAX;
	stranger_call(&st, f->a);
	until(f, node_counts(f->a).refused == 1);
	f->a->h->n_upgrading -= HOST_UPGRADING_MAX;
	node_stop(f->a);
	until(f, st.closed == 1);
	stranger_stop(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, hosts_setup, hosts_teardown)
		cmocka_unit_test(callbacks_may_do_everything),
		cmocka_unit_test(watches_are_told_once_each),
		cmocka_unit_test(a_host_can_be_closed_at_any_time),
		TEST(a_closing_host_takes_no_orders),
		TEST(a_refused_connection_does_not_outlive_its_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
