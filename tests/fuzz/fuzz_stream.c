/*
 * The streams of an open connection, without its socket: the input is a row of steps, each an
 * opcode and what it needs. Most feed the bytes that follow to yamux, as the peer's; the others act
 * as owners of streams, who also act in their callbacks. No stream is told of its end twice, lost,
 * or left without an owner and a deadline.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/conn_internal.h"
#include "net/yamux_internal.h"

#define STEPS_MAX 256 /* of an input; the rest of it does not matter */
#define ZEROS_MORE (2 * YAMUX_HEADER)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct owner {
	struct conn_context ctx;
	struct conn c;
	uint8_t in_events; /* bits: write, hold, shut, open, close, reset, end all */
	unsigned owned;    /* streams that have an owner */
};

enum op {
	OP_FEED = 0x00,
	OP_OPEN = 0xc0,
	OP_OPEN_LAZY,
	OP_WRITE,
	OP_SHUT,
	OP_CLOSE,
	OP_RESET,
	OP_HOLD,
	OP_UNHOLD,
	OP_DRAIN,
	OP_RELIEVE,
	OP_EXPIRE,
	OP_EVENTS
};

static const uint8_t zeros[1u << 20];
static const char *const spoken[] = { "/a", "/b" };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void let_go(struct owner *o)
{
	check(o->owned > 0);
	o->owned--;
}

static void close_one(struct owner *o, struct stream *s)
{
	stream_close(s);
	let_go(o);
}

static void reset_one(struct owner *o, struct stream *s)
{
	stream_reset(s, YAMUX_RESET_PROTOCOL);
	let_go(o);
}

static void end_all(struct owner *o)
{
	struct err why = { 0 };

	if (o->c.phase == CONN_OPEN)
		yamux_end(o->c.yamux, 0);
	err_set(&why, -ECANCELED, "ended");
	conn_fail(&o->c, &why);
}

static void open_one(struct owner *o, bool lazy);

static void write_to(struct stream *s, size_t n)
{
	int r = stream_write(s, zeros, n);

	check(r == 0 || r == -EAGAIN || (r == -EPIPE && (s->shut || !s->y)));
}

static void in_event(struct owner *o, struct stream *s)
{
	if (o->in_events & 1)
		write_to(s, 1000);
	if (o->in_events & 2)
		stream_hold(s);
	if (o->in_events & 4)
		stream_shut(s);
	if (o->in_events & 8)
		open_one(o, o->in_events & 1);
	if (o->in_events & 16)
		close_one(o, s);
	else if (o->in_events & 32)
		reset_one(o, s);
	else if (o->in_events & 64)
		end_all(o);
}

static void on_agreed(void *arg, struct stream *s, const char *protocol)
{
	check(!s->dialogue && stream_protocol_name(s) == protocol);
	in_event(arg, s);
}

static void on_data(void *arg, struct stream *s, const uint8_t *p, size_t n)
{
	check(n > 0 && !s->dialogue && !s->got_eof);
	in_event(arg, s);
}

static void on_event(void *arg, struct stream *s)
{
	in_event(arg, s);
}

static void on_ended(void *arg, struct stream *s, int why)
{
	struct owner *o = arg;

	check(why < 0);
	let_go(o);
	if (o->in_events & 8)
		open_one(o, true);
}

static const struct stream_ops ops = { on_agreed, on_data, on_event, on_event, on_ended };

static void on_accepted(void *arg, struct stream *s)
{
	struct owner *o = arg;

	if (o->in_events & 128)
		return; /* it is reset */
	stream_own(s, &ops, o);
	o->owned++;
	in_event(o, s);
}

static void on_inbound(void *arg, struct conn *c, struct stream *s)
{
	static struct stream_protocol offers[2];

	for (size_t i = 0; i < 2; i++)
		offers[i] = (struct stream_protocol){ spoken[i], on_accepted, arg };
	check(stream_accept(s, offers, 2) == 0);
}

static void open_one(struct owner *o, bool lazy)
{
	struct stream *s;
	int r = stream_open(&o->c, spoken, 2, lazy, &ops, o, &s);

	check(r == 0 || r == -EMFILE || r == o->c.yamux->failed || o->c.phase != CONN_OPEN);
	o->owned += r == 0;
}

/* The owned stream that the byte chooses, NULL where there is none. */
static struct stream *choose(struct owner *o, uint8_t which)
{
	unsigned n = o->owned ? which % o->owned : 0;
	struct list *it;

	list_each (it, &o->c.streams) {
		struct stream *s = container_of(it, struct stream, all);

		if (s->ops && n-- == 0)
			return s;
	}
	return NULL;
}

