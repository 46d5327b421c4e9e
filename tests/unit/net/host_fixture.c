#include "tests/unit/net/host_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/forward_clock.h"

#define GUARD_S 120
#define TICK_MS 5

/* ---- time ---- */

void hosts_turns(struct hosts *f, unsigned turns)
{
	while (turns-- > 0)
		uv_run(&f->loop, UV_RUN_NOWAIT);
}

void hosts_time(struct hosts *f, uint64_t ms)
{
	forward_clock_ms += (int64_t)ms;
	hosts_turns(f, 3);
}

/* ---- owners of streams ---- */

const char *const test_protocol[1] = { "/test/1" };

static void on_agreed(void *arg, struct stream *s, const char *protocol)
{
	struct talk *t = arg;

	assert_ptr_equal(t->s, s);
	t->agreed = true;
}

static void on_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct talk *t = arg;
	size_t room = sizeof(t->got) - 1 - (t->n < sizeof(t->got) ? t->n : sizeof(t->got) - 1);

	assert_ptr_equal(t->s, s);
	memcpy(t->got + t->n, p, n < room ? n : room);
	t->n += n;
}

static void on_eof(void *arg, struct stream *s)
{
	((struct talk *)arg)->eof = true;
}

static void on_ended(void *arg, struct stream *s, int why)
{
	struct talk *t = arg;

	assert_int_equal(0, t->ended);
	t->ended = why;
	t->s = NULL;
}

const struct stream_ops talk_ops = {
	.agreed = on_agreed, .data = on_data, .eof = on_eof, .ended = on_ended
};

static void echo_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	on_data(arg, s, p, n);
	stream_write(s, p, n);
}

static const struct stream_ops echo_ops = { .data = echo_data, .eof = on_eof, .ended = on_ended };

static void on_accepted(void *arg, struct stream *s)
{
	struct node *n = arg;
	struct talk *t = &n->talks[n->n_talks++ % TALKS_MAX];

	*t = (struct talk){ .s = s };
	stream_own(s, &echo_ops, t);
}

void talk_open(struct talk *t, struct node *n, const struct peerid *to)
{
	*t = (struct talk){ 0 };
	assert_int_equal(0, host_open(n->h, to, test_protocol, 1, &talk_ops, t, &t->s));
}

void talk_close(struct talk *t)
{
	stream_close(t->s);
	t->s = NULL;
}

/* ---- hosts ---- */

static void on_up(struct host_watch *w, const struct peerid *peer)
{
	struct node *n = container_of(w, struct node, watch);

	n->ups++;
	n->last = *peer;
	assert_true(host_is_connected(n->h, peer));
}

static void on_changed(struct host_watch *w, const struct peerid *peer)
{
	struct node *n = container_of(w, struct node, watch);

	n->changes++;
	n->last = *peer;
}

static void on_down(struct host_watch *w, const struct peerid *peer)
{
	struct node *n = container_of(w, struct node, watch);

	n->downs++;
	n->last = *peer;
	assert_false(host_is_connected(n->h, peer));
	assert_false(host_speaks(n->h, peer, "/test/1"));
}

struct multiaddr address_of(const char *text)
{
	struct multiaddr a;

	if (multiaddr_parse(text, strlen(text), &a, NULL) < 0)
		fail_msg("\"%s\" is refused", text);
	return a;
}

void node_start(struct node *n)
{
	struct err e = { 0 };

	n->closed = false;
	if (host_new(&n->opt, &n->h, &e) < 0)
		fail_msg("%s", e.msg);
	n->watch = (struct host_watch){ .up = on_up, .changed = on_changed, .down = on_down };
	n->ups = n->changes = n->downs = 0;
	n->n_talks = 0;
	host_watch(n->h, &n->watch);
	assert_int_equal(
	    0, host_serve(n->h, &(struct stream_protocol){ test_protocol[0], on_accepted, n }));
	if (n->h->n_listeners > 0)
		announce_address_of((struct sockaddr *)&n->h->listeners[0]->at, &n->listen);
}

static void on_closed(void *arg)
{
	struct node *n = arg;

	assert_false(n->closed);
	n->closed = true;
	n->h = NULL;
}

void node_close(struct node *n)
{
	host_close(n->h, on_closed, n);
}

void node_stop(struct node *n)
{
	if (!n->h)
		return;
	if (!n->h->closing)
		node_close(n);
	until(n->all, n->closed);
	for (size_t i = 0; i < TALKS_MAX && i < n->n_talks; i++)
		assert_null(n->talks[i].s);
}

