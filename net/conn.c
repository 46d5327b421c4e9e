#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/conn_internal.h"

#define READ_MAX (64u * 1024)
#define SEND_KEEP (16u * 1024) /* memory that a connection at rest keeps for sending */
#define KEEPALIVE_S 30
#define STALL_LOOKS 4 /* at a write within CONN_WRITE_STALL_MS */

static const char *const phases[] = {
	[CONN_CONNECTING] = "connecting",   [CONN_SECURITY] = "agreeing on security",
	[CONN_HANDSHAKE] = "the handshake", [CONN_MUXER] = "agreeing on a muxer",
	[CONN_OPEN] = "the connection",     [CONN_CLOSING] = "the end",
};

static uint64_t now_ms(const struct conn *c)
{
	return uv_now(c->ctx->loop);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *t)
{
	struct conn *c = t->data;

	assert(list_empty(&c->streams));
	layers_clear(c);
	buf_deinit(&c->sending);
	free(c);
}

static void on_tcp_closed(uv_handle_t *t)
{
	struct conn *c = t->data;

	if (!c->unborn)
		c->ctx->closed(c->ctx->arg, c, &c->why);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* What an open connection has left to say, as far as the socket takes it at once. */
static void say_goodbye(struct conn *c)
{
	uv_buf_t b;

	if (!c->yamux || c->writing || layers_out(c, &c->sending, NULL) < 0)
		return;
	b = uv_buf_init((char *)c->sending.data, (unsigned)c->sending.len);
	if (b.len > 0)
		uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
}

static void finish(struct conn *c)
{
	if (uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	uv_timer_stop(&c->timer);
	say_goodbye(c);
	uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
}

void conn_fail(struct conn *c, const struct err *why)
{
	if (c->phase == CONN_CLOSING)
		return;
	c->phase = CONN_CLOSING;
	c->why = *why;
	streams_end(c, why->code == -ECANCELED ? -ECANCELED : -ECONNRESET);
	conn_wake(c);
}

void conn_close(struct conn *c)
{
	struct err why = { 0 };

	if (c->phase == CONN_OPEN)
		yamux_end(c->yamux, 0);
	err_set(&why, -ECANCELED, "closed by us");
	conn_fail(c, &why);
}

/* The socket's end or failure @r. */
static void lost(struct conn *c, int r)
{
	struct err why = { 0 };

	if (r == UV_EOF)
		err_set(&why, -ECONNRESET, "the peer closed the connection");
	else
		err_sys(&why, r, "the socket");
	if (c->phase != CONN_OPEN)
		err_wrap(&why, why.code, "%s", phases[c->phase]);
	conn_fail(c, &why);
}

/* ---- a turn ---- */

static void on_timer(uv_timer_t *t);

void conn_wake(struct conn *c)
{
	if (c->awake)
		return;
	c->awake = true;
	uv_timer_start(&c->timer, on_timer, 0, 0);
}

static void on_written(uv_write_t *w, int status);

static void send_out(struct conn *c)
{
	struct err e = { 0 };
	uv_buf_t b;
	int r;

	if (c->writing || c->phase == CONN_CONNECTING)
		return;
	if (layers_out(c, &c->sending, &e) < 0) {
		conn_fail(c, &e);
		return;
	}
	if (c->sending.len == 0 || c->phase == CONN_CLOSING)
		return;
	b = uv_buf_init((char *)c->sending.data, (unsigned)c->sending.len);
	r = uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written);
	if (r < 0) {
		lost(c, r);
		return;
	}
	c->writing = true;
	c->unsent = c->sending.len;
	c->progress_ms = now_ms(c);
	c->look_ms = c->progress_ms + CONN_WRITE_STALL_MS / STALL_LOOKS;
}

static void check_stall(struct conn *c, uint64_t now, struct err *e)
{
	size_t unsent;

	if (!c->writing || now < c->look_ms)
		return;
	unsent = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
	if (unsent < c->unsent)
		c->progress_ms = now;
	c->unsent = unsent;
	c->look_ms =
	    min_u64(now + CONN_WRITE_STALL_MS / STALL_LOOKS, c->progress_ms + CONN_WRITE_STALL_MS);
	if (now - c->progress_ms >= CONN_WRITE_STALL_MS)
		err_set(e, -ETIMEDOUT, "the peer does not read");
}

/* What is due by the time. */
static void check_time(struct conn *c)
{
	uint64_t now = now_ms(c);
	struct err e = { 0 };
	int r;

	if (c->phase < CONN_OPEN && now >= c->upgrade_deadline)
		err_set(&e, -ETIMEDOUT, "no end of %s", phases[c->phase]);
	check_stall(c, now, &e);
	if (c->phase == CONN_OPEN && e.code == 0) {
		streams_expire(c, now);
		r = yamux_tick(c->yamux, now);
		if (r < 0)
			err_sys(&e, r, "yamux");
	}
	if (e.code < 0)
		conn_fail(c, &e);
}

static void set_timer(struct conn *c)
{
	uint64_t now = now_ms(c), due = UINT64_MAX;

	if (c->phase < CONN_OPEN)
		due = c->upgrade_deadline;
	else
		due = min_u64(yamux_deadline(c->yamux), streams_deadline(c));
	if (c->writing)
		due = min_u64(due, c->look_ms);
	if (c->awake)
		due = now;
	uv_timer_start(&c->timer, on_timer, due > now ? due - now : 0, 0);
}

/* The end of each turn: callbacks that are due, bytes to send, when the next turn is. */
static void settle(struct conn *c)
{
	c->awake = false;
	check_time(c);
	streams_relieve(c);
	if (c->phase != CONN_CLOSING)
		send_out(c);
	if (c->phase == CONN_CLOSING)
		finish(c);
	else
		set_timer(c);
}

static void on_timer(uv_timer_t *t)
{
	settle(t->data);
}

static void on_written(uv_write_t *w, int status)
{
	struct conn *c = w->data;

	c->writing = false;
	c->bytes_out += c->sending.len;
	buf_reset(&c->sending);
	if (c->sending.cap > SEND_KEEP)
		buf_deinit(&c->sending);
	if (uv_is_closing((uv_handle_t *)&c->tcp))
		return;
	if (status < 0)
		lost(c, status);
	settle(c);
}

static void on_alloc(uv_handle_t *t, size_t suggested, uv_buf_t *ret)
{
	ret->base = malloc(READ_MAX);
	ret->len = ret->base ? READ_MAX : 0;
}

static void on_read(uv_stream_t *t, ssize_t n, const uv_buf_t *b)
{
	struct conn *c = t->data;
	struct err e = { 0 };

	if (c->phase == CONN_CLOSING) {
		free(b->base);
		return;
	}
	if (n < 0) {
		lost(c, (int)n);
	} else if (n > 0) {
		c->bytes_in += (size_t)n;
		if (layers_in(c, (uint8_t *)b->base, (size_t)n, &e) < 0)
			conn_fail(c, &e);
	}
	free(b->base);
	settle(c);
}

/* ---- the beginning ---- */

static int conn_new(const struct conn_context *ctx, bool dialer, struct conn **ret, struct err *e)
{
	struct conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_sys(e, -ENOMEM, "a connection");
	r = uv_tcp_init(ctx->loop, &c->tcp);
	if (r < 0) {
		free(c);
		return err_sys(e, r, "a socket");
	}
	uv_timer_init(ctx->loop, &c->timer);
	c->tcp.data = c->timer.data = c->connect.data = c->write.data = c;
	c->ctx = ctx;
	c->dialer = dialer;
	list_init(&c->streams);
	list_init(&c->timed);
	list_init(&c->relieved);
	*ret = c;
	return 0;
}

/* It never was: the handles are closed, and nobody hears of it. */
static void conn_abandon(struct conn *c)
{
	c->unborn = true;
	c->phase = CONN_CLOSING;
	uv_timer_stop(&c->timer);
	uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
}

/* The socket is connected. */
static int begin(struct conn *c, struct err *e)
{
	int r = layers_start(c, e);

	if (r < 0)
		return r;
	uv_tcp_nodelay(&c->tcp, 1);
	uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
	r = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	return r < 0 ? err_sys(e, r, "reading from the socket") : 0;
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct conn *c = connect->data;
	struct err e = { 0 };

	if (c->phase == CONN_CLOSING)
		return;
	if (status < 0)
		lost(c, status);
	else if (begin(c, &e) < 0)
		conn_fail(c, &e);
	settle(c);
}

static size_t address_size(const struct sockaddr *a)
{
	return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

int conn_dial(const struct conn_context *ctx, const struct sockaddr *to,
	      const struct peerid *expected, uint64_t timeout_ms, struct conn **ret, struct err *e)
{
	struct conn *c;
	int r = conn_new(ctx, true, &c, e);

	if (r < 0)
		return r;
	memcpy(&c->remote, to, address_size(to));
	c->expected = *expected;
	c->upgrade_deadline = now_ms(c) + timeout_ms;
	r = uv_tcp_connect(&c->connect, &c->tcp, to, on_connected);
	if (r < 0) {
		conn_abandon(c);
		return err_sys(e, r, "connecting");
	}
	set_timer(c);
	*ret = c;
	return 0;
}

int conn_accept(const struct conn_context *ctx, uv_stream_t *listener, struct conn **ret,
		struct err *e)
{
	struct conn *c;
	int r = conn_new(ctx, false, &c, e), len = sizeof(c->remote);

	if (r < 0)
		return r;
	c->upgrade_deadline = now_ms(c) + CONN_UPGRADE_IN_MS;
	r = uv_accept(listener, (uv_stream_t *)&c->tcp);
	if (r == 0)
		r = uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&c->remote, &len);
	r = r < 0 ? err_sys(e, r, "accepting a connection") : begin(c, e);
	if (r < 0) {
		conn_abandon(c);
		return r;
	}
	conn_wake(c);
	*ret = c;
	return 0;
}

/* ---- what is known of it ---- */

void conn_set_arg(struct conn *c, void *arg)
{
	c->arg = arg;
}

void *conn_arg(const struct conn *c)
{
	return c->arg;
}

bool conn_is_dialer(const struct conn *c)
{
	return c->dialer;
}

bool conn_is_open(const struct conn *c)
{
	return c->phase == CONN_OPEN;
}

const struct peerid *conn_peer(const struct conn *c)
{
	return c->yamux ? noise_peer(c->noise) : NULL;
}

const struct sockaddr *conn_remote(const struct conn *c)
{
	return (const struct sockaddr *)&c->remote;
}

size_t conn_streams(const struct conn *c)
{
	return c->yamux ? yamux_streams(c->yamux) : 0;
}

uint64_t conn_opened_ms(const struct conn *c)
{
	return c->opened_ms;
}

uint64_t conn_bytes_in(const struct conn *c)
{
	return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
	return c->bytes_out;
}

uint64_t conn_rtt_ms(const struct conn *c)
{
	return c->yamux ? yamux_rtt_ms(c->yamux) : 0;
}
