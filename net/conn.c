#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/conn_internal.h"

#define KEEPALIVE_S 30

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

void conn_close_handles(struct conn *c)
{
	uv_timer_stop(&c->timer);
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
	conn_close_handles(c);
}

/* The socket is connected. */
static int begin(struct conn *c, struct err *e)
{
	int r = layers_start(c, e);

	if (r < 0)
		return r;
	uv_tcp_nodelay(&c->tcp, 1);
	uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
	r = conn_read(c);
	return r < 0 ? err_sys(e, r, "reading from the socket") : 0;
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct conn *c = connect->data;
	struct err e = { 0 };

	if (c->phase == CONN_CLOSING)
		return;
	if (status < 0)
		conn_lost(c, status);
	else if (begin(c, &e) < 0)
		conn_fail(c, &e);
	conn_settle(c);
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
	c->upgrade_deadline = uv_now(ctx->loop) + timeout_ms;
	r = uv_tcp_connect(&c->connect, &c->tcp, to, on_connected);
	if (r < 0) {
		conn_abandon(c);
		return err_sys(e, r, "connecting");
	}
	conn_set_timer(c);
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
	c->upgrade_deadline = uv_now(ctx->loop) + CONN_UPGRADE_IN_MS;
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