struct multiaddr node_address(const struct node *n)
{
	return n->listen;
}

const struct peerid *node_id(const struct node *n)
{
	return &n->id.id;
}

void node_learn(struct node *n, const struct node *other)
{
	struct multiaddr a = node_address(other);

	assert_int_equal(0, host_learn(n->h, node_id(other), &a, HOST_TTL_PERMANENT));
}

void call_done(void *arg, const struct peerid *peer, int status, const struct err *why)
{
	struct call *c = arg;

	c->n++;
	c->status = status;
	c->why = *why;
	c->peer = *peer;
}

void node_connect(struct node *n, const struct node *other, struct call *call)
{
	assert_int_equal(0, host_connect(n->h, node_id(other), call ? call_done : NULL, call));
}

static bool is_up(const struct node *n, const struct node *other)
{
	return host_speaks(n->h, node_id(other), "/test/1");
}

void node_join(struct node *n, struct node *other)
{
	node_learn(n, other);
	node_connect(n, other, NULL);
	until(n->all, is_up(n, other) && is_up(other, n));
}

struct search {
	const struct peerid *peer;
	struct multiaddr address;
	bool found;
};

static bool search_one(void *arg, const struct peerid *peer, const struct multiaddr *v, size_t n)
{
	struct search *s = arg;

	for (size_t i = 0; peerid_equal(peer, s->peer) && i < n; i++)
		s->found = s->found || multiaddr_equal(&v[i], &s->address);
	return !s->found;
}

bool node_knows(const struct node *n, const struct peerid *peer, const char *address)
{
	struct search s = { .peer = peer, .address = address_of(address) };

	host_each_known(n->h, search_one, &s);
	return s.found;
}

struct host_counts node_counts(const struct node *n)
{
	struct host_counts counts;

	host_counts(n->h, &counts);
	return counts;
}

static void node_init(struct hosts *f, struct node *n)
{
	n->all = f;
	assert_int_equal(0, identity_generate(&n->id, NULL));
	n->listen = address_of("/ip4/127.0.0.1/tcp/0");
	n->opt = (struct host_options){
		.loop = &f->loop,
		.self = &n->id,
		.psk = f->secret,
		.listen = &n->listen,
		.n_listen = 1,
		.agent = "test/1",
		.dial_timeout_ms = DIAL_MS,
		.low_water = 100,
		.high_water = 400,
	};
}

static void on_tick(uv_timer_t *t)
{
}

