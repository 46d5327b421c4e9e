#include "tests/unit/net/conn_fixture.h"

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
#define PIECE (64u * 1024)

void net_turns(struct net *n, unsigned turns)
{
	while (turns-- > 0)
		uv_run(&n->loop, UV_RUN_NOWAIT);
}

void net_time(struct net *n, uint64_t ms)
{
	forward_clock_ms += (int64_t)ms;
	net_turns(n, 3);
}

/* ---- owners of streams ---- */

const char *const chan_protocol[1] = { "/test/1" };

uint8_t chan_byte(size_t at)
{
	return (uint8_t)(at * 7 + at / 251 + at / 65521);
}

static void event(struct chan *ch, const char *name)
{
	if (ch->on_event)
		ch->on_event(ch, name);
}

static void on_agreed(void *arg, struct stream *s, const char *protocol)
{
	struct chan *ch = arg;

	assert_ptr_equal(ch->s, s);
	assert_null(ch->agreed);
	assert_string_equal(protocol, stream_protocol_name(s));
	ch->agreed = protocol;
	event(ch, "agreed");
}

static void on_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	struct chan *ch = arg;

	assert_ptr_equal(ch->s, s);
	assert_false(ch->eof);
	assert_true(n > 0);
	for (size_t i = 0; ch->bulk && i < n; i++) {
		if (p[i] != chan_byte(ch->n_got + i))
			fail_msg("another byte than was sent, at %zu", ch->n_got + i);
	}
	ch->n_got += n;
	if (!ch->bulk)
		assert_int_equal(0, buf_append(&ch->got, p, n));
	if (ch->echo && stream_write(s, p, n) == -ENOMEM)
		stream_reset(s, YAMUX_RESET_NONE);
	if (ch->on_data)
		ch->on_data(ch, p, n);
}

static void on_eof(void *arg, struct stream *s)
{
	struct chan *ch = arg;

	assert_ptr_equal(ch->s, s);
	assert_false(ch->eof);
	ch->eof = true;
	event(ch, "eof");
}

static void send_more(struct chan *ch);

static void on_drained(void *arg, struct stream *s)
{
	struct chan *ch = arg;

	assert_ptr_equal(ch->s, s);
	assert_true(stream_queued(s) <= STREAM_QUEUE_MAX / 2);
	ch->drained++;
	send_more(ch);
	event(ch, "drained");
}

static void on_ended(void *arg, struct stream *s, int why)
{
	struct chan *ch = arg;

	assert_ptr_equal(ch->s, s);
	assert_int_equal(0, ch->ended);
	assert_true(why < 0);
	ch->ended = why;
	event(ch, "ended");
	ch->s = NULL;
}

const struct stream_ops chan_ops = { on_agreed, on_data, on_eof, on_drained, on_ended };

void chan_open_as(struct chan *ch, struct conn *c, const char *const *protocols, size_t n,
		  bool lazy)
{
	assert_int_equal(0, stream_open(c, protocols, n, lazy, &chan_ops, ch, &ch->s));
}

void chan_open(struct chan *ch, struct conn *c, bool lazy)
{
	chan_open_as(ch, c, chan_protocol, 1, lazy);
}

static void send_more(struct chan *ch)
{
	uint8_t piece[PIECE];

	while (ch->to_send > 0) {
		size_t n = ch->to_send < PIECE ? ch->to_send : PIECE;
		int r;

		for (size_t i = 0; i < n; i++)
			piece[i] = chan_byte(ch->sent + i);
		r = stream_write(ch->s, piece, n);
		if (r == -EAGAIN)
			return;
		if (r == -ENOMEM) {
			stream_reset(ch->s, YAMUX_RESET_NONE);
			ch->s = NULL;
			return;
		}
		assert_int_equal(0, r);
		ch->sent += n;
		ch->to_send -= n;
	}
}

void chan_send_on(struct chan *ch, size_t n)
{
	ch->to_send += n;
	send_more(ch);
}

void chan_close(struct chan *ch)
{
	stream_close(ch->s);
	ch->s = NULL;
}

void chan_clear(struct chan *ch)
{
	buf_deinit(&ch->got);
	*ch = (struct chan){ 0 };
}

/* ---- peers ---- */

static void on_open(void *arg, struct conn *c)
{
	struct peer *p = arg;

	assert_ptr_equal(p->conn, c);
	assert_true(conn_is_open(c));
	p->opened++;
	if (p->on_open)
		p->on_open(p, c);
}

static void on_inbound(void *arg, struct conn *c, struct stream *s)
{
	struct peer *p = arg;

	assert_ptr_equal(stream_conn(s), c);
	if (p->n_offers > 0 && stream_accept(s, &p->offered, p->n_offers) < 0)
		assert_true(p->net->may_fail);
}