static void drain(struct owner *o)
{
	struct buf sent = BUF_INIT(CONN_SEND_MAX);

	check(yamux_drain(o->c.yamux, &sent) == 0);
	buf_deinit(&sent);
}

static void check_streams(struct owner *o)
{
	size_t n = 0, owned = 0, opened = 0;
	uint64_t last = 0;
	struct list *it;

	list_each (it, &o->c.streams) {
		struct stream *s = container_of(it, struct stream, all);

		n++;
		owned += s->ops != NULL;
		opened += s->opener;
		check(s->y && s->busy == 0 && yamux_stream_arg(s->y) == s);
		check(!s->let_go || (!s->ops && s->shut));
		check(s->ops || !list_empty(&s->timed));
		check(s->queue.len <= STREAM_QUEUE_MAX);
	}
	list_each (it, &o->c.timed) {
		check(container_of(it, struct stream, timed)->deadline >= last);
		last = container_of(it, struct stream, timed)->deadline;
	}
	check(n == yamux_streams(o->c.yamux) && owned == o->owned);
	check(opened == o->c.n_opened && opened <= STREAM_OPENED_MAX);
}

static void act(struct owner *o, enum op op, uint8_t arg)
{
	struct stream *s = choose(o, arg);

	if (op == OP_OPEN || op == OP_OPEN_LAZY)
		open_one(o, op == OP_OPEN_LAZY);
	else if (op == OP_WRITE && s)
		write_to(s, arg * 4096u);
	else if (op == OP_SHUT && s)
		stream_shut(s);
	else if (op == OP_CLOSE && s)
		close_one(o, s);
	else if (op == OP_RESET && s)
		reset_one(o, s);
	else if (op == OP_HOLD && s)
		stream_hold(s);
	else if (op == OP_UNHOLD && s)
		stream_unhold(s);
	else if (op == OP_DRAIN)
		drain(o);
	else if (op == OP_RELIEVE)
		streams_relieve(&o->c);
	else if (op == OP_EXPIRE)
		streams_expire(&o->c, arg & 1 ? UINT64_MAX - 1 : uv_now(o->ctx.loop));
	else if (op == OP_EVENTS)
		o->in_events = arg;
}

/* One step; the input that it took. */
static size_t step(struct owner *o, const uint8_t *p, size_t n)
{
	size_t feed = 1 + (p[0] & 0x3f);
	struct err e = { 0 };

	if (p[0] >= OP_OPEN) {
		act(o, (enum op)p[0], n > 1 ? p[1] : 0);
		return n > 1 ? 2 : 1;
	}
	if (p[0] & 0x80) { /* zeros, of which large payloads are made, and little beyond them */
		size_t rest = o->c.yamux->payload_left + ZEROS_MORE;

		yamux_feed(o->c.yamux, zeros, feed * 4096 < rest ? feed * 4096 : rest, 1, &e);
		return 1;
	}
	if (feed > n - 1)
		feed = n - 1;
	yamux_feed(o->c.yamux, p + 1, feed, 1, &e);
	return 1 + feed;
}

static void start(struct owner *o, uv_loop_t *loop, bool dialer)
{
	struct yamux_events ev;

	o->ctx = (struct conn_context){ .loop = loop, .inbound = on_inbound, .arg = o };
	o->c.ctx = &o->ctx;
	o->c.phase = CONN_OPEN;
	list_init(&o->c.streams);
	list_init(&o->c.timed);
	list_init(&o->c.relieved);
	uv_timer_init(loop, &o->c.timer);
	stream_events(&o->c, &ev);
	check(yamux_new(dialer, &ev, 0, &o->c.yamux) == 0);
}

/* None is left. */
static void on_handle(uv_handle_t *h, void *arg)
{
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uv_loop_t loop; /* one for all: making one is slow */
	struct owner o = { .owned = 0 };

	if (n == 0)
		return 0;
	if (!loop.data)
		check(uv_loop_init(&loop) == 0);
	loop.data = &loop;
	start(&o, &loop, data[0] & 1);
	for (size_t at = 1, steps = 0; at < n && steps < STEPS_MAX; steps++) {
		at += step(&o, data + at, n - at);
		check_streams(&o);
	}
	o.in_events = 0;
	end_all(&o);
	check_streams(&o);
	check(o.owned == 0);
	yamux_free(o.c.yamux);
	uv_close((uv_handle_t *)&o.c.timer, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_walk(&loop, on_handle, NULL);
	return 0;
}