int hosts_setup(void **state)
{
	struct hosts *f = calloc(1, sizeof(*f));

	if (!f || sodium_init() < 0 || uv_loop_init(&f->loop) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	alarm(GUARD_S);
	randombytes_buf(f->secret, sizeof(f->secret));
	randombytes_buf(f->other_secret, sizeof(f->other_secret));
	uv_timer_init(&f->loop, &f->tick);
	uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
	f->a = &f->nodes[0];
	f->b = &f->nodes[1];
	f->c = &f->nodes[2];
	for (size_t i = 0; i < NODES; i++)
		node_init(f, &f->nodes[i]);
	node_start(f->a);
	node_start(f->b);
	*state = f;
	return 0;
}

int hosts_teardown(void **state)
{
	struct hosts *f = *state;

	for (size_t i = 0; i < NODES; i++)
		node_stop(&f->nodes[i]);
	uv_close((uv_handle_t *)&f->tick, NULL);
	while (uv_run(&f->loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(0, uv_loop_close(&f->loop));
	for (size_t i = 0; i < NODES; i++)
		identity_clear(&f->nodes[i].id);
	free(f);
	alarm(0);
	return 0;
}

/* ---- strangers ---- */

static void st_open(void *arg, struct conn *c)
{
	((struct stranger *)arg)->opened++;
}

static void st_inbound(void *arg, struct conn *c, struct stream *s)
{
	struct stranger *st = arg;

	if (st->n_offers > 0)
		assert_int_equal(0, stream_accept(s, st->offers, st->n_offers));
}

static void st_closed(void *arg, struct conn *c, const struct err *why)
{
	struct stranger *st = arg;

	st->closed++;
	st->why = *why;
	if (st->conn == c)
		st->conn = NULL;
}

static void take(struct stranger *st)
{
	assert_int_equal(0, conn_accept(&st->ctx, (uv_stream_t *)&st->listener, &st->conn, NULL));
}

static void st_connection(uv_stream_t *listener, int status)
{
	struct stranger *st = listener->data;

	assert_int_equal(0, status);
	st->waits = st->deaf;
	if (!st->deaf)
		take(st);
}

void stranger_hear(struct stranger *st)
{
	until(st->all, st->waits);
	st->waits = false;
	take(st);
}

void stranger_start(struct hosts *f, struct stranger *st)
{
	*st = (struct stranger){ .all = f };
	assert_int_equal(0, identity_generate(&st->id, NULL));
	st->ctx = (struct conn_context){ .loop = &f->loop,
					 .self = &st->id,
					 .psk = f->secret,
					 .open = st_open,
					 .inbound = st_inbound,
					 .closed = st_closed,
					 .arg = st };
}

void stranger_offer(struct stranger *st, const char *name,
		    void (*accepted)(void *arg, struct stream *s), void *arg)
{
	assert_true(st->n_offers < OFFERS_MAX);
	st->offers[st->n_offers++] = (struct stream_protocol){ name, accepted, arg };
}

static void nothing_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
}

static void nothing_ended(void *arg, struct stream *s, int why)
{
}

static const struct stream_ops nothing_ops = { .data = nothing_data, .ended = nothing_ended };

void stranger_say(struct stream *s, const char *const *protocols, const char *const *addresses)
{
	struct identify_bytes names[8], addrs[8];
	struct multiaddr parsed[8];
	struct identify id = { .protocols = names, .addrs = addrs };
	struct buf out = BUF_INIT(0);

	id.agent = (struct identify_bytes){ (const uint8_t *)"stranger", 8 };
	for (; protocols[id.n_protocols]; id.n_protocols++)
		names[id.n_protocols] =
		    (struct identify_bytes){ (const uint8_t *)protocols[id.n_protocols],
					     strlen(protocols[id.n_protocols]) };
	for (; addresses && addresses[id.n_addrs]; id.n_addrs++) {
		parsed[id.n_addrs] = address_of(addresses[id.n_addrs]);
		addrs[id.n_addrs] =
		    (struct identify_bytes){ parsed[id.n_addrs].bytes, parsed[id.n_addrs].len };
	}
	assert_int_equal(0, identify_write(&id, &out));
	assert_int_equal(0, stream_write(s, out.data, out.len));
	buf_deinit(&out);
	stream_close(s);
}

static void say_accepted(void *arg, struct stream *s)
{
	static const char *const protocols[] = { "/test/1", IDENTIFY_PROTOCOL, NULL };

	stream_own(s, &nothing_ops, NULL);
	stranger_say(s, protocols, NULL);
}

void stranger_offer_identify(struct stranger *st)
{
	stranger_offer(st, IDENTIFY_PROTOCOL, say_accepted, st);
}

void stranger_listen(struct stranger *st)
{
	struct sockaddr_in at;
	int len = sizeof(at);

	assert_int_equal(0, uv_tcp_init(&st->all->loop, &st->listener));
	st->listener.data = st;
	st->listens = true;
	assert_int_equal(0, uv_ip4_addr("127.0.0.1", 0, &at));
	assert_int_equal(0, uv_tcp_bind(&st->listener, (struct sockaddr *)&at, 0));
	assert_int_equal(0, uv_listen((uv_stream_t *)&st->listener, 16, st_connection));
	assert_int_equal(0, uv_tcp_getsockname(&st->listener, (struct sockaddr *)&at, &len));
	announce_address_of((struct sockaddr *)&at, &st->at);
}

void stranger_call(struct stranger *st, const struct node *n)
{
	struct targets t = { 0 };
	struct multiaddr a = node_address(n);

	assert_int_equal(0, targets_add_ip(&t, &a));
	assert_int_equal(0, conn_dial(&st->ctx, (struct sockaddr *)&t.v[0], node_id(n), DIAL_MS,
				      &st->conn, NULL));
}

void stranger_dial(struct stranger *st, const struct node *n)
{
	unsigned before = st->opened;

	stranger_call(st, n);
	until(st->all, st->opened > before);
}

void stranger_hang_up(struct stranger *st)
{
	if (st->conn)
		conn_close(st->conn);
	until(st->all, !st->conn);
}

void stranger_stop(struct stranger *st)
{
	stranger_hang_up(st);
	if (st->listens)
		uv_close((uv_handle_t *)&st->listener, NULL);
	st->listens = false;
	identity_clear(&st->id);
	hosts_turns(st->all, 2); /* the listener is the caller's storage */
}