static void on_closed(void *arg, struct conn *c, const struct err *why)
{
	struct peer *p = arg;

	assert_true(why->code < 0);
	assert_true(why->msg[0]);
	assert_false(conn_is_open(c));
	assert_int_equal(0, conn_streams(c));
	if (p->conn == c)
		p->conn = NULL;
	p->closed++;
	p->why = *why;
}

static void on_accepted(void *arg, struct stream *s)
{
	struct peer *p = arg;
	struct chan *ch = &p->chans[p->n_chans++];

	assert_true(p->n_chans <= CHANS_MAX);
	assert_string_equal(stream_protocol_name(s), "/test/1");
	assert_true(peerid_equal(stream_peer(s), conn_peer(p->conn)));
	ch->s = s;
	stream_own(s, &chan_ops, ch);
	if (p->on_accepted)
		p->on_accepted(p, ch);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct peer *p = listener->data;
	struct err e = { 0 };
	int r = conn_accept(&p->ctx, listener, &p->conn, &e);

	assert_int_equal(0, status);
	assert_int_equal(r, e.code);
	if (r == -ENOMEM && p->net->may_fail)
		r = conn_accept(&p->ctx, listener, &p->conn, &e);
	if (r < 0 && p->net->may_fail)
		return;
	assert_int_equal(0, r);
	p->accepted++;
	assert_false(conn_is_dialer(p->conn));
}

static void listen_on(struct net *n, uv_tcp_t *listener, struct sockaddr_in *ret,
		      uv_connection_cb cb)
{
	int len = sizeof(*ret);

	assert_int_equal(0, uv_tcp_init(&n->loop, listener));
	assert_int_equal(0, uv_ip4_addr("127.0.0.1", 0, ret));
	assert_int_equal(0, uv_tcp_bind(listener, (struct sockaddr *)ret, 0));
	assert_int_equal(0, uv_listen((uv_stream_t *)listener, 16, cb));
	assert_int_equal(0, uv_tcp_getsockname(listener, (struct sockaddr *)ret, &len));
}

static void peer_start(struct net *n, struct peer *p)
{
	p->net = n;
	assert_int_equal(0, identity_generate(&p->id, NULL));
	p->ctx = (struct conn_context){ .loop = &n->loop,
					.self = &p->id,
					.psk = n->secret,
					.open = on_open,
					.inbound = on_inbound,
					.closed = on_closed,
					.arg = p };
	p->offered = (struct stream_protocol){ chan_protocol[0], on_accepted, p };
	p->n_offers = 1;
	listen_on(n, &p->listener, &p->at, on_connection);
	p->listener.data = p;
}

static void peer_stop(struct peer *p)
{
	for (size_t i = 0; i < p->n_chans; i++)
		chan_clear(&p->chans[i]);
	identity_clear(&p->id);
}

void peer_dial(struct peer *p, const struct sockaddr_in *to, const struct peerid *expected)
{
	struct err e = { 0 };
	int r = conn_dial(&p->ctx, (const struct sockaddr *)to, expected, DIAL_MS, &p->conn, &e);

	if (r < 0 && p->net->may_fail)
		return;
	assert_int_equal(0, r);
	assert_true(conn_is_dialer(p->conn));
	assert_false(conn_is_open(p->conn));
}

void net_dial(struct net *n)
{
	peer_dial(&n->b, n->proxy ? &n->proxy->at : &n->a.at, &n->a.id.id);
}

void net_connect(struct net *n)
{
	net_dial(n);
	until(n, n->a.opened == 1 && n->b.opened == 1);
}

void conn_inject(struct conn *c, const struct yamux_frame *f, const void *p, size_t n)
{
	struct buf frame = BUF_INIT(0);
	uint8_t head[YAMUX_HEADER];

	yamux_frame_put(f, head);
	assert_int_equal(0, buf_append(&frame, head, sizeof(head)));
	assert_int_equal(0, buf_append(&frame, p, n));
	assert_int_equal(0, noise_seal(c->noise, frame.data, frame.len, &c->wire));
	conn_wake(c);
	buf_deinit(&frame);
}

void net_close(struct net *n)
{
	if (n->a.conn)
		conn_close(n->a.conn);
	if (n->b.conn)
		conn_close(n->b.conn);
	until(n, !n->a.conn && !n->b.conn);
}

