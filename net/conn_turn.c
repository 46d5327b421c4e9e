/*
 * A turn of a connection: what is due, what came, what is to be sent, when the next turn is.
 */
#include <errno.h>
#include <stdlib.h>

#include "net/conn_internal.h"

#define READ_MAX (64u * 1024)
#define SEND_KEEP (16u * 1024) /* memory that a connection at rest keeps for sending */
#define STALL_LOOKS 4          /* at a write within CONN_WRITE_STALL_MS */

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

void conn_lost(struct conn *c, int r)
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
		conn_lost(c, r);
		return;
	}
	c->writing = true;
	c->unsent = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
	c->looks = 0;
	c->look_ms = now_ms(c) + CONN_WRITE_STALL_MS / STALL_LOOKS;
}

/* Looks are counted, not the time between them: a loop that stood still is no fault of the peer. */
static void check_stall(struct conn *c, uint64_t now, struct err *e)
{
	size_t unsent;

	if (!c->writing || now < c->look_ms)
		return;
	unsent = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
	c->looks = unsent < c->unsent || unsent == 0 ? 0 : c->looks + 1;
	c->unsent = unsent;
	c->look_ms = now + CONN_WRITE_STALL_MS / STALL_LOOKS;
	if (c->looks == STALL_LOOKS)
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

void conn_set_timer(struct conn *c)
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
	say_goodbye(c);
	conn_close_handles(c);
}

void conn_settle(struct conn *c)
{
	c->awake = false;
	check_time(c);
	streams_relieve(c);
	if (c->phase != CONN_CLOSING)
		send_out(c);
	if (c->phase == CONN_CLOSING)
		finish(c);
	else
		conn_set_timer(c);
}

static void on_timer(uv_timer_t *t)
{
	conn_settle(t->data);
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
		conn_lost(c, status);
	conn_settle(c);
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
		conn_lost(c, (int)n);
	} else if (n > 0) {
		c->bytes_in += (size_t)n;
		if (layers_in(c, (uint8_t *)b->base, (size_t)n, &e) < 0)
			conn_fail(c, &e);
	}
	free(b->base);
	conn_settle(c);
}

int conn_read(struct conn *c)
{
	return uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}