int net_setup(void **state)
{
	struct net *n = calloc(1, sizeof(*n));

	if (!n || sodium_init() < 0 || uv_loop_init(&n->loop) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	alarm(GUARD_S);
	randombytes_buf(n->secret, sizeof(n->secret));
	peer_start(n, &n->a);
	peer_start(n, &n->b);
	*state = n;
	return 0;
}

static void proxy_stop(struct proxy *p);

int net_teardown(void **state)
{
	struct net *n = *state;

	net_close(n);
	if (n->proxy)
		proxy_stop(n->proxy);
	uv_close((uv_handle_t *)&n->a.listener, NULL);
	uv_close((uv_handle_t *)&n->b.listener, NULL);
	while (uv_run(&n->loop, UV_RUN_DEFAULT))
		;
	assert_int_equal(0, uv_loop_close(&n->loop));
	peer_stop(&n->a);
	peer_stop(&n->b);
	if (n->proxy) {
		buf_deinit(&n->proxy->waiting[0]);
		buf_deinit(&n->proxy->waiting[1]);
		free(n->proxy);
	}
	free(n);
	alarm(0);
	return 0;
}

/* ---- the proxy ---- */

static int end_of(const uv_tcp_t *end)
{
	const struct proxy *p = end->data;

	return end == &p->ends[1];
}

void proxy_end(struct proxy *p)
{
	if (p->ended || !p->up)
		return;
	p->ended = true;
	uv_close((uv_handle_t *)&p->ends[0], NULL);
	uv_close((uv_handle_t *)&p->ends[1], NULL);
	uv_idle_stop(&p->idle);
}

static void proxy_stop(struct proxy *p)
{
	proxy_end(p);
	uv_close((uv_handle_t *)&p->listener, NULL);
	uv_close((uv_handle_t *)&p->idle, NULL);
}

static void on_proxy_alloc(uv_handle_t *t, size_t suggested, uv_buf_t *ret)
{
	*ret = uv_buf_init(malloc(PIECE), PIECE);
}

static void on_proxy_read(uv_stream_t *t, ssize_t n, const uv_buf_t *b)
{
	struct proxy *p = t->data;
	int from = end_of((uv_tcp_t *)t);

	if (n > 0)
		assert_int_equal(0, buf_append(&p->waiting[from], b->base, (size_t)n));
	else if (n < 0)
		p->eof[from] = true;
	free(b->base);
	if (n < 0)
		uv_read_stop(t);
}

/* Passes a step of what came from @from. */
static void pass(struct proxy *p, int from)
{
	struct buf *w = &p->waiting[from];
	size_t n = w->len < p->step ? w->len : p->step;
	uv_buf_t b = uv_buf_init((char *)w->data, (unsigned)n);
	int r;

	if (n == 0)
		return;
	if (p->corrupt == from) {
		w->data[n - 1] ^= 1;
		p->corrupt = -1;
	}
	r = uv_try_write((uv_stream_t *)&p->ends[!from], &b, 1);
	if (r < 0)
		return;
	p->passed[from] += (size_t)r;
	memmove(w->data, w->data + r, w->len - (size_t)r);
	w->len -= (size_t)r;
}

static void on_proxy_idle(uv_idle_t *idle)
{
	struct proxy *p = idle->data;

	for (int from = 0; from < 2; from++) {
		pass(p, from);
		if (p->eof[from] && p->waiting[from].len == 0)
			proxy_end(p);
	}
}

static void read_end(struct proxy *p, int end)
{
	uv_tcp_nodelay(&p->ends[end], 1);
	assert_int_equal(
	    0, uv_read_start((uv_stream_t *)&p->ends[end], on_proxy_alloc, on_proxy_read));
}

static void on_proxy_connected(uv_connect_t *connect, int status)
{
	struct proxy *p = connect->data;

	assert_int_equal(0, status);
	read_end(p, 0);
	read_end(p, 1);
	uv_idle_start(&p->idle, on_proxy_idle);
}

static void on_proxy_connection(uv_stream_t *listener, int status)
{
	struct proxy *p = listener->data;

	assert_int_equal(0, status);
	assert_false(p->up);
	p->up = true;
	for (int end = 0; end < 2; end++) {
		assert_int_equal(0, uv_tcp_init(&p->net->loop, &p->ends[end]));
		p->ends[end].data = p;
	}
	assert_int_equal(0, uv_accept(listener, (uv_stream_t *)&p->ends[0]));
	p->connect.data = p;
	assert_int_equal(0, uv_tcp_connect(&p->connect, &p->ends[1],
					   (struct sockaddr *)&p->net->a.at, on_proxy_connected));
}

void proxy_start(struct net *n, size_t step)
{
	struct proxy *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->net = n;
	p->step = step;
	p->corrupt = -1;
	listen_on(n, &p->listener, &p->at, on_proxy_connection);
	p->listener.data = p;
	assert_int_equal(0, uv_idle_init(&n->loop, &p->idle));
	p->idle.data = p;
	n->proxy = p;
}

void proxy_deaf(struct proxy *p)
{
	uv_read_stop((uv_stream_t *)&p->ends[0]);
	uv_read_stop((uv_stream_t *)&p->ends[1]);
	uv_idle_stop(&p->idle);
}

void proxy_read_some(struct proxy *p)
{
	static char space[1 << 20];
	ssize_t n;
	int fd;

	assert_int_equal(0, uv_fileno((uv_handle_t *)&p->ends[0], &fd));
	do {
		n = read(fd, space, sizeof(space));
	} while (n > 0);
}
